"""Rows of uploads whose parts are locked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from tane.db import Tx
from tane.services.object.store.listing import after
from tane.services.object.tables import held, object_

_HERE = (held.c.segments_id == bindparam("place")) & (held.c.upload_id == bindparam("wanted"))
_FIND = select(held).where(_HERE)


def find(tx: Tx, segments_id: int, upload_id: str) -> Row[Any] | None:
    return tx.execute(_FIND, {"place": segments_id, "wanted": upload_id}).first()


def put(tx: Tx, segments_id: int, upload_id: str, mode: str, until: int, hold: bool) -> None:
    """Lock the parts of an upload so, which have no end of their own from then on."""
    remove(tx, segments_id, upload_id)
    if not mode and not hold:
        return
    values = {"segments_id": segments_id, "upload_id": upload_id, "mode": mode, "until": until, "hold": int(hold)}
    tx.execute(insert(held), values)
    of_it = (object_.c.name > f"{upload_id}/") & (object_.c.name < str(after(f"{upload_id}/")))
    parts = update(object_).where(object_.c.container_id == segments_id, of_it, object_.c.delete_at.is_not(None))
    tx.execute(parts.values(delete_at=None))


def remove(tx: Tx, segments_id: int, upload_id: str) -> None:
    tx.execute(delete(held).where(held.c.segments_id == segments_id, held.c.upload_id == upload_id))


def any_over(tx: Tx, now: int) -> bool:
    return tx.first(select(held.c.upload_id).where(held.c.hold == 0, held.c.until <= now).limit(1)) is not None


def clear(tx: Tx, now: int) -> int:
    """Forget what is over; returns how many."""
    return tx.count(delete(held).where(held.c.hold == 0, held.c.until <= now))
