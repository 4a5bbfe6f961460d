"""Handshakes of TLS that never end: they count from their first packet on, and keep nobody out."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
import uvloop

from tane.config import Config
from tane.web import gate, tls

OF_ONE = 8


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n"])
def test_half_open_handshakes_of_an_address_are_few_and_keep_nobody_out(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "HALF_OPEN_OF_ADDRESS", OF_ONE)
    shown = tls.prepare(Config(state_dir=tmp_path, host="0.0.0.0"))
    assert shown is not None

    async def story() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            door = gate.Gate([listening], tls.server_context(shown), Echo)
            address = listening.getsockname()
            strangers = []
            for _ in range(10 * OF_ONE):
                one = socket.socket()
                one.setblocking(False)
                await loop.sock_connect(one, address)
                await loop.sock_sendall(one, said)
                strangers.append(one)
            trusted = tls.client_context(shown)
            for _ in range(3):
                reader, writer = await asyncio.open_connection(*address, ssl=trusted, server_hostname="localhost")
                writer.write(b"hello")
                assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
                assert door.half_open <= OF_ONE
                writer.close()
            await door.close()
            assert door.half_open == 0
            for one in strangers:
                one.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(story(), 30))
