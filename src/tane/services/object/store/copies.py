"""Rows of copies on hosts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import and_, delete, func, insert, literal_column, or_, select, update

from tane.db import Tx
from tane.services.object.drivers.hosts import Copied
from tane.services.object.store import stamps
from tane.services.object.tables import blob, blob_check, blob_copy, mark, object_

HOSTED = blob_copy.c.host != literal_column("'local'")
"""In these words the index knows it."""
OPEN = blob_copy.c.state != literal_column("'good'")
READABLE = ("good", "check")
_READABLE = blob_copy.c.state.in_(READABLE)
_LIVING = (blob.c.id == blob_copy.c.blob_id) & blob.c.dead_at.is_(None)
"""The others are about to be removed."""


class Copy(NamedTuple):
    blob_id: str
    host: str
    state: str
    size: int = 0
    crc: int = 0


def find(tx: Tx, blob_id: str) -> Copied | None:
    """A blob that lies on hosts, and those that may be asked for it: last those whose copy is not right as a whole."""
    columns = (blob.c.id, blob.c.size, blob.c.crc, blob_check.c.checks)
    row = tx.first(select(*columns).join(blob_check, blob_check.c.blob_id == blob.c.id).where(blob.c.id == blob_id))
    if row is None:
        return None
    rows = tx.all(select(blob_copy.c.host, blob_copy.c.state).where(blob_copy.c.blob_id == blob_id, HOSTED))
    hosts = tuple(each.host for each in rows if each.state in READABLE)
    doubtful = tuple(each.host for each in rows if each.state == "bad")
    return Copied(row.id, row.size, row.crc, row.checks, hosts, doubtful)


def sizes(tx: Tx, ids: Sequence[str]) -> dict[str, int]:
    """Those of some blobs that lie on hosts, and their bytes."""
    wanted = select(blob.c.id, blob.c.size).join(blob_check, blob_check.c.blob_id == blob.c.id)
    return {row.id: row.size for row in tx.all(wanted.where(blob.c.id.in_(ids)))}


def change(tx: Tx, blob_id: str, host: str, state: str, was: Collection[str]) -> bool:
    """Say how a copy of a living blob is; False when it is there no more, or meanwhile none of what it ``was``."""
    here = (blob_copy.c.blob_id == blob_id) & (blob_copy.c.host == host) & blob_copy.c.state.in_([*was])
    living = select(blob.c.id).where(blob.c.id == blob_id, blob.c.dead_at.is_(None)).exists()
    return bool(tx.execute(update(blob_copy).where(here, living).values(state=state)).rowcount)


def add(tx: Tx, copies: Iterable[tuple[str, str]]) -> None:
    """Copies that are to be made: (blob, host)."""
    rows = [{"blob_id": blob_id, "host": host, "state": "missing"} for blob_id, host in copies]
    if rows:
        tx.execute(insert(blob_copy), rows)


def remove(tx: Tx, copies: Iterable[tuple[str, str]]) -> None:
    for blob_id, host in copies:
        tx.execute(delete(blob_copy).where(blob_copy.c.blob_id == blob_id, blob_copy.c.host == host))


def hosts(tx: Tx) -> set[str]:
    """Those that have, or should have, a copy of anything."""
    return {row.host for row in tx.all(select(blob_copy.c.host).where(HOSTED).distinct())}


def on(tx: Tx, host: str, after: str, limit: int) -> list[str]:
    """The first ids behind ``after`` of living blobs that have a copy on a host."""
    wanted = select(blob_copy.c.blob_id).join(blob, _LIVING).where(HOSTED, blob_copy.c.host == host)
    rows = tx.all(wanted.where(blob_copy.c.blob_id > after).order_by(blob_copy.c.blob_id).limit(limit))
    return [row.blob_id for row in rows]


def of_blobs(tx: Tx, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Blob → host → state, of all copies of some blobs."""
    found: dict[str, dict[str, str]] = {}
    for row in tx.all(select(blob_copy).where(blob_copy.c.blob_id.in_(ids))):
        found.setdefault(row.blob_id, {})[row.host] = row.state
    return found


def _copies() -> tuple[object, ...]:
    return (blob_copy.c.blob_id, blob_copy.c.host, blob_copy.c.state, blob.c.size, blob.c.crc)


def open_(tx: Tx, hosts: Iterable[str], after: str, limit: int) -> list[Copy]:
    """Copies of living blobs on these hosts, behind a blob, that are to be made, replaced or verified."""
    wanted = select(*_copies()).select_from(blob_copy.join(blob, _LIVING)).where(OPEN, HOSTED)  # type: ignore[call-overload]
    wanted = wanted.where(blob_copy.c.host.in_([*hosts]), blob_copy.c.blob_id > after)
    return [
        Copy(row.blob_id, row.host, row.state, row.size, row.crc)
        for row in tx.all(wanted.order_by(blob_copy.c.blob_id).limit(limit))
    ]


