"""Rows of objects and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from tane.db import Tx
from tane.services.object.tables import blob, container, object_, version

CONTENT = tuple(column.name for column in version.c if column.name != "id")
_CURRENT = select(object_).where(
    object_.c.container_id == bindparam("container_id"), object_.c.name == bindparam("object")
)
_VERSION = (
    select(*version.c, blob.c.data)
    .select_from(version.outerjoin(blob, blob.c.id == version.c.blob_id))
    .where(
        version.c.container_id == bindparam("container_id"),
        version.c.name == bindparam("object"),
        version.c.stamp == bindparam("wanted"),
    )
)
_ADD = insert(object_)
_ADD_VERSION = insert(version)
_REPLACE = update(object_).where(object_.c.id == bindparam("wanted"))
_REMOVE = delete(object_).where(object_.c.id == bindparam("wanted"))


def current(tx: Tx, container_id: int, name: str) -> Row[Any] | None:
    return tx.execute(_CURRENT, {"container_id": container_id, "object": name}).first()


def put(tx: Tx, old_id: int | None, values: Mapping[str, Any]) -> None:
    """Write an object, in place of the row ``old_id`` when there is one. ``values``: all of :data:`CONTENT`."""
    if old_id is None:
        tx.execute(_ADD, dict(values))
    else:
        tx.execute(_REPLACE.values(**{name: bindparam(name) for name in CONTENT}), {**values, "wanted": old_id})


def change(tx: Tx, object_id: int, **values: Any) -> None:
    tx.update(object_, {"id": object_id}, **values)


def change_version(tx: Tx, version_id: int, **values: Any) -> None:
    tx.update(version, {"id": version_id}, **values)


def remove(tx: Tx, object_id: int) -> None:
    tx.execute(_REMOVE, {"wanted": object_id})


def add_version(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(_ADD_VERSION, dict(values))


def version_of(tx: Tx, container_id: int, name: str, stamp: int) -> Row[Any] | None:
    """A version that is not the current one, with its bytes where they are in the row."""
    return tx.execute(_VERSION, {"container_id": container_id, "object": name, "wanted": stamp}).first()


def null_version(tx: Tx, container_id: int, name: str) -> Row[Any] | None:
    """The version without an id of its own, with its bytes where they are in the row."""
    found = select(*version.c, blob.c.data).select_from(version.outerjoin(blob, blob.c.id == version.c.blob_id))
    return tx.first(
        found.where(version.c.container_id == container_id, version.c.name == name, version.c.versioned == 0)
    )


def newest_version(tx: Tx, container_id: int, name: str) -> Row[Any] | None:
    found = select(version).where(version.c.container_id == container_id, version.c.name == name)
    return tx.first(found.order_by(version.c.stamp.desc()).limit(1))


def remove_version(tx: Tx, version_id: int) -> None:
    tx.execute(delete(version).where(version.c.id == version_id))


def newest_below(tx: Tx, container_id: int, prefix: str, end: str) -> Row[Any] | None:
    """The object whose name is the last one from ``prefix`` up to ``end``."""
    found = select(object_).where(
        object_.c.container_id == container_id, object_.c.name >= prefix, object_.c.name < end
    )
    return tx.first(found.order_by(object_.c.name.desc()).limit(1))


def expired(tx: Tx, now: int, most: int) -> list[Row[Any]]:
    """Current objects whose time is over, with what their container does about versions in ``versions_mode``."""
    due = select(object_, container.c.versions_mode).join(container, container.c.id == object_.c.container_id)
    return tx.all(due.where(object_.c.delete_at.is_not(None), object_.c.delete_at <= now).limit(most))


def all_in(tx: Tx, container_id: int) -> list[Row[Any]]:
    return tx.rows(object_, container_id=container_id)


def versions_in(tx: Tx, container_id: int) -> list[Row[Any]]:
    return tx.rows(version, container_id=container_id)


def versions_named(tx: Tx, container_id: int, names: list[str]) -> list[Row[Any]]:
    """All versions of these names that are not current, the newest first."""
    found = select(version).where(version.c.container_id == container_id, version.c.name.in_(names))
    return tx.all(found.order_by(version.c.name, version.c.stamp.desc()))
