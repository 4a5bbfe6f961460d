"""SQL of the host registry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.tables import host

ALIVE = timedelta(seconds=60)


def all_hosts(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(host).order_by(host.c.name))


def get(tx: Tx, host_id: str) -> Row[Any] | None:
    return tx.first(select(host).where(host.c.id == host_id))


def by_name(tx: Tx, name: str) -> Row[Any] | None:
    return tx.first(select(host).where(host.c.name == name))


def register(
    tx: Tx, host_id: str, name: str, roles: Sequence[str], local_ip: str | None, capabilities: dict[str, Any]
) -> None:
    """Record a host, or refresh what it says of itself; an administrator's settings are kept."""
    values = {
        "name": name,
        "roles": list(roles),
        "local_ip": local_ip,
        "capabilities": capabilities,
        "last_seen": tx.now,
    }
    if not tx.count(update(host).where(host.c.id == host_id).values(**values, updated_at=tx.now)):
        tx.execute(insert(host).values(id=host_id, enabled=True, forced_down=False, created_at=tx.now, **values))


def seen(tx: Tx, host_ids: Sequence[str]) -> None:
    """Record a heartbeat."""
    tx.execute(update(host).where(host.c.id.in_(host_ids)).values(last_seen=tx.now))


def is_up(tx: Tx, row: Row[Any]) -> bool:
    """Whether the host's heartbeat is fresh and nobody forced it down."""
    return bool(not row.forced_down and tx.now - row.last_seen < ALIVE)


def is_there(tx: Tx, host_id: str) -> bool:
    """Whether there is such a host and it is up."""
    row = get(tx, host_id)
    return row is not None and is_up(tx, row)


def is_up_by_name(tx: Tx, name: str) -> bool:
    """Whether there is a host of the name and it is up."""
    row = by_name(tx, name)
    return row is not None and is_up(tx, row)


def change(tx: Tx, host_id: str, **values: Any) -> int:
    return tx.count(update(host).where(host.c.id == host_id).values(updated_at=tx.now, **values))
