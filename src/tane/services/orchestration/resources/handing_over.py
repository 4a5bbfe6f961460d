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
from tane.services.orchestration.resources.base import LET_GO, Failed, is_retained
from tane.web.errors import NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

SERVERS, PORTS, ADDRESSES = "/v2.1/servers", "/v2.0/ports", "/v2.0/floatingips"
SPOKEN = "2.90"
TERMS = ("tag", "delete_on_termination")
"""What was said of a volume as it was attached."""
BROKEN = ("ERROR", "DELETED", "SOFT_DELETED")
"""What Heat replaces when an update has failed."""


@dataclass(frozen=True)
class Held:
    """What properties name that one server alone can have: ports and volumes by name or id, fixed addresses."""

    ports: Sequence[str] = ()
    addresses: Set[str] = frozenset()
    volumes: Sequence[str] = ()


def server_lets_go(hand: Hand, held: Held) -> bool:
    """Whether a server is rid of what is held. One that is broken, or does not give it up, and was found not to be
    well, is deleted for that: nobody goes back to it. One that its stack retains is not.

    :raises Failed: something stayed; the next action of the stack asks once more. :raises Conflict: it cannot be
    changed now.
    """
    unwell = hand.row.status == FAILED and not is_retained(hand.row)
    holds = bool(held.ports or held.addresses or held.volumes)
    if hand.row.physical_id is None or not (holds or unwell):
        return True
    if _is_busy(hand):
        return False
    try:
        shown = hand.call("compute", "GET", f"{SERVERS}/{hand.id}", spoken=SPOKEN)["server"]
    except NotFound:
        return True
    if not holds and shown["status"] not in BROKEN:
        return True
    before = hand.row.data.get(LET_GO)
    kept = _given_up(hand, held) if before is None else dict(before)
    ports, volumes = _still(hand, kept)
    was_asked = kept.get("asked") == hand.stack.traversal
    if unwell and not kept.get("deleted") and (shown["status"] in BROKEN or was_asked):
        hand.call("compute", "DELETE", f"{SERVERS}/{hand.id}", spoken=SPOKEN)
        kept["deleted"] = True
    elif not ports and not volumes and not kept.get("deleted"):
        hand.keep(**{LET_GO: kept})
        return True
    elif was_asked:
        what = ", ".join([*(f"port {one}" for one in ports), *(f"volume {one}" for one in volumes)]) or "it"
        raise Failed(f"The server {hand.row.physical_id}, in whose place another is made, did not let go: {what}")
    else:
        _take_off(hand, ports, volumes)
    hand.keep(**{LET_GO: {**kept, "asked": hand.stack.traversal}})
    return False


def server_takes_back(hand: Hand) -> bool:
    """Whether a server has again what it let go. :raises Failed: it could not be had; the next action of the stack asks
    once more."""
    kept = dict(hand.row.data[LET_GO])
    if kept.get("deleted"):
        raise Failed(f"The server {hand.row.physical_id} was deleted for another in its place")
    if _is_busy(hand):
        return False
    there, on = _ports(hand), _volumes(hand)
    lost = [port for port in kept["ports"] if port not in {one["port_id"] for one in there}]
    off = {volume: device for volume, device in kept["volumes"].items() if volume not in on}
    if "back" not in kept:
        for address in kept["addresses"]:
            takes(hand, address)
    if not lost and not off:
        return True
    if kept.get("back") == hand.stack.traversal:
        names = ", ".join([*lost, *off])
        raise Failed(f"What the server {hand.row.physical_id} had let go could not be put on it again: {names}")
    for port in lost:
        tag = kept.get("tags", {}).get(port)
        body: dict[str, Any] = {"interfaceAttachment": {"port_id": port, **({"tag": tag} if tag else {})}}
        hand.call("compute", "POST", f"{SERVERS}/{hand.id}/os-interface", body, spoken=SPOKEN)
    for volume, device in off.items():
        body = {"volumeAttachment": {"volumeId": volume, "device": device, **kept.get("terms", {}).get(volume, {})}}
        hand.call("compute", "POST", f"{SERVERS}/{hand.id}/os-volume_attachments", body, spoken=SPOKEN)
    hand.keep(**{LET_GO: {**kept, "back": hand.stack.traversal}})
    return False


def port_lets_go(hand: Hand, *, named: bool) -> bool:
    """Its addresses, where the template names one (``named``): no other port of the network can have that."""
    if named and hand.row.physical_id is not None and LET_GO not in hand.row.data:
        hand.keep(**{LET_GO: gives_up(hand, str(hand.row.physical_id)) or {}})
    return True


def port_takes_back(hand: Hand) -> bool:
    if hand.row.data[LET_GO]:
        takes(hand, hand.row.data[LET_GO])
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


def _given_up(hand: Hand, held: Held) -> dict[str, Any]:
    """What of what is held the server has, as :func:`server_takes_back` needs it; addresses go by that."""
    there, disks = _ports(hand), _disks(hand)
    on = {one["volumeId"]: one for one in disks}
    wanted = _found(hand, "neutron.port", held.ports)
    ports = [port["port_id"] for port in there if port["port_id"] in wanted]
    having = [port for port in there if held.addresses & {ip["ip_address"] for ip in port["fixed_ips"]}]
    addresses = [gives_up(hand, port["port_id"]) for port in having if port["port_id"] not in ports]
    volumes = [volume for volume in _found(hand, "cinder.volume", held.volumes) if volume in on]
    return {
        "ports": ports,
        "tags": {port["port_id"]: port["tag"] for port in there if port["port_id"] in ports and port.get("tag")},
        "addresses": [one for one in addresses if one],
        "volumes": {volume: on[volume]["device"] for volume in volumes},
        "terms": {volume: {key: on[volume][key] for key in TERMS if on[volume].get(key)} for volume in volumes},
    }


def _still(hand: Hand, kept: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The ports and volumes that are to go and are at the server."""
    there, on = {one["port_id"] for one in _ports(hand)}, _volumes(hand)
    return [one for one in kept["ports"] if one in there], [one for one in kept["volumes"] if one in on]


def _take_off(hand: Hand, ports: Sequence[str], volumes: Sequence[str]) -> None:
    for port in ports:
        hand.call("compute", "DELETE", f"{SERVERS}/{hand.id}/os-interface/{part(port)}", spoken=SPOKEN)
    for volume in volumes:
        hand.call("compute", "DELETE", f"{SERVERS}/{hand.id}/os-volume_attachments/{part(volume)}", spoken=SPOKEN)


def _ports(hand: Hand) -> Sequence[Mapping[str, Any]]:
    path = f"{SERVERS}/{hand.id}/os-interface"
    found: list[dict[str, Any]] = hand.call("compute", "GET", path, spoken=SPOKEN)["interfaceAttachments"]
    return found


def _volumes(hand: Hand) -> dict[str, str]:
    """Devices by volume."""
    return {one["volumeId"]: one["device"] for one in _disks(hand)}


def _disks(hand: Hand) -> Sequence[Mapping[str, Any]]:
    path = f"{SERVERS}/{hand.id}/os-volume_attachments"
    found: list[dict[str, Any]] = hand.call("compute", "GET", path, spoken=SPOKEN)["volumeAttachments"]
    return found


def _found(hand: Hand, kind: str, named: Sequence[str]) -> list[str]:
    """Ids of what is named, as far as it is there."""
    ids = []
    for one in named:
        try:
            ids.append(hand.lookup(kind, one))
        except NotFound:
            continue
    return ids
