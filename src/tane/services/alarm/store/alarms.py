"""SQL of alarms."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from tane.db import Tx
from tane.services.alarm.tables import alarm, alarm_change, alarm_cursor

LOOKED_AT = tuple(
    alarm.c[name]
    for name in ("id", "project_id", "user_id", "type", "rule", "state", "repeat_actions", "time_constraints")
)
"""What of an alarm is needed to evaluate it."""

APART = ("event", "prometheus")
"""Types that are not evaluated with what the cloud measured."""


def get(tx: Tx, alarm_id: str) -> Row[Any] | None:
    return tx.row(alarm, id=alarm_id)


def find(
    tx: Tx, wanted: Sequence[ColumnElement[bool]], order: Sequence[ColumnElement[Any]], limit: int
) -> list[Row[Any]]:
    return tx.all(select(alarm).where(*wanted).order_by(*order).limit(limit))


def of_ids(tx: Tx, ids: Sequence[str]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for begin in range(0, len(ids), 500):
        found += tx.all(select(*LOOKED_AT).where(alarm.c.id.in_(ids[begin : begin + 500]), alarm.c.enabled))
    return found


def enabled(tx: Tx, *, events: bool, after: str = "", limit: int = 500) -> list[Row[Any]]:
    """Those that are to be evaluated, in the order of their ids: on events, or on what is measured."""
    kind = alarm.c.type == "event" if events else alarm.c.type.not_in(APART)
    return tx.all(select(*LOOKED_AT).where(alarm.c.enabled, kind, alarm.c.id > after).order_by(alarm.c.id).limit(limit))


def version_of_waiting(tx: Tx) -> tuple[int, datetime | None]:
    """Another one whenever an alarm on events comes, goes or changes: how many there are, and the last change."""
    asked = select(func.count().label("number"), func.max(alarm.c.timestamp).label("last"))
    row = tx.first(asked.where(alarm.c.enabled, alarm.c.type == "event"))
    return (0, None) if row is None else (int(row.number), row.last)


def count_of_project(tx: Tx, project_id: str) -> int:
    return int(tx.scalar(select(func.count()).select_from(alarm).where(alarm.c.project_id == project_id)) or 0)


def add(tx: Tx, **values: Any) -> None:
    tx.insert(alarm, **values)


def change(tx: Tx, alarm_id: str, **values: Any) -> None:
    tx.update(alarm, {"id": alarm_id}, **values)


def explain(tx: Tx, state: str, reasons: Mapping[str, str]) -> None:
    """Why alarms, by their ids, are in that state, if they are still."""
    for alarm_id, reason in reasons.items():
        where = (alarm.c.id == alarm_id) & (alarm.c.state == state)
        tx.execute(update(alarm).where(where).values(state_reason=reason))


def evaluated(tx: Tx, ids: Sequence[str], at: datetime) -> None:
    """These were looked at as they were then."""
    for begin in range(0, len(ids), 500):
        part = alarm.c.id.in_(ids[begin : begin + 500])
        tx.execute(update(alarm).where(part).values(evaluate_timestamp=at))


def remove(tx: Tx, alarm_id: str) -> None:
    tx.execute(delete(alarm_change).where(alarm_change.c.alarm_id == alarm_id))
    tx.execute(delete(alarm).where(alarm.c.id == alarm_id))


def add_change(tx: Tx, **values: Any) -> None:
    tx.insert(alarm_change, **values)


def changes(
    tx: Tx, wanted: Sequence[ColumnElement[bool]], order: Sequence[ColumnElement[Any]], limit: int, most: int
) -> list[Row[Any]]:
    """``most``: characters of their details together, where there is more than one."""
    length = func.length(alarm_change.c.detail).label("length")
    sizes = tx.all(select(length).where(*wanted).order_by(*order).limit(limit))
    fits = sum(total <= most for total in itertools.accumulate(int(row.length) for row in sizes))
    return tx.all(select(alarm_change).where(*wanted).order_by(*order).limit(max(1, fits)))


def size_of_changes(tx: Tx, alarm_id: str) -> tuple[int, int]:
    """(how many, characters of their details) of an alarm."""
    asked = select(func.count().label("number"), func.sum(func.length(alarm_change.c.detail)).label("length"))
    row = tx.first(asked.where(alarm_change.c.alarm_id == alarm_id))
    return (0, 0) if row is None else (int(row.number), int(row.length or 0))


def forget_all_but(tx: Tx, alarm_id: str, number: int, most: int) -> None:
    """Of an alarm's changes only the newest stay: ``number`` of them, of so many characters; one in any case."""
    length = func.length(alarm_change.c.detail).label("length")
    newest = select(alarm_change.c.number, length).where(alarm_change.c.alarm_id == alarm_id)
    rows = tx.all(newest.order_by(alarm_change.c.number.desc()).limit(number))
    fits = sum(total <= most for total in itertools.accumulate(int(row.length) for row in rows))
    edge = rows[max(1, fits) - 1].number
    tx.execute(delete(alarm_change).where(alarm_change.c.alarm_id == alarm_id, alarm_change.c.number < edge))


def change_by_id(tx: Tx, event_id: str) -> Row[Any] | None:
    return tx.row(alarm_change, event_id=event_id)


def forget_changes(tx: Tx, before: datetime) -> int:
    return tx.count(delete(alarm_change).where(alarm_change.c.timestamp < before))


def has_changes_before(tx: Tx, before: datetime) -> bool:
    return tx.first(select(alarm_change.c.number).where(alarm_change.c.timestamp < before).limit(1)) is not None


def cursor(tx: Tx, name: str) -> int | None:
    found = tx.scalar(select(alarm_cursor.c.position).where(alarm_cursor.c.name == name))
    return None if found is None else int(found)


def move_cursor(tx: Tx, name: str, position: int) -> None:
    if not tx.update(alarm_cursor, {"name": name}, position=position):
        tx.insert(alarm_cursor, name=name, position=position)


def unseen(tx: Tx, limit: int, but: Sequence[str] = ()) -> list[Row[Any]]:
    """Those that were never evaluated as they are now, of all projects but these."""
    new = (alarm.c.evaluate_timestamp.is_(None)) | (alarm.c.evaluate_timestamp < alarm.c.timestamp)
    return tx.all(
        select(*LOOKED_AT)
        .where(alarm.c.enabled, alarm.c.type.not_in(APART), new, alarm.c.project_id.not_in(but[:500]))
        .limit(limit)
    )


def asking(tx: Tx, before: datetime, limit: int) -> list[Row[Any]]:
    """Of the type prometheus, those that were not evaluated since then, or not as they are now: one of each project,
    then the second of each and so on, the longest first."""
    seen = alarm.c.evaluate_timestamp
    due = seen.is_(None) | (seen < alarm.c.timestamp) | (seen < before)
    # Who makes alarms anew comes no earlier by that.
    since = func.coalesce(seen, alarm.c.timestamp)
    place = func.row_number().over(partition_by=alarm.c.project_id, order_by=(since, alarm.c.id)).label("place")
    waiting = select(alarm.c.id, since.label("since"), place).where(alarm.c.enabled, alarm.c.type == "prometheus", due)
    turns = waiting.subquery()
    query = select(*LOOKED_AT, alarm.c.state_reason).join(turns, turns.c.id == alarm.c.id)
    return tx.all(query.order_by(turns.c.place, turns.c.since, alarm.c.id).limit(limit))
