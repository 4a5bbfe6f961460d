"""SQL of images, their properties and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Select, and_, delete, exists, false, func, insert, or_, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.image.store import locations
from tane.services.image.tables import image, image_former, image_location, image_member, image_property, image_tag

LOCK = "os_glance_import_task"
"""Property of an image that an import is busy with."""
UPLOAD_ALIVE = timedelta(seconds=90)
RECEIVING = ("saving", "uploading")
"""What an image is while a client sends its data: to be used at once, or to be imported later."""


class Image(msgspec.Struct):
    """A row with its properties, tags and locations."""

    row: Any
    properties: dict[str, str]
    tags: list[str]
    locations: list[Any]


class Viewer(msgspec.Struct, kw_only=True):
    """Whose view of the images a list is. ``visibility``: as the query asks, "" for the default."""

    project_id: str
    is_admin: bool
    visibility: str = ""
    member_status: str = "accepted"


def get(tx: Tx, image_id: str) -> Row[Any] | None:
    return tx.row(image, id=image_id)


def complete(tx: Tx, rows: Sequence[Row[Any]]) -> list[Image]:
    """The rows with all that hangs on them: three queries whatever the length."""
    ids = [row.id for row in rows]
    properties: dict[str, dict[str, str]] = {}
    tags: dict[str, list[str]] = {}
    if ids:
        for found in tx.all(select(image_property).where(image_property.c.image_id.in_(ids))):
            properties.setdefault(found.image_id, {})[found.name] = found.value
        for found in tx.all(select(image_tag).where(image_tag.c.image_id.in_(ids)).order_by(image_tag.c.value)):
            tags.setdefault(found.image_id, []).append(found.value)
    places = locations.of_images(tx, ids) if ids else {}
    return [Image(row, properties.get(row.id, {}), tags.get(row.id, []), places.get(row.id, [])) for row in rows]


def property_sizes(tx: Tx, ids: Sequence[str]) -> dict[str, int]:
    """The characters of each image's properties together."""
    size = func.sum(func.length(image_property.c.name) + func.length(image_property.c.value))
    of = image_property.c.image_id
    return {
        row.image_id: int(row.size) for row in tx.all(select(of, size.label("size")).where(of.in_(ids)).group_by(of))
    }


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(image, created_at=tx.now, updated_at=tx.now, **values)


def change(tx: Tx, image_id: str, **values: Any) -> int:
    return tx.update(image, {"id": image_id}, updated_at=tx.now, **values)


def remove(tx: Tx, image_id: str) -> int:
    """Delete an image. What it was is kept when hosts may have made disks of it."""
    row = get(tx, image_id)
    if row is not None and row.os_hash_value and row.verified:
        values = {name: getattr(row, name) for name in ("id", "project_id", "visibility", "size", "os_hash_value")}
        tx.insert(image_former, **values, disk_format=row.disk_format or "", created_at=tx.now)
    return tx.count(delete(image).where(image.c.id == image_id))


def former(tx: Tx, image_id: str) -> Row[Any] | None:
    """What a deleted image was."""
    return tx.row(image_former, id=image_id)


def set_properties(tx: Tx, image_id: str, properties: Mapping[str, str]) -> None:
    tx.execute(delete(image_property).where(image_property.c.image_id == image_id))
    if properties:
        rows = [{"image_id": image_id, "name": name, "value": value} for name, value in properties.items()]
        tx.execute(insert(image_property), rows)


def set_property(tx: Tx, image_id: str, name: str, value: str | None) -> None:
    """Set one property, or remove it (None)."""
    tx.execute(delete(image_property).where(image_property.c.image_id == image_id, image_property.c.name == name))
    if value is not None:
        tx.insert(image_property, image_id=image_id, name=name, value=value)


def set_tags(tx: Tx, image_id: str, tags: Iterable[str]) -> None:
    tx.execute(delete(image_tag).where(image_tag.c.image_id == image_id))
    rows = [{"image_id": image_id, "value": tag} for tag in sorted(set(tags))]
    if rows:
        tx.execute(insert(image_tag), rows)


def uploads(tx: Tx) -> set[str]:
    """The uploads that are under way, and the images that wait for their data or are copied to a further store."""
    waiting = select(image.c.id, image.c.upload_id).where(image.c.status.in_((*RECEIVING, "queued", "importing")))
    copied = select(image_property.c.image_id).where(image_property.c.name == LOCK, image_property.c.value != "")
    names = {name for row in tx.all(waiting) for name in (row.id, row.upload_id) if name}
    return names | {row.image_id for row in tx.all(copied)}


def upload_seen(tx: Tx, image_id: str, upload_id: str) -> bool:
    """Record that the upload lives; False when it does not own the image any more."""
    mine = and_(image.c.id == image_id, image.c.upload_id == upload_id, image.c.status.in_(RECEIVING))
    return bool(tx.count(update(image).where(mine).values(upload_seen=tx.now)))


