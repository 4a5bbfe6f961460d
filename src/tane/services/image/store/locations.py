"""SQL of image locations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.image.tables import image_location


def of_image(tx: Tx, image_id: str) -> list[Row[Any]]:
    order = (image_location.c.position, image_location.c.id)
    return tx.all(select(image_location).where(image_location.c.image_id == image_id).order_by(*order))


def of_images(tx: Tx, image_ids: Iterable[str]) -> dict[str, list[Row[Any]]]:
    """The locations of several images: one query."""
    order = (image_location.c.position, image_location.c.id)
    found: dict[str, list[Row[Any]]] = {}
    for row in tx.all(select(image_location).where(image_location.c.image_id.in_(list(image_ids))).order_by(*order)):
        found.setdefault(row.image_id, []).append(row)
    return found


def add(tx: Tx, image_id: str, store: str, url: str, meta: Mapping[str, Any], position: int | None = None) -> None:
    """At the end, or before the present one at ``position``."""
    rows = of_image(tx, image_id)
    if position is None or position >= len(rows):
        number = rows[-1].position + 1 if rows else 0
        values = {"image_id": image_id, "store": store, "url": url, "meta": dict(meta), "position": number}
        tx.insert(image_location, **values)
        return
    kept = [(row.store, row.url, row.meta) for row in rows]
    kept.insert(position, (store, url, dict(meta)))
    clear(tx, image_id)
    for number, (name, where, more) in enumerate(kept):
        values = {"image_id": image_id, "store": name, "url": where, "meta": more, "position": number}
        tx.insert(image_location, **values)


def remove(tx: Tx, location_id: int) -> None:
    tx.execute(delete(image_location).where(image_location.c.id == location_id))


def remove_from_store(tx: Tx, image_id: str, store: str) -> None:
    mine = (image_location.c.image_id == image_id, image_location.c.store == store)
    tx.execute(delete(image_location).where(*mine))


def clear(tx: Tx, image_id: str) -> None:
    tx.execute(delete(image_location).where(image_location.c.image_id == image_id))


def references(tx: Tx, url: str) -> int:
    """How many images have their data there."""
    return int(tx.scalar(select(func.count()).select_from(image_location).where(image_location.c.url == url)))


def urls(tx: Tx) -> set[str]:
    """Everywhere some image's data lies."""
    return {row.url for row in tx.all(select(image_location.c.url))}
