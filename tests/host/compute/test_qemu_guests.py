"""Real guests: what a user does with a server, and what happens to a host."""

from __future__ import annotations

import asyncio
import json
import mmap
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from tane.agent.compute.drivers import qemu
from tane.agent.compute.drivers.qemu import QemuCompute, QemuSettings, probe_accelerator
from tane.agent.images import ImageCache
from tane.agent.network.user import FORWARDED_PORTS, forwarded_address
from tane.agent.volume.drivers import file
from tane.agent.volume.drivers.file import FileVolume
from tane.cli.common import cache_folder
from tane.guest.build import build
from tane.linux import process
from tane.wire.documents import (
    ConfigDrive,
    DiskLimits,
    Guest,
    GuestState,
    Hardware,
    Kernel,
    LocalDisk,
    Nic,
    RootDisk,
    VolumeDisk,
)
from tane.wire.errors import HostError, NotOnHost
from tane.wire.streams import save
from tests.host.compute import typed
from tests.host.tools import FileImages, until, used_mb

pytestmark = pytest.mark.guest

MB = 1 << 20
Run = Callable[[Coroutine[Any, Any, Any]], Any]


def new_id() -> str:
    return str(uuid.uuid4())


class Host:
    """A host of its own with a pool of volumes; its guests use QEMU's own network and are reached by SSH."""

    def __init__(self, state_dir: Path, guest_cache: Path) -> None:
        self.state_dir = state_dir
        self.image = build(guest_cache)
        self.images = FileImages()
        cache = ImageCache(state_dir / "images", self.images)
        self.neighbours: list[QemuCompute] = []
        settings = QemuSettings(state_dir=state_dir, accelerator=probe_accelerator(), user_network=True)
        self.new_compute = lambda: QemuCompute(settings, cache, self.moved)
        self.compute = self.new_compute()
        self.volumes = FileVolume(state_dir, cache)
        self.told: list[tuple[str, GuestState]] = []
        self.key = state_dir / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def tell(self, guest_id: str, state: GuestState) -> None:
        self.told.append((guest_id, state))

    async def moved(self, move_id: str, disk: LocalDisk) -> AsyncIterator[bytes]:
        """What a neighbour has set aside, as the cloud passes it on."""
        for compute in self.neighbours:
            if move_id in await compute.kept():
                async for data in compute.kept_disk(move_id, disk):
                    yield data

    def guest(self, user_data: str = "") -> Guest:
        guest_id = new_id()
        metadata = {
            "uuid": guest_id,
            "hostname": f"web-{guest_id[:8]}",
            "public_keys": {"mine": self.key.with_suffix(".pub").read_text()},
        }
        files = {"openstack/latest/meta_data.json": json.dumps(metadata).encode()}
        if user_data:
            files["openstack/latest/user_data"] = user_data.encode()
        assert self.image.kernel
        assert self.image.ramdisk
        kernel = self.images.add(self.image.kernel, "raw")
        ramdisk = self.images.add(self.image.ramdisk, "raw")
        mac = f"fa:16:3e:00:{guest_id[:2]}:{guest_id[2:4]}"
        return Guest(
            id=guest_id,
            name="web",
            vcpus=1,
            memory_mb=96,
            root=RootDisk(image=self.images.add(self.image.disk, "qcow2"), size_gb=1),
            kernel=Kernel(kernel=kernel, ramdisk=ramdisk, command_line=self.image.os_command_line),
            nics=(Nic(port_id=new_id(), mac_address=mac, tap=f"tap{guest_id[:11]}"),),
            config_drive=ConfigDrive(files=files),
        )

    async def ready(self, guest: Guest) -> None:
        """The guest runs and its SSH server is up."""
        await self.compute.start(guest)

        async def said() -> bool:
            return b"TANE-READY" in await self.compute.console_log(guest.id)

        await until(said, "the READY line on the console", 90)

    async def ssh(self, guest: Guest, command: str, *, seconds: float = 60) -> str:
        options = ["-q", "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        address = forwarded_address(guest.nics[0].port_id)
        ssh = await asyncio.create_subprocess_exec(
            *("ssh", *options, "-p", str(FORWARDED_PORTS[22]), f"root@{address}", command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(ssh.communicate(), seconds)
        assert ssh.returncode == 0, f"{command}: {out.decode()}"
        return out.decode().strip()

    async def attach(self, guest: Guest, volume_id: str, name: str = "vdb") -> VolumeDisk:
        disk = VolumeDisk(volume_id=volume_id, connection=await self.volumes.export(volume_id), device="/dev/vdb")
        await self.compute.attach_volume(guest.id, disk)
        await until(lambda: self.has_disk(guest, name), "the volume in the guest", 20)
        return disk

    async def detach(self, guest: Guest, volume_id: str) -> None:
        await self.compute.detach_volume(guest.id, volume_id)
        await self.volumes.unexport(volume_id)

    async def has_disk(self, guest: Guest, name: str) -> bool:
        return bool(await self.ssh(guest, f"ls /dev | grep -x {name} || true"))


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def host(run: Run) -> Iterator[Host]:
    # Short, because Unix sockets below it have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="tane-"))
    try:
        made = Host(folder, cache_folder())
        run(made.compute.start_duty(made.tell))
        yield made
        run(made.compute.stop_duty())
    finally:
        qemu.teardown(folder)
        file.teardown(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def guests(host: Host, run: Run) -> tuple[Guest, Guest]:
    """Two guests that start at the same time."""
    first, second = host.guest("#!/bin/sh\necho user data ran as $(id -un)\n"), host.guest()

    async def start(guest: Guest) -> None:
        await host.compute.create(guest)
        await host.ready(guest)

    async def both() -> None:
        await asyncio.gather(start(first), start(second))

    run(both())
    return first, second


@pytest.fixture
def guest(guests: tuple[Guest, Guest], host: Host, run: Run) -> Guest:
    run(host.ready(guests[0]))
    return guests[0]


@pytest.fixture
def other(guests: tuple[Guest, Guest], host: Host, run: Run) -> Guest:
    run(host.ready(guests[1]))
    return guests[1]


@pytest.fixture
def volume(host: Host, run: Run, guests: tuple[Guest, Guest]) -> Iterator[str]:
    volume_id = new_id()
    run(host.volumes.create(volume_id, 64 * MB))
    yield volume_id
    for one in guests:
        run(host.compute.detach_volume(one.id, volume_id))
    run(host.volumes.delete(volume_id))


def test_a_server_gets_its_key_name_disk_and_user_data(host: Host, guest: Guest, run: Run) -> None:
    assert run(host.ssh(guest, "hostname")) == f"web-{guest.id[:8]}"
    assert int(run(host.ssh(guest, "df -m / | tail -n 1 | awk '{print $2}'"))) > 900

    async def ran() -> bool:
        return b"user data ran as root" in await host.compute.console_log(guest.id)

    run(until(ran, "the user data's output"))


def test_starting_a_server_that_runs_changes_nothing(host: Host, guest: Guest, run: Run) -> None:
    pidfile = host.state_dir / "guests" / guest.id / "qemu.pid"
    before = pidfile.read_text()
    run(host.compute.create(guest))
    run(host.compute.start(guest))
    assert pidfile.read_text() == before


def test_two_servers_of_one_image_share_its_base(host: Host, guest: Guest, other: Guest, run: Run) -> None:
    bases = list((host.state_dir / "images").glob("*.qcow2"))
    assert len(bases) == 1


def test_a_paused_server_stands_still(host: Host, guest: Guest, run: Run) -> None:
    run(host.compute.pause(guest.id))
    assert run(host.compute.state(guest.id)) == "paused"
    run(host.compute.pause(guest.id))
    run(host.compute.unpause(guest.id))
    assert run(host.compute.states())[guest.id] == "running"
    assert run(host.ssh(guest, "echo alive")) == "alive"


def test_a_running_server_tells_what_it_uses(host: Host, guest: Guest, volume: str, run: Run) -> None:
    run(host.attach(guest, volume))
    run(host.ssh(guest, "dd if=/dev/zero of=/dev/vdb bs=1M count=2; sync"))
    told = run(host.compute.diagnostics(guest.id))
    assert 0 < told.uptime_seconds < 600
    assert len(told.cpu_ns) == 1
    assert told.cpu_ns[0] > 10**8
    assert 5 < run(until(lambda: used_mb(host.compute, guest.id), "the memory it uses")) < guest.memory_mb
    assert [nic.port_id for nic in told.nics] == [guest.nics[0].port_id]
    disks = {disk.name: disk for disk in told.disks}
    assert set(disks) == {"root", "config", volume}
    assert disks["root"].read_bytes > MB
    assert disks[volume].write_bytes >= 2 * MB
    assert disks[volume].errors == 0
    run(host.detach(guest, volume))
    run(host.compute.pause(guest.id))
    assert run(host.compute.diagnostics(guest.id)).uptime_seconds >= told.uptime_seconds
    run(host.compute.unpause(guest.id))
    with pytest.raises(NotOnHost):
        run(host.compute.diagnostics(new_id()))


def test_the_host_tells_since_when_it_is_up(host: Host, run: Run) -> None:
    told = run(host.compute.uptime())
    assert abs(told.seconds - float(Path("/proc/uptime").read_text().split()[0])) < 5
    assert re.fullmatch(r"\d\d:\d\d:\d\d", told.clock)


def test_a_suspended_server_comes_back_with_its_memory_and_disks(
    host: Host, guest: Guest, volume: str, run: Run
) -> None:
    run(host.attach(guest, volume))
    run(host.ssh(guest, "echo in memory >/run/note; echo on disk >/dev/vdb; sync"))
    uptime = float(run(host.ssh(guest, "cut -d' ' -f1 /proc/uptime")))
    run(host.compute.suspend(guest.id))
    run(host.compute.suspend(guest.id))
    assert run(host.compute.state(guest.id)) == "suspended"
    assert not process.alive(host.state_dir / "guests" / guest.id / "qemu.pid")
    with pytest.raises(HostError, match="suspended"):
        run(host.compute.detach_volume(guest.id, volume))
    run(host.compute.start(guest))
    assert run(host.ssh(guest, "cat /run/note; head -c 7 /dev/vdb")).split("\n") == ["in memory", "on disk"]
    assert uptime < float(run(host.ssh(guest, "cut -d' ' -f1 /proc/uptime"))) < uptime + 60
    run(host.detach(guest, volume))
    assert not run(host.has_disk(guest, "vdb"))


@pytest.mark.nightly
def test_a_stopped_server_is_snapshotted_after_it_ran(host: Host, run: Run, tmp_path: Path) -> None:
    guest = host.guest()
    run(host.compute.create(guest))
    try:
        run(host.ready(guest))
        run(host.compute.stop(guest.id, timeout_seconds=0))
        copy = tmp_path / "copy.qcow2"
        size = run(save(host.compute.snapshot(guest.id), copy, 1 << 33))
        assert (size, copy.stat().st_mode & 0o777) == (copy.stat().st_size, 0o600)
        subprocess.run(["qemu-img", "check", "-q", copy], check=True)
    finally:
        run(host.compute.destroy(guest.id))


AGENT = r"""
for port in /sys/class/virtio-ports/*; do grep -q guest_agent "$port/name" && device=/dev/${port##*/}; done
exec 3<>"$device"
while :; do
  while read -r line <&3; do
    case $line in
      *sync*) printf '\377{"return": %s}\n' "$(echo "$line" | sed 's/.*"id": *\([0-9]*\).*/\1/')" >&3 ;;
      *freeze-freeze*) echo "quiet $1" >/root/mark; sync; echo '{"return": 1}' >&3 ;;
      *freeze-thaw*) echo "loud $1" >/root/mark; sync; echo '{"return": 1}' >&3; echo thawed >>/run/thawed ;;
    esac
  done
  usleep 50000
done
"""
"""An agent that writes to the disk where a real one freezes and thaws it."""


@pytest.mark.nightly
def test_a_snapshot_is_of_the_moment_in_which_file_systems_are_frozen(host: Host, run: Run, tmp_path: Path) -> None:
    guest = msgspec.structs.replace(host.guest(), hardware=Hardware(guest_agent=True, quiesce=True))
    run(host.compute.create(guest))
    try:
        run(host.ready(guest))
        run(host.ssh(guest, f"cat >/run/agent <<'END'\n{AGENT}\nEND\nsh /run/agent {guest.id} >/dev/null 2>&1 &"))
        run(save(host.compute.snapshot(guest.id), tmp_path / "copy.qcow2", 1 << 33))
        run(until(lambda: host.ssh(guest, "cat /run/thawed || true"), "the guest to be thawed"))
        raw = tmp_path / "copy.raw"
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", tmp_path / "copy.qcow2", raw], check=True)
        with raw.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
            assert content.find(f"loud {guest.id}".encode()) < 0 < content.find(f"quiet {guest.id}".encode())
        assert run(host.ssh(guest, "cat /root/mark")) == f"loud {guest.id}"
    finally:
        run(host.compute.destroy(guest.id))


def test_a_snapshot_that_cannot_be_quiet_is_none(
    host: Host, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tane.agent.compute.drivers.qemu.inside.SECONDS", 1)
    guest = msgspec.structs.replace(host.guest(), hardware=Hardware(guest_agent=True, quiesce=True))
    run(host.compute.create(guest))
    try:
        run(host.compute.start(guest))
        with pytest.raises(HostError, match="frozen file systems"):
            run(save(host.compute.snapshot(guest.id), tmp_path / "copy.qcow2", 1 << 33))
        assert run(host.compute.state(guest.id)) == "running"
    finally:
        run(host.compute.destroy(guest.id))


def test_swap_and_ephemeral_disk_come_ready_for_use(host: Host, run: Run) -> None:
    guest = msgspec.structs.replace(host.guest(), ephemeral_gb=1, swap_mb=32)
    run(host.compute.create(guest))
    try:
        run(host.ready(guest))
        run(host.ssh(guest, "mount -t ext4 /dev/vdb /mnt && echo kept >/mnt/file && umount /mnt"))
        assert "vdc" in run(host.ssh(guest, "swapon /dev/vdc && cat /proc/swaps"))
    finally:
        run(host.compute.destroy(guest.id))


@pytest.mark.nightly
@pytest.mark.parametrize("bus", ["virtio", "scsi"])
def test_local_disks_keep_to_their_limits(host: Host, run: Run, bus: Literal["virtio", "scsi"]) -> None:
    """Also after the guest came back from disk."""
    limits = DiskLimits(bytes_write=2 * MB)
    made = Hardware(disk_bus=bus, disk_limits=limits)
    command_line = host.image.os_command_line.replace("vda", "vda" if bus == "virtio" else "sda")
    before = host.guest()
    assert before.kernel
    kernel = msgspec.structs.replace(before.kernel, command_line=command_line)
    guest = msgspec.structs.replace(before, hardware=made, kernel=kernel)
    run(host.compute.create(guest))

    async def seconds_to_write(megabytes: int) -> float:
        begun = time.monotonic()
        await host.ssh(guest, f"dd if=/dev/zero of=/root/much bs=1M count={megabytes} conv=fsync && rm /root/much")
        return time.monotonic() - begun

    try:
        run(host.ready(guest))
        assert run(seconds_to_write(7)) > 2
        run(host.compute.suspend(guest.id))
        run(host.compute.start(guest))
        assert run(seconds_to_write(7)) > 2
    finally:
        run(host.compute.destroy(guest.id))


def test_disks_of_a_bus_that_the_small_guest_does_not_drive_take_their_limits(host: Host, run: Run) -> None:
    hardware = Hardware(disk_bus="sata", disk_limits=DiskLimits(iops_total=100, bytes_read=MB))
    guest = msgspec.structs.replace(host.guest(), hardware=hardware, swap_mb=32)
    run(host.compute.create(guest))
    try:
        run(host.compute.start(guest))
    finally:
        run(host.compute.destroy(guest.id))


def test_a_volume_moves_with_its_data_to_another_server(
    host: Host, guest: Guest, other: Guest, volume: str, run: Run
) -> None:
    disk = run(host.attach(guest, volume))
    run(host.compute.attach_volume(guest.id, disk))
    assert run(host.ssh(guest, "cat /sys/block/vdb/serial")) == volume[:20]
    run(host.ssh(guest, "mke2fs -q -t ext4 /dev/vdb; mount /dev/vdb /mnt; echo data >/mnt/file; umount /mnt"))
    run(host.detach(guest, volume))
    run(host.compute.detach_volume(guest.id, volume))
    assert not run(host.has_disk(guest, "vdb"))
    run(host.attach(other, volume))
    assert run(host.ssh(other, "mount /dev/vdb /mnt; cat /mnt/file; umount /mnt")) == "data"


def test_a_snapshot_of_an_attached_volume_holds_what_was_there(
    host: Host, guest: Guest, other: Guest, volume: str, run: Run
) -> None:
    run(host.attach(guest, volume))
    run(host.ssh(guest, "mke2fs -q -t ext4 /dev/vdb; mount /dev/vdb /mnt; echo old >/mnt/file; sync"))
    snapshot_id, copy = new_id(), new_id()
    run(host.volumes.snapshot(volume, snapshot_id))
    run(host.ssh(guest, "echo new >/mnt/file; sync"))
    run(host.volumes.create_from_snapshot(copy, 64 * MB, volume, snapshot_id))
    run(host.attach(other, copy))
    assert run(host.ssh(other, "mount /dev/vdb /mnt; cat /mnt/file; umount /mnt")) == "old"
    assert run(host.ssh(guest, "cat /mnt/file; umount /mnt")) == "new"
    run(host.detach(other, copy))
    run(host.volumes.delete(copy))


def test_a_volume_grows_while_it_is_written_to(host: Host, guest: Guest, volume: str, run: Run) -> None:
    async def grow() -> str:
        await host.attach(guest, volume)
        await host.ssh(guest, "mke2fs -q -t ext4 /dev/vdb; mount /dev/vdb /mnt; head -c 20m /dev/urandom >/run/data")
        writing = asyncio.create_task(host.ssh(guest, "dd if=/run/data of=/mnt/data bs=64k conv=fsync"))
        await host.volumes.extend(volume, 128 * MB)
        await host.compute.resize_volume(guest.id, volume, 128 * MB)
        await writing
        await host.volumes.extend(volume, 192 * MB)
        await host.compute.resize_volume(guest.id, volume, 192 * MB)
        check = "resize2fs /dev/vdb; echo 3 >/proc/sys/vm/drop_caches; cmp /run/data /mnt/data && df -m /mnt"
        return await host.ssh(guest, f"{check}; umount /mnt; rm /run/data")

    assert int(run(grow()).splitlines()[-1].split()[1]) > 150


def test_input_and_output_go_on_when_an_exporter_was_killed(host: Host, guest: Guest, volume: str, run: Run) -> None:
    async def kill_while_writing() -> None:
        disk = await host.attach(guest, volume)
        await host.ssh(guest, "head -c 8m /dev/urandom >/run/data")
        pidfile = host.state_dir / "volumes" / volume / "exporter.pid"
        process.send_signal(pidfile, signal.SIGKILL)
        writing = asyncio.create_task(host.ssh(guest, "dd if=/run/data of=/dev/vdb bs=64k conv=fsync"))

        async def dead() -> bool:
            return not process.alive(pidfile)

        await until(dead, "the end of the killed exporter")
        assert await host.volumes.export(volume) == disk.connection
        await writing
        await host.ssh(guest, "echo 3 >/proc/sys/vm/drop_caches; cmp -n 8388608 /run/data /dev/vdb; rm /run/data")

    run(kill_while_writing())


def test_a_network_card_is_plugged_in_and_out(host: Host, guest: Guest, run: Run) -> None:
    nic = Nic(port_id=new_id(), mac_address="fa:16:3e:77:00:01", tap="tap-unused")

    async def address() -> bool:
        return "inet" in await host.ssh(guest, "ip -4 -o address show dev eth1 || true")

    run(host.compute.attach_nic(guest.id, nic))
    run(host.compute.attach_nic(guest.id, nic))
    run(until(address, "the address of the new card", 20))
    run(host.compute.detach_nic(guest.id, nic.port_id))
    run(host.compute.detach_nic(guest.id, nic.port_id))
    assert run(host.ssh(guest, "ls /sys/class/net")).split() == ["eth0", "lo"]


def test_a_snapshot_of_a_running_server_is_a_standalone_image(
    host: Host, guest: Guest, run: Run, tmp_path: Path
) -> None:
    run(host.ssh(guest, "echo kept >/root/note; sync"))
    size = run(save(host.compute.snapshot(guest.id), tmp_path / "snapshot.qcow2", 1 << 33))
    assert size == (tmp_path / "snapshot.qcow2").stat().st_size
    about = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", tmp_path / "snapshot.qcow2"]))
    assert "backing-filename" not in about
    assert about["virtual-size"] == 1 << 30
    subprocess.run(["qemu-img", "check", "-q", tmp_path / "snapshot.qcow2"], check=True)
    raw = tmp_path / "snapshot.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", tmp_path / "snapshot.qcow2", raw], check=True)
    file_system = f"{raw}?offset={2048 * 512}"
    found = subprocess.run(["debugfs", "-R", "cat /root/note", file_system], capture_output=True, text=True)
    assert found.stdout == "kept\n", found.stderr


def test_the_screen_is_reached_by_a_connection(host: Host, guest: Guest, run: Run) -> None:
    async def greeting() -> bytes:
        await host.compute.has_screen(guest.id)
        reader, writer = await host.compute.screen(guest.id)
        try:
            return await reader.readexactly(12)
        finally:
            writer.close()
            await writer.wait_closed()

    assert re.fullmatch(rb"RFB 003\.00\d\n", run(greeting()))


def test_several_type_into_the_serial_console_and_the_log_has_it_all(host: Host, guest: Guest, run: Run) -> None:
    run(typed.together(host.compute, guest.id))
    run(typed.after_a_crash(host.compute, guest.id))


def test_a_new_agent_finds_its_guests_and_those_that_went_down_with_the_host(
    host: Host, guest: Guest, run: Run
) -> None:
    async def change_agents() -> Guest:
        victim = host.guest()
        await host.compute.create(victim)
        await host.compute.start(victim)
        await host.compute.stop_duty()
        pidfile = host.state_dir / "guests" / victim.id / "qemu.pid"
        process.send_signal(pidfile, signal.SIGKILL)

        async def dead() -> bool:
            return not process.alive(pidfile)

        await until(dead, "the end of the killed guest")
        host.compute = host.new_compute()
        await host.compute.start_duty(host.tell)
        return victim

    victim = run(change_agents())
    assert (victim.id, "crashed") not in host.told, "the cloud would take it for one that is to stay off"
    states = run(host.compute.states())
    assert states[guest.id] == "running"
    assert states[victim.id] == "crashed"
    assert run(host.ssh(guest, "echo alive")) == "alive"
    run(host.compute.destroy(victim.id))
    assert not (host.state_dir / "guests" / victim.id).exists()


def test_the_controller_is_told_when_qemu_is_killed(host: Host, run: Run) -> None:
    async def kill() -> str:
        victim = host.guest()
        await host.compute.create(victim)
        await host.compute.start(victim)
        process.send_signal(host.state_dir / "guests" / victim.id / "qemu.pid", signal.SIGKILL)

        async def told() -> bool:
            return (victim.id, "crashed") in host.told

        await until(told, "the listener's call", 10)
        await host.compute.destroy(victim.id)
        await host.compute.destroy(victim.id)
        return victim.id

    assert run(host.compute.state(run(kill()))) == "absent"


def test_a_server_that_cannot_start_says_why(host: Host, run: Run) -> None:
    broken = host.guest()
    run(host.compute.create(broken))
    (host.state_dir / "guests" / broken.id / "root.qcow2").write_bytes(b"no disk")
    with pytest.raises(HostError, match=r"cannot be started: .*qcow2"):
        run(host.compute.start(broken))
    assert run(host.compute.state(broken.id)) == "stopped"
    run(host.compute.destroy(broken.id))


def test_a_bad_image_is_told_and_leaves_no_file(host: Host, run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.qcow2").write_bytes(b"not an image at all" * 100)
    bad = host.images.add(tmp_path / "bad.qcow2", "qcow2")
    base = host.guest()
    broken = Guest(id=base.id, name="bad", vcpus=1, memory_mb=96, root=RootDisk(image=bad, size_gb=1))
    with pytest.raises(HostError, match="does not match stream data raw"):
        run(host.compute.create(broken))
    assert not (host.state_dir / "guests" / broken.id).exists()
    assert run(host.compute.state(broken.id)) == "absent"
    with pytest.raises(NotOnHost):
        run(host.compute.start(broken))


def test_a_server_shuts_down_by_button_and_by_itself(host: Host, guest: Guest, other: Guest, run: Run) -> None:
    async def both() -> None:
        await asyncio.gather(host.compute.stop(guest.id), host.ssh(other, "poweroff"))

        async def told() -> bool:
            return (other.id, "stopped") in host.told

        await until(told, "the listener's call", 30)

    run(both())
    assert run(host.compute.states()) | {guest.id: "stopped", other.id: "stopped"} == run(host.compute.states())
    assert (guest.id, "stopped") not in host.told
    run(host.compute.stop(guest.id))


def test_teardown_ends_all_guests_of_the_state_folder(host: Host, guests: tuple[Guest, Guest], run: Run) -> None:
    run(host.compute.start(guests[0]))
    qemu.teardown(host.state_dir)
    assert not process.alive(host.state_dir / "guests" / guests[0].id / "qemu.pid")
