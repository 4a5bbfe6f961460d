"""SQL of the names that administrators add: resource classes and traits."""

from __future__ import annotations

from sqlalchemy import Table, delete, func, select

from tane.db import Tx


def all_of(tx: Tx, table: Table) -> list[str]:
    return [row.name for row in tx.all(select(table.c.name).order_by(table.c.name))]


def count(tx: Tx, table: Table) -> int:
    return int(tx.scalar(select(func.count()).select_from(table)))


def exists(tx: Tx, table: Table, name: str) -> bool:
    return tx.first(select(table.c.name).where(table.c.name == name)) is not None


def add(tx: Tx, table: Table, name: str) -> None:
    tx.insert(table, name=name, created_at=tx.now)


def remove(tx: Tx, table: Table, name: str) -> None:
    tx.execute(delete(table).where(table.c.name == name))
