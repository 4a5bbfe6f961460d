"""Rows of blobs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from tane.db import Tx
from tane.services.object.store import stamps
from tane.services.object.tables import blob, blob_check, blob_copy

MOST = 500
_ADD = insert(blob)
_ADD_COPY = insert(blob_copy)
_ADD_CHECKS = insert(blob_check)
_SHARE = update(blob).where(blob.c.id == bindparam("wanted")).values(refs=blob.c.refs + 1)
_SHARED = select(blob.c.refs, blob.c.data.is_(None).label("filed")).where(blob.c.id == bindparam("wanted"))
_DROP = update(blob).where(blob.c.id == bindparam("wanted")).values(refs=blob.c.refs - 1)
_KILL = update(blob).where(blob.c.id == bindparam("wanted")).values(refs=0, dead_at=bindparam("at"))
_DEAD = select(func.coalesce(func.sum(blob.c.size), 0)).where(
    blob.c.account_id == bindparam("wanted"), blob.c.dead_at.is_not(None)
)
_DATA = select(blob.c.data).where(blob.c.id == bindparam("wanted"))
_DELETE = delete(blob).where(blob.c.id == bindparam("wanted"))


def add(
    tx: Tx,
    blob_id: str,
    size: int,
    crc: int,
    data: bytes | None,
    account_id: int | None,
    copies: Sequence[tuple[str, str]] = (),
    checks: bytes = b"",
) -> None:
    """A blob that one object of an account is made of: in the row, or in files, whose hosts and states ``copies``
    are."""
    tx.execute(_ADD, {"id": blob_id, "size": size, "crc": crc, "refs": 1, "data": data, "account_id": account_id})
    if copies:
        tx.execute(_ADD_COPY, [{"blob_id": blob_id, "host": host, "state": state} for host, state in copies])
    if checks:
        tx.execute(_ADD_CHECKS, {"blob_id": blob_id, "checks": checks})


def share(tx: Tx, blob_id: str) -> None:
    """One more object is made of it."""
    tx.execute(_SHARE, {"wanted": blob_id})


def drop(tx: Tx, blob_id: str) -> None:
    """One object less is. A file whose last one went is removed after a grace; a row goes at once."""
    row = tx.execute(_SHARED, {"wanted": blob_id}).one()
    if row.refs > 1:
        tx.execute(_DROP, {"wanted": blob_id})
    elif row.filed:
        tx.execute(_KILL, {"wanted": blob_id, "at": stamps.of(tx.now)})
    else:
        tx.execute(_DELETE, {"wanted": blob_id})


def dead_bytes(tx: Tx, account_id: int) -> int:
    """Bytes that lie on the disk for an account though nothing is made of them any more."""
    return int(tx.execute(_DEAD, {"wanted": account_id}).scalar_one())


def data_of(tx: Tx, blob_id: str) -> bytes | None:
    """The bytes of a blob that is in its row; None when it is there no more."""
    found = tx.execute(_DATA, {"wanted": blob_id}).first()
    return None if found is None else found.data


def known(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Those of ``ids`` that have a row."""
    return {row.id for row in tx.all(select(blob.c.id).where(blob.c.id.in_(ids)))}


def take_dead(tx: Tx, seconds: float) -> list[tuple[str, str]]:
    """Delete the rows of blobs that died so long ago, some at a time; their files, (blob, host), are to be removed
    then."""
    before = stamps.of(tx.now) - int(seconds * stamps.SECOND)
    dead = [row.id for row in tx.all(select(blob.c.id).where(blob.c.dead_at < before, blob.c.refs == 0).limit(MOST))]
    copies = list[tuple[str, str]]()
    if dead:
        copies = [(row.blob_id, row.host) for row in tx.all(select(blob_copy).where(blob_copy.c.blob_id.in_(dead)))]
        tx.execute(delete(blob_check).where(blob_check.c.blob_id.in_(dead)))
        tx.execute(delete(blob_copy).where(blob_copy.c.blob_id.in_(dead)))
        tx.execute(delete(blob).where(blob.c.id.in_(dead)))
    return copies
