"""Attaching routers to tenant networks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain.common import no_port, no_router, no_subnet, require
from tane.services.network.domain.convergence import changed
from tane.services.network.domain.legs import refuse_needed, refuse_overlap
from tane.services.network.domain.new_ports import NewPort, PortMaker
from tane.services.network.domain.ports import disassociate, set_groups
from tane.services.network.domain.ports import remove as remove_ports
from tane.services.network.domain.service_ports import is_kept
from tane.services.network.store import addresses, rows
from tane.services.network.tables import ROUTER_INTERFACE, port, port_address, router, subnet
from tane.services.network.tables import network as network_table
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound


def add(core: Core, ctx: Context, router_id: str, subnet_id: str | None, port_id: str | None) -> dict[str, Any]:
    """Attach by subnet (the router takes its gateway address) or by a port.

    :raises BadRequest: ranges overlap, both or none given. :raises Conflict: the address or port is in use.
    """
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, router, router_id), no_router(router_id))
        if (subnet_id is None) == (port_id is None):
            raise BadRequest(
                "Bad router request: Either subnet_id or port_id must be specified, and not both.", type="BadRequest"
            )
        added = _take_port(tx, ctx, row, port_id) if port_id else _new_port(tx, ctx, row, str(subnet_id))
        rows.change(tx, router, router_id, {})
        changed(tx, routers=[router_id], networks=[added[1]])
        return _answer(row, *added)


def _new_port(tx: Tx, ctx: Context, row: Row[Any], subnet_id: str) -> tuple[str, str, list[str]]:
    found = rows.get(tx, subnet, subnet_id)
    if found is None:
        raise no_subnet(subnet_id)
    network = rows.get(tx, network_table, found.network_id)
    if network is None or not (network.shared or ctx.sees(network.project_id) or ctx.sees(found.project_id)):
        raise no_subnet(subnet_id)  # An external network's subnets are its owner's to see.
    if found.gateway_ip is None:
        raise BadRequest("Bad router request: Subnet for router interface must have a gateway IP.", type="BadRequest")
    _refuse_foreign(ctx, network, f"subnet {subnet_id}")
    _refuse_bridged(network)
    refuse_overlap(tx, row.id, found)
    maker = PortMaker(tx)
    made = maker.add(
        NewPort(
            network=network,
            project_id=row.project_id,
            device_id=row.id,
            device_owner=ROUTER_INTERFACE,
            fixed_ips=[{"subnet_id": subnet_id, "ip_address": found.gateway_ip}],
        )
    )
    maker.insert()
    return made, found.network_id, [subnet_id]


def _refuse_bridged(network: Row[Any]) -> None:
    """A router's leg has the same MAC on every host, which switches outside would learn now here, now there."""
    if network.bridged:
        raise BadRequest(
            f"Bad router request: network {network.id} is reached by the hosts' own bridges; a router has its gateway "
            "in such a network, interfaces are not offered yet.",
            type="BadRequest",
        )


def _refuse_foreign(ctx: Context, network: Row[Any], what: str) -> None:
    """A router reaches unfiltered into the networks it is in: only a network's owner (or an administrator) leads one
    there. That a network is shared gives no such right, and an external one is reached through a gateway only.

    :raises BadRequest: in upstream's words.
    """
    if network.external:
        raise BadRequest(
            f"Bad router request: Cannot add interface to router because {what} is on external network {network.id}, "
            "which is reached through the router's gateway.",
            type="BadRequest",
        )
    if not ctx.sees(network.project_id):
        raise BadRequest(
            f"Bad router request: Cannot add interface to router because {what} is not owned by project making the "
            "request.",
            type="BadRequest",
        )


def _take_port(tx: Tx, ctx: Context, row: Row[Any], port_id: str) -> tuple[str, str, list[str]]:
    """Make a port of the router's project, which nothing uses, the router's. What its owner said of its filter stays
    written: that it is not filtered now follows from what it has become."""
    taken = require(ctx, rows.get(tx, port, port_id), no_port(port_id))
    if taken.project_id != row.project_id and not ctx.is_admin:
        raise no_port(port_id)
    if taken.device_id or taken.host_id is not None or is_kept(taken):
        raise Conflict(
            f"Unable to complete operation on port {port_id} for network {taken.network_id}. Port already has an "
            f"attached device {taken.device_id or taken.device_owner or taken.binding_host}.",
            type="PortInUse",
        )
    holder = rows.get(tx, network_table, taken.network_id)
    assert holder is not None
    _refuse_foreign(ctx, holder, f"port {port_id}")
    _refuse_bridged(holder)
    held = addresses.of_ports(tx, [port_id]).get(port_id, [])
    if not held:
        raise BadRequest("Bad router request: Router port must have at least one fixed IP.", type="BadRequest")
    subnet_ids = [address.subnet_id for address in held]
    for found in rows.among(tx, subnet, "id", subnet_ids):
        refuse_overlap(tx, row.id, found)
    disassociate(tx, port_id)
    set_groups(tx, port_id, [])
    values = {"device_id": row.id, "device_owner": ROUTER_INTERFACE, "allowed_address_pairs": []}
    rows.change(tx, port, port_id, values)
    return port_id, taken.network_id, subnet_ids


def remove(core: Core, ctx: Context, router_id: str, subnet_id: str | None, port_id: str | None) -> dict[str, Any]:
    """Detach, which deletes the port. :raises Conflict: floating IPs or static routes need the interface."""
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, router, router_id), no_router(router_id))
        if subnet_id is None and port_id is None:
            raise BadRequest("Bad router request: Either subnet_id or port_id must be specified.", type="BadRequest")
        found = _interface(tx, row.id, subnet_id, port_id)
        subnet_ids = [address.subnet_id for address in addresses.of_ports(tx, [found.id]).get(found.id, [])]
        for attached in rows.among(tx, subnet, "id", subnet_ids):
            refuse_needed(tx, row, attached)
        remove_ports(tx, [found.id])
        rows.change(tx, router, router_id, {})
        return _answer(row, found.id, found.network_id, subnet_ids)


def _interface(tx: Tx, router_id: str, subnet_id: str | None, port_id: str | None) -> Row[Any]:
    if port_id is not None:
        found = rows.get(tx, port, port_id)
        if found is None or found.device_id != router_id or found.device_owner != ROUTER_INTERFACE:
            raise NotFound(
                f"Router {router_id} does not have an interface with id {port_id}", type="RouterInterfaceNotFound"
            )
        held = [address.subnet_id for address in addresses.of_ports(tx, [port_id]).get(port_id, [])]
        if subnet_id is not None and subnet_id not in held:
            raise BadRequest(
                f"Subnet on port {port_id} does not match the requested subnet {subnet_id}.",
                type="SubnetMismatchForPort",
            )
        return found
    statement = (
        select(port)
        .join(port_address, port_address.c.port_id == port.c.id)
        .where(
            port.c.device_id == router_id,
            port.c.device_owner == ROUTER_INTERFACE,
            port_address.c.subnet_id == subnet_id,
        )
    )
    found = tx.first(statement)
    if found is None:
        raise NotFound(
            f"Router {router_id} has no interface on subnet {subnet_id}", type="RouterInterfaceNotFoundForSubnet"
        )
    return found


def _answer(row: Row[Any], port_id: str, network_id: str, subnet_ids: list[str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "port_id": port_id,
        "network_id": network_id,
        "subnet_id": subnet_ids[0],
        "subnet_ids": subnet_ids,
    }
