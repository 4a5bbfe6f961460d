"""The whole way from an image to a volume and back over the real file pool."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.agent.images import ImageCache
from tane.agent.volume.drivers import file
from tane.agent.volume.drivers.exporter import owner_of
from tane.agent.volume.drivers.file import FileVolume
from tane.core import Core
from tane.for_hosts import ForHost, as_called
from tane.hosts import HostAgent, store
from tane.jobs.runner import Runner
from tane.linux import qemu_img
from tane.services.image import interface as images
from tane.services.volume.domain import actions, backups, snapshots, volumes
from tane.services.volume.domain.backups import NewBackup
from tane.services.volume.domain.volumes import NewVolume
from tane.services.volume.operations import OPERATIONS
from tane.services.volume.store import volumes as rows
from tane.web.context import Context
from tests.services.volume.pool import add_project

pytestmark = pytest.mark.guest
MIA = Context("req-1", user_id="mia", project_id="garden", roles=("member", "reader"))
CONTENT = b"what the disk holds" * 1000


def test_what_an_image_holds_comes_back_through_volume_snapshot_copy_and_upload(
    new_core: Callable[[], Core], tmp_path: Path
) -> None:
    core = new_core()
    host_id, place = str(uuid.uuid4()), tmp_path / "host"
    pool = FileVolume(place, ImageCache(place / "cache", images.LocalImages(core)))
    core.hosts.add(HostAgent(host_id, "a-real-pool", volume=pool))
    with core.db.write() as tx:
        store.register(tx, host_id, "a-real-pool", ["volume"], None, {"pool_gb": 1 << 20})

    async def settle() -> None:
        await Runner(core, OPERATIONS).drain()

    def row(volume_id: str) -> Any:
        with core.db.read() as tx:
            return rows.get(tx, volume_id)

    async def story() -> Path:
        with core.db.write() as tx:
            image_id = images.create_image(
                tx, core, MIA, name="disk", disk_format="qcow2", container_format="bare", properties={}
            )
        flat, target = tmp_path / "flat", images.scratch_path(core, image_id)
        flat.write_bytes(CONTENT.ljust(1 << 20, b"\0"))
        await qemu_img.convert(qemu_img.Disk(flat, "raw"), target)
        await images.store_file(core, image_id, target)

        source = volumes.create(core, MIA, NewVolume(size=1, image_id=image_id)).row.id
        await settle()
        assert (row(source).status, row(source).fault) == ("available", None)
        snapshot_id = snapshots.create(core, MIA, snapshots.NewSnapshot(volume_id=source)).id
        await settle()
        copy = volumes.create(core, MIA, NewVolume(size=2, snapshot_id=snapshot_id)).row.id
        await settle()
        assert (row(copy).status, row(copy).fault) == ("available", None)
        volumes.extend(core, MIA, copy, 3, attached_too=False)
        await settle()
        assert (await pool.usage(copy)).virtual_bytes == 3 << 30
        wanted = actions.UploadImage(name="back", disk_format="qcow2")
        made = actions.upload_image(core, MIA, copy, wanted)["image_id"]
        await settle()
        with core.db.read() as tx:
            found = images.image_by_id(tx, made)
        assert found is not None and found.ref is not None and found.virtual_size == 3 << 30
        volumes.delete(core, MIA, copy)
        volumes.delete(core, MIA, source, cascade=True)
        await settle()
        assert await pool.volumes() == set()
        content = images.LocalImages(core).local_path(found.ref)
        assert content is not None
        return content

    back = tmp_path / "back"
    content = asyncio.run(story())
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(content), str(back)], check=True)
    with back.open("rb") as file:
        assert file.read(len(CONTENT)) == CONTENT


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Sockets of exporters have short names only."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        file.teardown(Path(folder) / "host")


def test_what_a_volume_holds_comes_back_from_backups_of_the_real_pool(
    new_core: Callable[[], Core], short_folder: Path
) -> None:
    """Also over a volume that holds something else and has a snapshot, which stays as it was."""
    core = new_core()
    host_id, place = str(uuid.uuid4()), short_folder / "host"
    cache = ImageCache(place / "cache", images.LocalImages(core))
    pool = FileVolume(place, cache, backups=as_called(ForHost(core, host_id)).backup)
    core.hosts.add(HostAgent(host_id, "a-real-pool", volume=pool))
    with core.db.write() as tx:
        store.register(tx, host_id, "a-real-pool", ["volume"], None, {"pool_gb": 1 << 20})
    add_project(core, MIA.project_id)

    async def settle() -> None:
        await Runner(core, OPERATIONS).drain()

    def write(volume_id: str, at_mib: int, byte: int) -> None:
        disk = place / "volumes" / volume_id / "disk.qcow2"
        command = f"write -P {byte} {at_mib}M 100k"
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, str(disk)], check=True, capture_output=True)

    async def flat(volume_id: str, snapshot_id: str = "") -> dict[int, int]:
        """MiB → the byte at its begin, where it is not 0."""
        disk, target = place / "volumes" / volume_id / "disk.qcow2", short_folder / "seen"
        await qemu_img.convert(
            qemu_img.Disk(disk, "qcow2", owner_of(volume_id)), target, target_format="raw", snapshot=snapshot_id
        )
        with target.open("rb") as file:
            found = {mib: os.pread(file.fileno(), 1, mib << 20)[0] for mib in range(1024)}
        return {mib: byte for mib, byte in found.items() if byte}

    def status(volume_id: str) -> tuple[str, Any]:
        with core.db.read() as tx:
            row = rows.get(tx, volume_id)
            assert row is not None
            return row.status, row.fault

    async def story() -> None:
        source = volumes.create(core, MIA, NewVolume(size=1)).row.id
        await settle()
        write(source, 3, 7)
        write(source, 1000, 8)
        first = backups.create(core, MIA, NewBackup(volume_id=source)).id
        await settle()
        write(source, 3, 9)
        await pool.export(source)  # As a server has it.
        second = backups.create(core, MIA, NewBackup(volume_id=source, incremental=True)).id
        await settle()
        await pool.unexport(source)
        assert status(source) == ("available", None) and await pool._snapshots(pool._disk(source)) == set()
        new = backups.restore(core, MIA, second, None, None).id
        await settle()
        assert status(new) == ("available", None) and await flat(new) == {3: 9, 1000: 8}
        write(source, 500, 5)
        kept = snapshots.create(core, MIA, snapshots.NewSnapshot(volume_id=source)).id
        await settle()
        backups.restore(core, MIA, first, source, None)
        await settle()
        assert status(source) == ("available", None) and await flat(source) == {3: 7, 1000: 8}
        assert await flat(source, kept) == {3: 9, 500: 5, 1000: 8}
        larger = volumes.create(core, MIA, NewVolume(size=2)).row.id
        await settle()
        backups.restore(core, MIA, first, larger, None)
        await settle()
        assert status(larger) == ("available", None) and await flat(larger) == {3: 7, 1000: 8}

    asyncio.run(story())
