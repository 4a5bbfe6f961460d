"""A session with a QMP server: QEMU or qemu-storage-daemon. Source: the QEMU QMP reference manual."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from socket import send_fds
from socket import socket as Socket
from typing import Any

import structlog
from qemu.qmp import QMPClient
from qemu.qmp.events import EventListener
from qemu.qmp.message import Message
from qemu.qmp.protocol import Runstate
from qemu.qmp.qmp_client import ExecuteError

from tane.linux import confine, sockets
from tane.linux.confine import Identity

# The library logs every lost connection as an error of its own; the sessions here report it by exception.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)

log = structlog.get_logger()
_READ_BUFFER_BYTES = 1 << 20
COMMAND_SECONDS = 60.0
EVENTS_A_SECOND = 1000
"""More than any guest makes QEMU tell: who sends more is no QEMU any more, and is not listened to."""
EVENT_BYTES_A_SECOND = 1 << 20
MESSAGES_A_SECOND, BYTES_A_SECOND = 3000, 16 << 20
"""The same with answers, of which those that carry a console are long."""
_TURN = 50
REST_SECONDS = 30.0
MOST_SESSIONS = 10
_END_SECONDS = 5.0


class QmpError(Exception):
    """A command was refused (``desc`` of the reply), or the connection is gone (then ``lost`` is true)."""

    def __init__(self, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.lost = lost


class Rest:
    """When a server that misbehaved is not to be connected to: for a while after a flood, and after many sessions in a
    while, since each begins with all that is counted at zero."""

    def __init__(self) -> None:
        self._until = 0.0
        self._begun: list[float] = []

    def begun(self) -> None:
        """A session begins; a good server's lasts as long as its process."""
        now = time.monotonic()
        self._begun = [*(moment for moment in self._begun if now - moment < REST_SECONDS), now]
        if len(self._begun) >= MOST_SESSIONS:
            self.take()

    def take(self) -> None:
        self._until = time.monotonic() + REST_SECONDS

    def lasts(self) -> bool:
        return time.monotonic() < self._until


class _Rate:
    """How many messages, and bytes of them, come in a second."""

    def __init__(self, messages: int, size: int) -> None:
        self._most = messages, size
        self._since, self._messages, self._size = 0.0, 0, 0

    def exceeded(self, message: Message) -> bool:
        """Whether one more is too much."""
        now = asyncio.get_running_loop().time()
        if now - self._since > 1.0:
            self._since, self._messages, self._size = now, 0, 0
        self._messages += 1
        self._size += len(bytes(message))
        return self._messages > self._most[0] or self._size > self._most[1]


class _Heard(EventListener):  # type: ignore[misc]  # The library is untyped to mypy.
    """Passes events on as they come and keeps none."""

    def __init__(self, hear: Callable[[Message], None]) -> None:
        super().__init__()
        self._hear = hear

    async def put(self, event: Message) -> None:
        self._hear(event)


class _Client(QMPClient):  # type: ignore[misc]  # The library is untyped to mypy.
    """Counts whatever comes, also answers to nothing, which the library drops without a word."""

    def __init__(self, name: str, readbuflen: int, count: Callable[[Message], None]) -> None:
        super().__init__(name, readbuflen=readbuflen)
        self._count = count
        self._received = 0

    async def _do_recv(self) -> Message:
        message = await super()._do_recv()
        self._count(message)
        self._received += 1
        if self._received % _TURN == 0:
            # What is in the buffer already is read without a pause.
            await asyncio.sleep(0)
        return message


