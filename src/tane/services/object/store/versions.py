"""Pages of all versions of a container's objects, in the order of names, the newest of a name first."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Row, case, false, func, literal, select

from tane.db import Tx
from tane.services.object.store import stamps
from tane.services.object.store.listing import Bounds, Page, Wanted, fetcher, paged
from tane.services.object.store.places import POINTER
from tane.services.object.tables import object_, version

NAMES = ("name", "stamp", "size", "etag", "content_type", "kind", "manifest_etag", "versioned")

_POINTER = case((version.c.kind == "slo", ""), else_=version.c.manifest).label("manifest")
_CURRENT = (*(object_.c[name] for name in NAMES), POINTER, literal(1).label("latest"))
_OLDER = (*(version.c[name] for name in NAMES), _POINTER, literal(0).label("latest"))
_ID = re.compile(r"([0-9]{1,12})\.([0-9]{5})\Z")


def page(tx: Tx, container_id: int, wanted: Wanted, version_marker: str | None) -> Page:
    """The rows of a page. ``version_marker``: the version of the name ``wanted.marker`` after which it begins."""
    objects = fetcher(tx, object_, (object_.c.name,), object_.c.container_id == container_id)
    versions = fetcher(tx, version, (version.c.name,), version.c.container_id == container_id, distinct=True)

    def names(bounds: Bounds, reverse: bool, limit: int) -> list[Row[Any]]:
        rows = [*objects(bounds, reverse, limit), *versions(bounds, reverse, limit)]
        found = {row.name: row for row in rows}
        return [found[name] for name in sorted(found, reverse=reverse)[:limit]]

    found: list[Row[Any] | str] = []
    latest: set[tuple[str, int]] = set()
    if version_marker and wanted.marker:
        after = _stamp(tx, container_id, wanted.marker, version_marker)
        found += _named(tx, container_id, wanted.marker, wanted, wanted.limit, latest, after)
    for entry in paged(names, wanted).found:
        left = wanted.limit - len(found)
        if left <= 0:
            break
        found += [entry] if isinstance(entry, str) else _named(tx, container_id, entry.name, wanted, left, latest)
    return Page(found[: wanted.limit], latest)


def _named(
    tx: Tx,
    container_id: int,
    name: str,
    wanted: Wanted,
    limit: int,
    latest: set[tuple[str, int]],
    after: int | None = None,
) -> list[Row[Any]]:
    """The first ``limit`` versions of a name, or those behind a moment; what is its object now goes to ``latest``."""
    found: list[Row[Any]] = []
    for table, columns in ((object_, _CURRENT), (version, _OLDER)):
        query = select(*columns).where(table.c.container_id == container_id, table.c.name == name)
        if after is not None:
            query = query.where(table.c.stamp > after if wanted.reverse else table.c.stamp < after)
        order = table.c.stamp if wanted.reverse else table.c.stamp.desc()
        found += tx.all(query.order_by(order).limit(limit))
    now = select(object_.c.stamp).where(object_.c.container_id == container_id, object_.c.name == name)
    stamp = tx.scalar(now)
    if stamp is None:  # A marker is the latest where nothing is current.
        newest = select(func.max(version.c.stamp))
        stamp = tx.scalar(newest.where(version.c.container_id == container_id, version.c.name == name))
    latest.add((name, stamp))
    return sorted(found, key=lambda row: int(row.stamp), reverse=not wanted.reverse)[:limit]


def _stamp(tx: Tx, container_id: int, name: str, marker: str) -> int | None:
    """The moment of a version as clients name it; None for one that there is not."""
    if told := _ID.match(marker):
        return int(told[1]) * stamps.SECOND + int(told[2])
    for table in (object_, version):
        query = select(table.c.stamp).where(table.c.container_id == container_id, table.c.name == name)
        stamp = tx.scalar(query.where(table.c.versioned == false()).limit(1)) if marker == "null" else None
        if stamp is not None:
            return int(stamp)
    return None
