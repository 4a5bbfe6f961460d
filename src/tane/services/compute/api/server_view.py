"""How a server is shown (Compute API: "Show server details"). ``SINCE`` says what came with which microversion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.engine import Row

from tane.services.compute.api.common import links
from tane.services.compute.domain.scheduler import DEFAULT_ZONE
from tane.services.compute.domain.servers import Shown, host_hash
from tane.services.compute.domain.states import status_of
from tane.services.network.interface import AddressInfo
from tane.web.codec import iso, iso_micro
from tane.web.request import Request
from tane.web.versions import trim

SINCE = {
    "OS-EXT-SRV-ATTR:reservation_id": "2.3",
    "OS-EXT-SRV-ATTR:launch_index": "2.3",
    "OS-EXT-SRV-ATTR:hostname": "2.3",
    "OS-EXT-SRV-ATTR:kernel_id": "2.3",
    "OS-EXT-SRV-ATTR:ramdisk_id": "2.3",
    "OS-EXT-SRV-ATTR:root_device_name": "2.3",
    "OS-EXT-SRV-ATTR:user_data": "2.3",
    "locked": "2.9",
    "host_status": "2.16",
    "description": "2.19",
    "tags": "2.26",
    "trusted_image_certificates": "2.63",
    "server_groups": "2.71",
    "locked_reason": "2.73",
    "pinned_availability_zone": "2.96",
}
PROGRESSING = ("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING")
POLICY_EXTENDED = "os_compute_api:os-extended-server-attributes"
POLICY_HOST_STATUS = "os_compute_api:servers:show:host_status"


class View:
    """Views of one request's servers; what does not change from server to server is worked out once."""

    def __init__(self, request: Request, shown: Shown) -> None:
        self.request = request
        self.shown = shown
        self.version = request.version
        self.extended = request.allows(POLICY_EXTENDED)
        self.host_status = request.allows(POLICY_HOST_STATUS)
        self.since = {name: came for name, came in SINCE.items() if trim({name: 0}, SINCE, self.version) == {}}

    def brief(self, row: Row[Any]) -> dict[str, Any]:
        return {"id": row.id, "name": row.name, "links": links(self.request, "servers", row.id)}

    def changed(self, row: Row[Any]) -> dict[str, Any]:
        """The answer to an update or rebuild: everything only since 2.75."""
        return self.full(row) if self.version >= (2, 75) else self.basic(row, extended=False)

    def listed(self, row: Row[Any]) -> dict[str, Any]:
        """An entry of a detailed list, which does not tell the server groups."""
        body = self.full(row)
        body.pop("server_groups", None)
        return body

    def basic(self, row: Row[Any], *, extended: bool = True) -> dict[str, Any]:
        """What every microversion shows of a server; ``extended``: the kind and MAC of its addresses too."""
        shown, version = self.shown, self.version
        status = status_of(row.vm_state, row.task_state)
        body: dict[str, Any] = {
            "id": row.id,
            "name": row.name,
            "status": status,
            "tenant_id": row.project_id,
            "user_id": row.user_id,
            "metadata": row.metadata,
            "hostId": host_hash(row.project_id, row.host_name),
            "image": self._image(row),
            "flavor": self._flavor(row),
            "created": iso(row.created_at),
            "updated": iso(row.updated_at),
            "addresses": addresses(shown.addresses.get(row.id, ()), extended=extended),
            "accessIPv4": row.access_ip_v4,
            "accessIPv6": row.access_ip_v6,
            "links": links(self.request, "servers", row.id),
            "OS-DCF:diskConfig": row.disk_config,
            "locked": row.locked_by is not None,
            "description": row.description,
            "tags": shown.tags.get(row.id, []),
            "trusted_image_certificates": None,
            "server_groups": [row.group_id] if row.group_id else [],
            "locked_reason": row.locked_reason,
        }
        if status in PROGRESSING:
            body["progress"] = row.progress
        if row.fault is not None and status in ("ERROR", "DELETED"):
            body["fault"] = row.fault
        if version < (2, 96):
            for name in self.since:
                body.pop(name, None)
        return body

    def full(self, row: Row[Any]) -> dict[str, Any]:
        body, shown = self.basic(row), self.shown
        zone = shown.zones.get(row.host_name, DEFAULT_ZONE) if row.host_name else row.availability_zone or ""
        body.update(
            {
                "config_drive": "True" if row.config_drive else "",
                "key_name": row.key_name,
                "OS-EXT-AZ:availability_zone": zone,
                "OS-SRV-USG:launched_at": iso_micro(row.launched_at),
                "OS-SRV-USG:terminated_at": iso_micro(row.terminated_at),
                "OS-EXT-STS:task_state": row.task_state,
                "OS-EXT-STS:vm_state": row.vm_state,
                "OS-EXT-STS:power_state": row.power_state,
                "os-extended-volumes:volumes_attached": self._volumes(row),
            }
        )
        if self.version >= (2, 96):
            body["pinned_availability_zone"] = row.availability_zone
        if groups := shown.security_groups.get(row.id):
            body["security_groups"] = [{"name": group.name} for group in groups]
        if self.extended:
            body["OS-EXT-SRV-ATTR:host"] = row.host_name
            body["OS-EXT-SRV-ATTR:instance_name"] = f"instance-{row.number:08x}"
            body["OS-EXT-SRV-ATTR:hypervisor_hostname"] = row.host_name
            if self.version >= (2, 3):
                body["OS-EXT-SRV-ATTR:reservation_id"] = row.reservation_id
                body["OS-EXT-SRV-ATTR:launch_index"] = row.launch_index
                body["OS-EXT-SRV-ATTR:hostname"] = row.hostname
                body["OS-EXT-SRV-ATTR:kernel_id"] = ""
                body["OS-EXT-SRV-ATTR:ramdisk_id"] = ""
                body["OS-EXT-SRV-ATTR:root_device_name"] = row.root_device_name
                body["OS-EXT-SRV-ATTR:user_data"] = row.user_data
        elif self.version >= (2, 90):
            body["OS-EXT-SRV-ATTR:hostname"] = row.hostname
        if self.host_status and self.version >= (2, 16):
            body["host_status"] = shown.host_status.get(row.host_id, "") if row.host_id else ""
        return body

    def _image(self, row: Row[Any]) -> Any:
        image_id = row.image_id or row.image_ref
        if image_id is None:
            return ""
        href = f"{self.request.service_url}/images/{image_id}"
        return {"id": image_id, "links": [{"rel": "bookmark", "href": href}]}

    def _flavor(self, row: Row[Any]) -> dict[str, Any]:
        if self.version >= (2, 47):
            return row.flavor  # type: ignore[no-any-return]
        href = f"{self.request.service_url}/flavors/{row.flavor_id}"
        return {"id": row.flavor_id, "links": [{"rel": "bookmark", "href": href}]}

    def _volumes(self, row: Row[Any]) -> list[dict[str, Any]]:
        devices = self.shown.devices.get(row.id, ())
        if self.version < (2, 3):
            return [{"id": device.volume_id} for device in devices]
        return [{"id": device.volume_id, "delete_on_termination": device.delete_on_termination} for device in devices]


def addresses(found: Iterable[AddressInfo], *, extended: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Network name → its addresses of a server."""
    networks: dict[str, list[dict[str, Any]]] = {}
    for info in found:
        entry: dict[str, Any] = {"version": info.version, "addr": info.address}
        if extended:
            entry["OS-EXT-IPS:type"] = info.type
            entry["OS-EXT-IPS-MAC:mac_addr"] = info.mac
        networks.setdefault(info.network_name, []).append(entry)
    return networks
