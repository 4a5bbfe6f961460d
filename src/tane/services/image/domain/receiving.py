"""Data of images on its way in: written and hashed in the same pass, around the page cache.

An upload is as long as a disk is fast and is read again by nobody soon, so it goes to the disk by direct I/O: the
kernel copies nothing, and what the cache holds for the guests stays there. Both hashes and the write work on the same
batch at once, in threads, while the next batch arrives; hashing lets go of the interpreter.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import mmap
import os
from collections.abc import Callable
from pathlib import Path

from tane.web.errors import TooLarge
from tane.web.request import BodyStream

BATCH = 4 << 20
"""Bytes; a multiple of every disk's block, as direct I/O asks."""
LIFE_SIGN_SECONDS = 20.0
LOOK_BYTES = 64 << 20
"""After so many more it is looked how full the disk is, first at the first."""


FULL = "Image storage media is full: There is not enough disk space on the image storage media."


def room(where: Path | int, free_percent: float) -> int:
    """Bytes that images may still take on the file system of a path or descriptor, of which that much stays free."""
    disk = os.statvfs(where)
    return max(0, int(disk.f_bavail - disk.f_blocks * free_percent / 100)) * disk.f_frsize


class TooMuch(Exception):
    """More data than the configuration allows."""


class Writer:
    """A file that is being received. Synchronous; two buffers, so that one is filled while the other is worked on.
    ``free_percent`` of the file system stays free: the cloud's database is there, too."""

    def __init__(self, path: Path, limit: int, free_percent: float) -> None:
        self._descriptor = _open(path)
        self._limit, self._free_percent = limit, free_percent
        self._looked = 0
        # Mapped memory begins at a page, as direct I/O asks, and costs nothing before it is touched.
        self._buffers = [memoryview(mmap.mmap(-1, BATCH)) for _ in range(2)]
        self._sha512 = hashlib.sha512()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    @property
    def buffer(self) -> memoryview:
        """What the next batch is to be read into, whole unless the stream ends."""
        return self._buffers[0]

    def batch(self, size: int) -> memoryview:
        """The buffer, now that ``size`` bytes of it are filled; the other one takes its place. :raises TooMuch:"""
        self._count(size)
        self._buffers.reverse()
        return self._buffers[1][:size]

    def take(self, part: bytes) -> None:
        """Do all work on a part in this thread. :raises TooMuch: :raises TooLarge: the disk is full."""
        self._count(len(part))
        for work in self.work:
            work(memoryview(part))

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self._limit:
            raise TooMuch
        if self.size >= self._looked:
            self._looked = self.size + LOOK_BYTES
            if not room(self._descriptor, self._free_percent):
                raise TooLarge(FULL)

    @property
    def work(self) -> tuple[Callable[[memoryview], None], ...]:
        """What is to be done with each batch, all at once if need be."""
        return self._write, self._sha512.update, self._md5.update

    def _write(self, batch: memoryview) -> None:
        while batch:
            try:
                batch = batch[os.write(self._descriptor, batch) :]
            except OSError as error:
                # The end of a file is no whole block, parts lie anywhere, and some file systems cannot do it at all.
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise TooLarge(FULL) from None
                if error.errno != errno.EINVAL or not _through_the_cache(self._descriptor):
                    raise

    def finish(self) -> tuple[str, str]:
        """Sync the file to the disk; returns its SHA-512 and MD5."""
        os.fsync(self._descriptor)
        self.close()
        return self._sha512.hexdigest(), self._md5.hexdigest()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_DIRECT, 0o644)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return os.open(path, flags, 0o644)


def _through_the_cache(descriptor: int) -> bool:
    """End direct I/O; False when there was none."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)
    return bool(flags & os.O_DIRECT)


async def receive(stream: BodyStream, path: Path, limit: int, free_percent: float, alive: Callable[[], None]) -> Writer:
    """Write a stream to ``path``; a batch is worked on while the next one arrives.

    ``alive`` is called in a thread every ``LIFE_SIGN_SECONDS``; what it raises ends the transfer.

    :raises TooMuch: more than ``limit`` bytes. :raises BadRequest: the client broke off. :raises TooLarge: the disk is
    full.
    """
    loop = asyncio.get_running_loop()
    writer = await asyncio.to_thread(Writer, path, limit, free_percent)
    working: list[asyncio.Task[None]] = []
    told = loop.time()
    try:
        while size := await stream.readinto(writer.buffer):
            await _done(working)
            batch = writer.batch(size)
            working = [asyncio.create_task(asyncio.to_thread(work, batch)) for work in writer.work]
            if loop.time() - told > LIFE_SIGN_SECONDS:
                await asyncio.to_thread(alive)
                told = loop.time()
        await _done(working)
    except BaseException:
        # The threads still use the file; what they say of it does not matter any more.
        await asyncio.shield(asyncio.gather(*working, return_exceptions=True))
        writer.close()
        raise
    return writer


async def _done(working: list[asyncio.Task[None]]) -> None:
    """Wait for all and raise what one raised. Who is cancelled meanwhile cancels none of them."""
    if working:
        await asyncio.wait(working)
    for task in working:
        task.result()
