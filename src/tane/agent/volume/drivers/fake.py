"""A pool of volumes without data, for API tests and for trying out thousands of volumes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import structlog

from tane.agent import fake_disks
from tane.agent.translation import checked_id
from tane.linux.files import write_private
from tane.wire import blocks
from tane.wire.documents import ImageRef, PoolCapacity, VolumeConnection, VolumeUsage
from tane.wire.duties import BackupSource
from tane.wire.errors import HostError, NotOnHost

log = structlog.get_logger()

_GB = 1 << 30


class _Volume(msgspec.Struct, omit_defaults=True):
    """A volume, as it is in its file (but for its ``connection``). ``blocks`` and ``contents``: what it, and each
    snapshot, holds of what was restored, by number of the block."""

    size_bytes: int
    snapshots: dict[str, int]
    blocks: dict[int, bytes] = {}
    contents: dict[str, dict[int, bytes]] = {}
    connection: VolumeConnection | None = None


class FakeVolume:
    """A :class:`tane.wire.duties.VolumeDuty` whose volumes hold no data but what is restored to them from ``backups``;
    it keeps the rules of the real drivers. Each is in a file of ``folder``: a cloud that starts again has them, as it
    has those of real hosts. A file that a loss of power has torn is a volume that is lost.

    :meth:`fail` makes a step fail. ``calls`` lists what was asked, as (method, volume id).
    """

    def __init__(
        self, total_gb: float = 100000.0, backups: BackupSource | None = None, folder: Path | None = None
    ) -> None:
        self._backups, self._folder = backups, folder
        self._total_gb = total_gb
        self._volumes: dict[str, _Volume] = {}
        self._failures: defaultdict[tuple[str, str | None], deque[Exception]] = defaultdict(deque)
        self._next_port = 20000
        self.calls: deque[tuple[str, str]] = deque(maxlen=10000)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for file in folder.glob("*.json"):
                try:
                    self._volumes[file.stem] = msgspec.json.decode(file.read_bytes(), type=_Volume)
                except msgspec.DecodeError as error:
                    log.error("the file of a simulated volume cannot be read", file=str(file), error=str(error))

    def fail(self, step: str, volume_id: str | None, error: Exception, *, times: int = 1) -> None:
        """Let the method ``step`` raise ``error`` the next ``times`` it is called for ``volume_id`` (None: any)."""
        if not callable(getattr(FakeVolume, step, None)):
            raise ValueError(f"the volume duty has no step {step!r}")
        self._failures[step, volume_id].extend([error] * times)

    async def capacity(self) -> PoolCapacity:
        used = sum(volume.size_bytes for volume in self._volumes.values()) / _GB
        return PoolCapacity(total_gb=self._total_gb, free_gb=self._total_gb - used, driver="fake")

    async def create(self, volume_id: str, size_bytes: int) -> None:
        self._called("create", volume_id)
        self._add(volume_id, size_bytes)

    async def create_from_image(self, volume_id: str, size_bytes: int, image: ImageRef) -> None:
        self._called("create_from_image", volume_id)
        self._add(volume_id, size_bytes)

    async def create_from_snapshot(self, volume_id: str, size_bytes: int, source_id: str, snapshot_id: str) -> None:
        self._called("create_from_snapshot", volume_id)
        needed = self._snapshot(source_id, snapshot_id)
        self._require_room(needed, size_bytes)
        self._add(volume_id, size_bytes, self._volume(source_id).contents.get(snapshot_id, {}))

    async def create_from_volume(self, volume_id: str, size_bytes: int, source_id: str) -> None:
        self._called("create_from_volume", volume_id)
        source = self._volume(source_id)
        self._require_room(source.size_bytes, size_bytes)
        self._add(volume_id, size_bytes, source.blocks)

    async def delete(self, volume_id: str) -> None:
        self._called("delete", volume_id)
        if self._volumes.pop(volume_id, None) is not None and self._folder is not None:
            self._file(volume_id).unlink(missing_ok=True)

    async def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        self._called("snapshot", volume_id)
        volume = self._volume(volume_id)
        volume.snapshots.setdefault(checked_id(snapshot_id), volume.size_bytes)
        volume.contents.setdefault(snapshot_id, dict(volume.blocks))
        self._keep(volume_id)

    async def delete_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        self._called("delete_snapshot", volume_id)
        self._volume(volume_id).snapshots.pop(snapshot_id, None)
        self._volume(volume_id).contents.pop(snapshot_id, None)
        self._keep(volume_id)

    async def revert(self, volume_id: str, snapshot_id: str) -> None:
        self._called("revert", volume_id)
        volume = self._volume(volume_id)
        if volume.connection is not None:
            raise HostError(f"volume {volume_id} is attached; only a detached volume can be set back to a snapshot")
        volume.size_bytes = self._snapshot(volume_id, snapshot_id)
        volume.blocks = dict(volume.contents.get(snapshot_id, {}))
        self._keep(volume_id)

    async def extend(self, volume_id: str, size_bytes: int) -> None:
        self._called("extend", volume_id)
        volume = self._volume(volume_id)
        self._require_room(volume.size_bytes, size_bytes)
        volume.size_bytes = size_bytes
        self._keep(volume_id)

    async def export(self, volume_id: str, *, read_only: bool = False) -> VolumeConnection:
        self._called("export", volume_id)
        volume = self._volume(volume_id)
        if volume.connection is None:
            self._next_port += 1
            volume.connection = VolumeConnection(
                host="127.0.0.1", port=self._next_port, export=volume_id, tls_username="tane", tls_key="00" * 32
            )
        return volume.connection

    async def unexport(self, volume_id: str) -> None:
        self._called("unexport", volume_id)
        if volume_id in self._volumes:
            self._volumes[volume_id].connection = None

    async def exports(self) -> set[str]:
        return {volume_id for volume_id, volume in self._volumes.items() if volume.connection}

    async def revive_exports(self) -> dict[str, str]:
        return {}

    async def volumes(self) -> set[str]:
        return set(self._volumes)

    async def usage(self, volume_id: str) -> VolumeUsage:
        self._called("usage", volume_id)
        return VolumeUsage(allocated_bytes=0, virtual_bytes=self._volume(volume_id).size_bytes)

    async def upload(self, volume_id: str, disk_format: str) -> AsyncIterator[bytes]:
        self._called("upload", volume_id)
        size, content = self._volume(volume_id).size_bytes, f"content of simulated volume {volume_id}\n".encode()
        data = fake_disks.empty(disk_format, size, content)
        if data is None:
            raise HostError(f"a volume cannot be written as {disk_format}")
        yield data

    async def content(self, volume_id: str, snapshot_id: str) -> AsyncIterator[bytes]:
        self._called("content", volume_id)
        self._snapshot(volume_id, snapshot_id)
        for number, block in sorted(self._volume(volume_id).contents.get(snapshot_id, {}).items()):
            yield blocks.record(number, block)

    async def restore(self, volume_id: str, size_bytes: int, backup_id: str) -> None:
        self._called("restore", volume_id)
        volume = self._volume(volume_id)
        self._require_room(size_bytes, volume.size_bytes)
        if volume.connection is not None:
            raise HostError(f"volume {volume_id} is attached; only a detached volume can be restored")
        if self._backups is None:
            return
        records, found = blocks.Records(size_bytes // blocks.BLOCK), dict[int, bytes]()
        async for data in self._backups(backup_id, volume_id):
            found.update(records.feed(data))
        records.end()
        beyond = {number: block for number, block in volume.blocks.items() if number >= size_bytes // blocks.BLOCK}
        volume.blocks = beyond | found
        self._keep(volume_id)

    def _called(self, step: str, volume_id: str) -> None:
        self.calls.append((step, volume_id))
        for key in ((step, volume_id), (step, None)):
            if self._failures.get(key):
                raise self._failures[key].popleft()

    def _volume(self, volume_id: str) -> _Volume:
        if volume_id not in self._volumes:
            raise NotOnHost(f"volume {volume_id} is not in this pool")
        return self._volumes[volume_id]

    def _snapshot(self, volume_id: str, snapshot_id: str) -> int:
        snapshots = self._volume(volume_id).snapshots
        if snapshot_id not in snapshots:
            raise NotOnHost(f"volume {volume_id} has no snapshot {snapshot_id}")
        return snapshots[snapshot_id]

    def _add(self, volume_id: str, size_bytes: int, blocks: Mapping[int, bytes] | None = None) -> None:
        self._volumes.setdefault(checked_id(volume_id), _Volume(size_bytes, {}, dict(blocks or {})))
        self._keep(volume_id)

    def _file(self, volume_id: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{checked_id(volume_id)}.json"

    def _keep(self, volume_id: str) -> None:
        if self._folder is not None:
            volume = msgspec.structs.replace(self._volumes[volume_id], connection=None)
            write_private(self._file(volume_id), msgspec.json.encode(volume))

    def _require_room(self, needed: int, size_bytes: int) -> None:
        if needed > size_bytes:
            raise HostError(f"the content needs {needed} bytes, the volume has only {size_bytes}")
