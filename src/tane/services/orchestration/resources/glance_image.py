"""``OS::Glance::WebImage``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Failed, Kind, Wait
from tane.services.orchestration.resources.declaring import flag, listing, mapping, number, one_of, shown, text
from tane.web.errors import NotFound

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

PATH = "/v2/images"
PLAIN = ("id", "visibility", "protected", "min_disk", "min_ram", "disk_format", "container_format", "tags")
ABOUT = ("architecture", "kernel_id", "os_distro", "os_version", "ramdisk_id")


class WebImage(Kind):
    adopts = True
    name = "OS::Glance::WebImage"
    description = "A resource managing images in Glance using web-download import."
    properties = {
        "name": text("Name for the image."),
        "id": text("The image ID. Glance will generate a UUID if not specified."),
        "visibility": one_of(
            "Scope of image accessibility.", "public", "private", "community", "shared", default="private"
        ),
        "protected": flag("Whether the image can be deleted.", default=False),
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
        "tags": listing("List of image tags."),
        "architecture": text("Operating system architecture."),
        "kernel_id": text("ID of image stored in Glance that should be used as the kernel."),
        "os_distro": text("The common name of the operating system distribution."),
        "os_version": text("Operating system version as specified by the distributor."),
        "ramdisk_id": text("ID of image stored in Glance that should be used as the ramdisk."),
        "extra_properties": mapping("Arbitrary properties to associate with the image.", default={}),
    }
    attributes = shown({"show": "map"})

    def create(self, hand: Hand) -> str | None:
        given = hand.properties
        body = {key: given[key] for key in (*PLAIN, *ABOUT) if given.get(key) not in (None, "")}
        body["name"] = given.get("name") or hand.physical_name()
        extra = {str(key): str(value) for key, value in (given.get("extra_properties") or {}).items()}
        made = str(hand.call("image", "POST", PATH, {**extra, **body})["id"])
        method = {"method": {"name": "web-download", "uri": given["location"]}}
        hand.call("image", "POST", f"{PATH}/{made}/import", method)
        return made

    def ready(self, hand: Hand) -> bool:
        status = self.show(hand)["status"]
        if status in ("killed", "deleted"):
            raise Failed(f"Went to status {status}")
        if status == "active":
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
