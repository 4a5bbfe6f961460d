"""SQL of the cache."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.image.tables import image_cache

CACHED = image_cache.c.status == "cached"


def get(tx: Tx, image_id: str) -> Row[Any] | None:
    return tx.row(image_cache, image_id=image_id)


def all_entries(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(image_cache).order_by(image_cache.c.image_id))


def add(tx: Tx, image_id: str, ticket: str) -> None:
    tx.insert(image_cache, image_id=image_id, status="queued", ticket=ticket, size=0, hits=0)


def fill(tx: Tx, image_id: str, size: int) -> None:
    """The data is there from now on."""
    values = {"status": "cached", "size": size, "last_modified": tx.now, "last_accessed": tx.now}
    tx.update(image_cache, {"image_id": image_id}, **values)


def used(tx: Tx, image_id: str) -> None:
    more = {"hits": image_cache.c.hits + 1, "last_accessed": tx.now}
    tx.execute(update(image_cache).where(image_cache.c.image_id == image_id, CACHED).values(**more))


def remove(tx: Tx, image_id: str) -> None:
    tx.execute(delete(image_cache).where(image_cache.c.image_id == image_id))


def size(tx: Tx) -> int:
    """Of all that is cached, in bytes."""
    return int(tx.scalar(select(func.sum(image_cache.c.size)).where(CACHED)) or 0)


def oldest(tx: Tx) -> list[Row[Any]]:
    """What is cached, least recently used first."""
    return tx.all(select(image_cache).where(CACHED).order_by(image_cache.c.last_accessed, image_cache.c.image_id))
