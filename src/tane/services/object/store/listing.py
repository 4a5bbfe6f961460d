"""Pages of names in the order of their UTF-8 bytes, by seeks: a delimiter skips what is below it, however much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select

from tane.db import Tx
from tane.services.object.store.places import FILED, POINTER
from tane.services.object.tables import blob, container, object_

FIRST_BATCH = 32


@dataclass(frozen=True)
class Wanted:
    """What a listing asks for; as the API's parameters of these names."""

    limit: int
    prefix: str = ""
    delimiter: str = ""
    marker: str = ""
    end_marker: str = ""
    reverse: bool = False
    path: str | None = None


@dataclass
class Bounds:
    """What is still to be looked at: names between these two. ``low_open``: ``low`` itself is not."""

    low: str = ""
    low_open: bool = False
    high: str | None = None
    high_open: bool = True


Fetch = Callable[[Bounds, bool, int], list[Row[Any]]]


@dataclass
class Page:
    """``found``: rows, and texts for what is below a delimiter. ``latest``: of versions, the (name, stamp) of what
    their objects are now."""

    found: list[Row[Any] | str] = field(default_factory=list)
    latest: set[tuple[str, int]] = field(default_factory=set)


def containers(tx: Tx, account_id: int, wanted: Wanted) -> Page:
    names = ("name", "objects", "bytes", "changed", "policy", "stamp")
    columns = tuple(container.c[name] for name in names)
    return paged(fetcher(tx, container, columns, container.c.account_id == account_id), wanted)


def objects(tx: Tx, container_id: int, wanted: Wanted) -> Page:
    names = ("name", "stamp", "size", "etag", "content_type", "kind", "manifest_etag", "versioned")
    columns = (*(object_.c[name] for name in names), POINTER)
    return paged(fetcher(tx, object_, columns, object_.c.container_id == container_id), wanted)


def segments(tx: Tx, container_id: int, prefix: str, limit: int) -> list[Row[Any]]:
    """Objects whose names begin so: size, ETag, kind, and where their bytes are."""
    table = object_.outerjoin(blob, blob.c.id == object_.c.blob_id)
    columns = (object_.c.name, object_.c.size, object_.c.etag, object_.c.kind, object_.c.blob_id, FILED)
    found = select(*columns).select_from(table).where(object_.c.container_id == container_id, object_.c.name >= prefix)
    end = after(prefix)
    if end is not None:
        found = found.where(object_.c.name < end)
    return tx.all(found.order_by(object_.c.name).limit(limit))


def fetcher(tx: Tx, table: Any, columns: tuple[Any, ...], own: Any, *, distinct: bool = False) -> Fetch:
    def fetch(bounds: Bounds, reverse: bool, limit: int) -> list[Row[Any]]:
        name = table.c.name
        query = select(*columns).where(own)
        if distinct:
            query = query.distinct()
        if bounds.low:
            query = query.where(name > bounds.low if bounds.low_open else name >= bounds.low)
        if bounds.high is not None:
            query = query.where(name < bounds.high if bounds.high_open else name <= bounds.high)
        return tx.all(query.order_by(name.desc() if reverse else name).limit(limit))

    return fetch


def after(prefix: str) -> str | None:
    """The first text behind all that begin with ``prefix``; None when there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            following = 0xE000 if last == 0xD7FF else last + 1
            return prefix[:-1] + chr(following)
        prefix = prefix[:-1]
    return None


def _bounds(wanted: Wanted, prefix: str) -> Bounds:
    low, high = (wanted.end_marker, wanted.marker) if wanted.reverse else (wanted.marker, wanted.end_marker)
    bounds = Bounds(prefix, False, after(prefix))
    if low and low >= prefix:
        bounds.low, bounds.low_open = low, True
    if high and (bounds.high is None or high < bounds.high):
        bounds.high = high
    return bounds


def paged(fetch: Fetch, wanted: Wanted) -> Page:
    prefix, delimiter = wanted.prefix, wanted.delimiter
    if wanted.path is not None:
        prefix = wanted.path.rstrip("/") + "/" if wanted.path else ""
        delimiter = "/"
    bounds, page = _bounds(wanted, prefix), Page()
    if wanted.limit == 0:
        return page
    if not delimiter:
        page.found.extend(fetch(bounds, wanted.reverse, wanted.limit))
        return page
    size = FIRST_BATCH
    while len(page.found) < wanted.limit:
        rows = fetch(bounds, wanted.reverse, min(size, wanted.limit))
        plain, below = _take(rows, page, wanted, prefix, delimiter)
        if len(rows) < min(size, wanted.limit):
            break
        _go_on(bounds, wanted.reverse, rows[-1].name, below)
        # Few names of their own: each further query skips a whole folder. Many: they come in larger batches.
        size = size * 4 if plain * 2 > size else FIRST_BATCH
    del page.found[wanted.limit :]
    return page


def _take(rows: list[Row[Any]], page: Page, wanted: Wanted, prefix: str, delimiter: str) -> tuple[int, str]:
    """Add a batch; returns how many names of their own were in it, and what the last one is below ("": nothing)."""
    plain, below = 0, page.found[-1] if page.found and isinstance(page.found[-1], str) else ""
    last = ""
    for row in rows:
        end = row.name.find(delimiter, len(prefix))
        only_folder = wanted.path is not None and end >= 0 and end + len(delimiter) == len(row.name)
        if end < 0 or only_folder:
            last = ""
            if wanted.path is None or row.name != prefix:
                page.found.append(row)
                plain += 1
            continue
        last = row.name[: end + len(delimiter)]
        if last != below and wanted.path is None and last != wanted.marker:
            page.found.append(last)
        below = last
    return plain, last


def _go_on(bounds: Bounds, reverse: bool, name: str, below: str) -> None:
    if reverse:
        bounds.high, bounds.high_open = below or name, True
    elif below:
        bounds.low, bounds.low_open = after(below) or below, after(below) is None
    else:
        bounds.low, bounds.low_open = name, True
