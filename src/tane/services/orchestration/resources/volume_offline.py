"""What only a volume on no server can have done to it: it gets back what a backup holds, it grows. It is taken off its
server first, and put on again after that.

What goes wrong leaves the volume with what it holds: nothing is taken off for a backup that cannot be restored, and
what was taken off is put on again. But one that its pool could not extend is ``error_extending``, as with Heat, and
stays off until an administrator has looked at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Failed
from tane.web.errors import ApiError, NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

SPOKEN = "2.48"
"""The version of compute's API in which volumes are put on servers and taken off."""
ROOT = "the server {} boots from the volume, which cannot be taken off it"
BOOTS = ROOT + ": delete the server, or restore by hand"


def begin(hand: Hand, *, backup_id: str | None = None, size: int | None = None) -> None:
    """What is to be done, to grow to a size (GiB) and to restore a backup, is kept with the resource; :func:`goes_on`
    does one thing of it after another.

    :raises Failed: it cannot be restored, or taken off. :raises NotFound: there is no such backup.
    """
    volume = _volume(hand)
    if backup_id is not None:
        backup = _backup(hand, backup_id)
        if (why := _unfit(backup, max(volume["size"], size or 0))) is not None:
            raise Failed(why)
    if (server := boots(hand, volume)) is not None:
        why = "restored: " + BOOTS if backup_id else "extended: " + ROOT
        raise Failed(f"It cannot be {why.format(server)}")
    todo = {"size": size, "backup": backup_id}
    wanted = {name: value for name, value in todo.items() if value is not None}
    hand.keep(restore={**_taken(hand, volume), **wanted, "step": "detach"})


def ends(hand: Hand) -> None:
    """What was begun, and failed, is not tried again: the volume keeps what it holds, and is put on again."""
    hand.keep(restore={**_taken(hand, _volume(hand)), "step": "back"})


def awaits(hand: Hand) -> str | None:
    """The resource of the jobs whose end it waits for, if that is not the volume itself."""
    todo = hand.row.data.get("restore") or {}
    return f"server:{todo['server']}" if todo.get("server") and todo["step"] != "restore" else None


def boots(hand: Hand, volume: Mapping[str, Any]) -> str | None:
    """The server that boots from a volume, as a user sees it: a server without an image, whose first disk it is."""
    for one in volume["attachments"]:
        try:
            server = _server(hand, str(one["server_id"]))
        except NotFound:
            continue
        if not server["image"] and str(one["device"]).endswith("da"):
            return str(one["server_id"])
    return None


def goes_on(hand: Hand, shown: Mapping[str, Any]) -> bool:
    """Do what can be done next; whether that was all. :raises Failed:"""
    todo, status = dict(hand.row.data["restore"]), shown["status"]
    if todo["step"] == "detach":
        return _take_off(hand, todo, shown)
    if todo["step"] == "restore":
        return _work(hand, todo, shown) if status == "available" else False
    if todo["step"] == "back" and status == "available":
        return _attach(hand) if todo.get("server") else _done(hand)
    if status == "available":
        raise Failed(f"The volume could not be attached to the server {todo['server']} again")
    return _done(hand) if status == "in-use" else False


