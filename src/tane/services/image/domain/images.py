"""Rules of images: who sees and changes which, and their states.

queued → saving → active ⇄ deactivated; a failed upload goes back to queued, a failed operation leaves killed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.image.domain import cache, content, quotas
from tane.services.image.store import images, locations, members
from tane.services.image.store.images import Image, Viewer
from tane.services.rating import interface as rating
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge

MOST_PROPERTIES = 128
MOST_TAGS = 128
SURE_TO_FIT, MOST_LISTED_BYTES = 50, 4 << 20
"""Images of a list whose size need not be asked, and the bytes of properties that one answer has."""
MOST_PROPERTY_BYTES = 64 << 10
"""Of the names and values of one image's properties together."""
COLUMNS = ("name", "visibility", "disk_format", "container_format", "min_disk", "min_ram", "protected", "os_hidden")
READ_ONLY = (
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "direct_url",
    "self",
    "file",
    "schema",
    "id",
    "os_hash_algo",
    "os_hash_value",
)
RESERVED = ("location", "deleted", "deleted_at")


def visible(tx: Tx, ctx: Context, image_id: str) -> Row[Any]:
    """:raises NotFound: no such image, or one the caller may not see."""
    row = images.get(tx, image_id)
    if row is None or (
        not (ctx.sees(row.project_id) or row.visibility in ("public", "community"))
        and not (row.visibility == "shared" and members.get(tx, image_id, ctx.project_id))
    ):
        raise NotFound(f"No image found with ID {image_id}")
    return row


def own(tx: Tx, ctx: Context, image_id: str) -> Row[Any]:
    """:raises NotFound: not visible. :raises Forbidden: visible, but another project's."""
    row = visible(tx, ctx, image_id)
    if not ctx.sees(row.project_id):
        raise Forbidden("You are not permitted to modify this image.")
    return row


def show(core: Core, ctx: Context, image_id: str) -> Image:
    with core.db.read() as tx:
        return images.complete(tx, [visible(tx, ctx, image_id)])[0]


def index(
    core: Core,
    viewer: Viewer,
    conditions: Sequence[Any],
    order: Sequence[tuple[str, bool]],
    marker: str | None,
    limit: int,
) -> tuple[list[Image], bool]:
    """A page of images, and whether there are more: one of large images ends before its ``limit``.

    :raises BadRequest: the marker is no image that ``viewer`` sees.
    """
    with core.db.read() as tx:
        start = images.seen_by(tx, viewer, marker) if marker else None
        if marker and start is None:
            raise BadRequest(f"No image found with ID {marker}")
        rows = images.find(tx, viewer, conditions, order, start, limit + 1)
        fitting = _fitting(tx, rows[:limit])
        return images.complete(tx, rows[:fitting]), len(rows) > fitting


def _fitting(tx: Tx, rows: Sequence[Row[Any]]) -> int:
    """How many of a list's images one answer holds. Few always fit; of many it is asked first, in one query."""
    if len(rows) <= SURE_TO_FIT:
        return len(rows)
    sizes, total = images.property_sizes(tx, [row.id for row in rows]), 0
    for number, row in enumerate(rows):
        total += sizes.get(row.id, 0)
        if total > MOST_LISTED_BYTES and number:
            return number
    return len(rows)


def create(core: Core, ctx: Context, values: Mapping[str, Any], properties: Mapping[str, str]) -> Image:
    """:raises Conflict: the id is taken. :raises Forbidden: for another owner, or public without the right.
    :raises TooLarge: over quota."""
    with core.db.write() as tx:
        return images.complete(tx, [insert(tx, core, ctx, values, properties)])[0]


def insert(
    tx: Tx,
    core: Core,
    ctx: Context,
    values: Mapping[str, Any],
    properties: Mapping[str, str],
    *,
    budgeted: bool = True,
) -> Row[Any]:
    """``budgeted``: not when the owner's budget is spent. Raises like :func:`create`."""
    owner = values.get("owner") or ctx.project_id
    if owner != ctx.project_id and not ctx.is_admin:
        raise Forbidden(f"You are not permitted to create images owned by '{owner}'.")
    visibility = values.get("visibility", "shared")
    require_visibility(core, ctx, visibility)
    for name in properties:
        refuse_reserved(name)
    check_properties(properties)
    if budgeted:
        rating.refuse_spent(tx, owner)
    quotas.require(tx, core, owner, image_count_total=1)
    image_id = str(values.get("id") or uuid.uuid4()).lower()
    # A job of an image that was deleted would meet the new one.
    taken = images.get(tx, image_id) or images.former(tx, image_id) or jobs.pending(tx, f"image:{image_id}")
    if taken is not None:
        raise Conflict(f"Image ID {image_id} already exists!")
    row = {
        "id": image_id,
        "project_id": owner,
        "status": "queued",
        "min_disk": 0,
        "min_ram": 0,
        "protected": False,
        "os_hidden": False,
        "verified": False,
        **{name: values[name] for name in COLUMNS if name in values},
        "visibility": visibility,
    }
    images.add(tx, row)
    images.set_properties(tx, image_id, properties)
    images.set_tags(tx, image_id, checked_tags(values.get("tags", [])))
    found = images.get(tx, image_id)
    assert found is not None
    return found


