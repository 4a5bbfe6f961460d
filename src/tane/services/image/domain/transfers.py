"""Upload and download of an image's data."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import Permanent
from tane.linux.image_header import UnacceptableImage
from tane.services.image.domain import cache, content, quotas, receiving, stores
from tane.services.image.domain.content import Fingerprint, Gone
from tane.services.image.domain.images import own, visible
from tane.services.image.domain.receiving import TooMuch, Writer
from tane.services.image.drivers.base import StoreError
from tane.services.image.store import images, locations
from tane.services.rating import interface as rating
from tane.shares import Full
from tane.web import errors
from tane.web.context import Context
from tane.web.request import BodyStream

FULL_SECONDS = 0.2
"""How long to wait before asking for a thread again."""


async def upload(
    core: Core, ctx: Context, image_id: str, stream: BodyStream, length: int | None, store: str | None = None
) -> None:
    """Take an image's data from the client. Whatever goes wrong, the image is queued again and nothing is left.

    ``length``: the bytes announced, None when unknown. ``store``: where to keep it, None for the default.

    :raises Conflict: the image is not queued. :raises TooLarge: beyond a limit. :raises BadRequest: the stream broke
        off, there is no such store, or the content is not acceptable. :raises Gone: the image was deleted meanwhile.
    """
    name = store or stores.default(core)
    place = stores.all_stores(core).get(name)
    if place is None or place.read_only:
        raise errors.BadRequest(f"Store {name} is not available on this node.")
    async with _receiving(core, ctx, image_id, "saving", stream, length) as (row, upload_id, path, writer):
        found = await core.in_thread(content.fingerprint, path, writer, str(row.disk_format), str(row.container_format))
        # What lies on another file system, or in objects, is copied before the transaction; there it is looked at.
        await core.in_thread(place.put, path, found.sha512)
        try:
            await core.in_thread(_finish, core, image_id, upload_id, path, found, name)
        except BaseException:
            await asyncio.shield(core.in_thread(content.collect, core, name, place.url_of(found.sha512)))
            raise


async def stage(core: Core, ctx: Context, image_id: str, stream: BodyStream, length: int | None) -> None:
    """Take data that is to be imported later; the image is "uploading" from now on. Raises like :func:`upload`."""
    async with _receiving(core, ctx, image_id, "uploading", stream, length) as (_, upload_id, path, writer):
        sha512, md5 = await core.in_thread(writer.finish)
        staged = {"size": writer.size, "sha512": sha512, "md5": md5}
        await core.in_thread(_finish_stage, core, image_id, upload_id, path, staged)


@contextlib.asynccontextmanager
async def _receiving(
    core: Core, ctx: Context, image_id: str, status: str, stream: BodyStream, length: int | None
) -> AsyncIterator[tuple[Row[Any], str, Path, Writer]]:
    """Receive a stream while the image has ``status``; what fails in the block or before it is undone."""
    upload_id = content.new_upload_id()
    row = await core.in_thread(_begin, core, ctx, image_id, upload_id, length, status)
    path = content.incoming(core, upload_id)
    try:
        alive = functools.partial(content.sign_of_life, core, image_id, upload_id)
        free = core.config.image.free_percent
        writer = await receiving.receive(stream, path, content.size_limit(core), free, alive)
        if length is not None and writer.size != length:
            writer.close()
            raise errors.BadRequest(
                f"Error in the upload of image {image_id}: {writer.size} of {length} bytes have arrived."
            )
        yield row, upload_id, path, writer
    except BaseException as error:
        await asyncio.shield(core.in_thread(_abandon, core, image_id, upload_id, path))
        if isinstance(error, TooMuch):
            raise _too_large() from None
        if isinstance(error, UnacceptableImage):
            raise errors.BadRequest(str(error)) from None
        if isinstance(error, StoreError):
            raise errors.Unavailable(f"The image cannot be stored: {error}") from None
        if isinstance(error, Gone):
            raise errors.Gone(
                f"Image {image_id} could not be found after upload. The image may have been deleted during the upload."
            ) from None
        raise


def _too_large() -> errors.TooLarge:
    return errors.TooLarge("Denying attempt to upload image because it exceeds the size limit for images.")


def _begin(core: Core, ctx: Context, image_id: str, upload_id: str, length: int | None, status: str) -> Row[Any]:
    with core.db.write() as tx:
        row = own(tx, ctx, image_id)
        if row.status != "queued":
            raise errors.Conflict(f"Image status transition from {row.status} to {status} is not allowed")
        missing = [name for name in ("disk_format", "container_format") if not getattr(row, name)]
        if missing and status == "saving":
            kind = "Properties" if len(missing) > 1 else "Property"
            raise errors.BadRequest(f"{kind} {', '.join(missing)} must be set prior to saving data.")
        if length is not None and length > content.size_limit(core):
            raise _too_large()
        rating.refuse_spent(tx, row.project_id)
        total = "image_size_total" if status == "saving" else "image_stage_total"
        quotas.require(tx, core, row.project_id, **{total: 0, "image_count_uploading": 1})
        quotas.require_room(tx, core, row, total, length or 0)
        images.change(tx, image_id, status=status, upload_id=upload_id, upload_seen=tx.now, fault=None)
        tx.notify(f"image:{image_id}")
        return row


def _finish(core: Core, image_id: str, upload_id: str, path: Path, found: Fingerprint, store: str) -> None:
    with core.db.write() as tx:
        if not images.upload_seen(tx, image_id, upload_id):
            raise Gone
        _require_room(tx, core, image_id, "image_size_total", found.size)
        content.activate(tx, core, image_id, path, found, store)


def _require_room(tx: Tx, core: Core, image_id: str, resource: str, size: int) -> None:
    """What nobody announced, or others used up meanwhile, is counted before it becomes the image's data."""
    row = images.get(tx, image_id)
    if row is not None and core.config.image.strict_quotas:
        quotas.require_room(tx, core, row, resource, size)


