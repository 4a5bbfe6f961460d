"""``OS::Cinder::VolumeType`` and ``EncryptedVolumeType``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Kind, Served
from tane.services.orchestration.resources.declaring import flag, listing, mapping, names, number, one_of, text
from tane.web.errors import NotFound

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand


class VolumeType(Served):
    name = "OS::Cinder::VolumeType"
    description = "A resource for creating cinder volume types."
    service, path, single = "volume", "/v3/types", "volume_type"
    apart = ("metadata", "projects")
    renamed = {"is_public": "os-volume-type-access:is_public"}
    properties = {
        "name": text("Name of the volume type.", required=True, update="in_place"),
        "metadata": mapping("The extra specs key and value pairs of the volume type.", default={}, update="in_place"),
        "is_public": flag("Whether the volume type is accessible to the public.", default=True, update="in_place"),
        "description": text("Description of the volume type.", update="in_place"),
        "projects": listing(
            "Projects to add volume type access to.",
            names("keystone.project", "A project."),
            default=[],
            update="in_place",
        ),
    }

    def create(self, hand: Hand) -> str | None:
        made = str(super().create(hand))
        self._rest(hand, made, {}, [])
        return made

    def _rest(self, hand: Hand, made: str, specs: Mapping[str, Any], projects: list[str]) -> None:
        """Extra specs, and who may use it. ``specs``, ``projects``: those of before."""
        wanted = {str(key): str(value) for key, value in (hand.properties.get("metadata") or {}).items()}
        for key in specs:
            if key not in wanted:
                hand.call("volume", "DELETE", f"{self.path}/{made}/extra_specs/{key}")
        if wanted:
            hand.call("volume", "POST", f"{self.path}/{made}/extra_specs", {"extra_specs": wanted})
        after = set(hand.properties.get("projects") or [])
        for action, who in (
            ("addProjectAccess", after - set(projects)),
            ("removeProjectAccess", set(projects) - after),
        ):
            for one in sorted(who):
                project = hand.lookup("keystone.project", one)
                hand.call("volume", "POST", f"{self.path}/{made}/action", {action: {"project": project}})

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        plain = {key: value for key, value in changed.items() if key in ("name", "description", "is_public")}
        if plain:
            hand.call("volume", "PUT", f"{self.path}/{hand.id}", {"volume_type": plain})
        before = hand.row.properties
        self._rest(hand, str(hand.row.physical_id), before.get("metadata") or {}, before.get("projects") or [])


class EncryptedVolumeType(Kind):
    name = "OS::Cinder::EncryptedVolumeType"
    description = "A resource for encrypting a cinder volume type."
    properties = {
        "provider": text("The class that provides encryption support.", required=True, update="in_place"),
        "control_location": one_of(
            "Notional service where encryption is performed.",
            "front-end",
            "back-end",
            default="front-end",
            update="in_place",
        ),
        "cipher": one_of("The encryption algorithm or mode.", "aes-xts-plain64", "aes-cbc-essiv", update="in_place"),
        "key_size": number("Size of encryption key, in bits.", update="in_place"),
        "volume_type": names("cinder.vtype", "Name or id of volume type (OS::Cinder::VolumeType).", required=True),
    }

    def _body(self, hand: Hand) -> dict[str, Any]:
        given = {key: value for key, value in hand.properties.items() if key != "volume_type" and value is not None}
        return {"encryption": given}

    def create(self, hand: Hand) -> str | None:
        kind = hand.lookup("cinder.vtype", hand.properties["volume_type"])
        made = hand.call("volume", "POST", f"/v3/types/{kind}/encryption", self._body(hand))
        hand.keep(encryption=str(made["encryption"]["encryption_id"]))
        return kind

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        where = f"/v3/types/{hand.id}/encryption/{hand.row.data['encryption']}"
        now = {key: value for key, value in hand.properties.items() if key != "volume_type"}
        hand.call("volume", "PUT", where, {"encryption": now})

    def delete(self, hand: Hand) -> None:
        if "encryption" not in hand.row.data:
            return
        try:
            hand.call("volume", "DELETE", f"/v3/types/{hand.id}/encryption/{hand.row.data['encryption']}")
        except NotFound:
            return
