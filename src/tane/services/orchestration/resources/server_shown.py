"""What is shown of a server, and compared with what was set."""

from __future__ import annotations

from collections.abc import Mapping
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
    """By the names of networks and by their ids; each with its port."""
    ports = hand.call("network", "GET", "/v2.0/ports", query={"device_id": str(hand.row.physical_id)})["ports"]
    by_mac = {one["mac_address"]: one for one in ports}
    shown: dict[str, Any] = {}
    for net, addresses in found["addresses"].items():
        for one in addresses:
            port = by_mac.get(one.get("OS-EXT-IPS-MAC:mac_addr"), {})
            entry = {**one, "port": port.get("id"), "subnets": [], "network": {"id": port.get("network_id")}}
            shown.setdefault(net, []).append(entry)
            if port.get("network_id"):
                shown.setdefault(port["network_id"], []).append(entry)
    return shown
