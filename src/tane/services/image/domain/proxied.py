"""What the compute API's proxies ask of images: a filtered page, and the properties of one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select

from tane.core import Core
from tane.db import Tx
from tane.services.image.domain import content, images, protections
from tane.services.image.domain.updates import Change, update
from tane.services.image.store import images as store
from tane.services.image.store.images import Image
from tane.services.image.tables import image
from tane.web.context import Context


class Wanted(msgspec.Struct, kw_only=True):
    """Which images. ``statuses`` empty: any; ``min_disk`` in GB and ``min_ram`` in MB are exact, as upstream."""

    name: str | None = None
    statuses: Sequence[str] = ()
    properties: Mapping[str, str] = {}
    min_disk: int | None = None
    min_ram: int | None = None
    changed_since: datetime | None = None
    marker: str | None = None
    limit: int = 1000


def find(core: Core, ctx: Context, wanted: Wanted) -> tuple[list[Image], bool]:
    """The images the caller sees, the newest first, and whether there are more.

    :raises BadRequest: the marker is none of them.
    """
    conditions = [
        store.has_property(name, value) if protections.allows(core, ctx, name, "read") else store.has_none()
        for name, value in wanted.properties.items()
    ]
    for column in ("name", "min_disk", "min_ram"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.append(image.c[column] == value)
    if wanted.statuses:
        conditions.append(image.c.status.in_(wanted.statuses))
    if wanted.changed_since is not None:
        conditions.append(store.compare("updated_at", "gte", wanted.changed_since))
    viewer = store.Viewer(project_id=ctx.project_id, is_admin=ctx.is_admin)
    order = [("created_at", True), ("id", True)]
    return images.index(core, viewer, conditions, order, wanted.marker, wanted.limit)


def set_properties(core: Core, ctx: Context, image_id: str, given: Mapping[str, str], *, gone: Sequence[str]) -> None:
    """Set some properties and remove others, under the rules of the image service's own call.

    :raises NotFound: not visible. :raises Forbidden: another's, or a protected property. :raises Conflict: one of
        ``gone`` is not there.
    """
    changes = [Change("remove", name) for name in gone]
    changes += [Change("add", name, value) for name, value in given.items()]
    update(core, ctx, image_id, changes)


def rotate_backups(tx: Tx, image_id: str, kept: int) -> None:
    """Delete the oldest backups of the kind of ``image_id`` (same project, server and type) until ``kept`` are left.

    Protected ones stay. Repeatable; nothing when the image is gone.
    """
    row = store.get(tx, image_id)
    if row is None:
        return
    kind = store.complete(tx, [row])[0].properties
    alike = [store.has_property(name, kind.get(name, "")) for name in ("image_type", "backup_type", "instance_uuid")]
    owned = image.c.project_id == row.project_id
    # The new one first: others may be of the same second.
    statement = select(image.c.id, image.c.protected).where(owned, *alike)
    found = tx.all(statement.order_by(image.c.id != image_id, image.c.created_at.desc(), image.c.id.desc()))
    for old in found[kept:]:
        if not old.protected and store.remove(tx, old.id):
            tx.notify(f"image:{old.id}")
            tx.notify(content.TOPIC)
