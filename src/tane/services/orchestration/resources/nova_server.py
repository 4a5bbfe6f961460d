"""``OS::Nova::Server``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tane.services.orchestration.resources import (
    guest_data,
    handing_over,
    server_changes,
    server_networks,
    server_shown,
)
from tane.services.orchestration.resources.base import BROUGHT, Failed, Kind, Wait
from tane.services.orchestration.resources.comparing import Difference, same
from tane.services.orchestration.resources.declaring import (
    flag,
    listing,
    mapping,
    names,
    number,
    one_of,
    shown,
    text,
)
from tane.services.orchestration.resources.neutron import of_network, of_type, without_none
from tane.services.orchestration.resources.server_shown import SERVERS, SPOKEN
from tane.services.orchestration.template.constraints import Length
from tane.web.errors import BadRequest, NotFound, NotImplementedHere
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan

STANDING = ("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED")
"""What a server may be after an update: that starts none, nor does a rebuild of one that was stopped."""
DEVICE = {
    "device_name": text("A device name where the volume will be attached in the system at /dev/device_name."),
    "volume_id": names("cinder.volume", "The volume_id can be boot or non-boot device to the server."),
    "snapshot_id": names("cinder.snapshot", "The ID of the snapshot to create a volume from."),
    "image": names("glance.image", "The ID or name of the image to create a volume from."),
    "image_id": names("glance.image", "Use property image."),
    "volume_type": names("cinder.vtype", "The volume type of the volume that is made."),
    "boot_index": number("Integer used for ordering the boot disks."),
    "volume_size": number("Size of the block device in GB."),
    "delete_on_termination": flag("Indicate whether the volume should be deleted when the server is terminated."),
    "device_type": one_of(
        "Device type: at the moment we can make distinction only between disk and cdrom.", "cdrom", "disk"
    ),
    "disk_bus": one_of(
        "Bus of the device: hypervisor driver chooses a suitable default if omitted.",
        *("ide", "lame_bus", "sata", "scsi", "usb", "virtio"),
    ),
    "swap_size": number("The size of the swap, in MB."),
    "ephemeral_size": number("The size of the local ephemeral block device, in GB.", low=1),
    "ephemeral_format": one_of(
        "The format of the local ephemeral block device.", "ext2", "ext3", "ext4", "xfs", "ntfs"
    ),
}


OLD_DEVICE = {
    "device_name": text("A device name where the volume will be attached in the system.", required=True),
    "volume_id": DEVICE["volume_id"],
    "snapshot_id": DEVICE["snapshot_id"],
    "volume_size": DEVICE["volume_size"],
    "delete_on_termination": DEVICE["delete_on_termination"],
}


class Server(Kind):
    adopts = True
    leaves = True
    compares = True
    brings = ("ports",)
    name = "OS::Nova::Server"
    makes_way = True
    description = "A resource for managing Nova instances."
    properties = {
        "name": text("Server name.", update="in_place"),
        "image": names("glance.image", "The ID or name of the image to boot with.", update="in_place"),
        "block_device_mapping": listing("Block device mappings for this server.", OLD_DEVICE),
        "block_device_mapping_v2": listing("Block device mappings v2 for this server.", DEVICE),
        "flavor": names("nova.flavor", "The ID or name of the flavor to boot onto.", required=True, update="in_place"),
        "key_name": names("nova.keypair", "Name of keypair to inject into the server."),
        "availability_zone": text("Name of the availability zone for server placement."),
        "security_groups": listing("List of security group names or IDs.", default=[]),
        "networks": listing(
            "An ordered list of nics to be added to this server.", server_networks.NETWORK, update="in_place"
        ),
        "scheduler_hints": mapping("Arbitrary key-value pairs specified by the client to help boot a server."),
        "metadata": mapping("Arbitrary key/value metadata to store for this server.", default={}, update="in_place"),
        "user_data_format": one_of(
            "How the user_data should be formatted for the server.",
            *guest_data.FORMATS,
            default=guest_data.FORMATS[0],
        ),
        "user_data": text("User data script to be executed by cloud-init.", default="", update="in_place"),
        "user_data_update_policy": one_of(
            "Policy on how to apply a user_data update.",
            *("REPLACE", "IGNORE", "REBUILD"),
            default="REPLACE",
            update="in_place",
        ),
        "flavor_update_policy": one_of(
            "Policy on how to apply a flavor update.", "RESIZE", "REPLACE", default="RESIZE", update="in_place"
        ),
        "image_update_policy": one_of(
            "Policy on how to apply an image-id update.",
            *("REBUILD", "REPLACE", "REBUILD_PRESERVE_EPHEMERAL"),
            default="REBUILD",
            update="in_place",
        ),
        "config_drive": flag("If True, enable config drive on the server."),
        "diskConfig": one_of("Control how the disk is partitioned when the server is created.", "AUTO", "MANUAL"),
        "admin_pass": text("The administrator password for the server."),
        "software_config_transport": one_of(
            "How the server should receive the metadata required for software configuration.",
            *guest_data.TRANSPORTS,
            default=guest_data.CFN,
            update="in_place",
        ),
        "deployment_swift_data": guest_data.SWIFT,
        "tags": listing("Server tags.", text("A tag.", Length(max=60)), update="in_place"),
    }
    attributes = shown(
        {
            "name": "string",
            "addresses": "map",
            "networks": "map",
            "first_address": "string",
            "instance_name": "string",
            "accessIPv4": "string",
            "accessIPv6": "string",
            "tags": "list",
            "os_collect_config": "map",
            "show": "map",
        }
    )

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        """The subnets of its networks; and where it has one, the router's leg, without which no metadata come."""
        found: list[str] = []
        networks = properties.get("networks")
        for one in networks if isinstance(networks, list) else []:
            if isinstance(one, Mapping):
                found += of_network(plan, one.get("network", one.get("uuid")))
        return [*found, *of_type(plan, "OS::Neutron::RouterInterface")]

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not properties.get("image") and not devices(properties):
            raise BadRequest(
                f"Neither image nor bootable volume is specified for instance {hand.row.name}",
                type="StackValidationFailed",
            )
        if properties.get("block_device_mapping") and properties.get("block_device_mapping_v2"):
            raise BadRequest(
                "Cannot define the following properties at the same time: block_device_mapping, "
                "block_device_mapping_v2.",
                type="ResourcePropertyConflict",
            )
        networks = properties.get("networks") or ()
        if properties.get("security_groups") and any(one.get("port") for one in networks):
            raise BadRequest(
                "Cannot define the following properties at the same time: security_groups, networks/port.",
                type="ResourcePropertyConflict",
            )
        for one in networks:
            given = without_none(one)
            if "allocate_network" in given and (len(given) > 1 or len(networks) > 1):
                raise BadRequest(
                    'Can not specify "allocate_network" with other keys of networks at the same time.',
                    type="StackValidationFailed",
                )
            if one.get("port") and one.get("fixed_ip"):
                raise BadRequest(
                    "Cannot define the following properties at the same time: networks/fixed_ip, networks/port.",
                    type="ResourcePropertyConflict",
                )
            if not any(one.get(key) for key in ("network", "uuid", "port", "subnet", "allocate_network")):
                raise BadRequest("One of the properties network, port is needed.", type="PropertyUnspecifiedError")
        guest_data.check(properties)

    # ------------------------------------------------------------------------------------------------------ making

    def create(self, hand: Hand) -> str | None:
        given = hand.properties
        body: dict[str, Any] = {
            "name": given.get("name") or hand.physical_name(),
            "flavorRef": hand.lookup("nova.flavor", given["flavor"]),
            "metadata": metadata_of(given.get("metadata") or {}),
            "networks": server_networks.wanted(hand),
            "user_data": guest_data.encoded(hand),
            "security_groups": [{"name": str(one)} for one in given.get("security_groups") or []],
            "block_device_mapping_v2": [self._device(hand, one) for one in devices(given)],
            "OS-DCF:diskConfig": given.get("diskConfig"),
            "adminPass": given.get("admin_pass"),
            "tags": given.get("tags"),
            "key_name": given.get("key_name"),
            "availability_zone": given.get("availability_zone"),
            "config_drive": given.get("config_drive"),
        }
        if given.get("image"):
            body["imageRef"] = hand.lookup("glance.image", given["image"])
        wanted = {key: value for key, value in body.items() if value not in (None, "", [])}
        whole: dict[str, Any] = {"server": wanted}
        if given.get("scheduler_hints"):
            whole["os:scheduler_hints"] = given["scheduler_hints"]
        return str(hand.call("compute", "POST", SERVERS, whole, spoken=SPOKEN)["server"]["id"])

    def _device(self, hand: Hand, one: Mapping[str, Any]) -> dict[str, Any]:
        made = without_none(
            {
                "boot_index": one.get("boot_index"),
                "volume_size": one.get("volume_size"),
                "delete_on_termination": one.get("delete_on_termination"),
                "device_name": one.get("device_name"),
                "device_type": one.get("device_type"),
                "disk_bus": one.get("disk_bus"),
                "volume_type": one.get("volume_type"),
            }
        )
        for key, kind, source in (
            ("volume_id", "cinder.volume", "volume"),
            ("snapshot_id", "cinder.snapshot", "snapshot"),
            ("image", "glance.image", "image"),
            ("image_id", "glance.image", "image"),
        ):
            if one.get(key):
                uuid = hand.lookup(kind, one[key])
                return {**made, "source_type": source, "destination_type": "volume", "uuid": uuid}
        if one.get("swap_size") or one.get("ephemeral_size"):
            raise NotImplementedHere("Swap and ephemeral disks in block_device_mapping_v2 are not done yet.")
        raise BadRequest("Either volume_id, snapshot_id or image must be specified for a device mapping.")

    def brought(self, data: Mapping[str, Any]) -> dict[str, Any]:
        try:
            ports = msgspec.convert(data.get("ports", []), list[server_networks.Noted])
        except msgspec.ValidationError as error:
            raise Failed(f"resource_data.ports: {error}") from None
        if any(not BROUGHT.match(one.id) for one in ports):
            raise Failed("resource_data.ports: that is no id.")
        return {"ports": msgspec.to_builtins(ports)} if ports else {}

    def ready(self, hand: Hand) -> bool:
        found = self.show(hand)
        if hand.row.data.get("rebuild"):
            # One that is broken works again by that.
            return server_changes.rebuild(hand, found)
        if found["status"] == "ERROR":
            fault = found.get("fault") or {}
            message, code = fault.get("message", "Unknown"), fault.get("code", "Unknown")
            raise Failed(f'Went to status ERROR due to "Message: {message}, Code: {code}"')
        if hand.row.data.get("resize") and not server_changes.resize(hand, found):
            return False
        well = STANDING if hand.row.action == "UPDATE" else ("ACTIVE",)
        if found["status"] not in well or found.get("OS-EXT-STS:task_state") is not None:
            return False
        changing = hand.row.data.get("leaving") or hand.row.data.get("coming")
        return server_networks.plugged(hand) if changing else True

    def is_well(self, hand: Hand) -> bool:
        try:
            shown = self.show(hand)
            return shown["status"] not in handing_over.BROKEN and shown.get("OS-EXT-STS:task_state") != "deleting"
        except NotFound:
            return False

    def waits(self, hand: Hand) -> Wait:
        return Wait(None, f"server:{hand.row.physical_id}")

    # ---------------------------------------------------------------------------------------------------- changing

    def replaces(self, before: Mapping[str, Any], changed: Mapping[str, Any]) -> list[str]:
        return server_changes.replaces(before, changed)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        server = f"{SERVERS}/{hand.id}"
        server_changes.order(hand, changed, self.show(hand))
        if "name" in changed:
            name = changed["name"] or hand.physical_name()
            hand.call("compute", "PUT", server, {"server": {"name": name}}, spoken=SPOKEN)
        if "metadata" in changed:
            wanted = metadata_of(changed["metadata"] or {})
            hand.call("compute", "PUT", f"{server}/metadata", {"metadata": wanted}, spoken=SPOKEN)
        if "tags" in changed:
            hand.call("compute", "PUT", f"{server}/tags", {"tags": changed["tags"] or []}, spoken=SPOKEN)
        if "networks" in changed:
            server_networks.change(hand)
        if "software_config_transport" in changed and hand.properties.get("user_data_format") == guest_data.SOFTWARE:
            guest_data.introduce(hand)

    # ---------------------------------------------------------------------------------------------------- the rest

    def held(self, properties: Mapping[str, Any]) -> handing_over.Held:
        """What no other server can have beside it; a disk that it boots from stays as long as it does."""
        networks = properties.get("networks") or []
        others = [one for one in devices(properties) if one.get("boot_index") or properties.get("image")]
        return handing_over.Held(
            [str(one["port"]) for one in networks if one.get("port")],
            {str(one["fixed_ip"]) for one in networks if one.get("fixed_ip") and not one.get("port")},
            [str(one["volume_id"]) for one in others if one.get("volume_id")],
        )

    def lets_go(self, hand: Hand) -> bool:
        return handing_over.server_lets_go(hand, self.held(hand.properties))

    def takes_back(self, hand: Hand) -> bool:
        return handing_over.server_takes_back(hand)

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        try:
            hand.call("compute", "DELETE", f"{SERVERS}/{hand.id}", spoken=SPOKEN)
        except NotFound:
            return

    def gone(self, hand: Hand) -> bool:
        from tane import jobs

        if hand.row.physical_id is None:
            return True
        if jobs.pending(hand.tx, f"server:{hand.row.physical_id}") is not None:
            # To look at it costs much more.
            return False
        try:
            self.show(hand)
        except NotFound:
            return server_networks.give_up(hand)
        return False

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = hand.call("compute", "GET", f"{SERVERS}/{hand.id}", spoken=SPOKEN)["server"]
        return found

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        """Its name, flavor, key, metadata and tags, and whether it is in the networks that were set."""
        given, shown = hand.properties, self.show(hand)
        now: dict[str, Any] = {name: shown.get(name) for name in ("name", "key_name", "metadata", "tags")}
        wanted = {name: given[name] for name in now if given.get(name)}
        if "metadata" in wanted:
            wanted["metadata"] = metadata_of(wanted["metadata"])
        found = {name: Difference(value, now[name]) for name, value in wanted.items() if not same(value, now[name])}
        return {**found, **server_shown.other_flavor(hand, shown["flavor"]), **server_networks.others(hand)}

    def check(self, hand: Hand) -> None:
        status = self.show(hand)["status"]
        if status != "ACTIVE":
            raise Failed(f"'status': expected 'ACTIVE', got '{status}'")

    def suspend(self, hand: Hand) -> None:
        if self.show(hand)["status"] != "SUSPENDED":
            hand.call("compute", "POST", f"{SERVERS}/{hand.id}/action", {"suspend": None}, spoken=SPOKEN)

    def resume(self, hand: Hand) -> None:
        if self.show(hand)["status"] != "ACTIVE":
            hand.call("compute", "POST", f"{SERVERS}/{hand.id}/action", {"resume": None}, spoken=SPOKEN)

    def snapshot(self, hand: Hand) -> Mapping[str, Any]:
        """An image of its disk. One that boots from a volume has none: what its volumes hold is kept where they are
        resources of the stack."""
        if not self.show(hand)["image"]:
            return {"not_saved": "the server boots from a volume: what that holds is kept if it is a resource itself"}
        body = {"createImage": {"name": hand.physical_name()}}
        made = hand.call("compute", "POST", f"{SERVERS}/{hand.id}/action", body, spoken=SPOKEN)
        return {"snapshot_image_id": made["image_id"]}

    def _is_kept(self, hand: Hand) -> bool:
        if "snapshot_image_id" not in hand.saved:
            return True
        status = hand.call("image", "GET", f"/v2/images/{part(str(hand.saved['snapshot_image_id']))}")["status"]
        if status not in ("queued", "saving", "importing", "active"):
            raise Failed(f"The image of the server went to status {status}")
        return bool(status == "active" and self.show(hand).get("OS-EXT-STS:task_state") is None)

    def turned(self, hand: Hand, action: str) -> bool:
        if action == "SNAPSHOT":
            return self._is_kept(hand)
        wanted = {"SUSPEND": "SUSPENDED", "RESUME": "ACTIVE"}.get(action)
        if wanted is None:
            return True
        found = self.show(hand)
        if found["status"] != wanted and found.get("OS-EXT-STS:task_state") is None:
            # Compute has done with it, and gave it up.
            raise Failed(f"{action.capitalize()} of the server failed: its status is {found['status']}")
        return bool(found["status"] == wanted)

    def metadata(self, hand: Hand) -> Mapping[str, Any]:
        return guest_data.told(hand, hand.row.properties)

    def attribute(self, hand: Hand, name: str) -> Any:
        found = self.show(hand)
        if name == "show":
            return found
        if name == "instance_name":
            return found.get("OS-EXT-SRV-ATTR:instance_name")
        if name == "networks":
            return server_shown.networks(hand, found)
        if name == "first_address":
            return next((one["addr"] for addresses in found["addresses"].values() for one in addresses), "")
        if name == "addresses":
            return server_shown.addresses(hand, found)
        if name == "os_collect_config":
            return guest_data.told(hand, hand.row.properties).get("os-collect-config", {})
        return found.get(name)


def devices(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The block devices of a server; those of the old list in the words of the new one: what is first there is what it
    boots from, unless it has an image."""
    old = properties.get("block_device_mapping") or []
    first = -1 if properties.get("image") else 0
    return [
        *({**one, "boot_index": -1 if number else first} for number, one in enumerate(old)),
        *(properties.get("block_device_mapping_v2") or []),
    ]


def metadata_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Metadata are text; what is no text is sent as JSON."""
    return {
        str(key): value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in values.items()
    }
