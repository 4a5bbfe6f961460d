"""Pages of all versions of a container's objects, in the order of names, the newest of a name first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, case, literal, select, true, union_all

from tane.db import Tx
from tane.services.object.store import stamps
from tane.services.object.store.listing import Page, Wanted, fetcher, paged
from tane.services.object.store.places import POINTER
from tane.services.object.tables import object_, version

NAMES = ("name", "stamp", "size", "etag", "content_type", "kind", "manifest_etag", "versioned")

_POINTER = case((version.c.kind == "slo", ""), else_=version.c.manifest).label("manifest")


def page(tx: Tx, container_id: int, wanted: Wanted, version_marker: str | None) -> Page:
    """The rows of a page. ``version_marker``: the version of the name ``wanted.marker`` after which it begins."""
    both = union_all(
        select(*(object_.c[name] for name in NAMES), POINTER, literal(1).label("latest")).where(
            object_.c.container_id == container_id
        ),
        select(*(version.c[name] for name in NAMES), _POINTER, literal(0).label("latest")).where(
            version.c.container_id == container_id
        ),
    ).subquery()
    names = select(both.c.name).distinct().subquery()
    found: list[Row[Any] | str] = []
    latest: set[tuple[str, int]] = set()

    def named(name: str) -> list[Row[Any]]:
        rows = tx.all(select(both).where(both.c.name == name).order_by(both.c.stamp.desc()))
        # A marker is the latest where nothing is current.
        current = [row for row in rows if row.latest] or rows[:1]
        latest.update((row.name, row.stamp) for row in current)
        return rows[::-1] if wanted.reverse else rows

    if version_marker and wanted.marker:
        found += _after(named(wanted.marker), version_marker, wanted.reverse)
    for entry in paged(fetcher(tx, names, (names.c.name,), true()), wanted).found:
        if len(found) >= wanted.limit:
            break
        found += [entry] if isinstance(entry, str) else named(entry.name)
    return Page(found[: wanted.limit], latest)


def _after(rows: list[Row[Any]], marker: str, reverse: bool) -> list[Row[Any]]:
    """The versions of a name that follow one of them; where that is gone, those that its moment would be before."""
    ids = [_id(row) for row in rows]
    if marker in ids:
        return rows[ids.index(marker) + 1 :]
    return [row for row in rows if (_id(row) > marker) == reverse]


def _id(row: Row[Any]) -> str:
    """As clients know it."""
    return f"{row.stamp // stamps.SECOND:010d}.{row.stamp % stamps.SECOND:05d}" if row.versioned else "null"
