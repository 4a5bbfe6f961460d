"""``OS::Cinder::Volume`` and ``VolumeAttachment``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from tane import jobs
from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources import volume_offline as offline
from tane.services.orchestration.resources.base import LET_GO, Failed, Kind, Served, Wait, is_retained
from tane.services.orchestration.resources.comparing import Difference, missing
from tane.services.orchestration.resources.declaring import flag, mapping, names, number, shown, text
from tane.web.errors import BadRequest, Conflict, NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

GOOD = ("available", "in-use")
LOST = ("error", "deleting", "error_deleting")
"""What Heat replaces, and all that a failed creation leaves: in any other state a volume holds somebody's data."""
BUSY_OFF = ("detaching", "backing-up")
BUSY = ("backing-up", "restoring-backup", "deleting")
"""What a deletion waits for."""
SOURCES = ("imageRef", "snapshot_id", "source_volid")


class Volume(Served):
    name = "OS::Cinder::Volume"
    description = "A resource that implements Cinder volumes."
    service, path, single = "volume", "/v3/volumes", "volume"
    apart = ("read_only",)
    renamed = {"image": "imageRef"}
    links = {
        "image": "glance.image",
        "snapshot_id": "cinder.snapshot",
        "source_volid": "cinder.volume",
        "volume_type": "cinder.vtype",
    }
    properties = {
        "availability_zone": text("The availability zone in which the volume will be created."),
        "size": number("The size of the volume in GB.", low=1, update="in_place"),
        "snapshot_id": names("cinder.snapshot", "If specified, the snapshot to create the volume from."),
        "backup_id": text("If specified, the backup to create the volume from.", update="in_place"),
        "name": text("A name used to distinguish the volume.", update="in_place"),
        "description": text("A description of the volume.", update="in_place"),
        "image": names("glance.image", "If specified, the name or ID of the image to create the volume from."),
        "metadata": mapping("Key/value pairs to associate with the volume.", default={}, update="in_place"),
        "volume_type": names("cinder.vtype", "If specified, the type of volume to use.", update="in_place"),
        "source_volid": names("cinder.volume", "If specified, the volume to use as source."),
        "read_only": flag("Enables or disables read-only access mode of volume.", update="in_place"),
    }
    attributes = shown(
        {
            "availability_zone": "string",
            "size": "string",
            "snapshot_id": "string",
            "display_name": "string",
            "display_description": "string",
            "volume_type": "string",
            "metadata": "map",
            "metadata_values": "map",
            "attachments": "string",
            "source_volid": "string",
            "status": "string",
            "created_at": "string",
            "bootable": "string",
            "encrypted": "boolean",
            "attachments_list": "list",
            "multiattach": "boolean",
        }
    )

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not any(properties.get(name) for name in ("size", "snapshot_id", "source_volid", "backup_id")):
            raise BadRequest(
                'If neither "backup_id" nor "size" is provided, one of "image", "source_volid", "snapshot_id" must be '
                "specified.",
                type="StackValidationFailed",
            )

    def body(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        made = super().body(hand, properties)
        if made.get("metadata"):
            made["metadata"] = {str(key): str(value) for key, value in made["metadata"].items()}
        if made.get("snapshot_id"):
            made["snapshot_id"] = str(made["snapshot_id"])
        if made.get("backup_id"):
            # What it is restored from is all that it is made of.
            made = {key: value for key, value in made.items() if key not in SOURCES}
        return made

    def create(self, hand: Hand) -> str | None:
        made = super().create(hand)
        if hand.properties.get("read_only") is not None:
            hand.keep(read_only=hand.properties["read_only"])
        return made

    def show(self, hand: Hand) -> Mapping[str, Any]:
        """:raises NotFound: also where it was handed over to another project, as an administrator may find it all the
        same: to the stack it is gone."""
        found = super().show(hand)
        owner = found.get("os-vol-tenant-attr:tenant_id", hand.stack.project_id)
        if owner != hand.stack.project_id and not hand.row.declared.get("external_id"):
            raise NotFound(f"Volume {hand.row.physical_id} could not be found: it is another project's by now.")
        return found

    def ready(self, hand: Hand) -> bool:
        found = self.show(hand)
        if found["status"].startswith("error"):
            raise Failed(f"Went to status {found['status']}")
        if "restore" in hand.row.data and not offline.goes_on(hand, found):
            return False
        if found["status"] not in GOOD or not self._has_type(hand, found):
            return False
        wanted = hand.row.data.get("read_only")
        if wanted is not None:
            self._act(hand, {"os-update_readonly_flag": {"readonly": bool(wanted)}})
            hand.change(data={})
        return True

    def _has_type(self, hand: Hand, shown: Mapping[str, Any]) -> bool:
        """Whether a retype that was wished is done; asks for it once nothing else is. :raises Failed: it was not; the
        next action of the stack asks once more."""
        wanted = hand.row.data.get("retype")
        if wanted is None:
            return True
        kind = hand.call("volume", "GET", f"/v3/types/{part(wanted['to'])}")["volume_type"]
        if shown["volume_type"] == kind["name"]:
            hand.drop("retype")
            return True
        if wanted.get("asked") == hand.stack.traversal:
            raise Failed(f"The volume could not be given the type {kind['name']}")
        self._act(hand, {"os-retype": {"new_type": wanted["to"], "migration_policy": "never"}})
        hand.keep(retype={**wanted, "asked": hand.stack.traversal})
        return False

    def is_well(self, hand: Hand) -> bool:
        try:
            return self.show(hand)["status"] not in LOST
        except NotFound:
            return False

    def waits(self, hand: Hand) -> Wait:
        if hand.row.action == "SNAPSHOT":
            return Wait(None, f"backup:{hand.saved.get('backup_id')}")
        return Wait(None, offline.awaits(hand) or f"volume:{hand.row.physical_id}")

    def _act(self, hand: Hand, action: Mapping[str, Any]) -> None:
        hand.call("volume", "POST", f"{self.path}/{hand.id}/action", dict(action))

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        now = self.show(hand)["size"]
        super().change(hand, {key: value for key, value in changed.items() if key in ("name", "description")})
        if "metadata" in changed:
            wanted = {str(key): str(value) for key, value in (changed["metadata"] or {}).items()}
            hand.call("volume", "PUT", f"{self.path}/{hand.id}/metadata", {"metadata": wanted})
        # What could not be done the last time is done now.
        undone = hand.row.data.get("restore") or {}
        backup, size = self._restored_from(hand, changed), changed.get("size", undone.get("size"))
        if size and size < now and "size" in changed:
            raise BadRequest("Shrinking volume is not supported.", type="NotSupported")
        if backup or (size and size > now):
            offline.begin(hand, backup_id=str(backup) if backup else None, size=size)
        elif "restore" in hand.row.data:
            offline.ends(hand)
        if changed.get("volume_type"):
            hand.keep(retype={"to": hand.lookup("cinder.vtype", changed["volume_type"])})
        if "read_only" in changed:
            self._act(hand, {"os-update_readonly_flag": {"readonly": bool(changed["read_only"])}})

    def _restored_from(self, hand: Hand, changed: Mapping[str, Any]) -> Any:
        """Another backup, or one that was never begun as the volume did not grow first, or the same that could not be
        restored, where that is asked for once more: by who restores a snapshot. What was written since is not
        overwritten by any other update."""
        wanted, undone = hand.properties.get("backup_id"), hand.row.data.get("restore")
        if undone is None or "backup_id" in changed:
            return changed.get("backup_id")
        unbegun = undone.get("backup") is not None and undone["backup"] == str(wanted)
        return wanted if unbegun or hand.stack.action == "RESTORE" else None

    def snapshot(self, hand: Hand) -> Mapping[str, Any]:
        """A backup, also of one that is attached: a snapshot would go with the volume, and cannot be put back. Of one
        that a server boots from it says so: the backup serves to make another of it, as long as that server is there.
        """
        shown = self.show(hand)
        body = {"volume_id": hand.row.physical_id, "name": hand.physical_name(), "force": True}
        made = hand.call("volume", "POST", "/v3/backups", {"backup": body})["backup"]
        kept = {"backup_id": made["id"], "size": shown["size"]}
        server = offline.boots(hand, shown)
        return kept if server is None else {**kept, "boots": server, "not_restored": offline.BOOTS.format(server)}

    def turned(self, hand: Hand, action: str) -> bool:
        if action != "SNAPSHOT" or "backup_id" not in hand.saved:
            return True
        backup = hand.call("volume", "GET", f"/v3/backups/{part(str(hand.saved['backup_id']))}")["backup"]
        if backup["status"] not in ("creating", "available"):
            raise Failed(f"The backup went to status {backup['status']}: {backup['fail_reason']}")
        return bool(backup["status"] == "available")

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        try:
            status = self.show(hand)["status"]
        except NotFound:
            return
        if status not in BUSY:
            super().delete(hand)

    def gone(self, hand: Hand) -> bool:
        if hand.row.physical_id is None:
            return True
        try:
            status = self.show(hand)["status"]
        except NotFound:
            return True
        if status == "error_deleting":
            raise Failed("Went to status error_deleting")
        if status not in BUSY:
            super().delete(hand)
        return False

    def against(self, hand: Hand, shown: Mapping[str, Any]) -> dict[str, Difference]:
        found = super().against(hand, shown)
        if "volume_type" in found and missing(found["volume_type"].wanted) is None:
            # It is set by its id and shown by its name.
            kind = hand.call("volume", "GET", f"/v3/types/{part(str(found['volume_type'].wanted))}")["volume_type"]
            if kind["name"] == shown["volume_type"]:
                del found["volume_type"]
        return found

    def unmended(self, name: str, found: Difference) -> str | None:
        if name == "size" and found.now > found.wanted:
            return f"A volume does not shrink: give it the size {found.now} in the template."
        return None

    def attribute(self, hand: Hand, name: str) -> Any:
        found = self.show(hand)
        if name == "show":
            return found
        if name == "attachments":
            return str(found["attachments"])
        named = {
            "attachments_list": "attachments",
            "metadata_values": "metadata",
            "display_name": "name",
            "display_description": "description",
        }
        return found.get(named.get(name, name))


class VolumeAttachment(Kind):
    adopts = True
    brings = essential = ("server", "volume")
    compares = True
    name = "OS::Cinder::VolumeAttachment"
    description = "Resource for associating volume to instance."
    properties = {
        "instance_uuid": names(
            "nova.server", "The ID of the server to which the volume attaches.", required=True, update="in_place"
        ),
        "volume_id": names("cinder.volume", "The ID of the volume to be attached.", required=True, update="in_place"),
        "mountpoint": text("The location where the volume is exposed on the instance.", update="in_place"),
    }

    def _path(self, hand: Hand) -> str:
        return f"/v2.1/servers/{part(str(hand.row.data.get('server')))}/os-volume_attachments"

    def create(self, hand: Hand) -> str | None:
        server = hand.lookup("nova.server", hand.properties["instance_uuid"])
        volume = hand.lookup("cinder.volume", hand.properties["volume_id"])
        hand.keep(server=server, volume=volume)
        body = {"volumeId": volume}
        if hand.properties.get("mountpoint"):
            body["device"] = hand.properties["mountpoint"]
        made = hand.call("compute", "POST", self._path(hand), {"volumeAttachment": body}, spoken=offline.SPOKEN)
        return str(made["volumeAttachment"]["id"])

    def _status(self, hand: Hand) -> str | None:
        try:
            volume = part(str(hand.row.data["volume"]))
            return str(hand.call("volume", "GET", f"/v3/volumes/{volume}")["volume"]["status"])
        except NotFound:
            return None

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        if self._is_off(hand):
            raise NotFound(
                f"The volume {hand.row.data.get('volume')} is not attached to {hand.row.data.get('server')}."
            )
        return {}

    def ready(self, hand: Hand) -> bool:
        if hand.row.data.get("moves"):
            return self._moves(hand)
        status = self._status(hand)
        if status in ("in-use", "attaching", "reserved"):
            return status == "in-use"
        raise Failed(f"The volume could not be attached: its status is {status}")

    def is_well(self, hand: Hand) -> bool:
        """As long as there is a volume, an update puts it where it belongs: another attachment could not have it."""
        return "volume" in hand.row.data and self._status(hand) is not None

    def waits(self, hand: Hand) -> Wait:
        return Wait(None, f"server:{hand.row.data.get('server')}")

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """It is taken off, and when that is done put on where it is to be (see :meth:`ready`)."""
        if not self._is_off(hand):
            self._take_off(hand, unless=BUSY_OFF)
        hand.keep(moves=True)

    def _moves(self, hand: Hand) -> bool:
        if not self.gone(hand):
            return False
        # The server to which it goes may be held up by something else.
        if (status := self._status(hand)) in BUSY_OFF:
            return False
        if status == "in-use":
            raise Failed("The volume could not be attached: another server has it")
        hand.change(physical_id=self.create(hand))
        hand.drop("moves")
        return False

    def lets_go(self, hand: Hand) -> bool:
        if LET_GO in hand.row.data:
            return self._is_off(hand) or self._goes_off(hand)
        self.delete(hand)
        hand.keep(**{LET_GO: True})
        return self._is_off(hand)

    def takes_back(self, hand: Hand) -> bool:
        hand.keep(moves=True)
        return True

    def delete(self, hand: Hand) -> None:
        if not self._is_of_another(hand) and not self._is_off(hand):
            self._take_off(hand, unless=BUSY_OFF)

    def gone(self, hand: Hand) -> bool:
        return self._is_of_another(hand) or self._is_off(hand) or self._goes_off(hand)

    def _is_of_another(self, hand: Hand) -> bool:
        """What was let go may be another's by now, on the same server."""
        volume = hand.row.data.get("volume")
        return LET_GO in hand.row.data and any(one.data.get("volume") == volume for one in heirs.of(hand))

    def _goes_off(self, hand: Hand) -> bool:
        """Do what takes off a volume that is at the server still. :raises Failed: all was done, and it stays there."""
        if self._status(hand) != "in-use":
            return False
        if jobs.pending(hand.tx, f"server:{hand.row.data.get('server')}") is not None:
            return False
        if hand.row.data.get("asked") != hand.stack.traversal:
            # What held it up is over: a backup that was made of it.
            self._take_off(hand)
        elif not self._goes_with_server(hand):
            raise Failed(f"The volume {hand.row.data['volume']} could not be taken off {hand.row.data.get('server')}")
        return False

    def _goes_with_server(self, hand: Hand) -> bool:
        """Delete the server that would not let go, as at a host that is lost, where it goes with the same stack."""
        from tane.services.orchestration.store import resources

        server = resources.by_physical_id(hand.tx, hand.stack.id, str(hand.row.data.get("server")))
        stays = server is None or is_retained(server)
        if hand.stack.action != "DELETE" or stays or hand.row.data.get("with_server") == hand.stack.traversal:
            return False
        hand.call("compute", "DELETE", f"/v2.1/servers/{part(str(hand.row.data['server']))}")
        hand.keep(with_server=hand.stack.traversal)
        return True

    def _take_off(self, hand: Hand, unless: Collection[str] = ()) -> None:
        """Once in each action of the stack: what fails at a host that is lost would fail again at once, for ever."""
        if self._status(hand) not in unless:
            volume = part(str(hand.row.data["volume"]))
            try:
                hand.call("compute", "DELETE", f"{self._path(hand)}/{volume}", spoken=offline.SPOKEN)
            except Conflict:
                # A server in ERROR gives nothing up: where all goes, it goes first.
                server = f"/v2.1/servers/{part(str(hand.row.data.get('server')))}"
                if hand.stack.action != "DELETE" or hand.call("compute", "GET", server)["server"]["status"] != "ERROR":
                    raise
            hand.keep(asked=hand.stack.traversal)

    def _is_off(self, hand: Hand) -> bool:
        if "volume" not in hand.row.data:
            return True
        try:
            listed = hand.call("compute", "GET", self._path(hand), spoken=offline.SPOKEN)["volumeAttachments"]
        except NotFound:
            return True
        return all(one["volumeId"] != hand.row.data["volume"] for one in listed)
