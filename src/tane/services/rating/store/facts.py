"""SQL of what was used. Every function takes an open transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, false, insert, or_, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.recording import Source
from tane.services.rating.tables import rating_fact, rating_name, rating_position, rating_scope

AT_A_TIME, IN_MEMORY = 500, 5000
fact = rating_fact.c


@dataclass(frozen=True)
class Wanted:
    """Facts that lie in [``begin``, ``end``); None: of all projects or services."""

    begin: datetime
    end: datetime
    project_id: str | None = None
    service: str | None = None
    resource_id: str | None = None


def position(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(rating_position, name=name)


def move(tx: Tx, name: str, before: int, after: int, *, stock: bool = False) -> bool:
    """From event ``before`` to ``after``; False: somebody else has moved it meanwhile."""
    here = (rating_position.c.name == name, rating_position.c.position == before)
    return tx.count(update(rating_position).where(*here).values(position=after, stock=stock)) == 1


def open_of(tx: Tx, keys: Iterable[tuple[str, str]]) -> list[Row[Any]]:
    """What is used of these resources (service, id) now."""
    return _of(tx, keys, fact.ended_at.is_(None))


def _of(tx: Tx, keys: Iterable[tuple[str, str]], *wanted: ColumnElement[bool]) -> list[Row[Any]]:
    by_service: dict[str, set[str]] = {}
    for service, one in keys:
        by_service.setdefault(service, set()).add(one)
    found: list[Row[Any]] = []
    for service, some in by_service.items():
        ids = sorted(some)
        for begin in range(0, len(ids), AT_A_TIME):
            mine = (fact.service == service, fact.resource_id.in_(ids[begin : begin + AT_A_TIME]))
            found += tx.all(select(rating_fact).where(*mine, *wanted))
    return found


def open_ids(tx: Tx, services: Sequence[str]) -> set[tuple[str, str]]:
    asked = select(fact.service, fact.resource_id).where(fact.ended_at.is_(None), fact.service.in_(services))
    return {(row.service, row.resource_id) for row in tx.all(asked)}


def end(tx: Tx, numbers: Sequence[int], at: datetime) -> None:
    """They are used so no longer; what lasted no second is forgotten."""
    for begin in range(0, len(numbers), AT_A_TIME):
        some = fact.number.in_(numbers[begin : begin + AT_A_TIME])
        tx.execute(delete(rating_fact).where(some, fact.begun_at >= at))
        tx.execute(update(rating_fact).where(some).values(ended_at=at))


def change(tx: Tx, number: int, **values: Any) -> None:
    tx.execute(update(rating_fact).where(fact.number == number).values(**values))


def drop(tx: Tx, numbers: Sequence[int]) -> None:
    """They are counted with others."""
    for begin in range(0, len(numbers), AT_A_TIME):
        tx.execute(delete(rating_fact).where(fact.number.in_(numbers[begin : begin + AT_A_TIME])))


def short_of(tx: Tx, keys: Iterable[tuple[str, str]], since: datetime) -> list[Row[Any]]:
    """What lasted less than a minute of these resources, begun at ``since`` or later."""
    return _of(tx, keys, fact.seconds.is_not(None), fact.begun_at >= since)


def add(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.execute(insert(rating_fact), list(rows))


def add_scopes(tx: Tx, project_ids: Iterable[str], since: datetime) -> None:
    wanted = sorted(set(project_ids))
    known: set[str] = set()
    for begin in range(0, len(wanted), AT_A_TIME):
        some = rating_scope.c.project_id.in_(wanted[begin : begin + AT_A_TIME])
        known |= {row.project_id for row in tx.all(select(rating_scope.c.project_id).where(some))}
    new = [{"project_id": one, "active": True, "since": since} for one in wanted if one not in known]
    if new:
        tx.execute(insert(rating_scope), new)


def each(tx: Tx, wanted: Wanted) -> Iterator[Row[Any]]:
    """All of them, in the order of services, resources and time, a few at a time in memory."""
    asked = select(rating_fact).where(*_in(wanted))
    ordered = asked.order_by(fact.service, fact.resource_id, fact.begun_at, fact.number)
    yield from tx.execute(ordered.execution_options(yield_per=IN_MEMORY))


def projects(tx: Tx, begin: datetime, end_: datetime, limit: int) -> list[str]:
    """Which have used anything in that time."""
    asked = select(fact.project_id).where(*_in(Wanted(begin, end_))).distinct().order_by(fact.project_id)
    return [row.project_id for row in tx.all(asked.limit(limit))]


def _in(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [fact.begun_at < wanted.end]
    lasting: list[ColumnElement[bool]] = [fact.ended_at.is_(None), fact.ended_at > wanted.begin]
    if wanted.project_id is not None:
        # Each way by the index of the project.
        lasting = [and_(fact.project_id == wanted.project_id, one) for one in lasting]
    conditions.append(or_(*lasting) if wanted.begin < wanted.end else false())
    for column, value in ((fact.service, wanted.service), (fact.resource_id, wanted.resource_id)):
        if value is not None:
            conditions.append(column == value)
    return conditions


def forget(tx: Tx, before: datetime, at_a_time: int) -> int:
    """Delete facts that ended before a moment, about so many; returns how many."""
    some = select(fact.number).where(fact.ended_at < before).order_by(fact.ended_at).limit(at_a_time)
    return tx.count(delete(rating_fact).where(fact.number.in_(some)))


def names(tx: Tx) -> dict[tuple[str, str], str]:
    return {(row.kind, row.id): row.name for row in tx.all(select(rating_name))}


def set_names(tx: Tx, changed: Mapping[tuple[str, str], str]) -> None:
    for (kind, one), name in changed.items():
        tx.execute(delete(rating_name).where(rating_name.c.kind == kind, rating_name.c.id == one))
        tx.insert(rating_name, kind=kind, id=one, name=name)


def of_ids(tx: Tx, source: Source, ids: Iterable[str]) -> list[Row[Any]]:
    """Ids and names of rows of a declared table."""
    columns = source.table.c
    return tx.all(select(columns.id, columns.name).where(columns.id.in_(sorted(ids))))


def stock(tx: Tx, source: Source, after: str, limit: int) -> list[Row[Any]]:
    """What is there now of a declared table, in the order of ids, as its events would tell it."""
    columns = source.table.c
    asked = select(columns.id, *(columns[name] for name in source.shows if name in columns and name != "id"))
    if source.project and source.project in columns:
        asked = asked.add_columns(columns[source.project])
    if source.gone:
        asked = asked.where(~columns[source.gone])
    return tx.all(asked.where(columns.id > after).order_by(columns.id).limit(limit))
