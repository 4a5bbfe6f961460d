"""What other services may ask of the image service."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import Permanent
from tane.services.image.domain import cache, content, images, imports, proxied, receiving, stores, transfers
from tane.services.image.domain.protections import readable, require_creatable
from tane.services.image.domain.proxied import Wanted, rotate_backups, set_properties
from tane.services.image.drivers.base import StoreError
from tane.services.image.store import images as store
from tane.services.image.store import locations
from tane.web.context import Context
from tane.wire.documents import ImageRef
from tane.wire.errors import HostError
from tane.wire.streams import save

__all__ = [
    "DISK_CONTAINERS",
    "ImageInfo",
    "LocalImages",
    "Wanted",
    "create_image",
    "delete_image",
    "fail_image",
    "find_images",
    "image_by_id",
    "image_of_disk",
    "keep",
    "kernel_of_disk",
    "readable",
    "remove_image",
    "require_creatable",
    "rotate_backups",
    "scratch_path",
    "set_properties",
    "store_file",
    "visible_image",
]


DISK_CONTAINERS = content.UNPACKED_CONTAINERS
"""Container formats of images that a disk can be made of; in others nobody has looked at what the disk is."""


class ImageInfo(msgspec.Struct, kw_only=True):
    """An image as other services see it: ``min_disk`` in GB, ``min_ram`` in MB, sizes in bytes. ``ref`` is None until
    the image has content a host may use: status "active", and its hash was taken here."""

    id: str
    name: str
    owner: str
    status: str
    visibility: str
    disk_format: str
    container_format: str
    min_disk: int
    min_ram: int
    size: int | None
    virtual_size: int | None
    checksum: str | None
    os_hash_value: str | None
    properties: dict[str, str]
    created_at: datetime
    updated_at: datetime
    ref: ImageRef | None


def visible_image(tx: Tx, ctx: Context, image_id: str) -> ImageInfo:
    """An image the caller may use: its own, public, community, or shared with it.

    :raises NotFound: for any other.
    """
    return _info(tx, images.visible(tx, ctx, image_id))


def images_named(tx: Tx, ctx: Context, name: str) -> list[ImageInfo]:
    """The images of a name in the caller's list of images."""
    viewer = store.Viewer(project_id=ctx.project_id, is_admin=ctx.is_admin)
    found = store.find(tx, viewer, store.of_name(name), [("created_at", True), ("id", True)], None, 2)
    return [_info(tx, row) for row in found]


def image_by_id(tx: Tx, image_id: str) -> ImageInfo | None:
    """The image whoever owns it, or None: for operations."""
    row = store.get(tx, image_id)
    return None if row is None else _info(tx, row)


def image_of_disk(tx: Tx, image_id: str, project_id: str | None = None) -> ImageInfo | None:
    """The image that a disk on a host stands on: also one that was deactivated or deleted since, as the host keeps its
    copy. With ``project_id`` only one that the project may, or might, use."""
    viewer = store.Viewer(project_id=project_id or "", is_admin=project_id is None)
    row = store.seen_by(tx, viewer, image_id)
    if row is not None:
        info = _info(tx, row)
        if row.status == "deactivated" and row.os_hash_value and row.verified:
            info.ref = _ref(row)
        return info
    gone = store.former(tx, image_id)
    if gone is None or not (project_id in (None, gone.project_id) or gone.visibility in ("public", "community")):
        return None
    return ImageInfo(
        id=gone.id,
        name="",
        owner=gone.project_id,
        status="deleted",
        visibility=gone.visibility,
        disk_format=gone.disk_format,
        container_format="",
        min_disk=0,
        min_ram=0,
        size=gone.size,
        virtual_size=None,
        checksum=None,
        os_hash_value=gone.os_hash_value,
        properties={},
        created_at=gone.created_at,
        updated_at=gone.created_at,
        ref=_ref(gone),
    )


def kernel_of_disk(tx: Tx, image_id: str, projects: Iterable[str | None]) -> ImageInfo | None:
    """As :func:`image_of_disk`, one that any of these projects may use."""
    return next((found for one in projects if one and (found := image_of_disk(tx, image_id, one))), None)


def _ref(row: Row[Any]) -> ImageRef:
    return ImageRef(id=row.id, digest=row.os_hash_value, disk_format=row.disk_format, size_bytes=row.size)


def remove_image(core: Core, ctx: Context, image_id: str) -> None:
    """Delete an image for its owner. :raises NotFound: not visible. :raises Forbidden: protected, or another's."""
    images.delete(core, ctx, image_id)


def find_images(core: Core, ctx: Context, wanted: Wanted) -> tuple[list[ImageInfo], bool]:
    """The images the caller sees, the newest first. :raises BadRequest: the marker is none of them."""
    found, more = proxied.find(core, ctx, wanted)
    return [_told(image) for image in found], more


def _info(tx: Tx, row: Row[Any]) -> ImageInfo:
    return _told(store.complete(tx, [row])[0])


