"""Rows that the sweeper of lifecycles looks at, a page at a time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, and_, or_, select

from tane.db import Tx
from tane.services.object.tables import object_, version


def objects(tx: Tx, container_id: int, after: str, limit: int) -> list[Row[Any]]:
    """Current objects behind a name: ``name``, ``stamp``, ``size``, ``meta``."""
    columns = (object_.c[name] for name in ("name", "stamp", "size", "meta"))
    found = select(*columns).where(object_.c.container_id == container_id, object_.c.name > after)
    return tx.all(found.order_by(object_.c.name).limit(limit))


def versions(tx: Tx, container_id: int, name: str, stamp: int, limit: int) -> list[Row[Any]]:
    """Versions behind one (name and stamp), by names, the newest of each first: the same with ``kind``, the stamp of
    what is ``current``, and whether it is ``alone``: the only one of its name."""
    other = version.alias()
    same = and_(other.c.container_id == version.c.container_id, other.c.name == version.c.name)
    alone = ~select(other.c.id).where(same, other.c.id != version.c.id).exists()
    columns = tuple(version.c[each] for each in ("name", "stamp", "size", "meta", "kind"))
    table = version.outerjoin(
        object_, and_(object_.c.container_id == version.c.container_id, object_.c.name == version.c.name)
    )
    later = or_(version.c.name > name, and_(version.c.name == name, version.c.stamp < stamp))
    found = select(*columns, object_.c.stamp.label("current"), alone.label("alone")).select_from(table)
    found = found.where(version.c.container_id == container_id, later)
    return tx.all(found.order_by(version.c.name, version.c.stamp.desc()).limit(limit))
