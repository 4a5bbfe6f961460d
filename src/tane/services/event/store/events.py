"""SQL of events. Every function takes an open transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.event.tables import event

LOOKED_AT = 1000
"""Events of one's own that a page looks at, whatever it asks for."""
NEVER = 1 << 62


class Found(NamedTuple):
    """``cursor``: up to which event was looked, and where the next page begins."""

    rows: list[Row[Any]]
    cursor: int


def after(
    tx: Tx,
    cursor: int,
    limit: int,
    *,
    audience: Sequence[tuple[str, str]] | None,
    types: Sequence[str],
    resource_id: str,
) -> Found:
    """Events after ``cursor``, oldest first, among the next :data:`LOOKED_AT` that the audience may see.

    ``audience``: (column, id) pairs of which one has to match; None: all. ``types``: as "compute.server" or
    "compute.server.update"; none means all, and an empty ``resource_id`` any.
    """
    seen = [event.c[column] == value for column, value in audience] if audience is not None else [true()]
    reach = min((_reach(tx, cursor, one) for one in seen), default=NEVER)
    wanted: list[ColumnElement[bool]] = [event.c.id > cursor, event.c.id <= reach]
    if types:
        wanted.append(or_(event.c.type.in_(types), (event.c.type + "." + event.c.action).in_(types)))
    if resource_id:
        wanted.append(event.c.resource_id == resource_id)
    # Each of the audience by its own index; what is both of the project and of the user comes twice.
    found = {
        row.id: row
        for one in seen
        for row in tx.all(select(event).where(one, *wanted).order_by(event.c.id).limit(limit))
    }
    rows = [found[number] for number in sorted(found)][:limit]
    if len(rows) == limit:
        return Found(rows, rows[-1].id)
    return Found(rows, reach if reach < NEVER else rows[-1].id if rows else cursor)


def _reach(tx: Tx, cursor: int, seen: ColumnElement[bool]) -> int:
    """Up to which event a page looks: filters that match nothing must not walk through all there are."""
    window = select(event.c.id).where(seen, event.c.id > cursor).order_by(event.c.id)
    last = tx.scalar(window.limit(1).offset(LOOKED_AT - 1))
    return NEVER if last is None else int(last)


def next_of(tx: Tx, cursor: int, looked_at: int, types: Collection[str]) -> Found:
    """Among the next ``looked_at`` events after ``cursor`` those of these types ("compute.server"), oldest first."""
    last = tx.scalar(select(event.c.id).where(event.c.id > cursor).order_by(event.c.id).limit(1).offset(looked_at - 1))
    reached = int(last) if last is not None else max(newest(tx), cursor)
    window = (event.c.id > cursor, event.c.id <= reached)
    return Found(tx.all(select(event).where(*window, event.c.type.in_(types)).order_by(event.c.id)), reached)


def newest(tx: Tx) -> int:
    """The number of the newest event; 0 when there is none."""
    return int(tx.scalar(select(func.max(event.c.id))) or 0)


def oldest(tx: Tx) -> int:
    """The number of the oldest event that is kept; 0 when there is none."""
    return int(tx.scalar(select(func.min(event.c.id))) or 0)


def forget(tx: Tx, before: datetime, most: int, most_of_one: int, at_a_time: int) -> int:
    """Delete events of before a moment, the oldest beyond the newest ``most``, and those of one project beyond its
    newest ``most_of_one``; returns how many. It deletes about ``at_a_time``, and is to be called again then."""
    kept_from = tx.scalar(select(event.c.id).where(event.c.at >= before).order_by(event.c.id).limit(1))
    last = newest(tx)
    # The newest stays: its number must not be given twice.
    first_kept = last if kept_from is None else max(int(kept_from), last - most + 1)
    forgotten = _delete_oldest(tx, event.c.id < first_kept, at_a_time)
    counted = select(event.c.project_id).group_by(event.c.project_id).having(func.count() > most_of_one)
    for (project_id,) in tx.all(counted.where(event.c.project_id.is_not(None))):
        mine = event.c.project_id == project_id
        spare = select(event.c.id).where(mine).order_by(event.c.id.desc()).limit(1).offset(most_of_one)
        beyond = and_(mine, event.c.id <= spare.scalar_subquery(), event.c.id < last)
        forgotten += _delete_oldest(tx, beyond, at_a_time)
    return forgotten


def _delete_oldest(tx: Tx, which: ColumnElement[bool], at_a_time: int) -> int:
    some = select(event.c.id).where(which).order_by(event.c.id).limit(at_a_time)
    return tx.count(delete(event).where(event.c.id.in_(some)))