class QmpSession:
    """One connection to the program of the user ``peer``, or to one of this process's own.

    ``on_event`` is called with each event, ``on_lost`` once when the other side ends it, floods it with events, or
    sends one that ``on_event`` makes nothing of (``flooded`` then). The other side may be in a guest's hands: nothing
    is waited for without end.
    """

    def __init__(
        self,
        socket: Path,
        peer: Identity | None = None,
        *,
        on_event: Callable[[Mapping[str, Any]], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.socket = socket
        self._peer = peer
        self._connection: Socket | None = None
        self._client = _Client(str(socket), _READ_BUFFER_BYTES, self._count_message)
        self._messages = _Rate(MESSAGES_A_SECOND, BYTES_A_SECOND)
        self._events = _Rate(EVENTS_A_SECOND, EVENT_BYTES_A_SECOND)
        self._on_event = on_event
        self._on_lost = on_lost
        self._watching: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self.flooded = False
        # Instead of the library's own, which keeps every event for good.
        kept, self._client.events = self._client.events, _Heard(self._hear)
        self._client.register_listener(self._client.events)
        self._client.remove_listener(kept)

    async def connect(self) -> None:
        """Connect and negotiate; raises QmpError when nothing answers at the socket."""
        try:
            connection = await sockets.connected(self.socket, confine.uid(self._peer))
            # The library takes the socket over; this one only sends descriptors.
            self._connection = connection.dup()
            await asyncio.wait_for(self._client.connect(connection), 10)
        except asyncio.CancelledError:
            self._forget()
            raise
        except Exception as error:
            # The library raises what comes to it by what the other side sends: asserts of its own, too.
            await self.close()
            raise QmpError(f"no answer at {self.socket.name}: {error}", lost=True) from error
        self._watching = asyncio.create_task(self._watch())

    @property
    def connected(self) -> bool:
        return bool(self._client.runstate == Runstate.RUNNING)

    async def execute(
        self, command: str, arguments: Mapping[str, Any] | None = None, *, seconds: float = COMMAND_SECONDS
    ) -> Any:
        """Run one command and return its reply; raises QmpError, also when there is none within ``seconds``: the
        connection is given up then."""
        try:
            return await asyncio.wait_for(self._client.execute(command, arguments), seconds)
        except TimeoutError:
            self._give_up()
            raise QmpError(f"{self.socket.name} gave no answer to {command} in {seconds:.0f} s", lost=True) from None
        except ExecuteError as error:
            raise QmpError(str(error)) from error
        except Exception as error:
            self._give_up()
            raise QmpError(f"the connection to {self.socket.name} was lost during {command}", lost=True) from error

    async def send_descriptor(self, name: str, descriptor: int) -> None:
        """Give QEMU an open descriptor (QMP ``getfd``), which commands then know by ``name``. Raises QmpError."""
        if self._connection is None:
            raise QmpError(f"there is no connection to {self.socket.name}", lost=True)
        # White space between two commands carries it: QEMU keeps the descriptor for the next command.
        try:
            send_fds(self._connection, [b" "], [descriptor])
        except OSError as error:
            raise QmpError(f"the connection to {self.socket.name} took no descriptor: {error.strerror}") from error
        await self.execute("getfd", {"fdname": name})

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def close(self) -> None:
        """Let go of the connection; the other side goes on."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        self._forget()
        await self._disconnect()

    def _give_up(self) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        return self._ending

    async def _disconnect(self) -> None:
        # To its end even when who waits here is cancelled: else nobody would take the library's own exception.
        await asyncio.shield(self._give_up())

    async def _end(self) -> None:
        # disconnect() raises the reason of a connection that was lost before: whatever the other side made of the
        # library's reader. It must keep nobody from connecting anew.
        try:
            await asyncio.wait_for(self._client.disconnect(), _END_SECONDS)
        except Exception as error:
            log.debug("a QMP connection was lost", socket=str(self.socket), error=f"{type(error).__name__}: {error}")

    def _hear(self, event: Message) -> None:
        """Pass an event on, unless there are too many, too long, or ones that no QEMU sends."""
        self.flooded |= self._events.exceeded(event)
        if not self.flooded:
            try:
                self._on_event(event)
            except Exception as error:
                log.warning("an event of no form", socket=str(self.socket), error=f"{type(error).__name__}: {error}")
                self.flooded = True
        if self.flooded:
            self._give_up()

    def _count_message(self, message: Message) -> None:
        if self._messages.exceeded(message):
            self.flooded = True
            raise EOFError(f"too much comes from {self.socket.name}")

    async def _watch(self) -> None:
        while self._client.runstate == Runstate.RUNNING:
            await self._client.runstate_changed()
        await self._disconnect()
        self._on_lost()


@contextlib.asynccontextmanager
async def session(socket: Path, peer: Identity | None = None) -> AsyncIterator[QmpSession]:
    """A connection for a few commands."""
    opened = QmpSession(socket, peer)
    await opened.connect()
    try:
        yield opened
    finally:
        await opened.close()


async def ignore_absent(qmp: QmpSession, command: str, arguments: Mapping[str, Any]) -> None:
    """Run a command that takes something away; nothing when it is not there. Raises QmpError."""
    try:
        await qmp.execute(command, arguments)
    except QmpError as error:
        if error.lost or not any(word in str(error) for word in ("not found", "Cannot find", "Failed to find")):
            raise
