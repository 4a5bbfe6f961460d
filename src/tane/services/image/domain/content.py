"""The data of images on its way in and out; where it lies is a matter of stores (``domain/stores.py``).

A file is written under ``incoming/`` first, synced, and put into a store in the very transaction that makes its
image active; a file goes in a transaction that sees no image with its URL. Transactions that write follow one
another, so neither can meet the other half-way, and what a crash leaves behind belongs to no image: :func:`sweep`
removes it.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tane.core import Core
from tane.db import Tx
from tane.linux import image_header
from tane.services.image.domain import cache, stores
from tane.services.image.domain.receiving import TooMuch, Writer
from tane.services.image.store import images, locations

CHUNK = 1 << 20
TOPIC = "reconcile:image-content"
"""Wakes the reconciler that removes content no image has."""


UNPACKED_CONTAINERS = ("bare", "ami", "ari", "aki", "ovf")
"""Containers in which the file is the disk itself; in others (ova, docker, compressed) the disk lies inside."""


class Fingerprint(msgspec.Struct, kw_only=True):
    """What is recorded of a file when its image becomes active; ``virtual_size`` in bytes."""

    size: int
    sha512: str
    md5: str
    virtual_size: int


class Gone(Exception):
    """The image was deleted, or taken over, while its data was on the way."""


def path_of(core: Core, digest: str) -> Path:
    """The file with this content, or the place it would have in the local store."""
    return stores.local_path(core, digest) or stores.folder(core.config) / digest


def incoming_folder(core: Core) -> Path:
    """Where files are while they are written; it exists."""
    place = stores.folder(core.config) / "incoming"
    place.mkdir(parents=True, exist_ok=True)
    return place


def incoming(core: Core, name: str) -> Path:
    """A file that is being written."""
    return incoming_folder(core) / name


def size_limit(core: Core) -> int:
    """In bytes."""
    return core.config.image_size_limit_gb << 30


def sign_of_life(core: Core, image_id: str, upload_id: str) -> None:
    """:raises Gone: the image does not wait for this upload any more."""
    with core.db.write() as tx:
        if not images.upload_seen(tx, image_id, upload_id):
            raise Gone


def staged(core: Core, image_id: str) -> Path:
    """Data that waits for its import."""
    return incoming(core, f"{image_id}.staged")


def virtual_size_of(path: Path, disk_format: str, container_format: str) -> int:
    """Bytes of the disk in an image file.

    Where the disk lies inside a container nothing is looked at here: a host inspects whatever it is to use as a disk.

    :raises image_header.UnacceptableImage: it is not what it is said to be, or refers to other files.
    """
    if container_format not in UNPACKED_CONTAINERS:
        return path.stat().st_size
    return image_header.inspect(path, disk_format).virtual_size


def fingerprint(path: Path, writer: Writer, disk_format: str, container_format: str) -> Fingerprint:
    """:raises image_header.UnacceptableImage:"""
    sha512, md5 = writer.finish()
    virtual_size = virtual_size_of(path, disk_format, container_format)
    return Fingerprint(size=writer.size, sha512=sha512, md5=md5, virtual_size=virtual_size)


def fingerprint_file(path: Path, disk_format: str, container_format: str, limit: int) -> Fingerprint:
    """Of a file that lies there already. :raises image_header.UnacceptableImage: :raises TooMuch:"""
    if path.stat().st_size > limit:
        raise TooMuch
    sha512, md5, size = hashlib.sha512(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            sha512.update(data)
            md5.update(data)
            size += len(data)
        os.fsync(file.fileno())
    virtual_size = virtual_size_of(path, disk_format, container_format)
    return Fingerprint(size=size, sha512=sha512.hexdigest(), md5=md5.hexdigest(), virtual_size=virtual_size)


def activate(tx: Tx, core: Core, image_id: str, path: Path, found: Fingerprint, store: str = stores.LOCAL) -> None:
    """Put the file in its place and make the image active: one transaction for both. What takes long of it was done
    before, by the store's ``put``. :raises StoreError: it was removed again meanwhile."""
    place = stores.all_stores(core)[store]
    place.settle(path, found.sha512)
    tx.after_commit(lambda: path.unlink(missing_ok=True))
    locations.clear(tx, image_id)
    locations.add(tx, image_id, store, place.url_of(found.sha512), {})
    images.change(
        tx,
        image_id,
        **describe(found),
        status="active",
        upload_id=None,
        upload_seen=None,
        staged=None,
        fault=None,
    )
    tx.notify(f"image:{image_id}")


def describe(found: Fingerprint) -> dict[str, Any]:
    """The columns of an image that tell what its data is."""
    return {
        "size": found.size,
        "virtual_size": found.virtual_size,
        "checksum": found.md5,
        "os_hash_algo": "sha512",
        "os_hash_value": found.sha512,
        "verified": True,
    }


def collect(core: Core, store: str, url: str) -> bool:
    """Remove data that no image has any more; True when it was there."""
    place = stores.all_stores(core).get(store)
    if place is None or place.read_only:
        return False
    with core.db.write() as tx:
        return not locations.references(tx, url) and place.remove(url)


class Swept(msgspec.Struct):
    """What a sweep did: uploads that had died, whose images wait for data again; files of data that no image has any
    more; unfinished files that nobody writes; copies in the cache that are not, or no longer, those of an image."""

    requeued: int = 0
    data: int = 0
    parts: int = 0
    cached: int = 0


def sweep(core: Core) -> Swept:
    """Requeue images whose upload died and remove every file that belongs to no image."""
    swept = Swept()
    with core.db.write() as tx:
        swept.requeued = images.requeue_dead_uploads(tx)
    kept = {name: store.urls() for name, store in stores.all_stores(core).items() if not store.read_only}
    parts = [entry.name for entry in os.scandir(incoming_folder(core))]
    with core.db.read() as tx:
        known, awaited = locations.urls(tx), images.uploads(tx)
    for name, urls in kept.items():
        for url in urls:
            if url not in known:
                swept.data += collect(core, name, url)
    for place in stores.all_stores(core).values():
        swept.parts += place.tidy()
    for part in parts:
        # An id is known to the database before its file exists, so that a file without one was left behind.
        if part.lstrip(".").split(".")[0] not in awaited:
            incoming(core, part).unlink(missing_ok=True)
            swept.parts += 1
    swept.cached = cache.sweep(core)
    return swept


def new_upload_id() -> str:
    return str(uuid.uuid4())


async def stream_file(core: Core, file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    """``length`` bytes of an open file from where it stands, in chunks of 1 MiB read off the loop; closes it."""
    try:
        while length > 0:
            data = await core.in_thread(file.read, min(CHUNK, length))
            if not data:
                return
            length -= len(data)
            yield data
    finally:
        file.close()
