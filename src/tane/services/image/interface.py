"""What other services may ask of the image service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec

from tane.agent.documents import ImageRef
from tane.core import Core
from tane.db import Tx
from tane.web.context import Context


class ImageInfo(msgspec.Struct, kw_only=True):
    """An image as other services see it: ``min_disk`` in GB, ``min_ram`` in MB, sizes in bytes. ``ref`` is None until
    the image has content a host may use (status "active")."""

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
    os_hash_value: str | None
    properties: dict[str, str]
    ref: ImageRef | None


def visible_image(tx: Tx, ctx: Context, image_id: str) -> ImageInfo:
    """An image the caller may use: its own, public, community, or shared with it.

    :raises NotFound: for any other.
    """
    raise NotImplementedError


def image_by_id(tx: Tx, image_id: str) -> ImageInfo | None:
    """The image whoever owns it, or None: for operations."""
    raise NotImplementedError


def create_image(
    tx: Tx,
    ctx: Context,
    *,
    name: str,
    disk_format: str,
    container_format: str,
    properties: Mapping[str, str],
    visibility: str = "private",
    min_disk: int = 0,
    min_ram: int = 0,
) -> str:
    """A queued image of the caller's project, to be filled by :func:`store_file`; returns its id."""
    raise NotImplementedError


async def store_file(core: Core, image_id: str, path: Path) -> None:
    """Take the finished file ``path`` as the image's data: hash, inspect, move in, activate. Repeatable.

    :raises Permanent: the file is no acceptable image, or the image is gone.
    """
    raise NotImplementedError


def fail_image(tx: Tx, image_id: str, reason: str) -> None:
    """The image will never get its data: status "killed". Repeatable."""
    raise NotImplementedError


def delete_image(tx: Tx, image_id: str) -> None:
    """Forget the image, protected or not; its content goes when no other image has the same. Repeatable."""
    raise NotImplementedError


def scratch_path(core: Core, image_id: str) -> Path:
    """Where an operation may write the file that :func:`store_file` then takes; its folder exists."""
    raise NotImplementedError


class LocalImages:
    """The content of images on this machine, as hosts fetch it (:class:`tane.agent.duties.ImageSource`)."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def local_path(self, image: ImageRef) -> Path | None:
        raise NotImplementedError

    def stream(self, image: ImageRef) -> AsyncIterator[bytes]:
        raise NotImplementedError
