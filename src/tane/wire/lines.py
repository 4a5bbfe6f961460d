"""A line between a cloud and an agent: one connection on which both ask and answer, and more for what streams.

All connections are made by the agent, which may sit behind a NAT. When the cloud asks for a stream it says so on the
line, and the agent opens a connection for it; on that one it is the cloud that sends the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from tane.wire import frames
from tane.wire.calls import Answering, Failure, Reply, failed, raised
from tane.wire.errors import HostError
from tane.wire.frames import CALL, DATA, END, FAILURE, OPEN, PING, PONG, REPLY, Broken
from tane.wire.streams import CHUNK, Connection

PING_SECONDS = 5.0
SILENT_SECONDS = 15.0
"""After three pings without an answer nobody is there."""
CLOSE_SECONDS = 5.0
CALL_SECONDS = 30.0
CALL_BYTES = 64 << 10
"""Within which the call comes on a connection of its own, and its length."""
AT_ONCE = 1024
"""Calls of the cloud that an agent answers at a time: more than it ever has on the way."""
AT_ONCE_OF_HOST = 64
MOST_OF_HOST = 8 << 20
"""What a cloud takes of one host: calls at a time, and bytes of a frame (the states of all its guests)."""
UNREAD_BYTES = 1 << 20
"""What may wait for a peer that does not read, before it is no longer answered."""
TURN = 64
"""Frames after which others on the event loop have their turn: a full buffer is read without any wait."""

Opener = Callable[[], Awaitable[Connection]]
"""Makes a connection more to the peer, on which the call is then sent. Raises HostError."""


class OpenAsked(Protocol):
    def __call__(self, key: str) -> None:
        """The peer wants a connection, by which it is called ``key``."""


class Line:
    """One end of a line (a :class:`tane.wire.calls.Line`): asks the peer, and answers it by ``answering``."""

    def __init__(
        self,
        connection: Connection,
        answering: Answering,
        opener: Opener,
        open_asked: OpenAsked | None = None,
        *,
        at_once: int = AT_ONCE,
        most: int = frames.MOST,
    ) -> None:
        """``at_once``, ``most``: how many calls of the peer are answered at a time, and the bytes of its frames."""
        self._reader, self._writer = connection
        self._at_once, self._most = at_once, most
        self._answering = answering
        self._opener = opener
        self._open_asked = open_asked
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._heard = asyncio.Event()
        self.ended = False

    async def serve(self) -> None:
        """Answer the peer, and give it life signs, until the connection ends. :raises Broken: always; it says why."""
        watching = asyncio.create_task(self._watch())
        try:
            for number in itertools.count(1):
                self._take(await frames.read(self._reader, self._most))
                self._heard.set()
                if number % TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self.ended = True
            watching.cancel()
            for task in [*self._answers]:
                task.cancel()
            self._heard.set()
            for future in self._waiting.values():
                future.cancel()
            await asyncio.gather(watching, *self._answers, return_exceptions=True)
            await close(self._writer)

    def _take(self, frame: frames.Frame) -> None:
        if frame.kind == CALL:
            if len(self._answers) >= self._at_once:
                raise Broken(f"more than {self._at_once} calls at once")
            number, call = frames.split(frame.data)
            self._in_background(self._answer(number, call))
        elif frame.kind == REPLY:
            number, reply = frames.split(frame.data)
            future = self._waiting.get(number)
            if future is not None and not future.done():
                future.set_result(reply)
        elif frame.kind == OPEN and self._open_asked is not None:
            self._open_asked(frame.data.decode("ascii", "replace"))
        elif frame.kind == PING:
            if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES:
                raise Broken("it does not read what it is told")
            self._writer.write(frames.PONG_FRAME)
        elif frame.kind != PONG:
            raise Broken(f"a frame of kind {frame.kind} on a line")

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, number: int, call: bytes) -> None:
        await self._say(REPLY, frames.numbered(number, await self._answering.answer(call)))

    async def _say(self, kind: int, data: bytes = b"") -> None:
        # The reader learns of a broken connection by itself.
        with contextlib.suppress(Broken):
            await frames.write(self._writer, kind, data)

    async def _watch(self) -> None:
        while True:
            if not await self.alive(SILENT_SECONDS):
                self._writer.transport.abort()
                return
            await asyncio.sleep(PING_SECONDS)

    def end(self) -> None:
        """Break the connection off; :meth:`serve` then ends."""
        self._writer.transport.abort()

    async def alive(self, seconds: float) -> bool:
        """Whether anything is heard from the peer in so many seconds, after it was asked."""
        self._heard.clear()
        with contextlib.suppress(TimeoutError):
            # Also the question may not get away.
            async with asyncio.timeout(seconds):
                await self._say(PING)
                await self._heard.wait()
                return not self.ended
        return False

    async def ask(self, call: bytes) -> bytes:
        if self.ended:
            raise Broken("the host is not connected")
        number = next(self._numbers)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await frames.write(self._writer, CALL, frames.numbered(number, call))
            return await future
        except asyncio.CancelledError:
            # Of the future, when the line broke; of who asks, when that is what was cancelled.
            if future.cancelled() and not cancelled():
                raise Broken("the host is not connected") from None
            raise
        finally:
            del self._waiting[number]

    async def open(self, key: str) -> None:
        """Ask the agent for a connection that is called ``key``."""
        await frames.write(self._writer, OPEN, key.encode())

    async def stream(self, call: bytes) -> AsyncGenerator[bytes]:
        reader, writer = await self._opener()
        try:
            await frames.write(writer, CALL, call)
            while True:
                frame = await frames.read(reader)
                if frame.kind == DATA:
                    yield frame.data
                elif frame.kind == END:
                    return
                elif frame.kind == FAILURE:
                    raise raised(_decoded(frame.data))
                else:
                    raise Broken(f"a frame of kind {frame.kind} in a stream")
        finally:
            await close(writer)

    async def connect(self, call: bytes) -> Connection:
        connection = await self._opener()
        try:
            await frames.write(connection.writer, CALL, call)
            reply = await frames.expect(connection.reader, REPLY)
            failure = msgspec.json.decode(reply, type=Reply).failure
            if failure is not None:
                raise raised(failure)
        except BaseException:
            await close(connection.writer)
            raise
        return connection


def _decoded(data: bytes) -> Failure:
    try:
        return msgspec.json.decode(data, type=Failure)
    except msgspec.DecodeError as error:
        raise Broken(f"a failure that cannot be read: {error}") from None


def cancelled() -> bool:
    """Whether the task that runs now was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def answer(connection: Connection, answering: Answering) -> None:
    """Answer the one call that comes on a connection of its own, by a stream or a connection. Raises Broken."""
    reader, writer = connection
    try:
        async with asyncio.timeout(CALL_SECONDS):
            call = await frames.expect(reader, CALL, CALL_BYTES)
        if answering.connects(call):
            await _joined(connection, call, answering)
        else:
            await _streamed(writer, call, answering)
    except TimeoutError:
        raise Broken("no call came in time") from None
    finally:
        await close(writer)


async def _streamed(writer: asyncio.StreamWriter, call: bytes, answering: Answering) -> None:
    try:
        async with asyncio.timeout(answering.seconds(call)), contextlib.aclosing(answering.stream(call)) as stream:
            async for data in stream:
                await frames.write(writer, DATA, data)
    except Broken:
        raise
    except Exception as error:
        await frames.write(writer, FAILURE, msgspec.json.encode(failed(error)))
    else:
        await frames.write(writer, END)


async def _joined(connection: Connection, call: bytes, answering: Answering) -> None:
    try:
        other = await answering.connect(call)
    except Exception as error:
        await frames.write(connection.writer, REPLY, msgspec.json.encode(Reply(failure=failed(error))))
        return
    await frames.write(connection.writer, REPLY, msgspec.json.encode(Reply()))
    ways = [
        asyncio.create_task(_copy(connection.reader, other.writer)),
        asyncio.create_task(_copy(other.reader, connection.writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await close(other.writer)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection; one whose peer does not take the rest in time is broken off."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


__all__ = ["HostError", "Line", "answer", "close"]
