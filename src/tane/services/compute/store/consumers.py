"""SQL of who holds what of hosts: servers, and moves, which hold what a server leaves until it is decided."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Subquery, distinct, func, literal, select, union_all
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.tables import allocation
from tane.services.compute.tables import migration, server

_PARTS = ((server, server.c.id, "INSTANCE"), (migration, migration.c.uuid, "MIGRATION"))


def _consumers(where: ColumnElement[bool] | None = None, **columns: str) -> Subquery:
    """(id, project_id, user_id, type). ``where``: of the allocation."""
    parts = []
    for table, key, kind in _PARTS:
        found = select(key.label("id"), table.c.project_id, table.c.user_id, literal(kind).label("type"))
        found = found.where(*(table.c[name] == value for name, value in columns.items()))
        if where is not None:
            found = found.where(key.in_(select(allocation.c.consumer_id).where(where)))
        parts.append(found)
    return union_all(*parts).subquery()


def get(tx: Tx, consumer_id: str) -> Row[Any] | None:
    return tx.first(select(_consumers(allocation.c.consumer_id == consumer_id)))


def usages(tx: Tx, project_id: str, user_id: str | None) -> list[Row[Any]]:
    """(type, resource_class, amount) of all that a project, or a user in it, holds."""
    found = _owned(project_id, user_id)
    total = func.sum(allocation.c.amount).label("amount")
    held = select(found.c.type, allocation.c.resource_class, total).join(
        allocation, allocation.c.consumer_id == found.c.id
    )
    return tx.all(held.group_by(found.c.type, allocation.c.resource_class).order_by(allocation.c.resource_class))


def counts(tx: Tx, project_id: str, user_id: str | None) -> dict[str, int]:
    """Type → how many of a project's, or of a user's in it, hold something."""
    found = _owned(project_id, user_id)
    number = func.count(distinct(found.c.id)).label("number")
    held = select(found.c.type, number).join(allocation, allocation.c.consumer_id == found.c.id)
    return {row.type: row.number for row in tx.all(held.group_by(found.c.type))}


def _owned(project_id: str, user_id: str | None) -> Subquery:
    return _consumers(project_id=project_id) if user_id is None else _consumers(project_id=project_id, user_id=user_id)
