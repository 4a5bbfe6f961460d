"""The networks of a server: ports that it has, gets and loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tane.services.orchestration.resources.comparing import Difference, missing
from tane.services.orchestration.resources.declaring import formed, mapping, names, one_of, text
from tane.services.orchestration.resources.neutron import without_none
from tane.services.orchestration.resources.neutron_port import Port
from tane.services.orchestration.resources.server_shown import SERVERS, SPOKEN
from tane.web.errors import NotFound

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

EXTRA = {
    name: Port.properties[name]
    for name in (
        *("value_specs", "admin_state_up", "mac_address", "allowed_address_pairs"),
        *("binding:vnic_type", "port_security_enabled", "no_fixed_ips"),
    )
}
NETWORK = {
    "network": names("neutron.network", "Name or ID of network to create a port on."),
    "uuid": names("neutron.network", "Use property network."),
    "port": names("neutron.port", "ID of an existing port to associate with this server."),
    "fixed_ip": formed("ip_addr", "Fixed IP address to specify for the port created on the requested network."),
    "subnet": names("neutron.subnet", "Subnet in which to allocate the IP address for port."),
    "port_extra_properties": mapping(
        "Expanded properties of the port that is made where no port is given.", EXTRA, update="in_place"
    ),
    "allocate_network": one_of(
        "Whether the server gets a network of its own, or none.", "none", "auto", update="in_place"
    ),
    "tag": text("Port tag."),
}

AUTO: dict[str, Any] = {"allocate_network": "auto"}
"""What a server without a list has: a port at the one network that there is."""


class Noted(msgspec.Struct):
    """A port at a server: which entry of its networks it stands for, and whether it goes with the server."""

    id: str
    of: dict[str, Any] = {}
    own: bool = False


def entries(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The networks of a server as they are said; ``AUTO`` alone where nothing is, none where there is to be none."""
    listed = [without_none(one) for one in properties.get("networks") or []] or [AUTO]
    return [] if listed[0].get("allocate_network") == "none" else listed


def wanted(hand: Hand) -> Any:
    listed = entries(hand.properties)
    return "auto" if listed == [AUTO] else [asked_for(hand, one) for one in listed] or "none"


def asked_for(hand: Hand, one: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"tag": one.get("tag")}
    if one.get("port"):
        found["port"] = hand.lookup("neutron.port", one["port"])
    elif one.get("subnet") or one.get("port_extra_properties") is not None:
        found["port"] = _own_port(hand, one)
    else:
        found["uuid"] = hand.lookup("neutron.network", one.get("network") or one["uuid"])
        found["fixed_ip"] = one.get("fixed_ip")
    return {key: value for key, value in found.items() if value}


def _own_port(hand: Hand, one: Mapping[str, Any]) -> str:
    """A port in a subnet, or of other properties than one has by itself, which goes with the server."""
    given, subnet = one.get("network") or one.get("uuid"), one.get("subnet")
    subnet = hand.lookup("neutron.subnet", subnet) if subnet else None
    if given:
        network = hand.lookup("neutron.network", given)
    else:
        network = hand.call("network", "GET", f"/v2.0/subnets/{subnet}")["subnet"]["network_id"]
    body: dict[str, Any] = {"network_id": network, "name": f"{hand.physical_name()}-port"}
    if address := without_none({"subnet_id": subnet, "ip_address": one.get("fixed_ip")}):
        body["fixed_ips"] = [address]
    groups = hand.properties.get("security_groups") or []
    if groups:
        body["security_groups"] = [hand.lookup("neutron.security_group", str(group)) for group in groups]
    body.update(Port().body(hand, one.get("port_extra_properties") or {}))
    made = str(hand.call("network", "POST", "/v2.0/ports", {"port": body})["port"]["id"])
    _note(hand, made, one, own=True)
    return made


def change(hand: Hand) -> None:
    """Take off what is no more in the list; what is new in it is put on when that is done (see :meth:`ready`)."""
    server = f"{SERVERS}/{hand.id}"
    before, after = entries(hand.row.properties), entries(hand.properties)
    if before == after:
        return
    there = hand.call("compute", "GET", f"{server}/os-interface", spoken=SPOKEN)["interfaceAttachments"]
    # The port that a server without a list has is any that it has.
    loose, before = (there, []) if before == [AUTO] else (list[Any](), before)
    for one in before:
        port_id = port_of(hand, one, there)
        found = [port for port in there if port["port_id"] == port_id]
        there = [port for port in there if port["port_id"] != port_id]
        if one in after:
            after.remove(one)
        else:
            loose += found
    coming = []
    for one in after:
        kept = next((port for port in loose if one != AUTO and _fits(hand, one, port)), None)
        if kept is None:
            coming.append(one)
            continue
        loose.remove(kept)
        noted = _noted(hand, kept["port_id"])
        if noted.get("own") and one.get("port_extra_properties") is not None:
            extra = Port().body(hand, one["port_extra_properties"])
            hand.call("network", "PUT", f"/v2.0/ports/{kept['port_id']}", {"port": extra})
        _note(hand, kept["port_id"], one, own=noted.get("own", False))
    for port in loose:
        hand.call("compute", "DELETE", f"{server}/os-interface/{port['port_id']}", spoken=SPOKEN)
    hand.keep(leaving=[port["port_id"] for port in loose], coming=coming)