def _told(image: store.Image) -> ImageInfo:
    row, ref = image.row, None
    # A host finds content by its hash: one that a client only announced may be that of another project's image.
    if row.status == "active" and row.os_hash_value and row.verified:
        ref = _ref(row)
    return ImageInfo(
        id=row.id,
        name=row.name or "",
        owner=row.project_id,
        status=row.status,
        visibility=row.visibility,
        disk_format=row.disk_format or "",
        container_format=row.container_format or "",
        min_disk=row.min_disk,
        min_ram=row.min_ram,
        size=row.size,
        virtual_size=row.virtual_size,
        checksum=row.checksum,
        os_hash_value=row.os_hash_value,
        properties=image.properties,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ref=ref,
    )


def create_image(
    tx: Tx,
    core: Core,
    ctx: Context,
    *,
    name: str,
    disk_format: str,
    container_format: str,
    properties: Mapping[str, str],
    visibility: str = "private",
    protected: bool = False,
    min_disk: int = 0,
    min_ram: int = 0,
    budgeted: bool = True,
) -> str:
    """A queued image of the caller's project, to be filled by :func:`store_file`; returns its id. ``budgeted``: not
    when the project's budget is spent.

    :raises TooLarge: over quota. :raises BadRequest: a property that images cannot have. :raises Forbidden: a
        visibility that the caller may not give.
    """
    values = {
        "name": name,
        "disk_format": disk_format,
        "container_format": container_format,
        "visibility": visibility,
        "protected": protected,
        "min_disk": min_disk,
        "min_ram": min_ram,
    }
    return str(images.insert(tx, core, ctx, values, properties, budgeted=budgeted).id)


def heritable(properties: Mapping[str, str]) -> dict[str, str]:
    """What of an image's properties a copy of it, or a volume made from it, passes on: not what the image service alone
    may set."""
    return {name: value for name, value in properties.items() if images.is_custom(name)}


async def store_file(core: Core, image_id: str, path: Path) -> None:
    """Take the finished file ``path`` as the image's data: hash, inspect, move in, activate. Repeatable.

    :raises Permanent: the file is no acceptable image, or the image is gone.
    """
    await transfers.take_file(core, image_id, path)


def fail_image(tx: Tx, image_id: str, reason: str) -> None:
    """The image will never get its data: status "killed". Repeatable; nothing when it is gone or has its data."""
    row = store.get(tx, image_id)
    if row is not None and row.os_hash_value is None:
        store.change(tx, image_id, status="killed", fault=reason, upload_id=None, upload_seen=None)
        tx.notify(f"image:{image_id}")
        tx.notify(content.TOPIC)


def delete_image(tx: Tx, image_id: str) -> None:
    """Forget the image, protected or not; its content goes when no other image has the same. Repeatable."""
    if store.remove(tx, image_id):
        tx.notify(f"image:{image_id}")
        tx.notify(content.TOPIC)


def scratch_path(core: Core, image_id: str) -> Path:
    """Where an operation may write the file that :func:`store_file` then takes; its folder exists.

    The file is removed when the image is deleted or fails.
    """
    return content.incoming(core, f"{image_id}.scratch")


async def keep(core: Core, image_id: str, stream: AsyncIterator[bytes]) -> None:
    """Write what a host made to the scratch file, for :func:`store_file`. Repeatable.

    :raises HostError: it sends more than an image may have, or than the disk has room for. :raises Permanent: the image
        was deleted.
    """
    path, still_wanted = scratch_path(core, image_id), imports.StillWanted(core, image_id, math.inf)

    def look() -> None:
        # Others write meanwhile: what there is room for at the beginning is not this one's.
        still_wanted()
        if not receiving.room(path.parent, core.config.image.free_percent):
            raise HostError(receiving.FULL)

    try:
        await save(stream, path, content.size_limit(core), look)
    except StoreError as error:
        raise Permanent(str(error)) from None


class LocalImages:
    """The content of images on this machine, as hosts fetch it (:class:`tane.wire.duties.ImageSource`)."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def local_path(self, image: ImageRef) -> Path | None:
        """The file with the content, in the cache where its store is slow; None when it is not here."""
        if (path := stores.local_path(self._core, image.digest, slow=False)) is not None:
            return path
        if (file := cache.opened(self._core, image.id)) is not None:
            file.close()
            return cache.path_of(self._core, image.id)
        self._want(image.id)
        return stores.local_path(self._core, image.digest)

    def _want(self, image_id: str) -> None:
        with self._core.db.read() as tx:
            row, places = store.get(tx, image_id), locations.of_image(tx, image_id)
        if row is not None and any(stores.is_slow(self._core, place.store) for place in places):
            cache.want(self._core, row)

    async def stream(self, image: ImageRef) -> AsyncIterator[bytes]:
        """The content in chunks of 1 MiB. :raises HostError: it is gone."""
        try:
            async for data in transfers.read(self._core, image.id):
                yield data
        except StoreError as error:
            raise HostError(f"the content of image {image.id} cannot be had: {error}") from None


def measured(tx: Tx) -> list[Row[Any]]:
    """Of every image that has data what is shown beside its size, in bytes."""
    return store.measured(tx)
