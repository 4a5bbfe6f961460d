"""A guest that says nothing, or an engine that does not: whoever asks it waits for a while, and nobody else does."""

from __future__ import annotations

import asyncio
import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tane.agent.compute.drivers.qemu import inside, machine
from tane.agent.compute.drivers.qemu.accelerator import Accelerator
from tane.agent.compute.drivers.qemu.duty import QemuCompute
from tane.agent.compute.drivers.qemu.machine import Machine
from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.agent.compute.drivers.qemu.settings import QemuSettings
from tane.wire.errors import HostError, NotSupported
from tests.api.compute_support import V, make_image, project
from tests.support import ApiCloud

GUEST = "6b0f4c5e-0000-4000-8000-000000000001"


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> Iterator[QemuCompute]:
    """A host with one guest that runs, whose agent takes what it is told and says nothing."""
    monkeypatch.setattr(GuestFolder, "owner", None)
    monkeypatch.setattr(Machine, "running", lambda self: True)
    with tempfile.TemporaryDirectory(prefix="tane-") as name:
        folder = GuestFolder(Path(name))
        folder.sockets.mkdir()
        settings = QemuSettings(state_dir=folder.path, accelerator=Accelerator("tcg", "by choice"))
        found = Machine(folder, settings, lambda *_: None)
        found._record = SimpleNamespace(guest=SimpleNamespace(id=GUEST, hardware=SimpleNamespace(guest_agent=True)))  # type: ignore[assignment]
        duty = QemuCompute.__new__(QemuCompute)
        duty._machines = {GUEST: found}
        yield duty


def beside(duty: QemuCompute, work: Callable[[], Awaitable[None]]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def run() -> None:
        async with await asyncio.start_unix_server(serve, str(duty._machines[GUEST].folder.agent)):
            await asyncio.wait_for(work(), 20)

    asyncio.run(run())


def test_who_waits_for_a_guests_agent_keeps_nothing_else_from_the_guest(mute: QemuCompute) -> None:
    async def work() -> None:
        waiting = asyncio.create_task(mute.set_password(GUEST, "root", "secret"))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5), mute._locked(GUEST):
            assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    beside(mute, work)


def test_one_at_a_time_asks_a_guests_agent(mute: QemuCompute, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand that wait one after another would wait for hours; whoever comes after the first has ended is heard."""
    monkeypatch.setattr(inside, "SECONDS", 0.3)

    async def work() -> None:
        for _ in range(2):
            many = [asyncio.create_task(mute.set_password(GUEST, "root", f"secret-{n}")) for n in range(100)]
            answers = await asyncio.gather(*many, return_exceptions=True)
            assert [type(answer) for answer in answers] == [NotSupported, *[HostError] * 99]
            assert not answers[1].transient  # type: ignore[union-attr]

    beside(mute, work)


def test_a_look_whether_the_agent_answers_takes_nobodys_turn(
    mute: QemuCompute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sets a password waits for it; beside one who does, nobody looks."""
    monkeypatch.setattr(inside, "SECONDS", 0.4)
    monkeypatch.setattr(inside, "PING_SECONDS", 0.2)
    mute._machines[GUEST]._record.state = "running"  # type: ignore[union-attr]

    async def begun() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
            if mute._machines[GUEST].agent._lock.locked():
                return
        raise AssertionError("nobody asks the agent")

    async def work() -> None:
        looking = asyncio.create_task(mute.ping([GUEST]))
        await begun()
        with pytest.raises(NotSupported):
            await mute.set_password(GUEST, "root", "secret")
        assert looking.done() and await looking == {GUEST: "the guest's agent does not answer"}
        setting = asyncio.create_task(mute.set_password(GUEST, "root", "secret"))
        await begun()
        assert await mute.ping([GUEST]) == {}, "it is not judged by that"
        await asyncio.gather(setting, return_exceptions=True)
        assert await mute.ping([GUEST]) == {GUEST: "the guest's agent does not answer"}

    beside(mute, work)


def test_the_console_of_an_engine_that_does_not_answer_is_waited_for_once(
    mute: QemuCompute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by those who come while others wait: what was read before is told."""
    monkeypatch.setattr(machine, "_CONSOLE_SECONDS", 0.2)
    found = mute._machines[GUEST]
    found.folder.console.write_bytes(b"a" * 1000 + b"the end")

    async def connecting() -> None:
        async with found._connecting:
            await asyncio.sleep(3600)

    monkeypatch.setattr(found, "qmp", connecting)

    async def work() -> None:
        asking = [asyncio.create_task(mute.console_log(GUEST, max_bytes=7)) for _ in range(20)]
        assert set(await asyncio.wait_for(asyncio.gather(*asking), 5)) == {b"the end"}

    beside(mute, work)


def test_what_is_asked_of_a_silent_guest_takes_no_memory_for_what_was_sent_with_it(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden = project(cloud)
    server_id = garden.server(imageRef=make_image(garden.user, "agent", hw_qemu_guest_agent="yes"))
    asked, said = asyncio.Event(), asyncio.Event()

    async def silent(guest_id: str, user: str, password: str) -> None:
        asked.set()
        await said.wait()

    monkeypatch.setattr(garden.host, "set_password", silent)

    async def body() -> AsyncIterator[bytes]:
        yield b'{"changePassword": {"adminPass": "new-secret"'
        for _ in range(900):
            yield b" " * 1000
        yield b"}}"

    def largest() -> int:
        return max(trace.size for trace in tracemalloc.take_snapshot().traces)

    async def scene() -> None:
        transport = httpx.ASGITransport(app=cloud.cloud.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test", timeout=30) as client:
            headers: Any = {"X-Auth-Token": garden.user.token, "Content-Type": "application/json"}
            tracemalloc.start()
            try:
                asking = asyncio.create_task(
                    client.post(f"{V}/servers/{server_id}/action", content=body(), headers=headers)
                )
                await asyncio.wait_for(asked.wait(), 20)
                held = largest()
            finally:
                tracemalloc.stop()
                said.set()
            assert (await asking).status_code == 202
            assert held < 400_000, held

    cloud.wait(scene())
