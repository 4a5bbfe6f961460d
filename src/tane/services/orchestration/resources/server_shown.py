"""What is shown of a server, and compared with what was set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.comparing import Difference, Missing
from tane.web.errors import NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

SERVERS = "/v2.1/servers"
SPOKEN = "2.90"
"""The microversion of the calls."""


def other_flavor(hand: Hand, shown: Mapping[str, Any]) -> dict[str, Difference]:
    """What it was made of is told by its name: the flavor itself may be gone."""
    name = str(hand.properties["flavor"])
    if shown["original_name"] == name:
        return {}
    try:
        wanted = hand.call("compute", "GET", f"/v2.1/flavors/{part(name)}")["flavor"]["name"]
    except NotFound as error:
        wanted = Missing(name, error.message)
    now = shown["original_name"]
    return {} if wanted == now else {"flavor": Difference(wanted, now)}


def addresses(hand: Hand, found: Mapping[str, Any]) -> dict[str, Any]:
    """By the names of networks and by their ids; each with its port, and what that port's network and subnets are."""
    ports = _ports(hand)
    networks = _named(hand, "networks", {port["network_id"] for port in ports})
    subnets = _named(hand, "subnets", {ip["subnet_id"] for port in ports for ip in port["fixed_ips"]})
    return _by_network(
        ports,
        found,
        lambda one, port: {
            **one,
            "port": port.get("id"),
            "network": networks.get(port.get("network_id"), {}),
            "subnets": [subnets[ip["subnet_id"]] for ip in port.get("fixed_ips", []) if ip["subnet_id"] in subnets],
        },
    )


def networks(hand: Hand, found: Mapping[str, Any]) -> dict[str, Any]:
    """Its addresses by the names of networks and by their ids."""
    return _by_network(_ports(hand), found, lambda one, port: one["addr"])


def _ports(hand: Hand) -> list[dict[str, Any]]:
    query = {"device_id": str(hand.row.physical_id)}
    return list(hand.call("network", "GET", "/v2.0/ports", query=query)["ports"])


def _by_network(
    ports: Sequence[Mapping[str, Any]], found: Mapping[str, Any], tell: Callable[[Any, Mapping[str, Any]], Any]
) -> dict[str, Any]:
    by_mac = {one["mac_address"]: one for one in ports}
    shown: dict[str, Any] = {}
    for net, addresses in found["addresses"].items():
        for one in addresses:
            port = by_mac.get(one.get("OS-EXT-IPS-MAC:mac_addr"), {})
            # A network whose name is an id is the same twice.
            for key in {net, port.get("network_id", net)}:
                shown.setdefault(key, []).append(tell(one, port))
    return shown


def _named(hand: Hand, collection: str, ids: Set[str]) -> dict[Any, Mapping[str, Any]]:
    """What is there of these, in one question, by their ids."""
    if not ids:
        return {}
    listed = hand.call("network", "GET", f"/v2.0/{collection}", query=[("id", one) for one in sorted(ids)])[collection]
    return {one["id"]: one for one in listed}
