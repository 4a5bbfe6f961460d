"""Attaching routers to tenant networks."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain.common import changed, no_port, no_router, no_subnet, require, visible_network
from tane.services.network.domain.new_ports import NewPort, PortMaker
from tane.services.network.domain.ports import remove as remove_ports
from tane.services.network.domain.ports import set_groups
from tane.services.network.domain.routers import refuse_overlap
from tane.services.network.store import addresses, rows
from tane.services.network.store import routers as store
from tane.services.network.tables import ROUTER_INTERFACE, floating_ip, port, port_address, router, subnet
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
        changed(tx)
        return _answer(row, *added)


def _new_port(tx: Tx, ctx: Context, row: Row[Any], subnet_id: str) -> tuple[str, str, list[str]]:
    found = rows.get(tx, subnet, subnet_id)
    if found is None:
        raise no_subnet(subnet_id)
    try:
        network = visible_network(tx, ctx, found.network_id)
    except NotFound:
        raise no_subnet(subnet_id) from None
    if found.gateway_ip is None:
        raise BadRequest("Bad router request: Subnet for router interface must have a gateway IP.", type="BadRequest")
    refuse_overlap(tx, row.id, found)
    maker = PortMaker(tx)
    made = maker.add(
        NewPort(
            network=network,
            project_id=row.project_id,
            device_id=row.id,
            device_owner=ROUTER_INTERFACE,
            fixed_ips=[{"subnet_id": subnet_id, "ip_address": found.gateway_ip}],
            port_security_enabled=False,
        )
    )
    maker.insert()
    return made, found.network_id, [subnet_id]


def _take_port(tx: Tx, ctx: Context, row: Row[Any], port_id: str) -> tuple[str, str, list[str]]:
    taken = require(ctx, rows.get(tx, port, port_id), no_port(port_id))
    if taken.device_id:
        raise Conflict(
            f"Unable to complete operation on port {port_id} for network {taken.network_id}. Port already has an "
            f"attached device {taken.device_id}.",
            type="PortInUse",
        )
    held = addresses.of_ports(tx, [port_id]).get(port_id, [])
    if not held:
        raise BadRequest("Bad router request: Router port must have at least one fixed IP.", type="BadRequest")
    subnet_ids = [address.subnet_id for address in held]
    for found in rows.among(tx, subnet, "id", subnet_ids):
        refuse_overlap(tx, row.id, found)
    set_groups(tx, port_id, [])
    values = {"device_id": row.id, "device_owner": ROUTER_INTERFACE, "port_security_enabled": False}
    rows.change(tx, port, port_id, {**values, "allowed_address_pairs": []})
    return port_id, taken.network_id, subnet_ids


def remove(core: Core, ctx: Context, router_id: str, subnet_id: str | None, port_id: str | None) -> dict[str, Any]:
    """Detach, which deletes the port. :raises Conflict: floating IPs or static routes need the interface."""
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, router, router_id), no_router(router_id))
        if subnet_id is None and port_id is None:
            raise BadRequest("Bad router request: Either subnet_id or port_id must be specified.", type="BadRequest")
        found = _interface(tx, row.id, subnet_id, port_id)
        subnet_ids = [address.subnet_id for address in addresses.of_ports(tx, [found.id]).get(found.id, [])]
        for attached in subnet_ids:
            _refuse_needed(tx, row, attached)
        remove_ports(tx, [found.id])
        rows.change(tx, router, router_id, {})
        changed(tx)
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


def _refuse_needed(tx: Tx, row: Row[Any], subnet_id: str) -> None:
    floating = (
        select(floating_ip.c.id)
        .join(port_address, port_address.c.port_id == floating_ip.c.fixed_port_id)
        .where(floating_ip.c.router_id == row.id, port_address.c.subnet_id == subnet_id)
    )
    text = f"Router interface for subnet {subnet_id} on router {row.id} cannot be deleted, as it is required by one or"
    if tx.first(floating.limit(1)) is not None:
        raise Conflict(f"{text} more floating IPs.", type="RouterInterfaceInUseByFloatingIP")
    cidr = next(leg.cidr for leg in store.legs(tx, row.id) if leg.subnet_id == subnet_id)
    if any(_inside(route["nexthop"], cidr) for route in row.routes):
        raise Conflict(f"{text} more routes.", type="RouterInterfaceInUseByRoute")


def _inside(address: str, cidr: str) -> bool:
    found, network = ipaddress.ip_address(address), ipaddress.ip_network(cidr)
    return found.version == network.version and found in network


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
