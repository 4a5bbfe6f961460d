"""SQL of metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, or_, select

from tane.db import Tx
from tane.services.metric.tables import metric, resource

AT_ONCE = 500
_RESOURCE = (
    resource.c.project_id.label("resource_project_id"),
    resource.c.original_resource_id,
    resource.c.type.label("resource_type"),
)


def _joined() -> Select[Any]:
    return select(metric, *_RESOURCE).outerjoin(resource, metric.c.resource_id == resource.c.id)


def of_ids(tx: Tx, ids: Iterable[str]) -> list[Row[Any]]:
    """Those that are there, each with whose its resource is."""
    wanted, found = list(dict.fromkeys(ids)), []
    for place in range(0, len(wanted), AT_ONCE):
        found += tx.all(_joined().where(metric.c.id.in_(wanted[place : place + AT_ONCE])))
    return found


def of_resources(tx: Tx, ids: Iterable[str]) -> list[Row[Any]]:
    wanted, found = list(dict.fromkeys(ids)), []
    for place in range(0, len(wanted), AT_ONCE):
        part = wanted[place : place + AT_ONCE]
        found += tx.all(_joined().where(metric.c.resource_id.in_(part)).order_by(metric.c.name))
    return found


def count_of_resources(tx: Tx, ids: Sequence[str]) -> int:
    count = 0
    for place in range(0, len(ids), AT_ONCE):
        part = metric.c.resource_id.in_(ids[place : place + AT_ONCE])
        count += int(tx.scalar(select(func.count()).select_from(metric).where(part)) or 0)
    return count


def named(tx: Tx, resource_id: str, name: str) -> Row[Any] | None:
    return tx.first(_joined().where(metric.c.resource_id == resource_id, metric.c.name == name))


def all_named(tx: Tx, pairs: Sequence[tuple[str, str]]) -> list[Row[Any]]:
    """What is read of metrics, without whose they are. ``pairs``: (id of a resource, name of a metric of it)."""
    found: list[Row[Any]] = []
    columns = "number", "id", "name", "archive_policy_name", "counter", "resource_id"
    query = select(*(metric.c[one] for one in columns))
    # SQLite looks through the whole table for pairs; many things have few names.
    by_name: dict[str, list[str]] = {}
    for resource_id, name in pairs:
        by_name.setdefault(name, []).append(resource_id)
    for name, ids in by_name.items():
        for begin in range(0, len(ids), AT_ONCE):
            part = metric.c.resource_id.in_(ids[begin : begin + AT_ONCE])
            found += tx.all(query.where(part, metric.c.name == name))
    return found


def listed(
    tx: Tx,
    visible: str | None,
    wanted: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    after: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[Row[Any]]:
    """``visible``: the project that sees what it made and what its resources have; None sees all."""
    query = _joined().where(*wanted, *after).order_by(*order).limit(limit)
    if visible is not None:
        query = query.where(or_(metric.c.created_by_project_id == visible, resource.c.project_id == visible))
    return tx.all(query)


def add(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        tx.execute(insert(metric), rows)


def count_of_project(tx: Tx, project_id: str) -> int:
    query = select(func.count()).select_from(metric).where(metric.c.created_by_project_id == project_id)
    return int(tx.scalar(query) or 0)


def place(tx: Tx, metric_id: str, resource_id: str | None, name: str | None) -> None:
    tx.update(metric, {"id": metric_id}, resource_id=resource_id, name=name)


def rename(tx: Tx, metric_id: str, name: str) -> None:
    tx.update(metric, {"id": metric_id}, name=name)


def remove(tx: Tx, ids: Iterable[str]) -> int:
    wanted, gone = list(ids), 0
    for begin in range(0, len(wanted), AT_ONCE):
        gone += tx.count(delete(metric).where(metric.c.id.in_(wanted[begin : begin + AT_ONCE])))
    return gone


def remove_of_resources(tx: Tx, ids: Sequence[str]) -> None:
    for begin in range(0, len(ids), AT_ONCE):
        tx.execute(delete(metric).where(metric.c.resource_id.in_(ids[begin : begin + AT_ONCE])))


def folding(tx: Tx, numbers: Sequence[int]) -> dict[int, Row[Any]]:
    """What folding needs to know of metrics, by their numbers."""
    found: dict[int, Row[Any]] = {}
    for begin in range(0, len(numbers), AT_ONCE):
        part = metric.c.number.in_(numbers[begin : begin + AT_ONCE])
        for row in tx.all(select(metric.c.number, metric.c.archive_policy_name, metric.c.counter).where(part)):
            found[row.number] = row
    return found
