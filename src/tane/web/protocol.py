"""The HTTP connection: uvicorn's, with bodies that are not copied on their way in and files that the kernel sends.

``http.response.zerocopysend`` is ASGI's extension of that name (asgi.readthedocs.io, "Zero Copy Send"): the body event
names an open file, an offset and a count instead of carrying bytes. ``tane.request.readinto`` is our own, for a request
whose length was announced: ``scope["extensions"][READ_INTO]["readinto"]`` is a coroutine function that fills a buffer
with what follows the first ``http.request`` event, and the kernel puts it there.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from tane.web import codec
from tane.web.limits import Door, Limits, Waited

ZERO_COPY = "http.response.zerocopysend"
READ_INTO = "tane.request.readinto"
KNOWN = "tane.known"
"""Set true in the scope of a request once its token was found valid."""
VERSIONS = ("1.0", "1.1")
FREE_BODY = 16 << 10
"""Bytes of a body that are not counted: a login has some hundreds."""
MOST_AT_ONCE = 8 << 20
LOOK_AGAIN_SECONDS = 5.0
LINGER_SECONDS = 2.0
MOST_UNREAD = 4 << 20
FREE_PIECES = 10_000
LEAST_PIECE = 64
"""A body may come in so many pieces of any size, and in more when so many bytes each are the average. Each piece costs
a turn of Python, and those of one read have it all to themselves."""
FRAMES_A_SECOND = 500
"""Of one WebSocket; nobody types or moves a mouse faster."""
_SLICE = 4096
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

    Until a request's head is complete nothing of it is known: ``limits`` bound what it may take of memory and time.
    ``_silent`` bytes have come since the last that led to anything: the parser keeps a header until it is whole.
    """

    limits = Limits()
    door = Door(limits)

    origin = ""
    _unparsed = 0
    _target: memoryview = _incoming[:0]
    _parsed = 0
    _silent = 0
    _pieces = 0
    _head_bytes = 0
    _received = 0
    _refused = False
    _reason: tuple[int, str] | None = None
    _head_since = 0.0
    _heard = 0.0
    _asked = 0.0
    blocked_since = 0.0
    """Since when the client takes nothing of a file that the kernel sends; 0 while it does."""
    _in_body = False
    _body_mark = (0.0, 0)
    _unsent = (0.0, 0)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        transport.set_protocol(_Reader(self))
        self._head_since = self._heard = self.loop.time()
        self._unsent = (self._head_since, 0)
        if not self.door.enter(self, self.client[0] if self.client else ""):
            # Without a word: an answer would keep what is one too many for longer.
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.leave(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self.door.leave(self)
        super().handle_websocket_upgrade()

    @property
    def idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def known(self) -> bool:
        return self.cycle is not None and bool(self.cycle.scope.get(KNOWN))

    @property
    def waited_for(self) -> Waited | None:
        if self.transport.get_write_buffer_size():
            return True, self._unsent[0]
        if self.blocked_since:
            return True, self.blocked_since
        if self.idle:
            return False, self._head_since or self._heard
        if not self._in_body or self.pipeline:
            return None
        if not self.known:
            return False, self._asked
        # Else it is us who do not read on.
        return None if self.flow.read_paused or self.cycle.waiting_for_100_continue else (True, self._heard)

    def look(self, now: float) -> None:
        """End what takes too long: a head, a body, a client that does not take its answer."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent[1]:
            self._unsent = (now, unsent)
        elif now - self._unsent[0] > self.limits.send_seconds:
            self.transport.abort()
        if self._refused:
            return
        if self.flow.read_paused or not (self.idle or self._in_body):
            # It is us who do not read on.
            self._head_since = self._head_since and now
            self._body_mark = (now, self._received)
        elif self._in_body:
            self._look_at_body(now)
        elif self._head_since and now - self._head_since > self.limits.header_seconds:
            self._refuse(408, "The request did not come in time.")

    def _look_at_body(self, now: float) -> None:
        since, received = self._body_mark
        if self.cycle is not None and self.cycle.waiting_for_100_continue:
            self._body_mark = (now, self._received)
        elif now - since > self.limits.body_seconds:
            if self._received - received < self.limits.body_rate * self.limits.body_seconds:
                self._refuse(408, "The body of the request came too slowly.")
            self._body_mark = (now, self._received)

    def _give_up(self, status: int, message: str) -> None:
        """Called back by the parser, which the exception ends; :meth:`send_400_response` tells the client why."""
        self._reason = status, message
        raise ValueError(message)

    def send_400_response(self, msg: str) -> None:
        if self._reason is None and not self.idle and not self._in_body:
            # What came before is a whole request, and is answered; what follows it is none, and is dropped.
            self._refused, self.cycle.keep_alive = True, False
            return
        self._refuse(*(self._reason or (400, msg)))

    def _refuse(self, status: int, message: str) -> None:
        """Say why, and read nothing more. What the client still sends is dropped for a while: the kernel would take
        back our answer if we did not."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self._in_body and self.idle:
            # It is answered already, before its body was there.
            self.transport.abort()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        body = codec.encode({"error": {"code": status, "title": HTTPStatus(status).phrase, "message": message}})
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._unparsed:
            # What nobody wants (an upload was refused half-way) is read and dropped.
            return self._target or _incoming[: self._unparsed]
        return _incoming

    def buffer_updated(self, nbytes: int) -> None:
        self._received += nbytes
        self._heard = self.loop.time()
        if self._refused:
            return
        if not self._unparsed:
            self._silent += nbytes
            self._head_since = self._head_since or self._heard
            self.data_received(_incoming[:nbytes])
            if self._silent > self.limits.header_bytes + self.limits.request_line:
                self._refuse(431, "The headers of the request are too large.")
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
        self._parsed = self._pieces = self._head_bytes = 0
        self._head_since = self._head_since or self.loop.time()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.request_line:
            self._give_up(414, "The address of the request is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Also called for what follows a body in chunks."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self.limits.header_bytes or len(self.headers) >= self.limits.headers:
            self._give_up(431, "The headers of the request are too large or too many.")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self.limits.pipelined:
            self._give_up(400, "There are too many requests in one go.")
        if self.parser.get_http_version() not in VERSIONS:
            self._give_up(505, "Requests are of HTTP 1.0 or 1.1.")
        if sum(name == b"host" for name, _ in self.headers) > 1:
            # RFC 9112, section 3.2: who stands before us may have gone by the other one.
            self._give_up(400, "A request has one Host header.")
        self._silent, self._head_since, self._in_body = 0, 0.0, True
        self._asked = self.loop.time()
        self._body_mark = (self._asked, self._received)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._silent, self._head_since, self._in_body = 0, 0.0, False
        super().on_message_complete()
        if self.flow.read_paused and not self.pipeline and not self.transport.is_closing():
            # Only who reads sees that a client goes. A next request that comes meanwhile stops it again.
            self.flow.resume_reading()

    def on_response_complete(self) -> None:
        self.door.forget(self)
        super().on_response_complete()

    def on_body(self, body: bytes) -> None:
        self._parsed += len(body)
        self._silent = 0
        self._pieces += 1
        if self._pieces > FREE_PIECES + self._parsed // LEAST_PIECE:
            self._give_up(400, "The body of the request comes in too many small pieces.")
        if self._parsed > FREE_BODY and not self.idle:
            if self.known:
                self.door.forget(self)
            else:
                self.door.keep(self, len(body))
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
        super()._start_asgi_task(cycle, _Sender(self, cycle, app))

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


class Socket(WSProtocol):  # type: ignore[misc]  # uvicorn is untyped to mypy.
    """A connection that has become a WebSocket."""

    door = Protocol.door
    origin = ""
    waited_for = None
    known = False
    _second = (0.0, 0)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if not self.door.enter(self, self.client[0] if self.client else ""):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Pings are answered at once: who sends them and reads nothing would fill the memory.
        for start in range(0, len(data), _SLICE):
            if self.transport.get_write_buffer_size() > MOST_UNREAD:
                self.transport.abort()
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _SLICE])

    def handle_ping(self, event: Any) -> None:
        self._count()
        super().handle_ping(event)

    def handle_pong(self, event: Any) -> None:
        self._count()
        super().handle_pong(event)

    def handle_message(self, event: Any) -> None:
        # A large message comes in parts, which are ours; small ones are the sender's.
        if event.message_finished or len(event.data) < LEAST_PIECE:
            self._count()
        super().handle_message(event)

    def _count(self) -> None:
        """End a connection whose frames keep the loop from everybody else's."""
        since, frames = self._second
        now = self.loop.time()
        self._second = (now, 1) if now - since > 1.0 else (since, frames + 1)
        if frames > FRAMES_A_SECOND:
            self.transport.abort()

    def look(self, now: float) -> None:
        """uvicorn's own pings tell who is gone."""


