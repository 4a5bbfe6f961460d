"""SQL of which host is the gateway host of an external network or a router."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.tables import host
from tane.services.network.store.rows import among
from tane.services.network.tables import ROUTER_OWNERS, network, network_agent, network_gateway, port, router
from tane.wire.joining import duties_of


def of(tx: Tx, resource_ids: Iterable[str]) -> dict[str, str]:
    """Resource id → its gateway host."""
    return {row.resource_id: row.host_id for row in among(tx, network_gateway, "resource_id", resource_ids)}


def every(tx: Tx) -> dict[str, str]:
    return {row.resource_id: row.host_id for row in tx.all(select(network_gateway))}


def put(tx: Tx, resource_id: str, host_id: str) -> None:
    there = network_gateway.c.resource_id == resource_id
    if not tx.count(update(network_gateway).where(there).values(host_id=host_id)):
        tx.insert(network_gateway, resource_id=resource_id, host_id=host_id)


def remove(tx: Tx, resource_ids: Collection[str]) -> None:
    tx.execute(delete(network_gateway).where(network_gateway.c.resource_id.in_(resource_ids)))


def external_networks(tx: Tx) -> list[str]:
    return [row.id for row in tx.all(select(network.c.id).where(network.c.external).order_by(network.c.id))]


def routers(tx: Tx, router_ids: Collection[str] | None = None) -> list[Row[Any]]:
    """(id, network_id) of routers, all or some, with the network their gateway is in, or None."""
    statement = select(router.c.id, port.c.network_id).outerjoin(port, port.c.id == router.c.gateway_port_id)
    if router_ids is not None:
        statement = statement.where(router.c.id.in_(router_ids))
    return tx.all(statement.order_by(router.c.id))


def hosts(tx: Tx) -> list[Row[Any]]:
    """(id, roles, forced_down, last_seen) of the hosts, the oldest first."""
    columns = (host.c.id, host.c.roles, host.c.forced_down, host.c.last_seen)
    return tx.all(select(*columns).order_by(host.c.created_at, host.c.id))


def with_networks(tx: Tx) -> list[Row[Any]]:
    """The hosts that have networks, the oldest first: not those of objects alone."""
    return [row for row in hosts(tx) if "network" in duties_of(row.roles)]


def switched_off(tx: Tx) -> set[str]:
    """Ids of the hosts whose agents are switched off."""
    found = tx.all(select(network_agent.c.host_id).where(network_agent.c.admin_state_up.is_(False)))
    return {row.host_id for row in found}


def networks_of_routers(tx: Tx, router_ids: Collection[str]) -> set[str]:
    """Ids of the networks the routers are in, also of those outside."""
    found: set[str] = set()
    for row in among(tx, port, "device_id", router_ids):
        if row.device_owner in ROUTER_OWNERS:
            found.add(row.network_id)
    return found
