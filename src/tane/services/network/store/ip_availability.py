"""SQL of how full networks are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.tables import GATEWAY, network, port, port_address, subnet


def usage(
    tx: Tx, network_ids: Sequence[str] | None
) -> tuple[list[Row[Any]], dict[str, list[Row[Any]]], dict[str, int]]:
    """Networks (all, or the given ones), the subnets by network, and how many addresses each subnet has given."""
    networks = select(network).order_by(network.c.created_at, network.c.id)
    if network_ids is not None:
        networks = networks.where(network.c.id.in_(network_ids))
    found = tx.all(networks)
    counted = (
        select(port_address.c.subnet_id, func.count().label("used"))
        .join(port, port.c.id == port_address.c.port_id)
        .where(port.c.device_owner != GATEWAY)  # It is no address that was given away.
        .group_by(port_address.c.subnet_id)
    )
    used = {row.subnet_id: int(row.used) for row in tx.all(counted)}
    subnets: dict[str, list[Row[Any]]] = {}
    for row in tx.all(select(subnet).order_by(subnet.c.created_at, subnet.c.id)):
        subnets.setdefault(row.network_id, []).append(row)
    return found, subnets, used
