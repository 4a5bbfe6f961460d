"""Real guests that go to another host while they run."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tane.agent.compute.drivers import qemu
from tane.agent.volume.drivers import file
from tane.cli.common import cache_folder
from tane.wire.documents import Guest, VolumeDisk
from tests.host.compute.test_qemu_guests import Host, Run, new_id
from tests.host.tools import until

pytestmark = pytest.mark.guest

COUNTING = """#!/bin/sh
while :; do n=$((n+1)); echo "beat $n $(cat /root/note 2>/dev/null)" >/dev/console; sleep 0.05; done &
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
    log = (await host.compute.console_log(guest.id, max_bytes=1 << 20)).decode(errors="replace")
    return [int(number) for number in re.findall(r"beat (\d+)", log)]


def test_go(hosts: tuple[Host, Host], run: Run) -> None:
    here, there = hosts
    there.images.paths.update(here.images.paths)
    guest = msgspec.structs.replace(here.guest(COUNTING), nics=(), ephemeral_gb=1, swap_mb=64)
    for image in (guest.kernel.kernel, guest.kernel.ramdisk):
        there.images.paths[image.id] = here.images.paths[image.id]

    async def go() -> None:
        volume = new_id()
        await here.volumes.create(volume, 64 << 20)
        disk = VolumeDisk(volume_id=volume, connection=await here.volumes.export(volume), device="/dev/vdd")
        guest2 = msgspec.structs.replace(guest, volumes=(disk,))
        await here.compute.create(guest2)
        await here.ready(guest2)
        await until(lambda: _some(beats(here, guest2)), "beats", 30)
        move = new_id()
        began = time.monotonic()
        running = await here.compute.running(guest.id)
        print(running.disks, running.layout)
        landing = await there.compute.expect(guest2, running, move, "127.0.0.1")
        assert await there.compute.expect(guest2, running, move, "127.0.0.1") == landing
        print("expect", time.monotonic() - began)
        sending = asyncio.ensure_future(here.compute.send(guest.id, landing))
        await asyncio.sleep(0.5)
        print(await here.compute.progress(guest.id))
        await sending
        print("sent", time.monotonic() - began)
        t = time.monotonic()
        await there.compute.land(guest.id)
        print("land", time.monotonic() - t)
        last = (await beats(here, guest2))[-1]
        await here.compute.destroy(guest.id)
        await asyncio.sleep(1)
        print(last, (await beats(there, guest2))[:5])
        print(await there.compute.states())
        await there.compute.destroy(guest.id)

    run(go())


async def _some(c):
    return bool(await c)
