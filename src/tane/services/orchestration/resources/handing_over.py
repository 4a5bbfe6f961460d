"""What only one can hold (a port, an address, a volume) goes from a server or port to the one that takes its place, and
comes back where that is taken back.

What was given up stands in the row of who gave it up, from the transaction that asked for that: it is asked for once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tane import jobs
from tane.services.orchestration.domain.common import FAILED
from tane.services.orchestration.resources.base import LET_GO, Failed
from tane.web.errors import NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

SERVERS, PORTS, ADDRESSES = "/v2.1/servers", "/v2.0/ports", "/v2.0/floatingips"
SPOKEN = "2.48"
BROKEN = ("ERROR", "DELETED", "SOFT_DELETED")


@dataclass(frozen=True)
class Held:
    """What properties name that one server alone can have: ports and volumes by name or id, fixed addresses."""

    ports: Sequence[str] = ()
    addresses: Set[str] = frozenset()
    volumes: Sequence[str] = ()


def server_lets_go(hand: Hand, held: Held) -> bool:
    """Whether a server is rid of what is held. One that is broken, and was found so, is deleted for that: nobody goes
    back to it. :raises Failed: something stayed. :raises Conflict: it cannot be changed now."""
    holds = held.ports or held.addresses or held.volumes or hand.row.status == FAILED
    if hand.row.physical_id is None or not holds:
        return True
    if _is_busy(hand):
        return False
    try:
        shown = hand.call("compute", "GET", f"{SERVERS}/{hand.id}", spoken=SPOKEN)["server"]
    except NotFound:
        return True
    if LET_GO in hand.row.data:
        _is_rid(hand, hand.row.data[LET_GO])
        return True
    if shown["status"] in BROKEN and hand.row.status == FAILED:
        hand.call("compute", "DELETE", f"{SERVERS}/{hand.id}", spoken=SPOKEN)
        hand.keep(**{LET_GO: {"deleted": True}})
        return False
    there = _ports(hand)
    wanted = _found(hand, "neutron.port", held.ports)
    ports = [port["port_id"] for port in there if port["port_id"] in wanted]
    having = [port for port in there if held.addresses & {ip["ip_address"] for ip in port["fixed_ips"]}]
    addresses = [gives_up(hand, port["port_id"]) for port in having if port["port_id"] not in ports]
    on = _volumes(hand)
    volumes = {volume: on[volume] for volume in _found(hand, "cinder.volume", held.volumes) if volume in on}
    for port in ports:
        hand.call("compute", "DELETE", f"{SERVERS}/{hand.id}/os-interface/{part(port)}", spoken=SPOKEN)
    for volume in volumes:
        hand.call("compute", "DELETE", f"{SERVERS}/{hand.id}/os-volume_attachments/{part(volume)}", spoken=SPOKEN)
    hand.keep(**{LET_GO: {"ports": ports, "addresses": [one for one in addresses if one], "volumes": volumes}})
    return not ports and not volumes


def server_takes_back(hand: Hand) -> bool:
    """Whether a server has again what it let go. :raises Failed: it could not be had."""
    kept = dict(hand.row.data[LET_GO])
    if kept.get("deleted"):
        raise Failed(f"The server {hand.row.physical_id} was deleted for another in its place")
    if _is_busy(hand):
        return False
    lost = [port for port in kept.get("ports", []) if port not in {one["port_id"] for one in _ports(hand)}]
    on = _volumes(hand)
    off = {volume: device for volume, device in kept.get("volumes", {}).items() if volume not in on}
    if not kept.get("asked"):
        for address in kept.get("addresses", []):
            takes(hand, address)
        for port in lost:
            body: dict[str, Any] = {"interfaceAttachment": {"port_id": port}}
            hand.call("compute", "POST", f"{SERVERS}/{hand.id}/os-interface", body, spoken=SPOKEN)
        for volume, device in off.items():
            body = {"volumeAttachment": {"volumeId": volume, "device": device}}
            hand.call("compute", "POST", f"{SERVERS}/{hand.id}/os-volume_attachments", body, spoken=SPOKEN)
        hand.keep(**{LET_GO: {**kept, "asked": True}})
        return not lost and not off
    if lost or off:
        names = ", ".join([*lost, *off])
        hand.keep(**{LET_GO: {**kept, "asked": False}})
        raise Failed(f"What the server {hand.row.physical_id} had let go could not be put on it again: {names}")
    return True


def gives_up(hand: Hand, port_id: str) -> dict[str, Any] | None:
    """Take the fixed addresses off a port. What :func:`takes` puts on again, with the floating ones that led there;
    None when the port is gone."""
    port = f"{PORTS}/{part(port_id)}"
    try:
        shown = hand.call("network", "GET", port)["port"]
    except NotFound:
        return None
    led = hand.call("network", "GET", ADDRESSES, query={"port_id": port_id})["floatingips"]
    floating = [{"id": one["id"], "fixed_ip_address": one["fixed_ip_address"]} for one in led]
    hand.call("network", "PUT", port, {"port": {"fixed_ips": []}})
    return {"port": port_id, "fixed_ips": shown["fixed_ips"], "floating": floating}


def takes(hand: Hand, kept: Mapping[str, Any]) -> None:
    """Give a port its addresses again. A floating one that leads elsewhere by now is left there."""
    hand.call("network", "PUT", f"{PORTS}/{part(kept['port'])}", {"port": {"fixed_ips": kept["fixed_ips"]}})
    for one in kept["floating"]:
        path = f"{ADDRESSES}/{part(one['id'])}"
        try:
            led = hand.call("network", "GET", path)["floatingip"]["port_id"]
        except NotFound:
            continue
        if led is None:
            body = {"port_id": kept["port"], "fixed_ip_address": one["fixed_ip_address"]}
            hand.call("network", "PUT", path, {"floatingip": body})


def _is_busy(hand: Hand) -> bool:
    return jobs.pending(hand.tx, f"server:{hand.row.physical_id}") is not None


def _is_rid(hand: Hand, kept: Mapping[str, Any]) -> None:
    """:raises Failed: what was asked for has ended, and something stayed."""
    if kept.get("deleted"):
        raise Failed(f"The server {hand.row.physical_id}, in whose place another is made, could not be deleted")
    on = {one["port_id"] for one in _ports(hand)} | set(_volumes(hand))
    stayed = [one for one in (*kept.get("ports", []), *kept.get("volumes", {})) if one in on]
    if stayed:
        # It may be asked for once more by the next update.
        hand.drop(LET_GO)
        raise Failed(f"It could not be taken off the server {hand.row.physical_id}: {', '.join(stayed)}")


def _ports(hand: Hand) -> Sequence[Mapping[str, Any]]:
    path = f"{SERVERS}/{hand.id}/os-interface"
    found: list[dict[str, Any]] = hand.call("compute", "GET", path, spoken=SPOKEN)["interfaceAttachments"]
    return found


def _volumes(hand: Hand) -> dict[str, str]:
    """Devices by volume."""
    path = f"{SERVERS}/{hand.id}/os-volume_attachments"
    listed = hand.call("compute", "GET", path, spoken=SPOKEN)["volumeAttachments"]
    return {one["volumeId"]: one["device"] for one in listed}


def _found(hand: Hand, kind: str, named: Sequence[str]) -> list[str]:
    """Ids of what is named, as far as it is there."""
    ids = []
    for one in named:
        try:
            ids.append(hand.lookup(kind, one))
        except NotFound:
            continue
    return ids
