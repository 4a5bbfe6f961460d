"""Sessions with QMP servers that end in the worst moment."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from qemu.qmp.message import Message

from tane.agent.compute.drivers.qemu import QemuSettings, duty, machine, probe_accelerator
from tane.agent.compute.drivers.qemu.record import GuestFolder, Record
from tane.agent.images import ImageCache
from tane.linux import process
from tane.linux.qmp import EVENTS_A_SECOND, QmpError, QmpSession
from tane.wire.documents import Guest
from tests.host.tools import FileImages, nothing_moves

GREETING = b'{"QMP": {"version": {"qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""}, "capabilities": []}}\n'


@pytest.mark.parametrize("yields", range(8))
def test_a_session_closed_while_it_is_lost_leaves_no_exception_behind(tmp_path: Path, yields: int) -> None:
    path = tmp_path / "qmp"
    lost: list[dict[str, Any]] = []

    async def scene() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(GREETING)
            asked = json.loads(await reader.read(4096))
            writer.write(json.dumps({"return": {}, "id": asked.get("id")}).encode() + b"\n")
            await writer.drain()

        server = await asyncio.start_unix_server(serve, str(path))
        async with server:
            session = QmpSession(path)
            await session.connect()
            # Half a message: the reader ends with an error of its own.
            writers[0].write(b'{"half": ')
            writers[0].close()
            while session.connected:  # noqa: ASYNC110  # Nobody tells us.
                await asyncio.sleep(0)
            for _ in range(yields):
                await asyncio.sleep(0)
            await session.close()
            del session
            await writers[0].wait_closed()
            gc.collect()
            await asyncio.sleep(0)

    asyncio.run(scene())
    gc.collect()
    assert lost == []


class Hostile:
    """What answers at a guest's socket once its QEMU is in other hands: polite at first, then ``goes_on``."""

    def __init__(self, path: Path, goes_on: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.path = path
        self.goes_on = goes_on

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(GREETING)
            asked = json.loads(await reader.read(4096))
            writer.write(json.dumps({"return": {}, "id": asked.get("id")}).encode() + b"\n")
            with contextlib.suppress(OSError):
                await self.goes_on(writer)
            await reader.read()
        finally:
            writer.close()

    def meet(self, scene: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            async with await asyncio.start_unix_server(self.serve, str(self.path)):
                await asyncio.wait_for(scene(), 30)

        asyncio.run(run())


async def silent(writer: asyncio.StreamWriter) -> None:
    """Says nothing more."""


async def flooding(writer: asyncio.StreamWriter) -> None:
    event = b'{"event": "SHUTDOWN", "data": {}, "timestamp": {"seconds": 1, "microseconds": 1}}\n'
    for _ in range(1000):
        writer.write(event * 100)
        await writer.drain()


async def bulky(writer: asyncio.StreamWriter) -> None:
    event = b'{"event": "SHUTDOWN", "data": {"more": "%s"}, "timestamp": {"seconds": 1, "microseconds": 1}}\n'
    for _ in range(100):
        writer.write(event % (b"x" * 200_000))
        await writer.drain()


async def chatting(writer: asyncio.StreamWriter) -> None:
    """Below what is refused."""
    event = b'{"event": "ACPI_DEVICE_OST", "data": {"info": "%s"}, "timestamp": {"seconds": 1, "microseconds": 1}}\n'
    for number in range(EVENTS_A_SECOND - 10):
        writer.write(event % (b"%d" % number))
    writer.write(b'{"event": "SHUTDOWN", "data": {}, "timestamp": {"seconds": 1, "microseconds": 1}}\n')
    await writer.drain()


def test_events_that_were_heard_take_no_memory(tmp_path: Path) -> None:
    heard: list[str] = []
    last = asyncio.Event()

    def hear(event: Mapping[str, Any]) -> None:
        heard.append(event["event"])
        if event["event"] == "SHUTDOWN":
            last.set()

    async def scene() -> None:
        session = QmpSession(tmp_path / "qmp", on_event=hear)
        await session.connect()
        await last.wait()
        assert len(heard) == EVENTS_A_SECOND - 9 and session.connected
        gc.collect()
        assert not [found for found in gc.get_objects() if isinstance(found, Message) and "event" in found]
        await session.close()

    Hostile(tmp_path / "qmp", chatting).meet(scene)


def test_a_command_without_an_answer_ends_and_so_does_its_connection(tmp_path: Path) -> None:
    async def scene() -> None:
        session = QmpSession(tmp_path / "qmp")
        await session.connect()
        with pytest.raises(QmpError, match=r"gave no answer to query-status in 0 s") as caught:
            await session.execute("query-status", seconds=0.05)
        assert caught.value.lost
        await session.close()
        assert not session.connected

    Hostile(tmp_path / "qmp", silent).meet(scene)


async def malformed(writer: asyncio.StreamWriter) -> None:
    writer.write(b'{"event": "BLOCK_IO_ERROR", "data": {}, "timestamp": {"seconds": 1, "microseconds": 1}}\n')
    await flooding(writer)


async def answering_nothing(writer: asyncio.StreamWriter) -> None:
    answer = b'{"return": {}, "id": "x"}\n'
    for _ in range(1000):
        writer.write(answer * 100)
        await writer.drain()


@pytest.mark.parametrize(
    ("hostile", "most"), [(answering_nothing, 0), (flooding, EVENTS_A_SECOND), (bulky, 10), (malformed, 0)]
)
def test_who_floods_a_session_with_events_is_not_listened_to(
    hostile: Callable[[asyncio.StreamWriter], Awaitable[None]], most: int, tmp_path: Path
) -> None:
    heard: list[str] = []
    ended = asyncio.Event()

    def hear(event: Mapping[str, Any]) -> None:
        if event["event"] == "BLOCK_IO_ERROR":
            heard.append(event["data"]["action"])
        heard.append(event["event"])

    async def scene() -> None:
        session = QmpSession(tmp_path / "qmp", on_event=hear, on_lost=ended.set)
        await session.connect()
        await ended.wait()
        assert session.flooded and not session.connected
        assert len(heard) <= most
        await session.close()

    Hostile(tmp_path / "qmp", hostile).meet(scene)


async def endless(writer: asyncio.StreamWriter) -> None:
    for _ in range(48):
        writer.write(b"x" * (1 << 16))
        await writer.drain()


async def nested(writer: asyncio.StreamWriter) -> None:
    writer.write(b"[" * 100_000 + b"\n")
    await writer.drain()


@pytest.mark.parametrize("hostile", [endless, nested])
def test_what_is_no_qmp_ends_the_session_and_keeps_nobody_from_the_next(
    tmp_path: Path, hostile: Callable[[asyncio.StreamWriter], Awaitable[None]]
) -> None:
    async def scene() -> None:
        for _ in range(2):
            ended = asyncio.Event()
            session = QmpSession(tmp_path / "qmp", on_lost=ended.set)
            with contextlib.suppress(QmpError):  # The nonsense may come before the connection is made.
                await session.connect()
                await ended.wait()
            await session.close()
            await session.close()
            assert not session.connected

    Hostile(tmp_path / "qmp", hostile).meet(scene)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """The path of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="tane-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("hostile", [silent, flooding, endless, nested])
def test_one_guest_in_other_hands_keeps_no_host_from_starting(
    short_path: Path, hostile: Callable[[asyncio.StreamWriter], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "RECONNECT_SECONDS", 0.2)
    monkeypatch.setattr(machine, "_GLANCE_SECONDS", 0.2)
    guest_id = str(uuid.uuid4())
    folder = GuestFolder(short_path / "guests" / guest_id)
    folder.qmp.parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(GuestFolder, "owner", None)
    folder.save(Record(guest=Guest(id=guest_id, name="g", vcpus=1, memory_mb=64), base="", state="running"))
    process.spawn(["sleep", "60"], pidfile=folder.pidfile, log=folder.log)
    told: list[object] = []

    async def scene() -> None:
        settings = QemuSettings(state_dir=short_path, accelerator=probe_accelerator(), user_network=True)
        host = duty.QemuCompute(settings, ImageCache(short_path / "images", FileImages()), nothing_moves)
        await host.start_duty(lambda guest, state: told.append((guest, state)))
        assert await host.states() == {guest_id: "running"}
        await host.stop_duty()

    try:
        Hostile(folder.qmp, hostile).meet(scene)
    finally:
        process.stop(folder.pidfile)
    assert told == []
