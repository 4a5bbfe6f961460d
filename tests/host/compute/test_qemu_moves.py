"""Real guests that are resized, moved to another host and rescued: their disks come along, and come back."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from tane.agent.compute.drivers import qemu
from tane.cli.common import cache_folder
from tane.wire.documents import DiskLimits, Guest, Hardware, RootDisk
from tane.wire.errors import HostError
from tests.host.compute.test_qemu_guests import Host, Run

pytestmark = pytest.mark.guest

GB = 1 << 30


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def hosts(run: Run) -> Iterator[tuple[Host, Host]]:
    """Two that reach what the other has set aside."""
    folders = [Path(tempfile.mkdtemp(prefix="tane-")) for _ in range(2)]
    here, there = (Host(folder, cache_folder()) for folder in folders)
    here.neighbours, there.neighbours = [there.compute], [here.compute]
    for host in (here, there):
        run(host.compute.start_duty(host.tell))
    yield here, there
    for host, folder in ((here, folders[0]), (there, folders[1])):
        run(host.compute.stop_duty())
        qemu.teardown(folder)
        shutil.rmtree(folder)


def a_guest_with_a_note(host: Host, run: Run) -> Guest:
    guest = msgspec.structs.replace(host.guest(), ephemeral_gb=1)
    run(host.compute.create(guest))
    run(host.ready(guest))
    run(host.ssh(guest, "echo first >/root/note; mount /dev/vdb /mnt && echo there >/mnt/note; sync"))
    run(host.compute.stop(guest.id, timeout_seconds=0))
    return guest


@pytest.mark.nightly
def test_a_guest_moves_with_its_disks_and_comes_back_as_it_was(hosts: tuple[Host, Host], run: Run) -> None:
    here, there = hosts
    guest, move = a_guest_with_a_note(here, run), str(uuid.uuid4())
    run(here.compute.keep(guest.id, move))
    run(here.compute.keep(guest.id, move))
    assert run(here.compute.state(guest.id)) == "absent" and run(here.compute.kept()) == {move}

    # The image's file is on the other host only for what boots it: the disk stands on nothing there.
    for image in (guest.kernel.kernel, guest.kernel.ramdisk):  # type: ignore[union-attr]  # It has both.
        there.images.paths[image.id] = here.images.paths[image.id]  # type: ignore[union-attr]
    there.key = here.key
    run(there.compute.receive(guest, move))
    assert run(there.compute.state(guest.id)) == "stopped"
    run(there.ready(guest))
    assert run(there.ssh(guest, "mount /dev/vdb /mnt; cat /root/note /mnt/note")).split() == ["first", "there"]
    records = [host.compute._machines.get(guest.id) for host in (here, there)]
    assert records[0] is None and records[1] is not None and records[1].record.machine.startswith("pc-q35-")
    run(there.ssh(guest, "echo second >/root/note; sync"))
    run(there.compute.destroy(guest.id))

    run(here.compute.bring_back(guest.id, move))
    run(here.compute.bring_back(guest.id, move))
    assert run(here.compute.kept()) == set()
    run(here.ready(guest))
    assert run(here.ssh(guest, "cat /root/note")) == "first"
    run(here.compute.destroy(guest.id))


@pytest.mark.nightly
def test_a_guest_is_resized_where_it_is_and_grows(hosts: tuple[Host, Host], run: Run) -> None:
    here, _ = hosts
    guest, move = a_guest_with_a_note(here, run), str(uuid.uuid4())
    assert guest.root is not None
    large = msgspec.structs.replace(guest, memory_mb=128, root=msgspec.structs.replace(guest.root, size_gb=2))
    run(here.compute.keep(guest.id, move))
    run(here.compute.receive(large, move))
    run(here.ready(large))
    assert run(here.ssh(large, "cat /root/note; cat /sys/block/vda/size")).split() == ["first", str(2 * GB // 512)]
    run(here.compute.forget(move))
    assert run(here.compute.kept()) == set() and run(here.compute.state(guest.id)) == "running"
    run(here.compute.stop(guest.id, timeout_seconds=0))
    run(here.ready(large))
    assert run(here.ssh(large, "cat /root/note")) == "first"
    run(here.compute.destroy(guest.id))


def test_what_another_host_sends_is_believed_no_more_than_an_image(hosts: tuple[Host, Host], run: Run) -> None:
    here, there = hosts
    guest, move = here.guest(), str(uuid.uuid4())
    run(here.compute.create(guest))
    run(here.compute.keep(guest.id, move))
    [folder] = (here.state_dir / "kept" / move).glob("*")
    secret = there.state_dir / "secret"
    secret.write_text("not yours")

    forged = folder / "forged.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", secret, "-F", "raw", forged, "1G"]
    subprocess.run(command, check=True)

    async def lying(move_id: str, disk: object) -> AsyncIterator[bytes]:
        yield forged.read_bytes()

    there.compute._moved = lying
    with pytest.raises(HostError, match="backing"):
        run(there.compute.receive(guest, move))
    assert run(there.compute.state(guest.id)) == "absent"
    with pytest.raises(HostError, match="nothing is set aside"):
        run(anext(here.compute.kept_disk(str(uuid.uuid4()), "root")))


@pytest.mark.nightly
def test_a_rescued_guest_boots_another_disk_and_has_its_own_beside_it(hosts: tuple[Host, Host], run: Run) -> None:
    here, _ = hosts
    guest = a_guest_with_a_note(here, run)
    assert guest.root is not None
    # The disk it is rescued by keeps to the limits of the others; a guest whose limits cannot be set does not start.
    limited = Hardware(disk_limits=DiskLimits(bytes_total=1 << 30))
    rescued = msgspec.structs.replace(guest, rescue=RootDisk(image=guest.root.image), hardware=limited)
    run(here.ready(rescued))
    assert run(here.ssh(guest, "cat /root/note 2>/dev/null; mount /dev/vdb1 /mnt; cat /mnt/root/note")) == "first"
    run(here.ssh(guest, "umount /mnt; echo rescue >/root/note; sync"))
    run(here.compute.stop(guest.id, timeout_seconds=0))
    run(here.ready(guest))
    assert run(here.ssh(guest, "cat /root/note")) == "first"
    run(here.compute.destroy(guest.id))
