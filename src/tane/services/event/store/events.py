"""SQL of events. Every function takes an open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, union_all
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.event.tables import event


def after(
    tx: Tx,
    cursor: int,
    limit: int,
    *,
    audience: Sequence[tuple[str, str]] | None,
    types: Sequence[str],
    resource_id: str,
) -> list[Row[Any]]:
    """Events after ``cursor``, oldest first. ``audience``: (column, id) pairs of which one has to match; None: all.

    ``types``: as "compute.server" or "compute.server.update"; none means all, and an empty ``resource_id`` any.
    """
    wanted: list[ColumnElement[bool]] = [event.c.id > cursor]
    if types:
        wanted.append(or_(*(_of_type(name) for name in types)))
    if resource_id:
        wanted.append(event.c.resource_id == resource_id)
    found = select(event).where(*wanted).order_by(event.c.id).limit(limit)
    if audience is None:
        return tx.all(found)
    # Each of them by its own index, instead of one walk through everybody's events.
    parts = [found.where(event.c[column] == value).subquery() for column, value in audience]
    both = union_all(*(select(part) for part in parts)).subquery()
    # What is both of the project and of the user stands there twice.
    rows = {row.id: row for row in tx.all(select(both).order_by(both.c.id).limit(2 * limit))}
    return list(rows.values())[:limit]


def _of_type(name: str) -> ColumnElement[bool]:
    kind, _, action = name.rpartition(".")
    return or_(event.c.type == name, (event.c.type == kind) & (event.c.action == action))


def newest(tx: Tx) -> int:
    """The number of the newest event; 0 when there is none."""
    return int(tx.scalar(select(func.max(event.c.id))) or 0)


def forget(tx: Tx, before: datetime, most: int) -> int:
    """Delete events of before a moment, and the oldest beyond the newest ``most``; returns how many."""
    kept_from = tx.scalar(select(event.c.id).where(event.c.at >= before).order_by(event.c.id).limit(1))
    last = newest(tx)
    # The newest stays: its number must not be given twice.
    first_kept = last if kept_from is None else max(int(kept_from), last - most + 1)
    return tx.count(delete(event).where(event.c.id < first_kept))
