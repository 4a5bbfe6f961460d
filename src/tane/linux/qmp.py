"""A session with a QMP server: QEMU or qemu-storage-daemon. Source: the QEMU QMP reference manual."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from qemu.qmp import QMPClient, QMPError
from qemu.qmp.protocol import Runstate
from qemu.qmp.qmp_client import ExecuteError

# The library logs every lost connection as an error of its own; the sessions here report it by exception.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)

_READ_BUFFER_BYTES = 1 << 20


class QmpError(Exception):
    """A command was refused (``desc`` of the reply), or the connection is gone (then ``lost`` is true)."""

    def __init__(self, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.lost = lost


class QmpSession:
    """One connection. ``on_event`` is called with each event, ``on_lost`` once when the other side ends it."""

    def __init__(
        self,
        socket: Path,
        *,
        on_event: Callable[[Mapping[str, Any]], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.socket = socket
        self._client = QMPClient(str(socket), readbuflen=_READ_BUFFER_BYTES)
        self._on_event = on_event
        self._on_lost = on_lost
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Connect and negotiate; raises QmpError when nothing answers at the socket."""
        try:
            await asyncio.wait_for(self._client.connect(str(self.socket)), 10)
        except (QMPError, OSError, TimeoutError) as error:
            raise QmpError(f"no answer at {self.socket}: {error}", lost=True) from error
        self._tasks = [asyncio.create_task(self._read_events()), asyncio.create_task(self._watch())]

    @property
    def connected(self) -> bool:
        return bool(self._client.runstate == Runstate.RUNNING)

    async def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Run one command and return its reply; raises QmpError."""
        try:
            return await self._client.execute(command, arguments)
        except ExecuteError as error:
            raise QmpError(str(error)) from error
        except (QMPError, OSError) as error:
            raise QmpError(f"the connection to {self.socket} was lost during {command}", lost=True) from error

    async def close(self) -> None:
        """Let go of the connection; the other side goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._disconnect()

    async def _disconnect(self) -> None:
        # disconnect() raises the reason of a connection that was lost before; that is known already.
        with contextlib.suppress(QMPError, OSError, EOFError):
            await self._client.disconnect()

    async def _read_events(self) -> None:
        async for event in self._client.events:
            self._on_event(event)

    async def _watch(self) -> None:
        while self._client.runstate == Runstate.RUNNING:
            await self._client.runstate_changed()
        await self._disconnect()
        self._tasks[0].cancel()
        while not self._client.events.empty():
            self._on_event(await self._client.events.get())
        self._on_lost()


@contextlib.asynccontextmanager
async def session(socket: Path) -> AsyncIterator[QmpSession]:
    """A connection for a few commands."""
    opened = QmpSession(socket)
    await opened.connect()
    try:
        yield opened
    finally:
        await opened.close()