def _fits(hand: Hand, one: Mapping[str, Any], port: Mapping[str, Any]) -> bool:
    """Whether a port that is there is what another entry of the list asks for."""
    if one.get("tag") != port.get("tag"):
        return False
    if one.get("port"):
        return bool(hand.lookup("neutron.port", one["port"]) == port["port_id"])
    extra, noted = one.get("port_extra_properties"), _noted(hand, port["port_id"])
    before = noted.get("of", {}).get("port_extra_properties")
    if (extra is None) != (before is None) or (extra or {}).get("mac_address") != (before or {}).get("mac_address"):
        return False
    network = one.get("network") or one.get("uuid")
    if network and hand.lookup("neutron.network", network) != port["net_id"]:
        return False
    if one.get("subnet"):
        subnet = hand.lookup("neutron.subnet", one["subnet"])
        if subnet not in [ip["subnet_id"] for ip in port["fixed_ips"]]:
            return False
    return not one.get("fixed_ip") or one["fixed_ip"] in [ip["ip_address"] for ip in port["fixed_ips"]]


def _noted(hand: Hand, port_id: str) -> Mapping[str, Any]:
    return next((port for port in hand.row.data.get("ports", []) if port["id"] == port_id), {})


def _note(hand: Hand, port_id: str, one: Mapping[str, Any], *, own: bool) -> None:
    """Remember which port an entry of the list stands for, and whether it goes with the server."""
    others = [port for port in hand.row.data.get("ports", []) if port["id"] != port_id]
    hand.keep(ports=[*others, {"id": port_id, "of": without_none(one), "own": own}])


def port_of(hand: Hand, one: Mapping[str, Any], there: Sequence[Mapping[str, Any]]) -> str | None:
    """The port that an entry of the list stands for."""
    mine = next((port["id"] for port in hand.row.data.get("ports", []) if port["of"] == dict(one)), None)
    if mine is not None:
        return str(mine)
    if one.get("port"):
        return str(one["port"])
    network = hand.lookup("neutron.network", one.get("network") or one.get("uuid") or "")
    matching = [port for port in there if port["net_id"] == network]
    if one.get("fixed_ip"):
        matching = [p for p in matching if one["fixed_ip"] in [ip["ip_address"] for ip in p["fixed_ips"]]]
    return str(matching[0]["port_id"]) if matching else None


def plugged(hand: Hand) -> bool:
    """Whether a change of the networks is done; puts on what is new once what was taken off is free."""
    server, kept = f"{SERVERS}/{hand.id}", hand.row.data
    there = hand.call("compute", "GET", f"{server}/os-interface", spoken=SPOKEN)["interfaceAttachments"]
    if any(port["port_id"] in kept.get("leaving", []) for port in there):
        return False
    coming = kept.get("coming", [])
    hand.keep(leaving=[], coming=[])
    for one in coming:
        found = {} if one == AUTO else asked_for(hand, one)
        words = (("port", "port_id"), ("uuid", "net_id"), ("tag", "tag"))
        body: dict[str, Any] = {word: found[name] for name, word in words if name in found}
        if found.get("fixed_ip"):
            body["fixed_ips"] = [{"ip_address": found["fixed_ip"]}]
        hand.call("compute", "POST", f"{server}/os-interface", {"interfaceAttachment": body}, spoken=SPOKEN)
    return not coming


def others(hand: Hand) -> dict[str, Difference]:
    """Entries of the list whose port is not at the server any more."""
    listed = entries(hand.properties)
    if not listed or listed == [AUTO]:
        return {}
    path = f"{SERVERS}/{hand.id}/os-interface"
    there = hand.call("compute", "GET", path, spoken=SPOKEN)["interfaceAttachments"]
    kept, wanted = [], []
    for one in listed:
        port_id = port_of(hand, one, there)
        if any(port["port_id"] == port_id for port in there):
            kept.append(one)
            there = [port for port in there if port["port_id"] != port_id]
        elif port_id is None and (one.get("network") or one.get("uuid")):
            key = "network" if one.get("network") else "uuid"
            network = hand.lookup("neutron.network", one[key])
            one = {**one, key: network if missing(network) else one[key]}
        wanted.append(one)
    return {} if len(kept) == len(listed) else {"networks": Difference(wanted, kept)}


def give_up(hand: Hand) -> bool:
    """Delete the ports that were made for it, in its own project: who adopted it may have said anything, and who acts
    may see every project's."""
    for port in hand.row.data.get("ports", []):
        if not port["own"]:
            continue
        path = f"/v2.0/ports/{port['id']}"
        try:
            if hand.call("network", "GET", path)["port"]["project_id"] == hand.stack.project_id:
                hand.call("network", "DELETE", path)
        except NotFound:
            continue
    return True
