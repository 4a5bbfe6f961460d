"""SQL of resources, their history and their types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Row,
    Select,
    cast,
    delete,
    func,
    literal,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement, Subquery
from sqlalchemy.types import Float

from tane.db import Tx
from tane.services.metric.tables import resource, resource_history, resource_type

SHARED = (
    *("id", "original_resource_id", "type", "creator", "created_by_project_id", "project_id", "user_id"),
    *("started_at", "ended_at", "revision_start", "attributes"),
)


MOST_REVISIONS = 100
"""That are kept of what a resource was."""


class Lifespan(FunctionElement[float]):
    """Seconds from the first moment to the second."""

    type = Float()
    inherit_cache = True


@compiles(Lifespan)
def _of_julian_days(element: Lifespan, compiler: Any, **more: Any) -> str:
    first, second = (compiler.process(clause, **more) for clause in element.clauses)
    return f"round((julianday({second}) - julianday({first})) * 86400.0, 3)"


@compiles(Lifespan, "postgresql")
def _of_epochs(element: Lifespan, compiler: Any, **more: Any) -> str:
    first, second = (compiler.process(clause, **more) for clause in element.clauses)
    return f"CAST(extract(epoch FROM ({second} - {first})) AS DOUBLE PRECISION)"


def type_of(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(resource_type, name=name)


def types_of(tx: Tx, names: Iterable[str]) -> list[Row[Any]]:
    """Those that there are of these."""
    return tx.all(select(resource_type).where(resource_type.c.name.in_(list(names))))


def types(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(resource_type).order_by(resource_type.c.name))


def add_type(tx: Tx, name: str, attributes: dict[str, Any]) -> None:
    tx.insert(resource_type, name=name, attributes=attributes)


def change_type(tx: Tx, name: str, attributes: dict[str, Any]) -> None:
    tx.update(resource_type, {"name": name}, attributes=attributes)


def remove_type(tx: Tx, name: str) -> None:
    tx.execute(delete(resource_type).where(resource_type.c.name == name))


def type_in_use(tx: Tx, name: str) -> bool:
    return tx.first(select(resource.c.id).where(resource.c.type == name).limit(1)) is not None


def of_type(tx: Tx, name: str) -> list[Row[Any]]:
    """What they are and what they were: ``revision`` is -1 of those that are."""
    shown = view(True)
    return tx.all(select(shown.c.id, shown.c.revision, shown.c.attributes).where(shown.c.type == name))


def set_attributes(tx: Tx, resource_id: str, revision: int, attributes: dict[str, Any]) -> None:
    which = update(resource).where(resource.c.id == resource_id)
    if revision >= 0:
        which = update(resource_history).where(resource_history.c.revision == revision)
    tx.execute(which.values(attributes=attributes))


def get(tx: Tx, resource_id: str) -> Row[Any] | None:
    return tx.row(resource, id=resource_id)


def of_ids(tx: Tx, ids: Sequence[str]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for begin in range(0, len(ids), 500):
        found += tx.all(select(resource).where(resource.c.id.in_(ids[begin : begin + 500])))
    return found


def owners_of(tx: Tx, ids: Sequence[str]) -> list[Row[Any]]:
    """Of what type, and whose, these are."""
    columns = resource.c.id, resource.c.type, resource.c.created_by_project_id, resource.c.project_id
    found: list[Row[Any]] = []
    for begin in range(0, len(ids), 500):
        found += tx.all(select(*columns).where(resource.c.id.in_(ids[begin : begin + 500])))
    return found


def add(tx: Tx, **values: Any) -> None:
    tx.insert(resource, **values)


def change(tx: Tx, resource_id: str, **values: Any) -> None:
    tx.update(resource, {"id": resource_id}, **values)


def keep_revision(tx: Tx, row: Row[Any], until: Any) -> None:
    """Write down what a resource was, and forget the oldest of what is more than ``MOST_REVISIONS``."""
    kept = {name: getattr(row, name) for name in SHARED}
    tx.insert(resource_history, **kept, revision_end=until)
    of_it = resource_history.c.id == row.id
    newest = select(resource_history.c.revision).where(of_it).order_by(resource_history.c.revision.desc())
    edge = tx.scalar(newest.offset(MOST_REVISIONS - 1).limit(1))
    if edge is not None:
        tx.execute(delete(resource_history).where(of_it, resource_history.c.revision < edge))


def revisions_before(tx: Tx, moment: Any, limit: int) -> list[int]:
    """The oldest of those that ended before; revisions are numbered in the order in which they end."""
    query = select(resource_history.c.revision, resource_history.c.revision_end).order_by(resource_history.c.revision)
    return [row.revision for row in tx.all(query.limit(limit)) if row.revision_end < moment]


def remove_revisions(tx: Tx, numbers: Sequence[int]) -> int:
    return tx.count(delete(resource_history).where(resource_history.c.revision.in_(numbers)))


def remove(tx: Tx, ids: Sequence[str]) -> int:
    gone = 0
    for begin in range(0, len(ids), 500):
        part = ids[begin : begin + 500]
        tx.execute(delete(resource_history).where(resource_history.c.id.in_(part)))
        gone += tx.count(delete(resource).where(resource.c.id.in_(part)))
    return gone


def count_of_project(tx: Tx, project_id: str) -> int:
    query = select(func.count()).select_from(resource).where(resource.c.created_by_project_id == project_id)
    return int(tx.scalar(query) or 0)


def ended_before(tx: Tx, moment: Any, limit: int) -> list[str]:
    query = select(resource.c.id).where(resource.c.ended_at < moment).limit(limit)
    return [row.id for row in tx.all(query)]


def view(history: bool) -> Subquery:
    """Resources as they are, and (``history``) as they were: ``revision`` is -1 of those that are."""
    now: Select[Any] = select(
        *(resource.c[name] for name in SHARED),
        cast(null(), DateTime).label("revision_end"),
        literal(-1).label("revision"),
    )
    if not history:
        return now.subquery("shown")
    former: Select[Any] = select(
        *(resource_history.c[name] for name in SHARED),
        resource_history.c.revision_end,
        resource_history.c.revision,
    )
    return union_all(now, former).subquery("shown")


def listed(
    tx: Tx,
    shown: Subquery,
    wanted: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int | None,
) -> list[Row[Any]]:
    query = select(shown).where(*wanted).order_by(*order)
    return tx.all(query if limit is None else query.limit(limit))


def count(tx: Tx, shown: Subquery, wanted: Sequence[ColumnElement[bool]]) -> int:
    return int(tx.scalar(select(func.count()).select_from(shown).where(*wanted)) or 0)


def at_revision(tx: Tx, shown: Subquery, resource_id: str, revision: int) -> Row[Any] | None:
    return tx.first(select(shown).where(shown.c.id == resource_id, shown.c.revision == revision))


def unended(tx: Tx, type_name: str, creator: str) -> list[str]:
    query = select(resource.c.id).where(resource.c.type == type_name, resource.c.creator == creator)
    return [row.id for row in tx.all(query.where(resource.c.ended_at.is_(None)))]


def parts_unended(tx: Tx, type_name: str, creator: str) -> list[Row[Any]]:
    query = select(resource).where(resource.c.type == type_name, resource.c.creator == creator)
    return tx.all(query.where(resource.c.ended_at.is_(None)))
