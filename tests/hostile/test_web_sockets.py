"""Connections that became WebSockets: counted like others, and no way to fill the memory."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
import uvloop

from tane.web import protocol
from tane.web.limits import Limits
from tane.web.protocol import Protocol, serving

LIMITS = Limits(connections=6, connections_per_address=3)
KEY = base64.b64encode(b"0123456789abcdef")
HELLO = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Take every WebSocket and hear what comes until it ends."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def frame(operation: int, data: bytes) -> bytes:
    """One of a client: masked, with a mask of zeros."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([0x80 | operation]) + length + bytes(4) + data


async def greet(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HELLO)
    assert b"101" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    return reader, writer


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # Nobody tells us.
            await asyncio.sleep(0.02)


def visit(work: Callable[[int, type[Protocol]], Awaitable[None]]) -> None:
    async def run() -> None:
        http, ws = serving(LIMITS)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            quiet: dict[str, Any] = {"lifespan": "off", "log_config": None, "ws_per_message_deflate": False}
            config = uvicorn.Config(app, http=http, ws=ws, ws_max_size=1 << 16, interface="asgi3", **quiet)
            server = uvicorn.Server(config)
            running = asyncio.create_task(server._serve(sockets=[listener]))
            try:
                await work(listener.getsockname()[1], http)
            finally:
                server.should_exit = server.force_exit = True
                await running

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1000) == b""
    except ConnectionResetError:
        return True


def test_a_websocket_counts_among_the_connections_of_its_address() -> None:
    async def work(port: int, http: type[Protocol]) -> None:
        open_ones = [await greet(port) for _ in range(3)]
        assert http.door._count == 3
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(closed(reader), 5), "one too many is closed without a word"
        writer.close()
        for _, one in open_ones:
            one.close()
        await until(lambda: http.door._count == 0)

    visit(work)


def test_who_sends_pings_and_reads_no_answer_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_UNREAD", 1 << 16)

    async def work(port: int, http: type[Protocol]) -> None:
        reader, writer = await greet(port)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        pings = frame(9, os.urandom(125)) * 1000

        async def flood() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(pings)
                    await writer.drain()

        flooding = asyncio.create_task(flood())
        await until(lambda: http.door._count == 0)
        flooding.cancel()
        writer.close()

    visit(work)


@pytest.mark.parametrize("operation", [1, 2, 9, 10], ids=["text", "bytes", "ping", "pong"])
def test_who_sends_more_frames_than_anybody_types_does_not_stay(operation: int) -> None:
    async def work(port: int, http: type[Protocol]) -> None:
        reader, writer = await greet(port)
        reading = asyncio.create_task(reader.read())
        writer.write(frame(operation, b"") * 50_000)
        await until(lambda: http.door._count == 0)
        with contextlib.suppress(ConnectionError):
            await reading
        writer.close()

    visit(work)


@pytest.mark.parametrize("size", [1 << 17, 1 << 40, (1 << 63) - 1])
def test_a_message_that_is_too_large_ends_the_connection(size: int) -> None:
    """Whatever its length says: no memory is kept for what is announced."""

    async def work(port: int, http: type[Protocol]) -> None:
        _, writer = await greet(port)
        writer.write(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4))
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                writer.write(b"x" * 4096)
                await writer.drain()
        writer.close()
        await until(lambda: http.door._count == 0)

    visit(work)
