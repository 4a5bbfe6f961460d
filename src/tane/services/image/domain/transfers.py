"""Upload and download of an image's data."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.engine import Row

from tane.core import Core
from tane.jobs import Permanent
from tane.services.image.domain import content
from tane.services.image.domain.content import Fingerprint, Gone, TooMuch
from tane.services.image.domain.images import own, visible
from tane.services.image.domain.inspector import UnacceptableImage
from tane.services.image.store import images
from tane.web import errors
from tane.web.context import Context


async def upload(core: Core, ctx: Context, image_id: str, stream: AsyncIterator[bytes], length: int | None) -> None:
    """Take an image's data from the client. Whatever goes wrong, the image is queued again and nothing is left.

    ``length``: the bytes announced, None when unknown.

    :raises Conflict: the image is not queued. :raises TooLarge: beyond the limit. :raises BadRequest: the stream broke
        off, or the content is not acceptable. :raises Gone: the image was deleted meanwhile.
    """
    upload_id = content.new_upload_id()
    row = await core.in_thread(_begin, core, ctx, image_id, upload_id, length)
    path = content.incoming(core, upload_id)
    try:
        alive = functools.partial(content.sign_of_life, core, image_id, upload_id)
        writer = await content.receive(core, stream, path, content.size_limit(core), alive)
        if length is not None and writer.size != length:
            writer.close()
            raise errors.BadRequest(
                f"Error in the upload of image {image_id}: {writer.size} of {length} bytes have arrived."
            )
        found = await core.in_thread(content.fingerprint, path, writer, str(row.disk_format), str(row.container_format))
        await core.in_thread(_finish, core, image_id, upload_id, path, found)
    except BaseException as error:
        await asyncio.shield(core.in_thread(_abandon, core, image_id, upload_id, path))
        if isinstance(error, TooMuch):
            raise _too_large() from None
        if isinstance(error, UnacceptableImage):
            raise errors.BadRequest(str(error)) from None
        if isinstance(error, Gone):
            raise errors.Gone(
                f"Image {image_id} could not be found after upload. The image may have been deleted during the upload."
            ) from None
        raise


def _too_large() -> errors.TooLarge:
    return errors.TooLarge("Denying attempt to upload image because it exceeds the size limit for images.")


def _begin(core: Core, ctx: Context, image_id: str, upload_id: str, length: int | None) -> Row[Any]:
    with core.db.write() as tx:
        row = own(tx, ctx, image_id)
        if row.status != "queued":
            raise errors.Conflict(f"Image status transition from {row.status} to saving is not allowed")
        missing = [name for name in ("disk_format", "container_format") if not getattr(row, name)]
        if missing:
            kind = "Properties" if len(missing) > 1 else "Property"
            raise errors.BadRequest(f"{kind} {', '.join(missing)} must be set prior to saving data.")
        if length is not None and length > content.size_limit(core):
            raise _too_large()
        images.change(tx, image_id, status="saving", upload_id=upload_id, upload_seen=tx.now, fault=None)
        tx.notify(f"image:{image_id}")
        return row


def _finish(core: Core, image_id: str, upload_id: str, path: Path, found: Fingerprint) -> None:
    with core.db.write() as tx:
        if not images.upload_seen(tx, image_id, upload_id):
            raise Gone
        content.activate(tx, core, image_id, path, found)


def _abandon(core: Core, image_id: str, upload_id: str, path: Path) -> None:
    path.unlink(missing_ok=True)
    with core.db.write() as tx:
        if images.upload_seen(tx, image_id, upload_id):
            images.change(tx, image_id, status="queued", upload_id=None, upload_seen=None)
            tx.notify(f"image:{image_id}")


def open_content(core: Core, ctx: Context, image_id: str) -> tuple[Row[Any], BinaryIO] | None:
    """The image and its open data, or None when it has none yet.

    :raises NotFound: not visible. :raises Forbidden: deactivated.
    """
    with core.db.read() as tx:
        row = visible(tx, ctx, image_id)
    if row.status == "deactivated" and not ctx.is_admin:
        raise errors.Forbidden("The requested image has been deactivated. Image data download is forbidden.")
    if row.os_hash_value is None:
        return None
    try:
        return row, content.path_of(core, row.os_hash_value).open("rb")
    except FileNotFoundError:
        raise errors.NotFound(f"The data of image {image_id} is missing from the image store.") from None


async def take_file(core: Core, image_id: str, path: Path) -> None:
    """Make ``path`` the data of an image an operation has created; see ``interface.store_file``."""
    row = await core.in_thread(_for_data, core, image_id)
    if row is None:
        path.unlink(missing_ok=True)
        return
    try:
        found = await core.in_thread(
            content.fingerprint_file, path, str(row.disk_format), str(row.container_format), content.size_limit(core)
        )
    except FileNotFoundError:
        raise Permanent(f"the data of image {image_id} was not written") from None
    except TooMuch:
        raise Permanent("the data exceeds the size limit for images") from None
    except UnacceptableImage as error:
        raise Permanent(str(error)) from None
    await core.in_thread(_take, core, image_id, path, found)


def _for_data(core: Core, image_id: str) -> Row[Any] | None:
    """The image when it still waits for its data. :raises Permanent: it is gone."""
    with core.db.read() as tx:
        row = images.get(tx, image_id)
    if row is None:
        raise Permanent(f"image {image_id} was deleted")
    return None if row.status in ("active", "deactivated") else row


def _take(core: Core, image_id: str, path: Path, found: Fingerprint) -> None:
    with core.db.write() as tx:
        row = images.get(tx, image_id)
        if row is None:
            raise Permanent(f"image {image_id} was deleted")
        if row.status in ("queued", "saving", "killed"):
            content.activate(tx, core, image_id, path, found)
