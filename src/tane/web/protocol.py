"""The HTTP connection: uvicorn's, with request bodies that are not copied and files that the kernel sends.

``http.response.zerocopysend`` is ASGI's extension of that name (asgi.readthedocs.io, "Zero Copy Send"): the body event
names an open file, an offset and a count instead of carrying bytes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

ZERO_COPY = "http.response.zerocopysend"
MOST_AT_ONCE = 8 << 20
LOOK_AGAIN_SECONDS = 5.0


_incoming = memoryview(bytearray(512 << 10))
"""What every connection is read into: the parser takes its copy before the loop reads the next one."""


class Protocol(HttpToolsProtocol, asyncio.BufferedProtocol):  # type: ignore[misc]  # uvicorn is untyped to mypy.
    """One connection of a client."""

    def get_buffer(self, sizehint: int) -> memoryview:
        return _incoming

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(_incoming[:nbytes])

    def on_body(self, body: bytes) -> None:
        # What is alone in the buffer is handed on as it came; uvicorn's own buffer would copy it in and out.
        if self.cycle is not None and not self.cycle.body:
            self.cycle.body = body
            body = b""
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.scheme == "http":
            cycle.scope["extensions"] = {ZERO_COPY: {}}
        super()._start_asgi_task(cycle, _Sender(cycle, app))


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
