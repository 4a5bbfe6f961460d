"""What must hold of the networks a router is in, whoever changes them."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.store import routers as store
from tane.services.network.tables import floating_ip, port_address
from tane.web.errors import BadRequest, Conflict


def refuse_overlap(tx: Tx, router_id: str, added: Row[Any], but: str | None = None) -> None:
    """``but``: the port that is changed, which does not count.

    :raises BadRequest: the subnet's range meets one the router is in already, or is one that no router forwards from
        (RFC 3927, RFC 4291).
    """
    new = ipaddress.ip_network(added.cidr)
    if new.is_link_local:
        raise BadRequest(
            f"Bad router request: Cidr {added.cidr} of subnet {added.id} is link-local: no router leads out of it.",
            type="BadRequest",
        )
    for leg in store.legs(tx, router_id):
        if leg.port_id == but:
            continue
        if leg.subnet_id == added.id:
            raise BadRequest(f"Bad router request: Router already has a port on subnet {added.id}.", type="BadRequest")
        other = ipaddress.ip_network(leg.cidr)
        if other.version == new.version and other.overlaps(new):
            raise BadRequest(
                f"Bad router request: Cidr {added.cidr} of subnet {added.id} overlaps with cidr {leg.cidr} of subnet "
                f"{leg.subnet_id}.",
                type="BadRequest",
            )


def refuse_needed(tx: Tx, router: Row[Any], gone: Row[Any]) -> None:
    """:raises Conflict: floating IPs or static routes of the router need the subnet ``gone``."""
    floating = (
        select(floating_ip.c.id)
        .join(port_address, port_address.c.port_id == floating_ip.c.fixed_port_id)
        .where(floating_ip.c.router_id == router.id, port_address.c.subnet_id == gone.id)
    )
    text = f"Router interface for subnet {gone.id} on router {router.id} cannot be deleted, as it is required by one or"
    if tx.first(floating.limit(1)) is not None:
        raise Conflict(f"{text} more floating IPs.", type="RouterInterfaceInUseByFloatingIP")
    if any(_inside(route["nexthop"], gone.cidr) for route in router.routes):
        raise Conflict(f"{text} more routes.", type="RouterInterfaceInUseByRoute")


def _inside(address: str, cidr: str) -> bool:
    found, network = ipaddress.ip_address(address), ipaddress.ip_network(cidr)
    return found.version == network.version and found in network
