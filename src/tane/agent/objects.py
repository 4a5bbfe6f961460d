"""Copies of objects' bytes on this host: private files under drawn ids, as the cloud keeps its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tane.agent.translation import host_errors
from tane.linux.blob_files import BlobFiles
from tane.wire import blobs
from tane.wire.blobs import Asked, BlobRoom, BlobSum
from tane.wire.errors import HostError, NotOnHost
from tane.wire.streams import CHUNK, Connection

T = TypeVar("T")
THREADS = 8
FREE_SHARE = 0.05
"""Of the file system stays free: the host has other duties, too."""
MOST_IDS = 500


class ObjectFiles:
    """A :class:`tane.wire.duties.ObjectDuty` on a folder, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: BlobFiles | None = None
        self._making = threading.Lock()
        # Of its own: whoever waits for this host may hold the process's other threads.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tane-objects")
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def _files(self) -> BlobFiles:
        with self._making:
            if self._made is None:
                self._made = BlobFiles(self._folder)
            return self._made

    async def _in_thread(self, doing: str, work: Callable[[], T]) -> T:
        def guarded() -> T:
            with host_errors(doing):
                try:
                    return work()
                except FileNotFoundError:
                    raise NotOnHost(f"{doing}: it is not on this host") from None
                except ValueError as error:
                    raise HostError(f"{doing}: {error}") from None

        return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)

    async def close(self) -> None:
        """End the sessions and the threads."""
        for task in [*self._sessions]:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        self._threads.shutdown()

    async def session(self) -> Connection:
        here, there = socket.socketpair()
        own = Connection(*await asyncio.open_connection(sock=here, limit=2 * CHUNK))
        task = asyncio.create_task(blobs.serve(own, self._does))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)
        return Connection(*await asyncio.open_connection(sock=there, limit=2 * CHUNK))

    async def _does(self, asked: Asked, data: bytes) -> bytes:
        if asked.do == "append":
            return await self._in_thread(f"writing blob {asked.blob_id}", lambda: self._append(asked, data))
        return await self._in_thread(f"reading blob {asked.blob_id}", lambda: self._read(asked))

    def _append(self, asked: Asked, data: bytes) -> bytes:
        if asked.offset + asked.length > blobs.MOST:
            raise HostError(f"a blob of more than {blobs.MOST} bytes")
        if self._files.free() < FREE_SHARE:
            raise HostError("no space is left on the host's disk", transient=True)
        self._files.append(asked.blob_id, asked.offset, data)
        return b""

    def _read(self, asked: Asked) -> bytes:
        with self._files.open(asked.blob_id) as file:
            return os.pread(file.fileno(), asked.length, asked.offset)

    async def finish(self, blob_id: str, size: int) -> None:
        await self._in_thread(f"finishing blob {blob_id}", lambda: self._files.finish(blob_id, size))

    async def remove(self, blob_ids: list[str]) -> None:
        if len(blob_ids) > MOST_IDS:
            raise HostError(f"{len(blob_ids)} blobs, and {MOST_IDS} are the most")

        def each() -> None:
            for blob_id in blob_ids:
                self._files.forget(blob_id)

        await self._in_thread("removing blobs", each)

    async def older_than(self, seconds: float, after: str, limit: int) -> list[str]:
        wanted = max(1, min(limit, MOST_IDS))
        return await self._in_thread("listing blobs", lambda: self._files.page(seconds, after, wanted))

    async def clear(self, seconds: float) -> int:
        return await self._in_thread("clearing blobs", lambda: self._files.clear_drafts(seconds))

    async def verify(self, blob_id: str) -> BlobSum:
        def summed() -> BlobSum:
            size = crc = 0
            with self._files.open(blob_id) as file:
                while part := file.read(CHUNK):
                    size, crc = size + len(part), zlib.crc32(part, crc)
            return BlobSum(size=size, crc=crc)

        return await self._in_thread(f"verifying blob {blob_id}", summed)

    async def room(self) -> BlobRoom:
        def looked() -> BlobRoom:
            # Makes the folder, so that there is something to look at.
            self._files.free()
            disk = os.statvfs(self._folder)
            total = disk.f_blocks * disk.f_frsize
            free = disk.f_bavail * disk.f_frsize - int(total * FREE_SHARE)
            return BlobRoom(total_bytes=total, free_bytes=max(0, free))

        return await self._in_thread("looking for room", looked)
