"""Real guests that go to another host while they run."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tane.agent.compute.drivers import qemu
from tane.agent.compute.drivers.qemu import copier, live, probe_accelerator
from tane.agent.compute.drivers.qemu.machine import Machine
from tane.agent.volume.drivers import file
from tane.cli.common import cache_folder
from tane.linux import process
from tane.wire.documents import Guest, Landing, VolumeDisk
from tane.wire.errors import HostError
from tests.host.compute.test_qemu_guests import Host, Run, new_id
from tests.host.tools import until

pytestmark = pytest.mark.guest

MB = 1 << 20
HERE = "127.0.0.1"
COUNTING = """#!/bin/sh
echo note >/root/note; mount /dev/vdb /mnt; echo there >/mnt/note; sync
while :; do n=$((n+1)); echo "beat $n $(cat /root/note /mnt/note | tr '\\n' ' ')" >/dev/console; sleep 0.1; done &
"""


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def hosts(run: Run) -> Iterator[tuple[Host, Host]]:
    folders = [Path(tempfile.mkdtemp(prefix="tane-")) for _ in range(2)]
    here, there = (Host(folder, cache_folder()) for folder in folders)
    for host in (here, there):
        run(host.compute.start_duty(host.tell))
    yield here, there
    for host, folder in ((here, folders[0]), (there, folders[1])):
        run(host.compute.stop_duty())
        qemu.teardown(folder)
        file.teardown(folder)
        shutil.rmtree(folder)


async def beats(host: Host, guest: Guest) -> list[int]:
    """What the guest counted on its console, each time with what it read from its disks."""
    log = (await host.compute.console_log(guest.id, max_bytes=MB)).decode(errors="replace")
    return [int(number) for number in re.findall(r"beat (\d+) note there", log)]


async def counting(host: Host, guest: Guest, more_than: int = 0) -> None:
    async def counted() -> bool:
        return max(await beats(host, guest), default=-1) > more_than

    await until(counted, "the guest to count on", 90)


async def a_counting_guest(here: Host, there: Host) -> Guest:
    """One with disks of all kinds, and no card: outside a namespace two guests cannot have the same forwarded port."""
    volume = new_id()
    await here.volumes.create(volume, 64 * MB)
    disk = VolumeDisk(volume_id=volume, connection=await here.volumes.export(volume), device="/dev/vdd")
    guest = msgspec.structs.replace(here.guest(COUNTING), nics=(), ephemeral_gb=1, swap_mb=64, volumes=(disk,))
    there.images.paths.update(here.images.paths)
    await here.compute.create(guest)
    await here.ready(guest)
    await counting(here, guest)
    return guest


async def awaited(here: Host, there: Host, guest: Guest, move: str) -> Landing:
    return await there.compute.expect(guest, await here.compute.running(guest.id), move, HERE)


async def on_its_way(host: Host, guest: Guest) -> bool:
    try:
        return (await host.compute.progress(guest.id)).disk_total >= 2 << 30
    except HostError:
        return False


def test_a_guest_goes_on_counting_on_another_host(
    hosts: tuple[Host, Host], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = hosts
    memory_sent, does = live._memory_sent, []

    async def watched(machine: Machine, landing: Landing, *, continued: bool = False) -> bool:
        does.append(await machine.run_state())
        return await memory_sent(machine, landing, continued=continued)

    monkeypatch.setattr(live, "_memory_sent", watched)

    async def story() -> None:
        guest, move = await a_counting_guest(here, there), new_id()
        landing = await awaited(here, there, guest, move)
        assert await awaited(here, there, guest, move) == landing
        assert await there.compute.states() == {} and await there.compute.kept() == {move}
        sent = [asyncio.ensure_future(here.compute.send(guest.id, landing)) for _ in range(2)]
        await until(lambda: on_its_way(here, guest), "the copies of the disks", 20)
        await asyncio.gather(*sent)
        # An emulator loses some of what a running guest writes to the memory that it sends.
        assert (does[0] == "paused") == (probe_accelerator().kind == "tcg"), does
        await here.compute.send(guest.id, landing)
        last = max(await beats(here, guest))
        await there.compute.land(guest.id)
        await there.compute.land(guest.id)
        await here.compute.destroy(guest.id)
        await counting(there, guest, more_than=last)
        assert min(await beats(there, guest)) in (last, last + 1), "it stood still on both"
        assert await there.compute.states() == {guest.id: "running"} and await there.compute.kept() == set()

        # And it is the same to its host as any other: it is suspended, it stops, and boots from the disks that came.
        last = max(await beats(there, guest))
        await there.compute.suspend(guest.id)
        await there.compute.start(guest)
        await counting(there, guest, more_than=last)
        await there.compute.stop(guest.id, timeout_seconds=0)
        await there.ready(guest)
        await there.compute.destroy(guest.id)

    run(story())


@pytest.mark.nightly
def test_a_guest_that_was_sent_goes_on_where_it_was_when_that_is_decided(
    hosts: tuple[Host, Host], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = hosts
    monkeypatch.setattr(copier, "OPEN_SECONDS", 3.0)

    async def story() -> None:
        guest, move = await a_counting_guest(here, there), new_id()
        landing = await awaited(here, there, guest, move)
        await here.compute.send(guest.id, landing)
        last = max(await beats(here, guest))
        await here.compute.stay(guest.id)
        await here.compute.stay(guest.id)
        await counting(here, guest, more_than=last + 3)
        await there.compute.forget(move)
        assert await there.compute.kept() == set() and not list((there.state_dir / "guests").iterdir())
        with pytest.raises(HostError, match="not on its way"):
            await here.compute.progress(guest.id)

        # Nobody who awaits it: it says so and goes on.
        with pytest.raises(HostError, match="cannot be sent"):
            await here.compute.send(guest.id, landing)
        await here.compute.stay(guest.id)
        last = max(await beats(here, guest))
        await counting(here, guest, more_than=last + 3)

        # QEMU opens a disk on another host while its guest stands still: nobody's silence makes this one stand.
        with socket.create_server((HERE, 0)) as silent:
            pidfile = here.state_dir / "guests" / guest.id / "cp" / "pid"

            async def copying() -> bool:
                return process.alive(pidfile)

            deaf = msgspec.structs.replace(landing, disks_port=silent.getsockname()[1])
            sending = asyncio.create_task(here.compute.send(guest.id, deaf))
            await until(copying, "the copier")
            await counting(here, guest, more_than=max(await beats(here, guest)) + 3)
            assert not sending.done()
            with pytest.raises(HostError, match="were not open there within 3 seconds"):
                await sending
        await here.compute.stay(guest.id)
        assert not pidfile.parent.exists()

        # And another time it arrives.
        landing = await awaited(here, there, guest, other := new_id())
        assert await there.compute.kept() == {other}
        await here.compute.send(guest.id, landing)
        await there.compute.land(guest.id)
        await here.compute.destroy(guest.id)
        await counting(there, guest, more_than=last)
        await there.compute.destroy(guest.id)

    run(story())


@pytest.mark.nightly
def test_a_paused_guest_goes_and_comes_back_paused(hosts: tuple[Host, Host], run: Run) -> None:
    here, there = hosts

    async def journey(begin: Host, end: Host, guest: Guest) -> None:
        landing = await awaited(begin, end, guest, new_id())
        await begin.compute.send(guest.id, landing)
        await end.compute.land(guest.id, paused=True)
        await begin.compute.destroy(guest.id)
        assert await end.compute.state(guest.id) == "paused"

    async def story() -> None:
        guest = await a_counting_guest(here, there)
        await here.compute.pause(guest.id)
        last = max(await beats(here, guest))
        landing = await awaited(here, there, guest, new_id())
        await here.compute.send(guest.id, landing)
        await here.compute.stay(guest.id, paused=True)
        assert await here.compute.state(guest.id) == "paused"
        await journey(here, there, guest)
        await journey(there, here, guest)
        await here.compute.unpause(guest.id)
        await counting(here, guest, more_than=last)
        await here.compute.destroy(guest.id)

    run(story())


def test_a_host_awaits_no_machine_other_than_the_server(hosts: tuple[Host, Host], run: Run) -> None:
    here, there = hosts
    guest = msgspec.structs.replace(here.guest(), nics=())
    there.images.paths.update(here.images.paths)
    run(here.compute.create(guest))
    run(here.compute.start(guest))
    told = run(here.compute.running(guest.id))
    larger = msgspec.structs.replace(told, disks={"root": 2 << 30})
    with pytest.raises(HostError, match="room for"):
        run(there.compute.expect(guest, larger, new_id(), HERE))
    more = msgspec.structs.replace(told.layout, slots={**told.layout.slots, "nic-of-nobody": 9})
    with pytest.raises(HostError, match="other devices"):
        run(there.compute.expect(guest, msgspec.structs.replace(told, layout=more), new_id(), HERE))
    with pytest.raises(HostError, match="cannot be awaited"):
        run(there.compute.expect(guest, told, new_id(), "no address"))
    assert run(there.compute.kept()) == set() and not list((there.state_dir / "guests").iterdir())
    run(here.compute.destroy(guest.id))