def require_visibility(core: Core, ctx: Context, visibility: str) -> None:
    """:raises Forbidden: the caller may not give an image this visibility."""
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(visibility)
    if rule and not core.policy.allows(rule, ctx):
        raise Forbidden(f"You are not authorized to complete {rule} action.")


def refuse_reserved(name: str) -> None:
    """:raises Forbidden: an attribute that clients may not set."""
    if name in READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name in RESERVED or name.startswith("os_glance"):
        raise Forbidden(f"Attribute '{name}' is reserved.")


def is_custom(name: str) -> bool:
    """Whether an image may have a property of this name that a client gave."""
    shown = (*READ_ONLY, *RESERVED, *COLUMNS, "owner", "tags", "stores", "locations")
    return bool(name) and not name.startswith("os_glance") and name not in shown


def delete(core: Core, ctx: Context, image_id: str) -> None:
    """:raises Forbidden: protected, or another project's."""
    with core.db.write() as tx:
        row = own(tx, ctx, image_id)
        if row.protected:
            raise Forbidden(f"Image {image_id} is protected and cannot be deleted.")
        places = locations.of_image(tx, image_id)
        jobs.cancel(tx, f"image:{image_id}")
        cache.forget(tx, core, image_id)
        images.remove(tx, image_id)
        tx.notify(f"image:{image_id}")
        tx.notify(content.TOPIC)
    content.staged(core, image_id).unlink(missing_ok=True)
    for place in places:
        content.collect(core, place.store, place.url)


def set_active(core: Core, ctx: Context, image_id: str, *, active: bool) -> None:
    """Reactivate or deactivate. :raises Forbidden: the status does not allow it."""
    wanted, other = ("active", "deactivated") if active else ("deactivated", "active")
    with core.db.write() as tx:
        row = own(tx, ctx, image_id)
        if row.status == wanted:
            return
        if row.status != other:
            verb = "reactivate" if active else "deactivate"
            raise Forbidden(f"Not allowed to {verb} image in status '{row.status}'")
        images.change(tx, image_id, status=wanted)
        tx.notify(f"image:{image_id}")


def add_tag(core: Core, ctx: Context, image_id: str, tag: str) -> None:
    if len(tag) > 255:
        raise BadRequest(f"Invalid image tag: '{tag[:32]}…' is too long, at most 255 characters are allowed.")
    with core.db.write() as tx:
        [image] = images.complete(tx, [own(tx, ctx, image_id)])
        images.set_tags(tx, image_id, checked_tags([*image.tags, tag]))
        images.change(tx, image_id)


def remove_tag(core: Core, ctx: Context, image_id: str, tag: str) -> None:
    with core.db.write() as tx:
        [image] = images.complete(tx, [own(tx, ctx, image_id)])
        if tag not in image.tags:
            raise NotFound("The requested tag was not found on the image.")
        images.set_tags(tx, image_id, [kept for kept in image.tags if kept != tag])
        images.change(tx, image_id)


def checked_tags(tags: Sequence[str]) -> list[str]:
    unique = sorted(set(tags))
    if len(unique) > MOST_TAGS:
        raise TooLarge(f"The limit has been exceeded on the number of allowed image tags. Maximum: {MOST_TAGS}.")
    return unique


def check_properties(properties: Mapping[str, Any]) -> None:
    if len(properties) > MOST_PROPERTIES:
        raise TooLarge(
            f"The limit has been exceeded on the number of allowed image properties. Maximum: {MOST_PROPERTIES}."
        )
    size = 0
    for name, value in properties.items():
        if len(name) > 255:
            raise BadRequest("Custom property should not be greater than 255 characters.")
        if not isinstance(value, str):
            raise BadRequest(f"Invalid image object: {value!r} is not of type 'string' (property '{name}').")
        size += len(name.encode()) + len(value.encode())
    if size > MOST_PROPERTY_BYTES:
        raise TooLarge(
            f"The limit has been exceeded on the size of image properties. Maximum: {MOST_PROPERTY_BYTES} bytes."
        )
