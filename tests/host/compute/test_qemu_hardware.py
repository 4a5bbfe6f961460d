"""Guests on the machines that images and flavors ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from tane.wire.documents import Guest, Hardware, Kernel
from tests.host.compute.test_qemu_guests import MB, Host, Run, host, new_id, run  # noqa: F401 (fixtures)

pytestmark = pytest.mark.guest


def of(host: Host, **fields: Any) -> Guest:  # noqa: F811
    # The firmware itself takes a hundred megabytes.
    guest = msgspec.structs.replace(host.guest(), memory_mb=256, vcpus=4 if "sockets" in fields else 1)
    return msgspec.structs.replace(guest, hardware=Hardware(**fields))


@contextmanager
def made(host: Host, run: Run, guest: Guest) -> Iterator[None]:  # noqa: F811
    run(host.compute.create(guest))
    try:
        yield
    finally:
        run(host.compute.destroy(guest.id))


@pytest.mark.nightly
def test_a_server_boots_by_uefi_from_a_scsi_disk_and_takes_volumes(host: Host, run: Run) -> None:  # noqa: F811
    guest = of(host, firmware="uefi", disk_bus="scsi", guest_agent=True, serial_ports=2, sockets=1, cores=2, threads=2)
    assert guest.kernel is not None
    line = guest.kernel.command_line.replace("/dev/vda", "/dev/sda")
    kernel = Kernel(kernel=guest.kernel.kernel, ramdisk=guest.kernel.ramdisk, command_line=line)
    guest = msgspec.structs.replace(guest, kernel=kernel)
    volume = new_id()
    run(host.volumes.create(volume, 64 * MB))
    with made(host, run, guest):
        run(host.ready(guest))
        assert "efi" in run(host.ssh(guest, "ls /sys/firmware"))
        assert run(host.ssh(guest, "ls /sys/block | grep -c ^sda")) == "1"
        assert run(host.ssh(guest, "cat /sys/class/virtio-ports/*/name")) == "org.qemu.guest_agent.0"
        assert run(host.ssh(guest, "grep -c ^processor /proc/cpuinfo")) == "4"
        variables = host.state_dir / "guests" / guest.id / "variables.fd"
        assert variables.stat().st_mode & 0o077 in (0, 0o040)

        async def plug() -> None:
            disk = await host.attach(guest, volume, "sdb")
            await host.compute.attach_volume(guest.id, disk)
            assert await host.ssh(guest, "cat /sys/block/sdb/device/vpd_pg80 | tr -dc 'a-f0-9-'") in volume
            await host.detach(guest, volume)
            assert not await host.has_disk(guest, "sdb")
            await host.attach(guest, volume, "sdb")
            await host.compute.suspend(guest.id)
            await host.compute.start(guest)
            assert await host.has_disk(guest, "sdb"), "the saved machine is made anew as it was"
            await host.detach(guest, volume)

        run(plug())
    run(host.volumes.delete(volume))


@pytest.mark.parametrize(
    "fields",
    [
        {"disk_bus": "sata", "cdrom_bus": "sata"},
        {"firmware": "uefi", "secure_boot": True},
        *({"vif_model": model} for model in ("e1000", "e1000e", "rtl8139", "vmxnet3")),
        *({"video_model": model} for model in ("virtio", "cirrus", "qxl", "bochs", "none")),
        {"watchdog": "pause", "tablet": True, "boot_menu": True, "local_time": True, "serial_ports": 4},
        {"machine": "pc-q35-7.2"},
    ],
    ids=lambda fields: ",".join(f"{name}={value}" for name, value in fields.items()),
)
def test_the_emulator_takes_every_machine(host: Host, run: Run, fields: dict[str, Any]) -> None:  # noqa: F811
    guest = msgspec.structs.replace(of(host, **fields), ephemeral_gb=1)
    with made(host, run, guest):
        run(host.compute.start(guest))
        assert run(host.compute.state(guest.id)) == "running"


def test_the_machine_of_the_first_start_is_recorded(host: Host, run: Run) -> None:  # noqa: F811
    guest = of(host)
    with made(host, run, guest):
        for _ in range(2):
            run(host.compute.start(guest))
            record = json.loads((host.state_dir / "guests" / guest.id / "guest.json").read_bytes())
            assert re.fullmatch(r"pc-q35-[0-9]+\.[0-9]+", record["machine"])
            run(host.compute.stop(guest.id, timeout_seconds=0))
