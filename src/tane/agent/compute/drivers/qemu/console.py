"""The serial console of a guest: what it wrote, and who types into it.

QEMU holds the last of what a guest writes, in a ring of its memory that nobody has to read; the agent moves it to a
file. While somebody types, a socket stands in the ring's place (QMP ``chardev-change``): the agent is its one client,
keeps what comes for the log, and shows it to everybody who looks. Guests that run already have it without a new start.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from tane.agent.compute.drivers.qemu.command import CONSOLE_BYTES, INSIDE
from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.linux import confine, sockets
from tane.linux.files import tail, write_private
from tane.linux.qmp import QmpError, QmpSession
from tane.wire.errors import HostError
from tane.wire.streams import Connection

log = structlog.get_logger()
_MOST_BYTES = 1 << 20
_READ = 16 << 10
MOST_VIEWERS = 16
BEHIND_BYTES = 256 << 10
"""What is held for a viewer who reads slower than the guest writes; then he loses the connection, and may come back."""
KEPT_BYTES = 64 << 10
"""What is held of the log before it goes to the file, ``KEPT_SECONDS`` at least after what went before."""
KEPT_SECONDS = 4.0
BYTES_A_SECOND = 1 << 20
"""What is taken of a guest that somebody looks at: a hundred times a serial line's. It waits with the rest."""
_REST = 0.001
"""Seconds between two looks, so that a guest that writes byte by byte costs no more than one that writes much."""
TYPED_BYTES = 64 << 10
TYPED_SECONDS = 5.0
"""A guest that takes nothing of what is typed for so long loses what is typed beyond ``TYPED_BYTES``, as on a line."""
SHOWN_FIRST = 4096
"""Of the log, to who comes: what he would have seen."""
_SECONDS = 5.0
_RING = {"type": "ringbuf", "data": {"size": CONSOLE_BYTES}}
_SOCKET = {
    "type": "socket",
    "data": {"addr": {"type": "unix", "data": {"path": str(INSIDE.serial)}}, "server": True, "wait": False},
}

Session = Callable[[], Awaitable[QmpSession]]


