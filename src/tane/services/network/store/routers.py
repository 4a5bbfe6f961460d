"""SQL of routers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.store.rows import among
from tane.services.network.tables import ROUTER_INTERFACE, ROUTER_OWNERS, port, port_address, router, subnet

_LEGS = (
    select(
        port.c.id.label("port_id"),
        port.c.device_id.label("router_id"),
        port.c.device_owner,
        port.c.network_id,
        port.c.mac_address,
        port_address.c.ip_address,
        subnet.c.id.label("subnet_id"),
        subnet.c.cidr,
        subnet.c.gateway_ip,
        subnet.c.ip_version,
    )
    .join(port_address, port_address.c.port_id == port.c.id)
    .join(subnet, subnet.c.id == port_address.c.subnet_id)
    .where(port.c.device_owner.in_(ROUTER_OWNERS))
    .order_by(port_address.c.id)
)


def legs(tx: Tx, router_id: str) -> list[Row[Any]]:
    """Every address of a router, with its subnet; the gateway's too."""
    return tx.all(_LEGS.where(port.c.device_id == router_id))


def all_legs(tx: Tx) -> list[Row[Any]]:
    """Every address of every router."""
    return tx.all(_LEGS)


def reaching(tx: Tx, subnet_id: str, external_network_id: str) -> list[Row[Any]]:
    """Routers with an interface in the subnet and a gateway to the external network; the router that holds the
    subnet's gateway address comes first."""
    gateway = port.alias("gateway")
    statement = (
        select(router.c.id, port_address.c.ip_address, subnet.c.gateway_ip)
        .join(gateway, gateway.c.id == router.c.gateway_port_id)
        .join(port, port.c.device_id == router.c.id)
        .join(port_address, port_address.c.port_id == port.c.id)
        .join(subnet, subnet.c.id == port_address.c.subnet_id)
        .where(
            port.c.device_owner == ROUTER_INTERFACE,
            subnet.c.id == subnet_id,
            gateway.c.network_id == external_network_id,
        )
    )
    return sorted(tx.all(statement), key=lambda row: row.ip_address != row.gateway_ip)


def gateway_ports(tx: Tx, routers: Iterable[Row[Any]]) -> dict[str, Row[Any]]:
    """Gateway port by router id."""
    ports = {row.id: row for row in among(tx, port, "id", [r.gateway_port_id for r in routers if r.gateway_port_id])}
    return {r.id: ports[r.gateway_port_id] for r in routers if r.gateway_port_id in ports}