def _finish_stage(core: Core, image_id: str, upload_id: str, path: Path, staged: dict[str, Any]) -> None:
    with core.db.write() as tx:
        if not images.upload_seen(tx, image_id, upload_id):
            raise Gone
        _require_room(tx, core, image_id, "image_stage_total", staged["size"])
        path.replace(content.staged(core, image_id))
        images.change(tx, image_id, size=staged["size"], staged=staged, upload_id=None, upload_seen=None)
        tx.notify(f"image:{image_id}")


def _abandon(core: Core, image_id: str, upload_id: str, path: Path) -> None:
    path.unlink(missing_ok=True)
    with core.db.write() as tx:
        if images.upload_seen(tx, image_id, upload_id):
            images.change(tx, image_id, status="queued", upload_id=None, upload_seen=None)
            tx.notify(f"image:{image_id}")


def open_content(
    core: Core, ctx: Context, image_id: str, prefer: Sequence[str]
) -> tuple[Row[Any], BinaryIO | str] | None:
    """The image and its open data, or the name of the store that gives it; None when it has none yet.

    :raises NotFound: not visible. :raises Forbidden: deactivated. :raises BadRequest: no such store.
    """
    known = stores.all_stores(core)
    for name in prefer:
        if name not in known:
            raise errors.BadRequest(f"Store '{name}' is not configured.")
    with core.db.read() as tx:
        row = visible(tx, ctx, image_id)
        places = locations.of_image(tx, image_id)
    if row.status == "deactivated" and not ctx.is_admin:
        raise errors.Forbidden("The requested image has been deactivated. Image data download is forbidden.")
    if not places or row.status not in ("active", "deactivated"):
        return None
    if (cached := cache.opened(core, image_id)) is not None:
        return row, cached
    for place in sorted(places, key=lambda place: (place.store not in prefer, -stores.weight(core, place.store))):
        store = known.get(place.store)
        if store is None:
            continue
        if stores.is_slow(core, place.store):
            cache.want(core, row)
        if (path := store.local_path(place.url)) is not None:
            return row, path.open("rb")
        if store.kind != "file":
            return row, place.store
    raise errors.NotFound(f"The data of image {image_id} is missing from the image store.")


async def read(
    core: Core, image_id: str, project_id: str | None = None, store: str = "", span: tuple[int, int] | None = None
) -> AsyncIterator[bytes]:
    """The data of an image from the first of its locations that gives any, that in ``store`` before others.
    ``project_id``: whose share of the waiting threads it takes; the owner's when None. ``span``: first byte and number
    of bytes of what is wanted, in stores that are seekable. :raises StoreError: none does."""
    owner = project_id or await core.in_thread(_owner, core, image_id)
    iterator = await _patiently(core, owner, _first_location, core, image_id, store, span)
    while data := await _patiently(core, owner, next, iterator, b""):
        yield data


def _owner(core: Core, image_id: str) -> str | None:
    with core.db.read() as tx:
        row = images.get(tx, image_id)
    return row.project_id if row is not None else None


async def _patiently(core: Core, owner: str | None, function: Callable[..., Any], *args: Any) -> Any:
    """A part that has no thread yet waits: breaking off what has begun would be worse."""
    while True:
        try:
            return await core.in_slow_thread(owner, function, *args)
        except Full:
            await asyncio.sleep(FULL_SECONDS)


def _first_location(
    core: Core, image_id: str, preferred: str = "", span: tuple[int, int] | None = None
) -> Iterator[bytes]:
    with core.db.read() as tx:
        places, row = locations.of_image(tx, image_id), images.get(tx, image_id)
    size = (row.size or 0) if row is not None else 0
    begin, length = span or (0, size)
    reason = StoreError(f"image {image_id} has no data")
    for place in sorted(places, key=lambda place: place.store != preferred):
        store = stores.all_stores(core).get(place.store)
        if store is None or (begin and not store.seekable):
            continue
        data = _at_most(store.read(place.url, begin), length)
        try:
            return itertools.chain((next(data, b""),), data)
        except StoreError as error:
            reason = error
    raise reason


def _at_most(data: Iterator[bytes], size: int) -> Iterator[bytes]:
    """What lies at a URL may have grown; an image never does."""
    for part in data:
        yield part[:size]
        size -= len(part)
        if size <= 0:
            return


async def take_file(core: Core, image_id: str, path: Path) -> None:
    """Make ``path`` the data of an image an operation has created; see ``interface.store_file``."""
    row = await core.in_thread(_for_data, core, image_id)
    if row is None:
        path.unlink(missing_ok=True)
        return
    name = stores.default(core)
    place = stores.all_stores(core)[name]
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
    await core.in_thread(place.put, path, found.sha512)
    await core.in_thread(_take, core, image_id, path, found, name)


def _for_data(core: Core, image_id: str) -> Row[Any] | None:
    """The image when it still waits for its data. :raises Permanent: it is gone."""
    with core.db.read() as tx:
        row = images.get(tx, image_id)
    if row is None:
        raise Permanent(f"image {image_id} was deleted")
    return None if row.status in ("active", "deactivated") else row


def _take(core: Core, image_id: str, path: Path, found: Fingerprint, store: str) -> None:
    with core.db.write() as tx:
        row = images.get(tx, image_id)
        if row is None:
            raise Permanent(f"image {image_id} was deleted")
        if row.status in ("queued", "saving", "killed"):
            try:
                quotas.require_room(tx, core, row, "image_size_total", found.size)
            except errors.TooLarge as error:
                raise Permanent(error.message) from None
            content.activate(tx, core, image_id, path, found, store)