class Console:
    """One guest's console, since it was started."""

    def __init__(self, folder: GuestFolder) -> None:
        self._folder = folder
        self._file = folder.console
        self._draining = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._guest: Connection | None = None
        self._fresh = bytearray()
        self._kept_at = 0.0
        self._viewers: set[Connection] = set()
        self._showing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def clear(self) -> None:
        self._fresh.clear()
        self._file.unlink(missing_ok=True)

    async def drain(self, session: QmpSession) -> None:
        """Move what QEMU or this process holds to the log, which keeps its last megabyte. A crash in between loses what
        was moved; a disk that takes nothing leaves it in this process's memory.

        Raises QmpError.
        """
        async with self._draining:
            if self._guest is None:
                self._fresh += await self._held(session)
            await self._move()

    async def _held(self, session: QmpSession) -> bytes:
        wanted = {"device": "console", "size": CONSOLE_BYTES, "format": "base64"}
        try:
            return base64.b64decode(await session.execute("ringbuf-read", wanted))
        except QmpError as error:
            if error.lost:
                raise
            # An agent that ended while somebody typed left the socket in the ring's place.
            await session.execute("chardev-change", {"id": "console", "backend": _RING})
            return b""

    async def tail(self, max_bytes: int) -> bytes:
        """The end of what was read."""
        most = min(max_bytes, _MOST_BYTES)
        kept = await asyncio.to_thread(tail, self._file, most) + self._fresh
        return kept[max(0, len(kept) - most) :]

    async def _move(self) -> None:
        """From memory to the log. Where that fails it stays, the last of it: with a full disk one needs a console."""
        fresh, self._fresh = self._fresh, bytearray()
        try:
            if fresh:
                await asyncio.to_thread(self._keep, bytes(fresh))
        except OSError as error:
            self._fresh[:0] = fresh
            del self._fresh[:-_MOST_BYTES]
            log.warning("the log of a console cannot be written", guest_id=self._folder.path.name, error=str(error))

    def _keep(self, fresh: bytes) -> None:
        """Append to the log, which is cut to its last half when it is twice as long as what is kept. Raises OSError:
        then it is as it was."""
        size = self._file.stat().st_size if self._file.exists() else 0
        if not size or size + len(fresh) > 2 * _MOST_BYTES:
            write_private(self._file, (tail(self._file, _MOST_BYTES) + fresh)[-_MOST_BYTES:])
            return
        try:
            with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW), "wb") as out:
                out.write(fresh)
        except OSError:
            os.truncate(self._file, size)
            raise

    # ------------------------------------------------------------------------------------------- typing into it

    async def attach(self, qmp: Session) -> Connection:
        """A connection to the running guest's console: the end of the log first, then what comes, to all who look.

        :raises HostError: the guest's process does not answer, or too many look.
        """
        try:
            async with asyncio.timeout(_SECONDS), self._changing:
                if len(self._viewers) >= MOST_VIEWERS:
                    raise HostError(f"{MOST_VIEWERS} look at this console already", transient=True)
                session = await qmp()
                if self._guest is None:
                    self._guest = await self._connect(session)
                    self._showing = asyncio.get_running_loop().create_task(self._show(self._guest))
                await self.drain(session)
                first = await self.tail(SHOWN_FIRST)
                theirs, ours = socket.socketpair()
                viewer = Connection(*await asyncio.open_unix_connection(sock=ours))
                shown = Connection(*await asyncio.open_unix_connection(sock=theirs))
                viewer.writer.write(first)
                self._viewers.add(viewer)
        except (OSError, QmpError, TimeoutError) as error:
            self._later(self._restore(qmp))
            raise HostError(f"the console of this guest does not answer: {error}", transient=True) from error
        self._later(self._type(viewer, qmp))
        return shown

    async def mend(self, session: QmpSession) -> None:
        """Put the ring back where an agent that ended has left the socket. Raises QmpError."""
        if self._folder.serial.exists():
            await self.drain(session)
            self._folder.serial.unlink(missing_ok=True)

    async def let_go(self, qmp: Session) -> None:
        """Nobody types any more; the guest goes on, and its ring fills again."""
        for viewer in list(self._viewers):
            self._leave(viewer)
        await self._restore(qmp)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, session: QmpSession) -> Connection:
        """Put the socket in the ring's place; what the ring held goes to the log."""
        await self.drain(session)
        await session.execute("chardev-change", {"id": "console", "backend": _SOCKET})
        connected = await sockets.connected(self._folder.serial, confine.uid(self._folder.owner))
        return Connection(*await asyncio.open_unix_connection(sock=connected))

    async def _restore(self, qmp: Session) -> None:
        """Put the ring back once nobody looks; what the guest wrote until then is shown and kept first."""
        async with self._changing:
            if self._viewers or (self._guest is None and not self._folder.serial.exists()):
                return
            try:
                async with asyncio.timeout(_SECONDS):
                    await (await qmp()).execute("chardev-change", {"id": "console", "backend": _RING})
                    self._folder.serial.unlink(missing_ok=True)
            except (OSError, QmpError, TimeoutError):
                if self._guest is not None:
                    self._guest.writer.close()  # The guest is gone, or about to be; else the next look mends it.
            if self._showing is not None:
                await asyncio.wait([self._showing])

    async def _show(self, guest: Connection) -> None:
        """Give all viewers what the guest writes, until the last has left or the guest ends."""
        try:
            with contextlib.suppress(OSError):  # The guest's process ended: as its end of file.
                while data := await guest.reader.read(_READ):
                    for viewer in list(self._viewers):
                        if viewer.writer.transport.get_write_buffer_size() > BEHIND_BYTES:
                            self._leave(viewer)
                        else:
                            viewer.writer.write(data)
                    self._fresh += data
                    del self._fresh[:-_MOST_BYTES]
                    now = asyncio.get_running_loop().time()
                    if len(self._fresh) >= KEPT_BYTES and now >= self._kept_at + KEPT_SECONDS:
                        await self._flush()
                        self._kept_at = now
                    await asyncio.sleep(max(_REST, len(data) / BYTES_A_SECOND))
        finally:
            for viewer in list(self._viewers):
                self._leave(viewer)
            guest.writer.close()
            self._guest = None
        await self._flush()

    async def _flush(self) -> None:
        async with self._draining:
            await self._move()

    async def _type(self, viewer: Connection, qmp: Session) -> None:
        """Give the guest what a viewer types, no faster than it takes it; who leaves last puts the ring back.

        One that takes nothing is not waited for longer than ``TYPED_SECONDS``: that a viewer left is seen by reading.
        """
        with contextlib.suppress(OSError):
            while data := await viewer.reader.read(_READ):
                guest = self._guest
                if guest is None:
                    break
                if guest.writer.transport.get_write_buffer_size() > TYPED_BYTES:
                    continue
                guest.writer.write(data)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TYPED_SECONDS):
                        await guest.writer.drain()
        self._leave(viewer)
        await self._restore(qmp)

    def _leave(self, viewer: Connection) -> None:
        self._viewers.discard(viewer)
        viewer.writer.close()
