"""Floating IPs of a server: network's own, led to a port of the server (Compute API: "Add (Associate) Floating Ip")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.compute.domain.common import require
from tane.services.network import interface as network
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound


def add(core: Core, ctx: Context, server_id: str, address: str, fixed_address: str | None) -> None:
    """Lead the address to the server: to ``fixed_address``, or its first IPv4 address.

    :raises NotFound: no such server or floating IP. :raises BadRequest: the server has no such address, or no router
        leads there.
    """
    with core.db.read() as tx:
        require(tx, ctx, server_id)
        found = _require(network.floating_ip_by_address(tx, ctx, address))
        fixed = [info for info in network.addresses(tx, [server_id])[server_id] if info.type == "fixed"]
    fixed = [info for info in fixed if info.version == 4]
    if not fixed:
        raise BadRequest("No fixed IPs associated to instance")
    chosen = next((info for info in fixed if fixed_address in (None, info.address)), None)
    if chosen is None:
        raise BadRequest("Specified fixed address not assigned to instance")
    try:
        network.associate_floating_ip(core, ctx, found.id, chosen.port_id, chosen.address)
    except (NotFound, Conflict) as error:
        raise BadRequest(
            f"Unable to associate floating IP {address} to fixed IP {chosen.address} for instance {server_id}. "
            f"Error: {error.message}"
        ) from None


def remove(core: Core, ctx: Context, server_id: str, address: str) -> None:
    """:raises NotFound: no such server or floating IP. :raises Conflict: it leads elsewhere."""
    with core.db.read() as tx:
        require(tx, ctx, server_id)
        found = _require(network.floating_ip_by_address(tx, ctx, address))
        ports = {port.id for port in network.server_ports(tx, server_id)}
    if found.fixed_port_id not in ports:
        raise Conflict(f"Floating IP {address} is not associated with instance {server_id}.")
    network.associate_floating_ip(core, ctx, found.id, None, None)


def _require(found: Row[Any] | None) -> Row[Any]:
    if found is None:
        raise NotFound("floating IP not found")
    return found
