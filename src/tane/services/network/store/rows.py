"""What every resource needs of its table. Changing a row counts its revision up, as the API's ``revision_number``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.tables import resource_tag

MANY = 500
"""How many values go into one IN list."""


def get(tx: Tx, table: Table, row_id: str) -> Row[Any] | None:
    return tx.row(table, id=row_id)


def find(tx: Tx, table: Table, **equal: Any) -> list[Row[Any]]:
    """Rows with these values, oldest first; a list value means any of its items."""
    if not any(isinstance(value, list) for value in equal.values()):
        return sorted(tx.rows(table, **equal), key=lambda row: (row.created_at, row.id))
    statement = select(table)
    for name, value in equal.items():
        column = table.c[name]
        statement = statement.where(column.in_(value) if isinstance(value, list) else column == value)
    return tx.all(statement.order_by(table.c.created_at, table.c.id))


def among(tx: Tx, table: Table, column: str, values: Iterable[str]) -> list[Row[Any]]:
    """Rows whose ``column`` is one of ``values``, however many they are."""
    wanted, found = list(dict.fromkeys(values)), []
    for start in range(0, len(wanted), MANY):
        found += tx.among(table, column, wanted[start : start + MANY])
    return found


def add(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    tx.add(table, rows)


def change(tx: Tx, table: Table, row_id: str, values: Mapping[str, Any]) -> None:
    tx.update(table, {"id": row_id}, **values, updated_at=tx.now, revision_number=table.c.revision_number + 1)


def touch(tx: Tx, table: Table, row_ids: Sequence[str]) -> None:
    """Count the revisions of rows up whose parts changed, however many they are."""
    for start in range(0, len(row_ids), MANY):
        tx.execute(
            update(table)
            .where(table.c.id.in_(row_ids[start : start + MANY]))
            .values(updated_at=tx.now, revision_number=table.c.revision_number + 1)
        )


def remove(tx: Tx, table: Table, row_ids: Sequence[str]) -> None:
    """Delete rows and their tags."""
    for start in range(0, len(row_ids), MANY):
        some = row_ids[start : start + MANY]
        tx.execute(delete(table).where(table.c.id.in_(some)))
        tx.execute(delete(resource_tag).where(resource_tag.c.resource_id.in_(some)))


def tags(tx: Tx, row_ids: Iterable[str]) -> dict[str, list[str]]:
    """Tags by resource id, sorted."""
    found: dict[str, list[str]] = {}
    for row in among(tx, resource_tag, "resource_id", row_ids):
        found.setdefault(row.resource_id, []).append(row.tag)
    return {row_id: sorted(names) for row_id, names in found.items()}
