"""Where external networks meet the machine: their ranges must not be those it has already.

A flat external network gets a leg on the gateway host, with the gateway's address. A host says with its registration
which ranges it reaches by itself (``ranges`` of its capabilities; the cloud's own legs are not among them).
"""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.network.domain.common import invalid
from tane.services.network.store import rows
from tane.services.network.tables import network, subnet
from tane.web.errors import Conflict

USED = "ExternalNetworkRangeInUse"


def refuse_used_ranges(tx: Tx, holder: Row[Any] | None, cidr: str, gateway: str | None) -> None:
    """Whether a subnet can stand on an external network that gets a leg; other networks never meet the machine.

    :raises BadRequest: its gateway is outside of it: the host would hold an address of a range nobody asked about.
    :raises Conflict: a host or another external network has the range.
    """
    if holder is None or not holder.external or holder.network_type != "flat":
        return
    wanted = ipaddress.ip_network(cidr)
    if gateway is not None and ipaddress.ip_address(gateway) not in wanted:
        raise invalid(f"Gateway is not valid on subnet: {gateway} is not in {cidr} of an external network")
    for row in hosts.all_hosts(tx):
        if "network" in row.roles and (clash := meeting(cidr, row.capabilities)):
            raise Conflict(
                f"The range {cidr} of external network {holder.id} overlaps with {clash} of host {row.name}, "
                "which would hold an address there that may be somebody else's. Choose another range.",
                type=USED,
            )
    outside = {row.id for row in rows.find(tx, network, external=True, network_type="flat")} - {holder.id}
    for other in rows.among(tx, subnet, "network_id", sorted(outside)):
        if _overlap(cidr, other.cidr):
            raise Conflict(
                f"The range {cidr} of external network {holder.id} overlaps with {other.cidr} of external network "
                f"{other.network_id}.",
                type=USED,
            )


def meeting(cidr: str, capabilities: dict[str, Any]) -> str | None:
    """The range a host has already that ``cidr`` meets, with its interface; None when there is none."""
    for entry in capabilities.get("ranges", ()):
        if _overlap(cidr, entry["cidr"]):
            return f"{entry['cidr']} of interface {entry['interface']}"
    return None


def _overlap(one: str, other: str) -> bool:
    a, b = ipaddress.ip_network(one, strict=False), ipaddress.ip_network(other, strict=False)
    return a.version == b.version and a.overlaps(b)
