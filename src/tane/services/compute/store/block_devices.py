"""SQL of the volumes a server has or is about to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, delete, func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.compute.tables import block_device, server


def of_server(tx: Tx, server_id: str) -> list[Row[Any]]:
    return of_servers(tx, [server_id]).get(server_id, [])


def of_servers(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Server id → its block devices in the order the guest sees them, in one query."""
    found: dict[str, list[Row[Any]]] = {}
    statement = select(block_device).where(block_device.c.server_id.in_(server_ids))
    for row in tx.all(statement.order_by(block_device.c.position, block_device.c.attachment_id)):
        found.setdefault(row.server_id, []).append(row)
    return found


def on_host(tx: Tx, host_id: str) -> list[Row[Any]]:
    """``server_id``, ``volume_id`` and ``device`` of those that servers of the host have."""
    columns = block_device.c.server_id, block_device.c.volume_id, block_device.c.device
    query = select(*columns).join(server, server.c.id == block_device.c.server_id)
    return tx.all(query.where(server.c.host_id == host_id, ~server.c.deleted))


def get(tx: Tx, server_id: str, volume_id: str) -> Row[Any] | None:
    mine = and_(block_device.c.server_id == server_id, block_device.c.volume_id == volume_id)
    return tx.first(select(block_device).where(mine))


def add(tx: Tx, **values: Any) -> None:
    tx.insert(block_device, created_at=tx.now, **values)


def change(tx: Tx, attachment_id: str, **values: Any) -> None:
    tx.update(block_device, {"attachment_id": attachment_id}, **values)


def remove(tx: Tx, attachment_id: str) -> None:
    tx.execute(delete(block_device).where(block_device.c.attachment_id == attachment_id))


def next_position(tx: Tx, server_id: str) -> int:
    statement = select(func.coalesce(func.max(block_device.c.position), -1) + 1)
    return int(tx.scalar(statement.where(block_device.c.server_id == server_id)))
