"""SQL of volume attachments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_attachment


def get(tx: Tx, attachment_id: str) -> Row[Any] | None:
    return tx.row(volume_attachment, id=attachment_id)


def of_volumes(tx: Tx, volume_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Attachments by volume id: one query whatever the length."""
    found: dict[str, list[Row[Any]]] = {}
    if volume_ids:
        wanted = select(volume_attachment).where(volume_attachment.c.volume_id.in_(volume_ids))
        for row in tx.all(wanted.order_by(volume_attachment.c.created_at)):
            found.setdefault(row.volume_id, []).append(row)
    return found


def of_server(tx: Tx, server_id: str) -> list[Row[Any]]:
    """Rows (volume_id, attachment_id, device), oldest first."""
    columns = (
        volume_attachment.c.volume_id,
        volume_attachment.c.id.label("attachment_id"),
        volume_attachment.c.device,
    )
    return tx.all(
        select(*columns)
        .where(volume_attachment.c.server_id == server_id)
        .order_by(volume_attachment.c.created_at, volume_attachment.c.id)
    )


def find(tx: Tx, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume_attachment.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(select(volume_attachment).where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(volume_attachment, created_at=tx.now, **values)


def change(tx: Tx, attachment_id: str, **values: Any) -> int:
    condition = volume_attachment.c.id == attachment_id
    return tx.count(update(volume_attachment).where(condition).values(updated_at=tx.now, **values))


def set_status(tx: Tx, volume_id: str, status: str) -> None:
    """Of every attachment of a volume."""
    condition = volume_attachment.c.volume_id == volume_id
    tx.execute(update(volume_attachment).where(condition).values(status=status, updated_at=tx.now))


def remove(tx: Tx, attachment_id: str) -> int:
    return tx.count(delete(volume_attachment).where(volume_attachment.c.id == attachment_id))


def remove_all(tx: Tx, volume_id: str) -> None:
    tx.execute(delete(volume_attachment).where(volume_attachment.c.volume_id == volume_id))
