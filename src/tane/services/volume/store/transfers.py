"""SQL of volumes that are offered to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_transfer


def get(tx: Tx, transfer_id: str) -> Row[Any] | None:
    return tx.row(volume_transfer, id=transfer_id)


def find(tx: Tx, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume_transfer.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(select(volume_transfer).where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(volume_transfer, created_at=tx.now, **values)


def remove(tx: Tx, transfer_id: str) -> None:
    tx.execute(delete(volume_transfer).where(volume_transfer.c.id == transfer_id))
