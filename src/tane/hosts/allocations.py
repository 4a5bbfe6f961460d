"""What of a host is claimed, and by whom (Placement API: "Allocations").

A consumer may hold claims on two hosts at once, as a server does that moves.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from tane.db import Tx
from tane.db.upserts import upsert
from tane.hosts.tables import allocation, allocation_total

VCPU, MEMORY_MB, DISK_GB = "VCPU", "MEMORY_MB", "DISK_GB"
"""Resource classes under their standard names (os-resource-classes)."""
_AMOUNTS = (allocation.c.host_id, allocation.c.resource_class, allocation.c.amount)


def claim(tx: Tx, consumer_id: str, host_id: str, amounts: Mapping[str, int]) -> None:
    """Set what a consumer holds of a host: resource class → amount; classes of which it needs none take no row."""
    release(tx, consumer_id, host_id)
    claimed = {name: amount for name, amount in amounts.items() if amount}
    if claimed:
        whose = {"consumer_id": consumer_id, "host_id": host_id}
        tx.execute(
            insert(allocation),
            [{**whose, "resource_class": name, "amount": amount} for name, amount in claimed.items()],
        )
        _count(tx, {(host_id, name): amount for name, amount in claimed.items()})


def release(tx: Tx, consumer_id: str, host_id: str | None = None) -> None:
    """Give up what a consumer holds of a host, or of all."""
    held = delete(allocation).where(allocation.c.consumer_id == consumer_id).returning(*_AMOUNTS)
    gone = tx.all(held if host_id is None else held.where(allocation.c.host_id == host_id))
    _count(tx, {(row.host_id, row.resource_class): -row.amount for row in gone})


def _count(tx: Tx, changes: Mapping[tuple[str, str], int]) -> None:
    """Keep the sums: (host id, resource class) → so much more."""
    rows = [
        {"host_id": host_id, "resource_class": name, "amount": amount} for (host_id, name), amount in changes.items()
    ]
    upsert(tx, allocation_total, ("host_id", "resource_class"), ("amount",), rows, add=True)


def used(tx: Tx, host_id: str | None = None) -> dict[str, dict[str, int]]:
    """Host id → resource class → amount that is claimed, of all hosts or of one, however many claims there are."""
    found: dict[str, dict[str, int]] = {}
    wanted = select(allocation_total).where(allocation_total.c.amount != 0)
    for row in tx.all(wanted if host_id is None else wanted.where(allocation_total.c.host_id == host_id)):
        found.setdefault(row.host_id, {})[row.resource_class] = row.amount
    return found


def of_consumer(tx: Tx, consumer_id: str) -> dict[str, dict[str, int]]:
    """Host id → resource class → amount that one consumer holds."""
    found: dict[str, dict[str, int]] = {}
    for row in tx.rows(allocation, consumer_id=consumer_id):
        found.setdefault(row.host_id, {})[row.resource_class] = row.amount
    return found


def of_consumers_on(tx: Tx, host_id: str) -> dict[str, dict[str, dict[str, int]]]:
    """Consumer → host id → resource class → amount, of all hosts, for the consumers that claim something of one."""
    here = select(allocation.c.consumer_id).where(allocation.c.host_id == host_id)
    found: dict[str, dict[str, dict[str, int]]] = {}
    for row in tx.all(select(allocation).where(allocation.c.consumer_id.in_(here)).order_by(allocation.c.consumer_id)):
        found.setdefault(row.consumer_id, {}).setdefault(row.host_id, {})[row.resource_class] = row.amount
    return found
