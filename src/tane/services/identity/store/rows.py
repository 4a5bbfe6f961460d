"""What every resource of identity needs of its table: get, list with filters, insert, change, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Table, delete, func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.web.codec import bounded

AT_A_TIME = 1000
COMPARISONS = ("contains", "startswith", "endswith", "icontains", "istartswith", "iendswith")
"""What may follow ``__`` in the name of a filter (Keystone's inexact filters)."""


def get(tx: Tx, table: Table, row_id: str) -> Row[Any] | None:
    return tx.row(table, id=row_id)


def there(tx: Tx, table: Table, ids: Sequence[str]) -> set[str]:
    """Those of the ids that have a row: a query for many of them."""
    found: set[str] = set()
    for begin in range(0, len(ids), AT_A_TIME):
        wanted = select(table.c.id).where(table.c.id.in_(ids[begin : begin + AT_A_TIME]))
        found |= {str(row.id) for row in tx.all(wanted)}
    return found


def named(tx: Tx, table: Table, names: Sequence[str], **having: Any) -> dict[str, str]:
    """Ids of rows with these column values, by the names asked for: found without case, as folded by the database."""
    if not names:
        return {}
    folded = tx.first(select(*(func.lower(name).label(f"n{place}") for place, name in enumerate(names))))
    assert folded is not None
    wanted = find(tx, table, {"folded_name": list(folded), **having})
    ids = {row.folded_name: str(row.id) for row in wanted}
    return {name: ids[lower] for name, lower in zip(names, folded, strict=True) if lower in ids}


def condition(table: Table, name: str, value: Any) -> Any:
    """The SQL of one filter: ``name`` or ``name__contains`` and the like; a list or tuple means any of its items."""
    name, _, comparison = name.partition("__")
    column = table.c[name]
    if comparison:
        return getattr(column, comparison)(value, autoescape=True)
    return column.in_(value) if isinstance(value, list | tuple) else equal(column, value)


def equal(column: Column[Any], value: Any) -> Any:
    """The SQL of equality; names that have a folded form are compared without case."""
    if column.name == "name" and "folded_name" in column.table.c:
        return column.table.c.folded_name == func.lower(value)
    return column == value


def find(tx: Tx, table: Table, filters: Mapping[str, Any]) -> list[Row[Any]]:
    """Rows that pass every one of ``filters``, in order of their ids."""
    wanted = [condition(table, name, value) for name, value in filters.items()]
    return tx.all(select(table).where(*wanted).order_by(table.c.id))


def count(tx: Tx, table: Table, filters: Mapping[str, Any]) -> int:
    wanted = [condition(table, name, value) for name, value in filters.items()]
    return int(tx.scalar(select(func.count()).select_from(table).where(*wanted)))


def add(tx: Tx, table: Table, values: Mapping[str, Any]) -> None:
    """:raises BadRequest: a value is longer than one may be."""
    _require_bounded(values)
    tx.insert(table, **values)


def change(tx: Tx, table: Table, row_id: str, values: Mapping[str, Any]) -> int:
    """:raises BadRequest: a value is longer than one may be, by this change or by those before it."""
    _require_bounded(values)
    return tx.update(table, {"id": row_id}, **values) if values else 1


def _require_bounded(values: Mapping[str, Any]) -> None:
    """Texts and documents are as long as their writers like: here is where all of them are written."""
    for name, value in values.items():
        if isinstance(value, str | list | dict) and not name.startswith("encrypted"):
            bounded(name, value)


def remove(tx: Tx, table: Table, row_id: str) -> int:
    return tx.count(delete(table).where(table.c.id == row_id))
