"""What every resource of identity needs of its table: get, list with equality filters, insert, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.engine import Row

from tane.db import Tx


def get(tx: Tx, table: Table, row_id: str) -> Row[Any] | None:
    return tx.first(select(table).where(table.c.id == row_id))


def find(tx: Tx, table: Table, filters: Mapping[str, Any]) -> list[Row[Any]]:
    """Rows whose columns equal ``filters``, in order of their ids; a list or tuple value means any of its items."""
    statement = select(table).order_by(table.c.id)
    for name, value in filters.items():
        column = table.c[name]
        statement = statement.where(column.in_(value) if isinstance(value, list | tuple) else column == value)
    return tx.all(statement)


def add(tx: Tx, table: Table, values: Mapping[str, Any]) -> None:
    tx.execute(insert(table).values(**values))


def change(tx: Tx, table: Table, row_id: str, values: Mapping[str, Any]) -> int:
    return tx.count(update(table).where(table.c.id == row_id).values(**values)) if values else 1


def remove(tx: Tx, table: Table, row_id: str) -> int:
    return tx.count(delete(table).where(table.c.id == row_id))
