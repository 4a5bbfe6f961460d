"""SQL of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, delete, select
from sqlalchemy.engine import Row

from tane.db import Tx, kept
from tane.db.paging import page
from tane.services.image.tables import image_task

MOST = 256
"""Tasks of a project that are over, and told of until their time is."""


def add(tx: Tx, **values: Any) -> None:
    over = and_(image_task.c.project_id == values["project_id"], image_task.c.expires_at.is_not(None))
    tx.execute(delete(image_task).where(over, image_task.c.expires_at <= tx.now))
    kept.forget_oldest(tx, over, image_task.c.expires_at, image_task.c.id, MOST)
    tx.insert(image_task, created_at=tx.now, updated_at=tx.now, message="", **values)


def change(tx: Tx, task_id: str, **values: Any) -> None:
    tx.update(image_task, {"id": task_id}, updated_at=tx.now, **values)


def get(tx: Tx, task_id: str) -> Row[Any] | None:
    return tx.row(image_task, id=task_id)


def of_image(tx: Tx, image_id: str) -> list[Row[Any]]:
    return tx.all(select(image_task).where(image_task.c.image_id == image_id).order_by(image_task.c.created_at.desc()))


def find(
    tx: Tx, filters: dict[str, str], order: Sequence[tuple[str, bool]], marker: Row[Any] | None, limit: int
) -> list[Row[Any]]:
    """``filters``: column → value; ``order``: (column, descending), the last one "id"."""
    statement = select(image_task).where(*(image_task.c[name] == value for name, value in filters.items()))
    columns = [(image_task.c[name], descending) for name, descending in order]
    values = None if marker is None else [getattr(marker, name) for name, _ in order]
    return tx.all(page(statement, columns, values, limit))
