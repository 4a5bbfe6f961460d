"""SQL of key pairs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, delete, func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.compute.tables import keypair


def get(tx: Tx, user_id: str, name: str) -> Row[Any] | None:
    return tx.first(select(keypair).where(and_(keypair.c.user_id == user_id, keypair.c.name == name)))


def find(tx: Tx, user_id: str, marker: str | None, limit: int | None) -> list[Row[Any]]:
    statement = select(keypair).where(keypair.c.user_id == user_id)
    return tx.all(page(statement, [(keypair.c.name, False)], None if marker is None else [marker], limit))


def count(tx: Tx, user_id: str) -> int:
    return int(tx.scalar(select(func.count()).select_from(keypair).where(keypair.c.user_id == user_id)))


def add(tx: Tx, **values: Any) -> None:
    tx.insert(keypair, created_at=tx.now, **values)


def remove(tx: Tx, user_id: str, name: str) -> int:
    return tx.count(delete(keypair).where(and_(keypair.c.user_id == user_id, keypair.c.name == name)))
