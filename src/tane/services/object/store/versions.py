"""Pages of all versions of a container's objects, in the order of names, the newest of a name first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, literal, select, true, union_all

from tane.db import Tx
from tane.services.object.store import stamps
from tane.services.object.store.listing import Page, Wanted, fetcher, paged
from tane.services.object.tables import object_, version

NAMES = ("name", "stamp", "size", "etag", "content_type", "kind", "manifest", "meta", "versioned")


def page(tx: Tx, container_id: int, wanted: Wanted, version_marker: str | None) -> Page:
    """The rows of a page. ``version_marker``: the version of the name ``wanted.marker`` after which it begins."""
    both = union_all(
        select(*(object_.c[name] for name in NAMES), literal(1).label("latest")).where(
            object_.c.container_id == container_id
        ),
        select(*(version.c[name] for name in NAMES), literal(0).label("latest")).where(
            version.c.container_id == container_id
        ),
    ).subquery()
    names = select(both.c.name).distinct().subquery()
    found: list[Row[Any] | str] = []
    if version_marker and wanted.marker:
        limit = "" if version_marker == "null" else version_marker
        for row in _named(tx, both, wanted.marker, wanted.reverse):
            if (_id(row) > limit) if wanted.reverse else (_id(row) < limit):
                found.append(row)
    for entry in paged(fetcher(tx, names, (names.c.name,), true()), wanted).found:
        if len(found) >= wanted.limit:
            break
        found += [entry] if isinstance(entry, str) else _named(tx, both, entry.name, wanted.reverse)
    return Page(found[: wanted.limit])


def _named(tx: Tx, both: Any, name: str, reverse: bool) -> list[Row[Any]]:
    return tx.all(select(both).where(both.c.name == name).order_by(both.c.stamp if reverse else both.c.stamp.desc()))


def _id(row: Row[Any]) -> str:
    """As clients know it; "null" sorts as the oldest."""
    return f"{row.stamp // stamps.SECOND:010d}.{row.stamp % stamps.SECOND:05d}" if row.versioned else ""
