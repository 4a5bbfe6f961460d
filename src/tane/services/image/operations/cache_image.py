"""Have an image's data at hand in the cache: link or fetch it, compare it with its hash, keep it.

queued → cached; gone from the queue when it cannot be had, is too large, or was deactivated or deleted meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.image.domain import cache, imports, stores
from tane.services.image.drivers.base import StoreError
from tane.services.image.orders import CACHE_IMAGE, CacheImage
from tane.services.image.store import cache as store
from tane.services.image.store import images, locations


async def fetch(run: Run[CacheImage]) -> dict[str, Any]:
    """A file of our own: a link to what lies on the same file system, else a copy."""
    row, places = await run.read(_image, run.params.image_id)
    if row.size > run.core.config.image.image_cache_max_size:
        raise Permanent("the image is larger than the cache may be")
    part = cache.part_of(run.core, run.params.ticket)
    try:
        await run.core.in_slow_thread(row.project_id, _fetch, run.core, row, places, part)
    except StoreError as error:
        raise Permanent(str(error)) from None
    return {"size": row.size}


def _image(tx: Tx, image_id: str) -> tuple[Row[Any], list[Row[Any]]]:
    row = images.get(tx, image_id)
    if row is None or row.status != "active":
        raise Permanent(f"image {image_id} is not active any more")
    return row, locations.of_image(tx, image_id)


def _fetch(core: Core, row: Row[Any], places: list[Row[Any]], part: Path) -> None:
    """From the first of the locations that gives the data that the image's size and hash tell."""
    reason = StoreError(f"image {row.id} has no data")
    for place in places:
        found = stores.all_stores(core).get(place.store)
        if found is None:
            continue
        part.unlink(missing_ok=True)
        try:
            local = None if stores.is_slow(core, place.store) else found.local_path(place.url)
            if local is None or not _linked(local, part):
                _copy(core, row, found.read(place.url), part)
            return
        except StoreError as error:
            reason = error
    raise reason


def _linked(local: Path, part: Path) -> bool:
    try:
        os.link(local, part)
    except OSError:
        # Another file system, or one without links.
        return False
    return True


def _copy(core: Core, row: Row[Any], chunks: Any, part: Path) -> None:
    digest = hashlib.new(row.os_hash_algo) if row.os_hash_value else None
    size = 0
    with part.open("wb") as file, contextlib.closing(imports.StillWanted(core, row.id).during(chunks)) as wanted:
        for data in wanted:
            size += len(data)
            if size > row.size:
                break
            file.write(data)
            if digest is not None:
                digest.update(data)
        file.flush()
        os.fsync(file.fileno())
    if size != row.size or (digest is not None and digest.hexdigest() != row.os_hash_value.lower()):
        raise StoreError(f"what its location gives is not the data of image {row.id}")


async def drop_part(run: Run[CacheImage]) -> None:
    cache.part_of(run.core, run.params.ticket).unlink(missing_ok=True)


async def keep(run: Run[CacheImage]) -> None:
    if not await run.write(cache.put, run.core, run.params.image_id, run.params.ticket, run.data["size"]):
        raise Permanent("the image is not wanted in the cache any more")


async def let_go(run: Run[CacheImage]) -> None:
    """Of what this job put there alone: the image may have been queued again."""

    def remove(tx: Tx) -> None:
        entry = store.get(tx, run.params.image_id)
        if entry is not None and entry.ticket == run.params.ticket:
            store.remove(tx, run.params.image_id)
            cache.path_of(run.core, run.params.image_id).unlink(missing_ok=True)

    await run.write(remove)


async def failed(run: Run[CacheImage], reason: str) -> None:
    await let_go(run)
    await drop_part(run)


OPERATION = Operation(
    CACHE_IMAGE,
    (Step("fetch", fetch, drop_part), Step("keep", keep, let_go)),
    failed,
)
