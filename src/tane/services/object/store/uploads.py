"""Rows of uploads in parts, and the parts, which are objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, true, update

from tane.db import Tx
from tane.services.object.store.listing import Page, Wanted, after, fetcher, paged
from tane.services.object.tables import container, object_, upload

_FIND = select(upload).where(upload.c.id == bindparam("wanted"))
_CHANGED = update(upload).where(upload.c.id == bindparam("wanted")).values(parts=upload.c.parts + 1)


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(upload), dict(values))


def find(tx: Tx, upload_id: str) -> Row[Any] | None:
    return tx.execute(_FIND, {"wanted": upload_id}).first()


def changed(tx: Tx, upload_id: str) -> None:
    """A part of it is another one now."""
    tx.execute(_CHANGED, {"wanted": upload_id})


def remove(tx: Tx, upload_id: str) -> None:
    tx.execute(delete(upload).where(upload.c.id == upload_id))


def kill(tx: Tx, upload_id: str) -> None:
    tx.update(upload, {"id": upload_id}, dead=1)


def kill_before(tx: Tx, stamp: int, most: int) -> int:
    """Of those that nobody has finished since then, so many at most; returns how many."""
    old = select(upload.c.id).where(upload.c.dead == 0, upload.c.stamp < stamp).limit(most)
    return tx.count(update(upload).where(upload.c.id.in_(old.scalar_subquery())).values(dead=1))


def any_before(tx: Tx, stamp: int) -> bool:
    return tx.first(select(upload.c.id).where(upload.c.dead == 0, upload.c.stamp < stamp).limit(1)) is not None


def begun(tx: Tx, container_id: int, prefix: str, limit: int) -> list[Row[Any]]:
    """The oldest of those under way in a container whose names begin so."""
    found = select(upload).where(upload.c.container_id == container_id, upload.c.dead == 0, upload.c.name >= prefix)
    if (end := after(prefix)) is not None:
        found = found.where(upload.c.name < end)
    return tx.all(found.order_by(upload.c.stamp).limit(limit))


def dead(tx: Tx, most: int) -> list[Row[Any]]:
    return tx.all(select(upload).where(upload.c.dead == 1).limit(most))


def count(tx: Tx, account_id: int) -> int:
    """How many an account has under way."""
    return int(tx.scalar(select(func.count()).where(upload.c.account_id == account_id, upload.c.dead == 0)) or 0)


def without_bucket(tx: Tx, account_id: int, segments_id: int, suffix: str) -> bool:
    """Whether a container of parts is there though its bucket is not."""
    bucket = container.alias()
    own = select(container.c.id).where(
        container.c.id == segments_id, container.c.account_id == account_id, container.c.name.endswith(suffix)
    )
    there = select(bucket.c.id).where(bucket.c.account_id == account_id, bucket.c.name + suffix == container.c.name)
    return tx.first(own.where(~there.exists())) is not None


def page(tx: Tx, container_id: int, wanted: Wanted, upload_marker: str) -> Page:
    """Uploads that are under way, in the order of their names; ``upload_marker``: the last one seen of the name
    ``wanted.marker``."""
    alive = (upload.c.container_id == container_id) & (upload.c.dead == 0)
    names = select(upload.c.name).where(alive).distinct().subquery()
    found: list[Row[Any] | str] = []
    if upload_marker and wanted.marker:
        rest = select(upload).where(alive, upload.c.name == wanted.marker, upload.c.id > upload_marker)
        found += tx.all(rest.order_by(upload.c.id).limit(wanted.limit))
    entries = paged(fetcher(tx, names, (names.c.name,), true()), wanted).found
    texts = [entry.name for entry in entries if not isinstance(entry, str)]
    of: dict[str, list[Row[Any]]] = {}
    if texts:
        own = select(upload).where(alive, upload.c.name >= texts[0], upload.c.name <= texts[-1])
        for row in tx.all(own.order_by(upload.c.name, upload.c.id).limit(10 * wanted.limit)):
            of.setdefault(row.name, []).append(row)
    for entry in entries:
        found += [entry] if isinstance(entry, str) else of.get(entry.name, [])
    return Page(found[: wanted.limit])


def segment(upload_id: str, number: int) -> str:
    """The name of a part."""
    return f"{upload_id}/{number:05d}"


def parts(tx: Tx, segments_id: int, upload_id: str, marker: int, most: int) -> list[Row[Any]]:
    """The parts of an upload in their order, after the number ``marker``: name, size, etag, meta, stamp, type."""
    columns = (
        object_.c[name]
        for name in ("id", "name", "size", "etag", "meta", "stamp", "content_type", "container_id", "kind")
    )
    found = select(*columns, object_.c.blob_id).where(
        object_.c.container_id == segments_id,
        object_.c.name > segment(upload_id, marker),
        object_.c.name < str(after(f"{upload_id}/")),
    )
    return tx.all(found.order_by(object_.c.name).limit(most))


def number(name: str) -> int:
    """Of a part, by its name; 0 for what somebody else put beside the parts."""
    text = name.rpartition("/")[2]
    return int(text) if len(text) == 5 and text.isascii() and text.isdigit() else 0


def those(tx: Tx, segments_id: int, names: Sequence[str]) -> list[Row[Any]]:
    """The parts of these names."""
    return tx.all(select(object_).where(object_.c.container_id == segments_id, object_.c.name.in_(names)))
