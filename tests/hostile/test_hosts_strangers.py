"""Who opens connections to the port for hosts without a word, or without an end, keeps no host away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from tane.hosts import listener
from tane.web import strangers
from tests.api.test_hosts import _stranger
from tests.joined import Agent, listening, new_token
from tests.support import ApiCloud


@pytest.fixture
def beta(tmp_path: Path) -> Agent:
    return Agent(tmp_path / "beta", "beta")


@contextlib.asynccontextmanager
async def flood(port: int, says: bytes, count: int, source: str = "127.0.0.1") -> Any:
    """So many connections, each opened again when it is closed."""

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
                try:
                    writer.write(says)
                    await reader.read()
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(one()) for _ in range(count)]
    await asyncio.sleep(0.3)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


HELLO_BEGUN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.mark.parametrize("known", [True, False], ids=["told apart by user", "of one address"])
@pytest.mark.parametrize("says", [b"", HELLO_BEGUN], ids=["silent", "begun"])
def test_a_host_comes_in_through_a_crowd(
    cloud: ApiCloud, beta: Agent, says: bytes, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("SILENT", 16), ("SILENT_OF_ADDRESS", 8), ("STRANGERS", 16), ("STRANGERS_OF_ADDRESS", 8)):
        monkeypatch.setattr(listener, name, most)
    if not known:
        monkeypatch.setattr(strangers.peers, "user_of", lambda *ends: None)

    async def work() -> None:
        async with listening(cloud) as door:
            await beta.join(await new_token(cloud))
            async with flood(door.port, says, 24):
                for _ in range(3):
                    async with beta.connected():
                        assert await cloud.core.hosts.compute(beta.host_id).states() == {}
                assert door._silent.count <= 8 and door._strangers.count <= 8

    cloud.wait(work())


def test_many_addresses_leave_another_its_room(cloud: ApiCloud, beta: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("SILENT", 16), ("SILENT_OF_ADDRESS", 4), ("STRANGERS", 16), ("STRANGERS_OF_ADDRESS", 4)):
        monkeypatch.setattr(listener, name, most)
    monkeypatch.setattr(strangers.peers, "user_of", lambda *ends: None)

    async def work() -> None:
        async with listening(cloud) as door:
            await beta.join(await new_token(cloud))
            async with contextlib.AsyncExitStack() as held:
                for number in range(2, 8):
                    await held.enter_async_context(flood(door.port, HELLO_BEGUN, 4, f"127.0.0.{number}"))
                async with beta.connected():
                    assert await cloud.core.hosts.compute(beta.host_id).states() == {}

    cloud.wait(work())


def test_the_silent_are_let_go(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.1)

    async def work() -> None:
        async with listening(cloud) as door:
            await door.open()
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            assert not door._silent.count
            async with _stranger(door.port):
                assert door._strangers.count == 1

    cloud.wait(work())


def test_users_of_this_machine_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as one:
        with listening.accept()[0] as taken:
            assert strangers.place_of(taken.getpeername(), taken.getsockname()).startswith("user ")
        assert one
    assert strangers.place_of(("2001:db8::1", 5), ("2001:db8::2", 6)) == "2001:db8::/64"
