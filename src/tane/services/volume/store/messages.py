"""SQL of messages to users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx, kept
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_message

MOST = 1000
"""Messages that are kept of a project."""


def get(tx: Tx, message_id: str) -> Row[Any] | None:
    return tx.row(volume_message, id=message_id)


def find(tx: Tx, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume_message.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(select(volume_message).where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    mine = volume_message.c.project_id == values["project_id"]
    kept.forget_oldest(tx, mine, volume_message.c.created_at, volume_message.c.id, MOST - 1)
    tx.insert(volume_message, created_at=tx.now, **values)


def remove(tx: Tx, message_id: str) -> None:
    tx.execute(delete(volume_message).where(volume_message.c.id == message_id))


def remove_expired(tx: Tx) -> int:
    return tx.count(delete(volume_message).where(volume_message.c.expires_at <= tx.now))
