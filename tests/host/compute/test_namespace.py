"""Guests whose taps and volumes live in a network namespace."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tane.agent.compute.drivers import qemu
from tane.agent.compute.drivers.qemu import Accelerator, QemuCompute, QemuSettings, devices, hotplug
from tane.agent.images import ImageCache
from tane.agent.volume.drivers import file
from tane.agent.volume.drivers.exporter import ExportSettings
from tane.agent.volume.drivers.file import FileVolume
from tane.wire.documents import Guest, Nic, VolumeDisk
from tane.wire.errors import HostError
from tests.host.tools import FileImages, nothing_moves, until

pytestmark = [pytest.mark.root, pytest.mark.guest]


def new_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def state_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tane-"))
    yield folder
    qemu.teardown(folder)
    file.teardown(folder)
    shutil.rmtree(folder)


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"tane-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    for tap in ("tap-one", "tap-two"):
        subprocess.run(["ip", "netns", "exec", name, "ip", "tuntap", "add", tap, "mode", "tap"], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", tap, "up"], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


async def nothing(*_: object) -> None:
    """What an agent does that was killed."""


def test_a_guest_uses_taps_and_volumes_of_its_hosts_namespace(
    state_dir: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def carrier(tap: str) -> bool:
        command = ["ip", "-n", namespace, "-j", "link", "show", "dev", tap]
        listed = await asyncio.to_thread(subprocess.check_output, command)
        return "LOWER_UP" in json.loads(listed)[0]["flags"]

    async def live() -> None:
        images = ImageCache(state_dir / "images", FileImages())
        settings = QemuSettings(state_dir=state_dir, accelerator=Accelerator("tcg", "a test"), netns=namespace)
        compute = QemuCompute(settings, images, nothing_moves)
        volumes = FileVolume(state_dir, images, ExportSettings(netns=namespace))
        await compute.start_duty(lambda _id, _state: None)
        cold, hot = new_id(), new_id()
        for volume_id in (cold, hot):
            await volumes.create(volume_id, 1 << 20)
        first = VolumeDisk(volume_id=cold, connection=await volumes.export(cold), boot_index=0)
        nics = [
            Nic(port_id=new_id(), mac_address=f"fa:16:3e:00:00:0{number}", tap=tap)
            for number, tap in enumerate(("tap-one", "tap-two"))
        ]
        guest = Guest(id=new_id(), name="web", vcpus=1, memory_mb=64, volumes=(first,), nics=(nics[0],))
        await compute.create(guest)
        await compute.start(guest)
        await until(lambda: carrier("tap-one"), "the first tap's carrier", 10)
        assert not await carrier("tap-two")
        [counted] = (await compute.diagnostics(guest.id)).nics
        assert counted.rx_octets is not None
        assert counted.tx_errors == 0
        with monkeypatch.context() as broken_off:
            # As when the agent is killed between two commands: QEMU has the tap, and no NIC has it.
            broken_off.setattr(devices, "nic_frontend", lambda *_: {"driver": "no such device"})
            broken_off.setattr(hotplug, "_forget_backend", nothing)
            with pytest.raises(HostError):
                await compute.attach_nic(guest.id, nics[1])
        for _ in range(2):
            await compute.attach_nic(guest.id, nics[1])
        await until(lambda: carrier("tap-two"), "the second tap's carrier", 10)
        await compute.attach_volume(guest.id, VolumeDisk(volume_id=hot, connection=await volumes.export(hot)))
        assert await compute.state(guest.id) == "running"
        await compute.destroy(guest.id)
        for volume_id in (cold, hot):
            await volumes.delete(volume_id)
        await compute.stop_duty()

    asyncio.run(live())
