"""A volume that is there gets back what a backup holds: taken off its server first, and put on again after that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Failed
from tane.web.errors import NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

SPOKEN = "2.48"


def begin(hand: Hand, backup_id: str) -> None:
    """What is to be done is kept with the resource; :func:`goes_on` does one thing of it after another."""
    hand.keep(restore={"backup": backup_id, "step": "detach"})


def awaits(hand: Hand) -> str | None:
    """The resource of the jobs whose end it waits for, if that is not the volume itself."""
    todo = hand.row.data.get("restore") or {}
    return f"server:{todo['server']}" if todo.get("server") and todo["step"] != "restore" else None


def goes_on(hand: Hand, shown: Mapping[str, Any]) -> bool:
    """Do what can be done next; whether that was all. :raises Failed:"""
    todo, status = dict(hand.row.data["restore"]), shown["status"]
    if todo["step"] == "detach":
        if status == "in-use" and _is_free(hand, shown["attachments"]):
            return _detach(hand, todo, shown["attachments"][0])
        if status == "available":
            path = f"/v3/backups/{part(todo['backup'])}/restore"
            hand.call("volume", "POST", path, {"restore": {"volume_id": str(hand.row.physical_id)}})
            hand.keep(restore={**todo, "step": "restore"})
        return False
    if todo["step"] == "restore":
        if status != "available":
            return False
        return _attach(hand, todo) if todo.get("server") else _done(hand)
    if status == "available":
        raise Failed(f"The volume could not be attached to the server {todo['server']} again")
    return _done(hand) if status == "in-use" else False


def _done(hand: Hand) -> bool:
    hand.change(data={name: value for name, value in hand.row.data.items() if name != "restore"})
    return True


def _is_free(hand: Hand, attachments: Any) -> bool:
    """Whether nothing else is under way with its server, which another resource may change meanwhile."""
    try:
        return _state(hand, str(attachments[0]["server_id"])) is None if attachments else False
    except NotFound:
        return False


def _state(hand: Hand, server_id: str) -> Any:
    """What is under way with a server. :raises NotFound: it is gone."""
    return hand.call("compute", "GET", f"/v2.1/servers/{part(server_id)}")["server"]["OS-EXT-STS:task_state"]


def _detach(hand: Hand, todo: Mapping[str, Any], attachment: Mapping[str, Any]) -> bool:
    if "server" not in todo:
        server_id = str(attachment["server_id"])
        path = f"/v2.1/servers/{part(server_id)}/os-volume_attachments/{hand.id}"
        hand.call("compute", "DELETE", path, spoken=SPOKEN)
        hand.keep(restore={**todo, "server": server_id, "device": attachment["device"]})
    return False


def _attach(hand: Hand, todo: Mapping[str, Any]) -> bool:
    """Where it was; a server that is gone by now misses nothing."""
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
