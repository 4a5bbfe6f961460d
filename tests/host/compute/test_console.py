"""The serial console of a guest that floods, that reads nothing, or whose host has no room: who looks and what is kept.

The process of the guest is a socket of the test's here; ``test_qemu_guests`` asks QEMU.
"""

from __future__ import annotations

import asyncio
import base64
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tane.agent.compute.drivers.qemu import console as consoles
from tane.agent.compute.drivers.qemu.console import Console
from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.linux.qmp import QmpError, QmpSession
from tane.wire.errors import HostError
from tane.wire.streams import Connection
from tests.host.tools import until

MB = 1 << 20


class Folder(GuestFolder):
    owner = None


class Qemu:
    """A process that does with its character device what QEMU does. ``writes``: what the guest does, once connected."""

    def __init__(self, folder: GuestFolder) -> None:
        self.folder, self.ring, self.held = folder, True, b""
        self.server: asyncio.Server | None = None
        self.connected: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def session(self) -> QmpSession:
        return cast(QmpSession, self)

    async def execute(self, command: str, given: Any) -> Any:
        if command == "ringbuf-read":
            if not self.ring:
                raise QmpError("not a ringbuf")
            held, self.held = self.held, b""
            return base64.b64encode(held)
        self.ring = given["backend"]["type"] == "ringbuf"
        if self.ring and self.writers:
            self.writers[-1].close()
        if not self.ring:
            self.folder.serial.unlink(missing_ok=True)
            self.server = await asyncio.start_unix_server(self._connected, self.folder.serial)
        elif self.server is not None:
            self.server.close()
        return {}

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        await self.connected.put((reader, writer))

    async def rings(self) -> None:
        async def back() -> bool:
            return self.ring

        await until(back, "the ring in its place", 5)


def at(tmp_path: Path, story: Callable[[Console, Qemu], Awaitable[None]]) -> None:
    async def told() -> None:
        folder = Folder(tmp_path)
        folder.sockets.mkdir()
        console, qemu = Console(folder), Qemu(folder)
        async with asyncio.timeout(20):
            await story(console, qemu)
            await console.let_go(qemu.session)
            for writer in qemu.writers:
                writer.close()
                await writer.wait_closed()

    asyncio.run(told())


async def ended(viewer: Connection, text: bytes) -> None:
    last = b""
    while not last.endswith(text):
        last = (last + await viewer.reader.read(MB))[-100:]


def test_a_guest_that_floods_its_console_does_not_flood_the_host_s_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    monkeypatch.setattr(consoles, "BYTES_A_SECOND", 16 * MB)
    monkeypatch.setattr(consoles, "KEPT_SECONDS", 0.2)
    keep, private = Console._keep, consoles.write_private

    def counted(console: Console, fresh: bytes) -> None:
        nonlocal written
        written += len(fresh)
        keep(console, fresh)

    def rewritten(path: Path, content: bytes) -> None:
        nonlocal written
        written += len(content)
        private(path, content)

    monkeypatch.setattr(Console, "_keep", counted)
    monkeypatch.setattr(consoles, "write_private", rewritten)

    async def story(console: Console, qemu: Qemu) -> None:
        qemu.held = b"began\n"
        viewer = await console.attach(qemu.session)
        assert await viewer.reader.readexactly(6) == b"began\n"
        _, guest = await qemu.connected.get()
        seen = asyncio.create_task(ended(viewer, b"the end"))
        for number in range(64):
            guest.write(bytes([48 + number % 10]) * (64 << 10))
            await guest.drain()
        guest.write(b"the end")
        await seen
        await console.drain(await qemu.session())
        log = await console.tail(4 * MB)
        assert len(log) == MB and log.endswith(b"the end")
        viewer.writer.close()
        await qemu.rings()

    at(tmp_path, story)
    assert written < 12 * MB, written


def test_a_full_disk_of_the_host_cuts_nobody_off_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, full = Console._keep, True

    def no_room(console: Console, fresh: bytes) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        keep(console, fresh)

    monkeypatch.setattr(Console, "_keep", no_room)
    monkeypatch.setattr(consoles, "KEPT_SECONDS", 0.0)

    async def story(console: Console, qemu: Qemu) -> None:
        nonlocal full
        qemu.held = b"began\n"
        viewer = await console.attach(qemu.session)
        _, guest = await qemu.connected.get()
        guest.write(b"." * 100_000 + b"no space left: help")
        await ended(viewer, b"help")
        assert (await console.tail(100_100)).startswith(b"began\n....")
        viewer.writer.close()
        await qemu.rings()
        qemu.held = b", once more"
        await console.drain(await qemu.session())
        assert (await console.tail(100)).endswith(b"help, once more")
        full = False
        await console.drain(await qemu.session())
        kept = (tmp_path / "console.log").read_bytes()
        assert kept == b"began\n" + b"." * 100_000 + b"no space left: help, once more"

    at(tmp_path, story)


def test_a_guest_that_reads_nothing_holds_no_place_of_who_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consoles, "TYPED_SECONDS", 0.1)

    async def story(console: Console, qemu: Qemu) -> None:
        viewers = [await console.attach(qemu.session) for _ in range(consoles.MOST_VIEWERS)]
        with pytest.raises(HostError, match="16 look at this console already"):
            await console.attach(qemu.session)
        reader, _ = await qemu.connected.get()
        for viewer in viewers:
            viewer.writer.write(b"typed\r" * 20_000)
            viewer.writer.close()
        await qemu.rings()
        (await console.attach(qemu.session)).writer.close()
        assert (await reader.read(6)) == b"typed\r", "what the guest was given is there for it"

    at(tmp_path, story)


def test_no_more_come_at_once_than_may_look(tmp_path: Path) -> None:
    async def story(console: Console, qemu: Qemu) -> None:
        wanted = [console.attach(qemu.session) for _ in range(consoles.MOST_VIEWERS + 4)]
        found = await asyncio.gather(*wanted, return_exceptions=True)
        assert sum(isinstance(one, HostError) for one in found) == 4
        for one in found:
            if isinstance(one, Connection):
                one.writer.close()
        await qemu.rings()

    at(tmp_path, story)


def test_the_ring_is_back_when_nobody_could_be_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def another(path: Path, uid: int) -> None:
        raise PermissionError(f"another user answers at {path.name}")

    async def story(console: Console, qemu: Qemu) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(consoles.sockets, "connected", another)
            with pytest.raises(HostError, match="another user answers"):
                await console.attach(qemu.session)
        await qemu.rings()
        qemu.held = b"goes on"
        await console.drain(await qemu.session())
        assert await console.tail(100) == b"goes on"

    at(tmp_path, story)