def requeue_dead_uploads(tx: Tx) -> int:
    """Images whose upload has shown no life go back to "queued"; returns how many there were."""
    dead = and_(image.c.status.in_(RECEIVING), image.c.upload_seen < tx.now - UPLOAD_ALIVE)
    cleared = {"status": "queued", "upload_id": None, "upload_seen": None, "updated_at": tx.now}
    return tx.count(update(image).where(dead).values(**cleared))


def find(
    tx: Tx,
    viewer: Viewer,
    conditions: Sequence[Any],
    order: Sequence[tuple[str, bool]],
    marker: Row[Any] | None,
    limit: int,
) -> list[Row[Any]]:
    """Images ``viewer`` sees that fulfil ``conditions``; ``order`` is (column, descending), the last one "id"."""
    statement = select(image).where(*conditions, *_visible(viewer))
    columns = [(image.c[name], descending) for name, descending in order]
    values = None if marker is None else [getattr(marker, name) for name, _ in order]
    return tx.all(page(statement, columns, values, limit))


def of_name(name: str) -> list[Any]:
    """Conditions of the images that have a name and are not hidden, for :func:`find`."""
    return [image.c.name == name, image.c.os_hidden.is_(False)]


def seen_by(tx: Tx, viewer: Viewer, image_id: str) -> Row[Any] | None:
    """The image when ``viewer`` may see it at all, whatever its list asks for."""
    anything = Viewer(project_id=viewer.project_id, is_admin=viewer.is_admin, visibility="all", member_status="all")
    return tx.first(select(image).where(image.c.id == image_id, *_visible(anything)))


def _visible(viewer: Viewer) -> list[Any]:
    own = image.c.project_id == viewer.project_id
    wanted: list[Any] = []
    if viewer.visibility and viewer.visibility != "all":
        wanted.append(image.c.visibility == viewer.visibility)
    elif not viewer.visibility:
        wanted.append(or_(own, image.c.visibility != "community"))
    if not viewer.is_admin:
        wanted.append(or_(own, image.c.visibility.in_(("public", "community")), _shared_with(viewer)))
    elif viewer.visibility == "shared":
        wanted.append(or_(own, _shared_with(viewer), exists(_members())))
    return wanted


def _members() -> Select[Any]:
    return select(image_member.c.image_id).where(image_member.c.image_id == image.c.id)


def _shared_with(viewer: Viewer) -> Any:
    members = _members().where(image_member.c.member_id == viewer.project_id)
    if viewer.member_status != "all":
        members = members.where(image_member.c.status == viewer.member_status)
    return and_(image.c.visibility == "shared", exists(members))


def has_none() -> Any:
    """The condition that no image meets."""
    return false()


def has_property(name: str, value: str) -> Any:
    """Condition: the image has this property."""
    matching = select(image_property.c.image_id).where(
        image_property.c.image_id == image.c.id, image_property.c.name == name, image_property.c.value == value
    )
    return exists(matching)


def has_tag(value: str) -> Any:
    """Condition: the image has this tag."""
    return exists(select(image_tag.c.image_id).where(image_tag.c.image_id == image.c.id, image_tag.c.value == value))


def compare(name: str, operator: str, value: datetime) -> Any:
    """Condition on a time column: eq, neq, gt, gte, lt, lte."""
    column = image.c[name]
    return {
        "eq": column == value,
        "neq": column != value,
        "gt": column > value,
        "gte": column >= value,
        "lt": column < value,
        "lte": column <= value,
    }[operator]


def usage(tx: Tx, project_ids: Sequence[str], without: str = "") -> dict[str, int]:
    """What projects use of each limit of images, but for the image ``without``; sizes in bytes."""
    mine = and_(image.c.project_id.in_(project_ids), image.c.id != without)
    copies = select(func.count()).where(image_location.c.image_id == image.c.id).scalar_subquery()
    return {
        "image_size_total": int(tx.scalar(select(func.sum(image.c.size * copies)).where(mine)) or 0),
        "image_stage_total": int(
            tx.scalar(select(func.sum(image.c.size)).where(mine, image.c.status.in_(("uploading", "importing")))) or 0
        ),
        "image_count_total": int(tx.scalar(select(func.count()).select_from(image).where(mine))),
        "image_count_uploading": int(
            tx.scalar(
                select(func.count()).select_from(image).where(mine, image.c.status.in_((*RECEIVING, "importing")))
            )
        ),
    }


def measured(tx: Tx) -> list[Row[Any]]:
    names = ("id", "project_id", "name", "size", "disk_format", "container_format", "created_at")
    return tx.all(select(*(image.c[name] for name in names)).where(image.c.size.is_not(None)))
