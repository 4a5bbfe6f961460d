"""SQL of server groups and host aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.compute.tables import aggregate, server, server_group


def get(tx: Tx, group_id: str) -> Row[Any] | None:
    return tx.row(server_group, id=group_id)


def find(tx: Tx, project_id: str | None, limit: int | None, offset: int) -> list[Row[Any]]:
    statement = select(server_group)
    if project_id is not None:
        statement = statement.where(server_group.c.project_id == project_id)
    return tx.all(statement.order_by(server_group.c.created_at, server_group.c.id).limit(limit).offset(offset))


def count(tx: Tx, project_id: str) -> int:
    return int(tx.scalar(select(func.count()).select_from(server_group).where(server_group.c.project_id == project_id)))


def add(tx: Tx, **values: Any) -> None:
    tx.insert(server_group, created_at=tx.now, **values)


def remove(tx: Tx, group_id: str) -> None:
    tx.update(server, {"group_id": group_id}, group_id=None)
    tx.execute(delete(server_group).where(server_group.c.id == group_id))


def members(tx: Tx, group_ids: Sequence[str]) -> dict[str, list[str]]:
    """Group id → ids of its servers, in one query."""
    found: dict[str, list[str]] = {}
    statement = select(server.c.group_id, server.c.id).where(server.c.group_id.in_(group_ids), ~server.c.deleted)
    for row in tx.all(statement.order_by(server.c.number)):
        found.setdefault(row.group_id, []).append(row.id)
    return found


# ------------------------------------------------------------------------------------------------------ aggregates


def aggregates(tx: Tx) -> list[Row[Any]]:
    return tx.all(page(select(aggregate), [(aggregate.c.id, False)], None, None))


def aggregate_by_id(tx: Tx, aggregate_id: int) -> Row[Any] | None:
    return tx.row(aggregate, id=aggregate_id)


def add_aggregate(tx: Tx, **values: Any) -> int:
    result = tx.insert(aggregate, created_at=tx.now, **values)
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def change_aggregate(tx: Tx, aggregate_id: int, **values: Any) -> None:
    tx.update(aggregate, {"id": aggregate_id}, updated_at=tx.now, **values)


def remove_aggregate(tx: Tx, aggregate_id: int) -> None:
    tx.execute(delete(aggregate).where(aggregate.c.id == aggregate_id))
