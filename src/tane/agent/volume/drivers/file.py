"""Volumes as qcow2 files in a folder of this host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from tane.agent.images import ImageCache
from tane.agent.translation import checked_id, host_errors
from tane.agent.volume.drivers.exporter import Exporter, ExportSettings, owner_of
from tane.linux import process, qemu_img
from tane.linux.files import remove_tree
from tane.linux.qemu_img import Disk
from tane.wire import blocks
from tane.wire.documents import ImageRef, PoolCapacity, VolumeConnection, VolumeUsage
from tane.wire.duties import BackupSource
from tane.wire.errors import HostError, NotOnHost
from tane.wire.grammar import as_reason
from tane.wire.streams import chunks

_GB = 1 << 30
UNFINISHED = ("image", "content", "restored")
"""Files that hold a whole volume for as long as a call lasts."""
_UPLOAD_FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx")


class FileVolume:
    """A :class:`tane.wire.duties.VolumeDuty` over one folder per volume: its data, and its export when it has one."""

    def __init__(
        self,
        state_dir: Path,
        images: ImageCache,
        settings: ExportSettings | None = None,
        backups: BackupSource | None = None,
    ) -> None:
        self._pool = pool_folder(state_dir)
        self._images = images
        self._settings = settings or ExportSettings()
        self._backups = backups
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def clear(self) -> None:
        """Delete what an agent that was killed left unfinished. Called before anything else is done with the pool."""
        for folder in self._pool.glob("*"):
            for path in (*(folder / name for name in UNFINISHED), *folder.glob(".*.part")):
                path.unlink(missing_ok=True)

    async def capacity(self) -> PoolCapacity:
        """Space of the file system the pool lies on."""
        self._pool.mkdir(parents=True, exist_ok=True, mode=0o700)
        disk = os.statvfs(self._pool)
        unit = disk.f_frsize / _GB
        return PoolCapacity(total_gb=disk.f_blocks * unit, free_gb=disk.f_bavail * unit, driver="file")

    async def create(self, volume_id: str, size_bytes: int) -> None:
        async def make(disk: Path) -> None:
            await qemu_img.create(disk, size_bytes, owner_of(volume_id))

        await self._create(volume_id, make)

    async def create_from_image(self, volume_id: str, size_bytes: int, image: ImageRef) -> None:
        """Of an image without data, an empty volume, as upstream."""
        if not image.size_bytes:
            await self.create(volume_id, size_bytes)
            return

        async def make(disk: Path) -> None:
            async with self._images.holding(image, size_bytes) as base:
                assert base is not None
                await qemu_img.convert(Disk(base, "qcow2"), disk, owner=owner_of(volume_id))
            await _grow(_disk(volume_id, disk), size_bytes)

        await self._create(volume_id, make)
        await self._images.prune()

    async def create_from_snapshot(self, volume_id: str, size_bytes: int, source_id: str, snapshot_id: str) -> None:
        async def make(disk: Path) -> None:
            async with self._locked(source_id) as source:
                await self._require_snapshot(source_id, snapshot_id)
                await qemu_img.convert(source, disk, owner=owner_of(volume_id), snapshot=snapshot_id, in_use=True)
            await _grow(_disk(volume_id, disk), size_bytes)

        await self._create(volume_id, make)

    async def create_from_volume(self, volume_id: str, size_bytes: int, source_id: str) -> None:
        """Copy a volume; one that is exported is copied as it is at one moment."""

        async def make(disk: Path) -> None:
            async with self._locked(source_id) as source:
                exporter = self._exporter(source_id)
                if not exporter.running():
                    await qemu_img.convert(source, disk, owner=owner_of(volume_id))
                else:
                    name = str(uuid.uuid4())
                    await exporter.snapshot(name)
                    try:
                        await qemu_img.convert(source, disk, owner=owner_of(volume_id), snapshot=name, in_use=True)
                    finally:
                        await exporter.delete_snapshot(name)
            await _grow(_disk(volume_id, disk), size_bytes)

        await self._create(volume_id, make)

    async def delete(self, volume_id: str) -> None:
        """Delete the volume with its snapshots, ending its export first; nothing when it is absent."""
        folder = self._folder(volume_id)
        async with self._locks[volume_id]:
            if folder.exists():
                with host_errors(f"volume {volume_id} cannot be deleted"):
                    await self._exporter(volume_id).stop()
                    await asyncio.to_thread(remove_tree, folder)
        self._locks.pop(volume_id, None)

    async def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        checked_id(snapshot_id)
        async with self._locked(volume_id) as disk:
            with host_errors(f"volume {volume_id} cannot be snapshotted"):
                if snapshot_id in await self._snapshots(disk):
                    return
                exporter = self._exporter(volume_id)
                if exporter.running():
                    await exporter.snapshot(snapshot_id)
                else:
                    await qemu_img.snapshot("-c", snapshot_id, disk)

    async def delete_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        checked_id(snapshot_id)
        async with self._locked(volume_id) as disk:
            with host_errors(f"snapshot {snapshot_id} cannot be deleted"):
                if snapshot_id not in await self._snapshots(disk):
                    return
                exporter = self._exporter(volume_id)
                if exporter.running():
                    await exporter.delete_snapshot(snapshot_id)
                else:
                    await qemu_img.snapshot("-d", snapshot_id, disk)

    async def revert(self, volume_id: str, snapshot_id: str) -> None:
        async with self._locked(volume_id) as disk:
            if self._exporter(volume_id).record() is not None:
                raise HostError(f"volume {volume_id} is attached; only a detached volume can be set back to a snapshot")
            with host_errors(f"volume {volume_id} cannot be set back"):
                await self._require_snapshot(volume_id, snapshot_id)
                await qemu_img.snapshot("-a", snapshot_id, disk)

    async def extend(self, volume_id: str, size_bytes: int) -> None:
        async with self._locked(volume_id) as disk:
            with host_errors(f"volume {volume_id} cannot be extended"):
                present = (await self._usage(disk)).virtual_bytes
                if size_bytes < present:
                    raise HostError(f"volume {volume_id} has {present} bytes and cannot shrink to {size_bytes}")
                if size_bytes == present:
                    return
                exporter = self._exporter(volume_id)
                if exporter.running():
                    await exporter.resize(size_bytes)
                else:
                    await qemu_img.resize(disk, size_bytes)

    async def export(self, volume_id: str, *, read_only: bool = False) -> VolumeConnection:
        async with self._locked(volume_id):
            with host_errors(f"volume {volume_id} cannot be exported"):
                return await self._exporter(volume_id).start(read_only=read_only)

    async def unexport(self, volume_id: str) -> None:
        """End the export; nothing when the volume is not exported or absent."""
        folder = self._folder(volume_id)
        async with self._locks[volume_id]:
            if folder.exists():
                with host_errors(f"the export of volume {volume_id} cannot be ended"):
                    await self._exporter(volume_id).stop()

    async def exports(self) -> set[str]:
        """Volumes that have an export, including one whose daemon was killed: :meth:`export` starts it again."""
        return {volume_id for volume_id in await self.volumes() if self._exporter(volume_id).record() is not None}

    async def revive_exports(self) -> dict[str, str]:
        """Start the daemons again that died: their guests wait and connect anew."""
        revived: dict[str, str] = {}
        for volume_id in await asyncio.to_thread(self._dead_exports):
            try:
                async with self._locked(volume_id):
                    exporter = self._exporter(volume_id)
                    record = exporter.record()
                    if record is None or exporter.running():
                        continue  # Unexported or exported by someone else meanwhile.
                    with host_errors(f"volume {volume_id} cannot be exported again"):
                        await exporter.start(read_only=record.read_only)
                revived[volume_id] = ""
            except HostError as error:
                revived[volume_id] = as_reason(str(error))
        return revived

    def _dead_exports(self) -> list[str]:
        exporters = {path.parent.name: self._exporter(path.parent.name) for path in self._pool.glob("*/export.json")}
        for exporter in exporters.values():
            process.bound_log(exporter.log)
        return [volume_id for volume_id, exporter in exporters.items() if not exporter.running()]

    async def volumes(self) -> set[str]:
        if not self._pool.is_dir():
            return set()
        return {entry.parent.name for entry in self._pool.glob("*/disk.qcow2")}

    async def usage(self, volume_id: str) -> VolumeUsage:
        async with self._locked(volume_id) as disk:
            with host_errors(f"volume {volume_id} cannot be measured"):
                return await self._usage(disk)

    async def upload(self, volume_id: str, disk_format: str) -> AsyncIterator[bytes]:
        async for data in chunks(await self._written(volume_id, disk_format)):
            yield data

    async def _written(self, volume_id: str, disk_format: str) -> BinaryIO:
        """An image file of the volume, open and without a name: it goes when it is closed."""
        if disk_format not in _UPLOAD_FORMATS:
            raise HostError(f"a volume cannot be written as {disk_format}; use one of {', '.join(_UPLOAD_FORMATS)}")
        target, tool_format = self._folder(volume_id) / "image", qemu_img.FORMATS[disk_format]
        async with self._locked(volume_id) as disk:
            with host_errors(f"volume {volume_id} cannot be written as an image"):
                await self._require_room(disk)
                exporter = self._exporter(volume_id)
                name = str(uuid.uuid4()) if exporter.running() else ""
                if name:
                    await exporter.snapshot(name)
                try:
                    await qemu_img.convert(disk, target, target_format=tool_format, snapshot=name, in_use=bool(name))
                    return target.open("rb")
                finally:
                    target.unlink(missing_ok=True)
                    if name:
                        await exporter.delete_snapshot(name)

    async def content(self, volume_id: str, snapshot_id: str) -> AsyncIterator[bytes]:
        async for data in blocks.sent(await self._flat(volume_id, snapshot_id)):
            yield data

    async def _flat(self, volume_id: str, snapshot_id: str) -> BinaryIO:
        """A snapshot as a file with holes, open and without a name: it goes when it is closed."""
        target = self._folder(volume_id) / "content"
        async with self._locked(volume_id) as disk:
            with host_errors(f"snapshot {snapshot_id} cannot be read"):
                await self._require_snapshot(volume_id, snapshot_id)
                await self._require_room(disk)
                try:
                    await qemu_img.convert(disk, target, target_format="raw", snapshot=snapshot_id, in_use=True)
                    return target.open("rb")
                finally:
                    target.unlink(missing_ok=True)

    async def restore(self, volume_id: str, size_bytes: int, backup_id: str) -> None:
        """First all of the backup is fetched and checked: what is not whole overwrites nothing."""
        if self._backups is None:
            raise HostError("this host was told no way to backups")
        source = self._folder(volume_id) / "restored"
        async with self._locked(volume_id) as disk:
            with host_errors(f"volume {volume_id} cannot be restored"):
                if self._exporter(volume_id).record() is not None:
                    raise HostError(f"volume {volume_id} is attached; only a detached volume can be restored")
                try:
                    await blocks.save(self._backups(checked_id(backup_id), volume_id), source, size_bytes)
                    await qemu_img.overwrite(Disk(source, "raw"), disk)
                finally:
                    source.unlink(missing_ok=True)

    def _folder(self, volume_id: str) -> Path:
        return self._pool / checked_id(volume_id)

    def _exporter(self, volume_id: str) -> Exporter:
        folder = self._folder(volume_id)
        return Exporter(volume_id, folder, folder / "disk.qcow2", self._settings)

    @contextlib.asynccontextmanager
    async def _locked(self, volume_id: str) -> AsyncIterator[Disk]:
        """Work on one volume alone; gives its data. Raises NotOnHost."""
        disk = self._disk(volume_id)
        async with self._locks[volume_id]:
            if not disk.path.exists():
                raise NotOnHost(f"volume {volume_id} is not in this pool")
            yield disk

    def _disk(self, volume_id: str) -> Disk:
        return _disk(volume_id, self._folder(volume_id) / "disk.qcow2")

    async def _create(self, volume_id: str, make: Callable[[Path], Awaitable[None]]) -> None:
        folder = self._folder(volume_id)
        disk = folder / "disk.qcow2"
        async with self._locks[volume_id]:
            if disk.exists():
                return
            try:
                with host_errors(f"volume {volume_id} cannot be made"):
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                    await make(folder / "new.qcow2")
                    (folder / "new.qcow2").replace(disk)
            except BaseException:
                with contextlib.suppress(OSError):  # The reason counts more than what is left of it.
                    await asyncio.to_thread(remove_tree, folder)
                raise

    async def _snapshots(self, disk: Disk) -> set[str]:
        about = await qemu_img.info(disk, in_use=True)
        return {entry["name"] for entry in about.get("snapshots", [])}

    async def _require_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        if snapshot_id not in await self._snapshots(self._disk(volume_id)):
            raise NotOnHost(f"volume {volume_id} has no snapshot {snapshot_id}")

    async def _require_room(self, disk: Disk) -> None:
        """For a copy of what a volume holds. It may be compressed there; then the copy ends when the disk is full."""
        usage, about = await self._usage(disk), os.statvfs(self._pool)
        needed, free = min(usage.allocated_bytes, usage.virtual_bytes), about.f_bavail * about.f_frsize
        if needed > free:
            raise HostError(f"the copy takes up to {needed} bytes, and the pool has {free} left")

    async def _usage(self, disk: Disk) -> VolumeUsage:
        about = await qemu_img.info(disk, in_use=True)
        return VolumeUsage(allocated_bytes=int(about["actual-size"]), virtual_bytes=int(about["virtual-size"]))


def _disk(volume_id: str, path: Path) -> Disk:
    return Disk(path, "qcow2", owner_of(volume_id))


async def _grow(disk: Disk, size_bytes: int) -> None:
    present = int((await qemu_img.info(disk))["virtual-size"])
    if present > size_bytes:
        raise HostError(f"the content needs {present} bytes, the volume has only {size_bytes}")
    if present < size_bytes:
        await qemu_img.resize(disk, size_bytes)


def pool_folder(state_dir: Path) -> Path:
    return state_dir / "volumes"


def teardown(state_dir: Path) -> None:
    """End all exporters of a state folder, from whatever process, and keep the volumes."""
    for pidfile in pool_folder(state_dir).glob("*/exporter.pid"):
        process.stop(pidfile)