def _take_off(hand: Hand, todo: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    if shown["status"] == "in-use" and _is_free(hand, shown["attachments"]):
        if "server" in todo:
            raise Failed(f"The volume could not be taken off the server {todo['server']}")
        return _detach(hand, todo, shown["attachments"][0])
    return _work(hand, todo, shown) if shown["status"] == "available" else False


def _work(hand: Hand, todo: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Ask for what is still to be done with a volume on no server; put it on again after the last."""
    left = dict(todo)
    try:
        if todo.get("size", 0) > shown["size"]:
            _extend(hand, todo["size"])
            hand.keep(restore={**todo, "step": "restore"})
            return False
        if left.pop("backup", None) is not None:
            if _restore(hand, todo["backup"], shown):
                hand.keep(restore={**left, "step": "restore"})
            return False
    except ApiError as error:
        left["failed"] = error.message
    except Failed as error:
        left["failed"] = str(error)
    hand.keep(restore={**left, "step": "back"})
    return _attach(hand) if todo.get("server") else _done(hand)


def _extend(hand: Hand, size: int) -> None:
    hand.call("volume", "POST", f"/v3/volumes/{hand.id}/action", {"os-extend": {"new_size": size}})


def _restore(hand: Hand, backup_id: str, shown: Mapping[str, Any]) -> bool:
    """Whether it is begun: a backup that is restored elsewhere is waited for. :raises Failed: :raises ApiError:"""
    backup = _backup(hand, backup_id)
    if (why := _unfit(backup, shown["size"])) is not None:
        raise Failed(why)
    if backup["status"] != "available":
        return False
    path = f"/v3/backups/{part(backup_id)}/restore"
    hand.call("volume", "POST", path, {"restore": {"volume_id": str(hand.row.physical_id)}})
    return True


def _taken(hand: Hand, volume: Mapping[str, Any]) -> dict[str, Any]:
    """Where it was before it was taken off for a restore that failed, unless it is somewhere by now."""
    before = hand.row.data.get("restore") or {}
    there = volume["status"] == "in-use"
    return {} if there else {name: before[name] for name in ("server", "device") if name in before}


def _unfit(backup: Mapping[str, Any], size: int) -> str | None:
    """Why a backup cannot be restored to a volume of that size (GiB); one that is restored elsewhere is waited for."""
    if backup["status"] not in ("available", "restoring"):
        return f"The backup {backup['id']} cannot be restored: its status is {backup['status']}"
    if backup["size"] > size:
        return f"The backup {backup['id']} of {backup['size']} GiB is too large for the volume of {size} GiB"
    return None


def _done(hand: Hand) -> bool:
    failed = hand.row.data["restore"].get("failed")
    if failed is not None:
        raise Failed(f"The volume is left as it was: {failed}")
    hand.drop("restore")
    return True


def _is_free(hand: Hand, attachments: Any) -> bool:
    """Whether nothing else is under way with its server, which another resource may change meanwhile."""
    try:
        return _state(hand, str(attachments[0]["server_id"])) is None if attachments else False
    except NotFound:
        return False


def _volume(hand: Hand) -> Mapping[str, Any]:
    found: dict[str, Any] = hand.call("volume", "GET", f"/v3/volumes/{hand.id}")["volume"]
    return found


def _backup(hand: Hand, backup_id: str) -> Mapping[str, Any]:
    """:raises NotFound:"""
    found: dict[str, Any] = hand.call("volume", "GET", f"/v3/backups/{part(backup_id)}")["backup"]
    return found


def _server(hand: Hand, server_id: str) -> Mapping[str, Any]:
    """:raises NotFound: it is gone."""
    found: dict[str, Any] = hand.call("compute", "GET", f"/v2.1/servers/{part(server_id)}")["server"]
    return found


def _state(hand: Hand, server_id: str) -> Any:
    """What is under way with a server. :raises NotFound: it is gone."""
    return _server(hand, server_id)["OS-EXT-STS:task_state"]


def _detach(hand: Hand, todo: Mapping[str, Any], attachment: Mapping[str, Any]) -> bool:
    server_id = str(attachment["server_id"])
    path = f"/v2.1/servers/{part(server_id)}/os-volume_attachments/{hand.id}"
    hand.call("compute", "DELETE", path, spoken=SPOKEN)
    hand.keep(restore={**todo, "server": server_id, "device": attachment["device"]})
    return False


def _attach(hand: Hand) -> bool:
    """Where it was; a server that is gone by now misses nothing."""
    todo = dict(hand.row.data["restore"])
    try:
        if _state(hand, todo["server"]) is not None:
            return False
    except NotFound:
        return _done(hand)
    body = {"volumeId": str(hand.row.physical_id), "device": todo["device"]}
    path = f"/v2.1/servers/{part(todo['server'])}/os-volume_attachments"
    hand.call("compute", "POST", path, {"volumeAttachment": body}, spoken=SPOKEN)
    hand.keep(restore={**todo, "step": "attach"})
    return False
