"""The HTTP connection: uvicorn's, with bodies that are not copied on their way in and files that the kernel sends.

``http.response.zerocopysend`` is ASGI's extension of that name (asgi.readthedocs.io, "Zero Copy Send"): the body event
names an open file, an offset and a count instead of carrying bytes. ``tane.request.readinto`` is our own, for a request
whose length was announced: ``scope["extensions"][READ_INTO]["readinto"]`` is a coroutine function that fills a buffer
with what follows the first ``http.request`` event, and the kernel puts it there.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

ZERO_COPY = "http.response.zerocopysend"
READ_INTO = "tane.request.readinto"
MOST_AT_ONCE = 8 << 20
LOOK_AGAIN_SECONDS = 5.0
Buffer = TypeVar("Buffer", bytes, bytearray, memoryview)

_incoming = memoryview(bytearray(512 << 10))
"""What every connection is read into: the parser takes its copy before the loop reads the next one."""


def pour(part: Buffer, free: memoryview) -> tuple[Buffer, memoryview]:
    """Copy as much of ``part`` as there is room for; returns what is left of both."""
    size = min(len(free), len(part))
    free[:size] = part[:size]
    return part[size:], free[size:]


class Protocol(HttpToolsProtocol):  # type: ignore[misc]  # uvicorn is untyped to mypy.
    """One connection of a client.

    Past its first parts, a body that is read into buffers bypasses the parser: ``_unparsed`` bytes of it are still to
    come, and ``_target`` is where they go. The parser does not learn of them, so a new one reads the next request.
    """

    _unparsed = 0
    _target: memoryview = _incoming[:0]
    _parsed = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        transport.set_protocol(_Reader(self))

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._unparsed:
            # What nobody wants (an upload was refused half-way) is read and dropped.
            return self._target or _incoming[: self._unparsed]
        return _incoming

    def buffer_updated(self, nbytes: int) -> None:
        if not self._unparsed:
            self.data_received(_incoming[:nbytes])
            return
        self._unset_keepalive_if_required()
        self._unparsed -= nbytes
        self._target = self._target[nbytes:]
        if not self._unparsed:
            self.parser = _parser(self)
            self.on_message_complete()
        elif not self._target and not self.cycle.response_complete:
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_begin(self) -> None:
        self._parsed = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._parsed += len(body)
        # What is alone in the buffer is handed on as it came; uvicorn's own buffer would copy it in and out.
        if self.cycle is not None and not self.cycle.body:
            self.cycle.body = body
            body = b""
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.scheme == "http":
            cycle.scope["extensions"] = {ZERO_COPY: {}}
        length = next((value for name, value in cycle.scope["headers"] if name == b"content-length"), None)
        if length is not None:
            extensions = cycle.scope.setdefault("extensions", {})
            extensions[READ_INTO] = {"readinto": functools.partial(self._readinto, cycle, int(length))}
        super()._start_asgi_task(cycle, _Sender(cycle, app))

    async def _readinto(self, cycle: RequestResponseCycle, length: int, buffer: memoryview) -> int:
        """Fill ``buffer``; returns how much of it, less than all only when the body ends.

        :raises ConnectionError: the client broke off.
        """
        free = buffer
        while free:
            if cycle.body:
                cycle.body, free = pour(cycle.body, free)
                continue
            if not cycle.more_body:
                break
            if cycle.disconnected:
                raise ConnectionError("the client broke off")
            if cycle.waiting_for_100_continue:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                cycle.waiting_for_100_continue = False
            self._unparsed = self._unparsed or length - self._parsed
            self._target = free[: self._unparsed]
            expected = len(self._target)
            cycle.message_event.clear()
            self.flow.resume_reading()
            try:
                await cycle.message_event.wait()
            finally:
                arrived, self._target = expected - len(self._target), self._target[:0]
            free = free[arrived:]
        return len(buffer) - len(free)


def _parser(protocol: Protocol) -> httptools.HttpRequestParser:
    """Set as uvicorn sets its own."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


class _Reader(asyncio.BufferedProtocol):
    """Stands between the transport and the connection: loops read into buffers only for what is no ``Protocol``."""

    def __init__(self, connection: Protocol) -> None:
        self._connection = connection

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._connection.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._connection.buffer_updated(nbytes)

    def eof_received(self) -> None:
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()


class _Sender:
    """An application whose ``send`` also takes the event of the extension."""

    def __init__(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._cycle = cycle
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def send_also_files(event: dict[str, Any]) -> None:
            if event["type"] != ZERO_COPY:
                await send(event)
                return
            await send_file(self._cycle, event["file"].fileno(), event["offset"], event["count"])
            if not event.get("more_body", False):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, receive, send_also_files)


async def send_file(cycle: RequestResponseCycle, descriptor: int, offset: int, count: int) -> None:
    """Let the kernel send ``count`` bytes of a file after the head of the response.

    Returns early when the client goes away, as ``send`` does. :raises RuntimeError: the file is shorter.
    """
    transport, end = cycle.transport, offset + count
    cycle.expected_content_length -= count
    # All that was written before must have left the transport's own buffer.
    transport.set_write_buffer_limits(0)
    try:
        await cycle.flow.drain()
        if cycle.disconnected:
            return
        # A descriptor of our own: the loop does not let others watch the transport's, and closes it when it likes.
        socket = os.dup(transport.get_extra_info("socket").fileno())
        try:
            while offset < end and not cycle.disconnected:
                try:
                    sent = await asyncio.to_thread(
                        os.sendfile, socket, descriptor, offset, min(MOST_AT_ONCE, end - offset)
                    )
                except BlockingIOError:
                    await _writable(socket)
                    continue
                except (BrokenPipeError, ConnectionError):
                    transport.abort()
                    return
                if not sent:
                    transport.abort()
                    raise RuntimeError(f"a file ended {end - offset} bytes before the response that is made of it")
                offset += sent
        finally:
            os.close(socket)
    finally:
        if not transport.is_closing():
            transport.set_write_buffer_limits()


async def _writable(socket: int) -> None:
    """Wait until the socket takes more, or until it is worth looking whether its client is still there."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(socket, ready.set)
    try:
        async with asyncio.timeout(LOOK_AGAIN_SECONDS):
            await ready.wait()
    except TimeoutError:
        return
    finally:
        loop.remove_writer(socket)