def serving(limits: Limits) -> tuple[type[Protocol], type[Socket]]:
    """The classes of a server with these limits, for the ``http`` and ``ws`` of uvicorn."""
    own = {"limits": limits, "door": Door(limits)}
    return type("Protocol", (Protocol,), own), type("Socket", (Socket,), {"door": own["door"]})


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


class ClientGone(ConnectionError):
    """Nobody takes the answer any more."""


class _Sender:
    """An application whose ``send`` also takes the event of the extension, and raises ClientGone in the middle of an
    answer that nobody takes: what makes it would go on for good."""

    def __init__(self, connection: Protocol, cycle: RequestResponseCycle, app: Any) -> None:
        self._connection = connection
        self._cycle = cycle
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def send_also_files(event: dict[str, Any]) -> None:
            if event["type"] != ZERO_COPY:
                if event["type"] == "http.response.start" and self._cycle.waiting_for_100_continue:
                    # It was not told to send its body, and may send the next request instead (RFC 9110, 10.1.1).
                    self._cycle.keep_alive = False
                await send(event)
                if self._cycle.disconnected and event.get("more_body"):
                    raise ClientGone
                return
            where = event["file"].fileno(), event["offset"], event["count"]
            await send_file(self._connection, self._cycle, *where)
            if not event.get("more_body", False):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        with contextlib.suppress(ClientGone):
            await self._app(scope, receive, send_also_files)


