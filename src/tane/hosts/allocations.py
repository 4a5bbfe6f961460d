"""What of a host is claimed, and by whom (Placement API: "Allocations").

A consumer may hold claims on two hosts at once, as a server does that moves.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, func, insert, select

from tane.db import Tx
from tane.hosts.tables import allocation

VCPU, MEMORY_MB, DISK_GB = "VCPU", "MEMORY_MB", "DISK_GB"
"""Resource classes under their standard names (os-resource-classes)."""


def claim(tx: Tx, consumer_id: str, host_id: str, amounts: Mapping[str, int]) -> None:
    """Set what a consumer holds of a host: resource class → amount; classes of which it needs none take no row."""
    release(tx, consumer_id, host_id)
    rows = [
        {"consumer_id": consumer_id, "host_id": host_id, "resource_class": name, "amount": amount}
        for name, amount in amounts.items()
        if amount
    ]
    if rows:
        tx.execute(insert(allocation), rows)


def release(tx: Tx, consumer_id: str, host_id: str | None = None) -> None:
    """Give up what a consumer holds of a host, or of all."""
    held = delete(allocation).where(allocation.c.consumer_id == consumer_id)
    tx.execute(held if host_id is None else held.where(allocation.c.host_id == host_id))


def used(tx: Tx) -> dict[str, dict[str, int]]:
    """Host id → resource class → amount that is claimed, of all hosts in one query that an index answers."""
    totals = select(allocation.c.host_id, allocation.c.resource_class, func.sum(allocation.c.amount).label("amount"))
    found: dict[str, dict[str, int]] = {}
    for row in tx.all(totals.group_by(allocation.c.host_id, allocation.c.resource_class)):
        found.setdefault(row.host_id, {})[row.resource_class] = int(row.amount)
    return found


def of_consumer(tx: Tx, consumer_id: str) -> dict[str, dict[str, int]]:
    """Host id → resource class → amount that one consumer holds."""
    found: dict[str, dict[str, int]] = {}
    for row in tx.all(select(allocation).where(allocation.c.consumer_id == consumer_id)):
        found.setdefault(row.host_id, {})[row.resource_class] = row.amount
    return found


def of_consumers_on(tx: Tx, host_id: str) -> dict[str, dict[str, dict[str, int]]]:
    """Consumer → host id → resource class → amount, of all hosts, for the consumers that claim something of one."""
    here = select(allocation.c.consumer_id).where(allocation.c.host_id == host_id)
    found: dict[str, dict[str, dict[str, int]]] = {}
    for row in tx.all(select(allocation).where(allocation.c.consumer_id.in_(here)).order_by(allocation.c.consumer_id)):
        found.setdefault(row.consumer_id, {}).setdefault(row.host_id, {})[row.resource_class] = row.amount
    return found
