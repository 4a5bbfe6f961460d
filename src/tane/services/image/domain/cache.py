"""The cache: data of images in a folder of this machine, at hand where a store is slow (Image API v2: "Cache Manage").

A row of ``image_cache`` says what is wanted ("queued") or there ("cached"); a saga fetches it (``operations/
cache_image.py``). A file is put in its place and removed inside the transaction that says so, and no file without a row
outlives a sweep.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.image.orders import CACHE_IMAGE, CacheImage
from tane.services.image.store import cache as store
from tane.services.image.store import images
from tane.web.errors import BadRequest, NotFound


def folder(core: Core) -> Path:
    return core.config.state_dir / core.config.image.image_cache_dir


def path_of(core: Core, image_id: str) -> Path:
    """Where an image's data lies when it is cached."""
    return folder(core) / image_id


def part_of(core: Core, ticket: str) -> Path:
    """Where it is written; the folder exists."""
    place = folder(core) / "incoming"
    place.mkdir(parents=True, exist_ok=True)
    return place / ticket


def enabled(core: Core) -> bool:
    return bool(core.config.image.image_cache_dir)


def resource(image_id: str) -> str:
    """What the jobs of an image's caching are about."""
    return f"image-cache:{image_id}"


def entries(core: Core) -> list[Row[Any]]:
    """:raises NotFound: this cloud has no cache."""
    _require_enabled(core)
    with core.db.read() as tx:
        return store.all_entries(tx)


def _require_enabled(core: Core) -> None:
    if not enabled(core):
        raise NotFound("Caching via API is not supported at this site.")


def queue(core: Core, image_id: str) -> None:
    """:raises NotFound: there is no cache. :raises BadRequest: the image has no data to be cached."""
    _require_enabled(core)
    with core.db.write() as tx:
        row = images.get(tx, image_id)
        if row is None or row.status != "active":
            raise BadRequest("Only images with status active can be targeted for queueing")
        _enqueue(tx, image_id)


def want(core: Core, row: Row[Any]) -> None:
    """An image was used whose data is slow to come: have it at hand the next time, should there be room."""
    if not enabled(core) or row.status != "active" or (row.size or 0) > core.config.image.image_cache_max_size:
        return
    with core.db.write() as tx:
        if images.get(tx, row.id) is not None:
            _enqueue(tx, row.id)


def _enqueue(tx: Tx, image_id: str) -> None:
    if store.get(tx, image_id) is not None:
        return
    ticket = str(uuid.uuid4())
    store.add(tx, image_id, ticket)
    jobs.enqueue(tx, CACHE_IMAGE, CacheImage(image_id, ticket), resource=resource(image_id))


def opened(core: Core, image_id: str) -> BinaryIO | None:
    """The image's cached data, when there is some; one more hit. The file stays readable when it is pruned."""
    if not enabled(core):
        return None
    with core.db.read() as tx:
        entry = store.get(tx, image_id)
    if entry is None or entry.status != "cached":
        return None
    try:
        file = path_of(core, image_id).open("rb")
    except FileNotFoundError:
        return None
    with core.db.write() as tx:
        store.used(tx, image_id)
    return file


def remove(core: Core, image_id: str) -> None:
    """Out of the cache or its queue. :raises NotFound: there is no cache."""
    _require_enabled(core)
    with core.db.write() as tx:
        forget(tx, core, image_id)


def clear(core: Core, target: str) -> None:
    """Empty the cache ("cache"), its queue ("queue") or both (""). :raises BadRequest: another target."""
    _require_enabled(core)
    if target not in ("", "cache", "queue"):
        raise BadRequest("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
    unwanted = {"": ("cached", "queued"), "cache": ("cached",), "queue": ("queued",)}[target]
    with core.db.write() as tx:
        for entry in store.all_entries(tx):
            if entry.status in unwanted:
                forget(tx, core, entry.image_id)


def forget(tx: Tx, core: Core, image_id: str) -> None:
    """Let go of the image's data and of the wish to have it. Repeatable."""
    if store.get(tx, image_id) is None:
        return
    jobs.cancel(tx, resource(image_id))
    store.remove(tx, image_id)
    path_of(core, image_id).unlink(missing_ok=True)


def put(tx: Tx, core: Core, image_id: str, ticket: str, size: int) -> bool:
    """Put what was written under ``ticket`` in its place; False when it is not wanted any more. Repeatable."""
    entry, row = store.get(tx, image_id), images.get(tx, image_id)
    if entry is None or entry.ticket != ticket or row is None or row.status != "active":
        return False
    if part_of(core, ticket).exists():
        part_of(core, ticket).replace(path_of(core, image_id))
    elif not path_of(core, image_id).exists():
        return False
    store.fill(tx, image_id, size)
    _shrink(tx, core, keep=image_id)
    return True


def prune(core: Core) -> tuple[int, int]:
    """Let the least recently used go until the rest is within the limit; returns how many files and bytes went."""
    _require_enabled(core)
    with core.db.write() as tx:
        return _shrink(tx, core)


def _shrink(tx: Tx, core: Core, keep: str = "") -> tuple[int, int]:
    excess = store.size(tx) - core.config.image.image_cache_max_size
    files = freed = 0
    for entry in store.oldest(tx):
        if freed >= excess:
            break
        if entry.image_id != keep:
            forget(tx, core, entry.image_id)
            files, freed = files + 1, freed + entry.size
    return files, freed


def sweep(core: Core) -> int:
    """Remove files that no row knows and rows whose file is gone; returns how many there were."""
    if not enabled(core) or not folder(core).is_dir():
        return 0
    there = [entry.name for entry in os.scandir(folder(core)) if entry.is_file()]
    parts = [entry.name for entry in os.scandir(part_of(core, "x").parent)]
    with core.db.read() as tx:
        known = {entry.image_id: entry for entry in store.all_entries(tx)}
    tickets = {entry.ticket for entry in known.values()}
    removed = 0
    for part in parts:
        # A ticket is in the database before its file exists, so that a file without one was left behind.
        if part not in tickets:
            part_of(core, part).unlink(missing_ok=True)
            removed += 1
    lost = [name for name, entry in known.items() if entry.status == "cached" and name not in there]
    for name in {*there} - {*known} | {*lost}:
        removed += _mend(core, name)
    return removed


def _mend(core: Core, name: str) -> bool:
    with core.db.write() as tx:
        entry, there = store.get(tx, name), path_of(core, name).exists()
        if entry is None and there:
            path_of(core, name).unlink()
            return True
        if entry is not None and entry.status == "cached" and not there:
            store.remove(tx, name)
            return True
        return False