async def send_file(
    connection: Protocol, cycle: RequestResponseCycle, descriptor: int, offset: int, count: int
) -> None:
    """Let the kernel send ``count`` bytes of a file after the head of the response.

    Returns early when the client goes away, as ``send`` does. :raises RuntimeError: the file is shorter.
    """
    transport, end = cycle.transport, offset + count
    send_seconds = patience = connection.limits.send_seconds
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
                    connection.blocked_since = connection.blocked_since or connection.loop.time()
                    if not await _writable(socket):
                        patience -= LOOK_AGAIN_SECONDS
                        if patience <= 0:
                            transport.abort()
                            return
                    continue
                except (BrokenPipeError, ConnectionError):
                    transport.abort()
                    return
                if not sent:
                    transport.abort()
                    raise RuntimeError(f"a file ended {end - offset} bytes before the response that is made of it")
                offset, patience, connection.blocked_since = offset + sent, send_seconds, 0.0
        finally:
            connection.blocked_since = 0.0
            os.close(socket)
    finally:
        if not transport.is_closing():
            transport.set_write_buffer_limits()


async def _writable(socket: int) -> bool:
    """Wait until the socket takes more; False when it is worth looking whether its client is still there."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(socket, ready.set)
    try:
        async with asyncio.timeout(LOOK_AGAIN_SECONDS):
            await ready.wait()
            return True
    except TimeoutError:
        return False
    finally:
        loop.remove_writer(socket)
