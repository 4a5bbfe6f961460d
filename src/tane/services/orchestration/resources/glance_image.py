"""``OS::Glance::WebImage``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Errand, Failed, Kind, Told, Wait
from tane.services.orchestration.resources.declaring import flag, listing, mapping, number, one_of, shown, text
from tane.services.orchestration.template.constraints import AllowedPattern
from tane.web.errors import NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

PATH = "/v2/images"
PLAIN = ("id", "visibility", "protected", "min_disk", "min_ram", "disk_format", "container_format", "tags", "owner")
ABOUT = ("architecture", "kernel_id", "os_distro", "os_version", "ramdisk_id")
CHANGED = ("visibility", "protected", "tags", "owner", *ABOUT)
"""What a patch sets; extra properties stand beside these in an image."""
PATCH = "application/openstack-images-v2.1-json-patch"
UUID = AllowedPattern(pattern="^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$")


class WebImage(Kind):
    adopts = True
    away = True
    name = "OS::Glance::WebImage"
    description = "A resource managing images in Glance using web-download import."
    properties = {
        "name": text("Name for the image."),
        "id": text("The image ID. Glance will generate a UUID if not specified."),
        "visibility": one_of(
            "Scope of image accessibility.",
            *("public", "private", "community", "shared"),
            default="private",
            update="in_place",
        ),
        "protected": flag("Whether the image can be deleted.", default=False, update="in_place"),
        "min_disk": number("Amount of disk space (in GB) required to boot image.", low=0, default=0),
        "min_ram": number("Amount of ram (in MB) required to boot image.", low=0, default=0),
        "disk_format": one_of(
            "Disk format of image.",
            *("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso"),
            required=True,
        ),
        "container_format": one_of(
            "Container format of image.", *("ami", "ari", "aki", "bare", "ovf", "ova", "docker"), required=True
        ),
        "location": text("URL where the data for this image already resides.", required=True),
        "tags": listing("List of image tags.", update="in_place"),
        "architecture": text("Operating system architecture.", update="in_place"),
        "kernel_id": text("ID of image stored in Glance that should be used as the kernel.", UUID, update="in_place"),
        "os_distro": text("The common name of the operating system distribution.", update="in_place"),
        "os_version": text("Operating system version as specified by the distributor.", update="in_place"),
        "ramdisk_id": text("ID of image stored in Glance that should be used as the ramdisk.", UUID, update="in_place"),
        "owner": text("Owner of the image.", update="in_place"),
        "members": listing(
            "List of the projects that the image is shared with.", text("A project."), update="in_place"
        ),
        "active": flag("Activate or deactivate the image. Requires Admin Access.", default=True, update="in_place"),
        "extra_properties": mapping("Arbitrary properties to associate with the image.", default={}, update="in_place"),
    }
    attributes = shown({"show": "map"})

    def create(self, hand: Hand) -> str | None:
        given = hand.properties
        body = {key: given[key] for key in (*PLAIN, *ABOUT) if given.get(key) not in (None, "")}
        body["name"] = given.get("name") or hand.physical_name()
        made = str(hand.call("image", "POST", PATH, {**self._extra(given), **body})["id"])
        for member in given.get("members") or []:
            hand.call("image", "POST", f"{PATH}/{made}/members", {"member": str(member)})
        method = {"method": {"name": "web-download", "uri": given["location"]}}
        hand.call("image", "POST", f"{PATH}/{made}/import", method)
        hand.keep(active=given.get("active", True))
        return made

    def _extra(self, given: Mapping[str, Any]) -> dict[str, str]:
        return {str(key): str(value) for key, value in (given.get("extra_properties") or {}).items()}

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        wanted = {name: changed[name] for name in CHANGED if name in changed}
        if "extra_properties" in changed:
            wanted = {**dict.fromkeys(self._extra(hand.row.properties)), **self._extra(changed), **wanted}
        if wanted:
            hand.keep(wanted=wanted)
        if "members" in changed:
            old = {str(one) for one in hand.row.properties.get("members") or []}
            new = {str(one) for one in changed["members"] or []}
            for member in sorted(old - new):
                hand.call("image", "DELETE", f"{PATH}/{hand.id}/members/{part(member)}")
            for member in sorted(new - old):
                hand.call("image", "POST", f"{PATH}/{hand.id}/members", {"member": member})
        if "active" in changed:
            hand.keep(active=changed["active"])

    def errand(self, hand: Hand) -> Errand | None:
        """Set what is not yet as it is wanted."""
        wanted = hand.row.data.get("wanted")
        if hand.row.action == "DELETE" or not wanted:
            return None
        there = self.show(hand)
        patch = [found for name, value in wanted.items() if (found := self._patched(name, value, there)) is not None]
        if not patch:
            hand.drop("wanted")
            return None
        return Errand("image", "PATCH", f"{PATH}/{hand.id}", {"content-type": PATCH}, body=patch)

    def ran(self, hand: Hand, told: Told) -> Errand | None:
        hand.drop("wanted")
        if told.status >= 400:
            raise Failed(told.message)
        return None

    def _patched(self, name: str, value: Any, there: Mapping[str, Any]) -> dict[str, Any] | None:
        """The operation that makes an attribute what it is to be; None where it is that."""
        at = "/" + name.replace("~", "~0").replace("/", "~1")
        if name == "tags":
            value = sorted({str(tag) for tag in value or []})
            return None if value == sorted(there["tags"]) else {"op": "replace", "path": at, "value": value}
        if value in (None, ""):
            return {"op": "remove", "path": at} if name in there else None
        if there.get(name) == value:
            return None
        return {"op": "replace" if name in there else "add", "path": at, "value": value}

    def ready(self, hand: Hand) -> bool:
        status = self.show(hand)["status"]
        if status in ("killed", "deleted"):
            raise Failed(f"Went to status {status}")
        if status in ("active", "deactivated"):
            wanted = hand.row.data.get("active")
            if wanted is not None and wanted != (status == "active"):
                hand.call("image", "POST", f"{PATH}/{hand.id}/actions/{'reactivate' if wanted else 'deactivate'}")
            return True
        tasks = hand.call("image", "GET", f"{PATH}/{hand.id}/tasks")["tasks"]
        failed = [one for one in tasks if one["status"] == "failure"]
        if status == "queued" and failed and len(failed) == len(tasks):
            raise Failed(f"The image could not be imported: {failed[0].get('message') or 'unknown'}")
        return False

    def waits(self, hand: Hand) -> Wait:
        return Wait(None, f"image:{hand.row.physical_id}")

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = hand.call("image", "GET", f"{PATH}/{hand.id}")
        return found

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.show(hand)

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        try:
            hand.call("image", "DELETE", f"{PATH}/{hand.id}")
        except NotFound:
            return