def good(tx: Tx, hosts: Iterable[str], after: tuple[str, str], limit: int) -> list[Copy]:
    """Good copies on these hosts behind one (blob, host), in their order."""
    blob_id, host = after
    behind = or_(blob_copy.c.blob_id > blob_id, and_(blob_copy.c.blob_id == blob_id, blob_copy.c.host > host))
    wanted = select(*_copies()).select_from(blob_copy.join(blob, _LIVING)).where(HOSTED, behind)  # type: ignore[call-overload]
    wanted = wanted.where(blob_copy.c.state == "good", blob_copy.c.host.in_([*hosts]))
    rows = tx.all(wanted.order_by(blob_copy.c.blob_id, blob_copy.c.host).limit(limit))
    return [Copy(row.blob_id, row.host, row.state, row.size, row.crc) for row in rows]


def known_on(tx: Tx, host: str, ids: Sequence[str]) -> set[str]:
    """Those of ``ids`` of which a host has, or should have, a copy."""
    wanted = select(blob_copy.c.blob_id).where(HOSTED, blob_copy.c.host == host, blob_copy.c.blob_id.in_(ids))
    return {row.blob_id for row in tx.all(wanted)}


def check(tx: Tx, after: str, limit: int) -> str:
    """Have the good copies on hosts of some blobs behind one verified; returns the last of these, "" at the end."""
    hosted = select(blob_copy.c.blob_id).join(blob, _LIVING).where(HOSTED, blob_copy.c.blob_id > after)
    ids = [row.blob_id for row in tx.all(hosted.distinct().order_by(blob_copy.c.blob_id).limit(limit))]
    good = (blob_copy.c.state == "good") & blob_copy.c.blob_id.in_(ids)
    tx.execute(update(blob_copy).where(HOSTED, good).values(state="check"))
    return ids[-1] if len(ids) == limit else ""


def in_order(tx: Tx, after: str, limit: int) -> list[tuple[str, int]]:
    """(blob, bytes) of the next living blobs behind one that lie on hosts."""
    wanted = select(blob.c.id, blob.c.size).join(blob_check, blob_check.c.blob_id == blob.c.id)
    rows = tx.all(wanted.where(blob.c.id > after, blob.c.dead_at.is_(None)).order_by(blob.c.id).limit(limit))
    return [(row.id, int(row.size)) for row in rows]


def set_mark(tx: Tx, name: str) -> None:
    """Something was done now."""
    tx.execute(delete(mark).where(mark.c.name == name))
    tx.insert(mark, name=name, stamp=stamps.of(tx.now))


def marked(tx: Tx, name: str) -> int | None:
    """When it was last done; None for never."""
    found = tx.scalar(select(mark.c.stamp).where(mark.c.name == name))
    return None if found is None else int(found)


def oldest(tx: Tx) -> int | None:
    """When the oldest object was written whose bytes lie on hosts."""
    wanted = select(func.min(object_.c.stamp)).join(blob_check, blob_check.c.blob_id == object_.c.blob_id)
    found = tx.scalar(wanted)
    return None if found is None else int(found)


def bytes_on_hosts(tx: Tx) -> tuple[int, int]:
    """How many living blobs lie on hosts, and their bytes, each counted once."""
    wanted = select(func.count().label("blobs"), func.coalesce(func.sum(blob.c.size), 0).label("size"))
    row = tx.execute(wanted.join(blob_check, blob_check.c.blob_id == blob.c.id).where(blob.c.dead_at.is_(None))).one()
    return int(row.blobs), int(row.size)


def counts(tx: Tx) -> list[tuple[str, str, int, int]]:
    """(host, state, copies, bytes) of what lies on hosts."""
    wanted = select(
        blob_copy.c.host,
        blob_copy.c.state,
        func.count().label("copies"),
        func.coalesce(func.sum(blob.c.size), 0).label("bytes"),
    )
    rows = tx.all(
        wanted.join(blob, _LIVING)
        .where(HOSTED)
        .group_by(blob_copy.c.host, blob_copy.c.state)
        .order_by(blob_copy.c.host, blob_copy.c.state)
    )
    return [(row.host, row.state, int(row.copies), int(row.bytes)) for row in rows]


def unreadable(tx: Tx, out: Collection[str] = ()) -> int:
    """Living blobs of which no host has a good copy any more, but those that are ``out``."""
    there = blob_copy.c.host.not_in([*out])
    readable = select(blob_copy.c.blob_id).where(blob_copy.c.blob_id == blob.c.id, _READABLE, there).exists()
    damaged = select(blob_copy.c.blob_id).where(or_(OPEN, blob_copy.c.host.in_([*out])), HOSTED)
    wanted = select(func.count()).select_from(blob).where(blob.c.id.in_(damaged), blob.c.dead_at.is_(None), ~readable)
    return int(tx.scalar(wanted) or 0)
