"""The images a host has fetched, kept by digest."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from tane.agent.translation import host_errors, vetted
from tane.linux import qemu_img
from tane.wire.documents import ImageRef
from tane.wire.duties import ImageSource
from tane.wire.errors import HostError

UNUSED_BYTES = 10 << 30
"""What the images that nobody uses may take of the disk; the next server of one of them starts sooner."""

PART = ".part"
_ALGORITHMS = {64: "sha256", 128: "sha512"}

_log = structlog.get_logger(__name__)


class ImageCache:
    """Content-addressed image files of one host.

    A disk image is checked against its digest, refused when it refers to other files, and converted once to a flat
    qcow2 file of our own making, which copy-on-write disks may safely have as their base. One fetch per digest runs at
    a time; whoever asks meanwhile waits for it.
    """

    def __init__(self, folder: Path, source: ImageSource) -> None:
        self._folder = folder
        self._source = source
        # Of a process that was killed while it made or deleted them: each may be as large as an image.
        _unlink(list(folder.glob(f"*{PART}")))
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: Counter[str] = Counter()
        self._in_use: list[Callable[[], Iterable[str]]] = []

    def used_by(self, digests: Callable[[], Iterable[str]]) -> None:
        """``digests`` tells at any time which images must stay."""
        self._in_use.append(digests)

    @contextlib.asynccontextmanager
    async def holding(self, image: ImageRef | None, most_bytes: int | None = None) -> AsyncIterator[Path | None]:
        """The image as :meth:`disk` gives it, which stays at least until the end; None for none. Raises HostError."""
        if image is None:
            yield None
            return
        self._held[image.digest] += 1
        try:
            yield await self.disk(image, most_bytes)
        finally:
            self._held[image.digest] -= 1

    async def disk(self, image: ImageRef, most_bytes: int | None = None) -> Path:
        """The image as a flat qcow2 file; it must not be written to.

        ``most_bytes``: what the disk made of it may hold. Raises HostError, also for a larger image that is not here
        yet, before anything is written of it: a small file may hold a large disk.
        """

        async def convert(content: Path, target: Path) -> None:
            size = await qemu_img.check_untrusted(content, image.disk_format)
            if not size:
                raise HostError(f"image {image.id} is empty")
            if most_bytes is not None and size > most_bytes:
                raise HostError(f"image {image.id} holds a disk of {size} bytes, and there is room for {most_bytes}")
            source = qemu_img.Disk(content, qemu_img.FORMATS[image.disk_format])
            await qemu_img.convert(source, target, most_bytes=size)

        return await self._get(image, "qcow2", convert)

    async def file(self, image: ImageRef) -> Path:
        """The image's content as it is (a kernel, a RAM disk); it must not be written to. Raises HostError."""

        async def copy(content: Path, target: Path) -> None:
            part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
            try:
                await asyncio.to_thread(shutil.copyfile, content, part)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)

        return await self._get(image, "file", copy)

    async def prune(self, unused_bytes: int = UNUSED_BYTES) -> int:
        """Delete images that nobody uses, those first that were not used for longest, until what is left of them takes
        no more than ``unused_bytes``; returns the bytes freed. What is being made is left alone.

        They are chosen and set aside in one go on the event loop, where everybody takes images, and deleted off it. It
        is housekeeping: what does not work is logged and tried again at the next time.
        """
        try:
            aside, freed = self._set_aside(unused_bytes)
            await asyncio.to_thread(_unlink, aside)
        except OSError as error:
            _log.warning("unused images could not be deleted", error=str(error))
            return 0
        return freed

    def _set_aside(self, unused_bytes: int) -> tuple[list[Path], int]:
        keep = {digest for digests in self._in_use for digest in digests()}
        keep |= {digest for digest, count in self._held.items() if count}
        keep |= {digest for digest, lock in self._locks.items() if lock.locked()}
        unused = [
            (path.stat(), path)
            for path in self._folder.glob("*.*")
            if path.suffix != PART and path.name.split(".")[0] not in keep
        ]
        taken = sum(about.st_blocks * 512 for about, _ in unused)
        aside, freed = [], 0
        for about, path in sorted(unused, key=lambda item: item[0].st_mtime):
            if taken - freed <= unused_bytes:
                break
            aside.append(path.rename(path.with_name(f"{path.name}.{uuid.uuid4().hex}{PART}")))
            freed += about.st_blocks * 512
        return aside, freed

    async def _get(self, image: ImageRef, form: str, make: Callable[[Path, Path], Awaitable[None]]) -> Path:
        algorithm = _algorithm(image)
        image = vetted(image)
        target = self._folder / f"{image.digest}.{form}"
        async with self._locks[image.digest]:
            if target.exists():
                os.utime(target)
                return target
            with host_errors(f"image {image.id} cannot be used"):
                self._folder.mkdir(parents=True, exist_ok=True)
                await self._make(image, algorithm, target, make)
        return target

    async def _make(
        self, image: ImageRef, algorithm: str, target: Path, make: Callable[[Path, Path], Awaitable[None]]
    ) -> None:
        local = await asyncio.to_thread(self._source.local_path, image)
        fetched = self._folder / f"{image.digest}.{uuid.uuid4().hex}.part"
        try:
            if local is None:
                digest = await self._fetch(image, algorithm, fetched)
            else:
                digest = await asyncio.to_thread(_hash_file, local, algorithm)
            if digest != image.digest:
                raise HostError(f"the content of image {image.id} does not match its {algorithm} digest")
            await make(local or fetched, target)
        finally:
            fetched.unlink(missing_ok=True)

    async def _fetch(self, image: ImageRef, algorithm: str, target: Path) -> str:
        digest = hashlib.new(algorithm)

        def write(chunk: bytes) -> None:
            out.write(chunk)
            digest.update(chunk)

        with target.open("wb") as out:
            async for chunk in self._source.stream(image):
                await asyncio.to_thread(write, chunk)
        return digest.hexdigest()


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _algorithm(image: ImageRef) -> str:
    algorithm = _ALGORITHMS.get(len(image.digest))
    if algorithm is None or not set(image.digest) <= set("0123456789abcdef"):
        raise HostError(f"image {image.id} has no usable digest: a SHA-256 or SHA-512 in hex is needed")
    return algorithm


def _hash_file(path: Path, algorithm: str) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, algorithm).hexdigest()
