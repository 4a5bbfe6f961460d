"""One qemu-storage-daemon per exported volume: NBD over TLS with a pre-shared key.

The daemon outlives the agent. What it was started with is remembered in ``export.json``, so that a daemon that was
killed is started again with the same port and key and the guests reconnect to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import random
import secrets
import socket
import time
from pathlib import Path

import msgspec

from tane.agent.translation import checked_socket, last_words
from tane.linux import confine, process
from tane.linux import netns as namespaces
from tane.linux.confine import Confinement, Identity
from tane.linux.files import remove_tree, write_private
from tane.linux.qmp import QmpError, QmpSession, session
from tane.wire.documents import VolumeConnection
from tane.wire.errors import HostError

NODE = "volume"
SNAPSHOT_SECONDS = 600.0
EXPORT = "export"
TLS_USERNAME = "tane"
MEMORY_BYTES = 4 << 30
_START_SECONDS = 15.0
_BACKLOG = 16
PORTS = (20000, 29999)
"""Where exporters listen. In the guests' namespace nobody else may: what listens is made by the agent."""
_PORT_ATTEMPTS = 20


class PortTaken(HostError):
    """Somebody else listens at the port."""


class ExportRecord(msgspec.Struct):
    """What a volume is exported with: ``connection`` for the guests, ``read_only`` for the daemon."""

    connection: VolumeConnection
    read_only: bool = False


class ExportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where exporters listen. ``netns`` is the namespace of both exporters and guests when they have one."""

    address: str = "127.0.0.1"
    ports: tuple[int, int] = PORTS
    netns: str | None = None


class Exporter:
    """The export of the one volume whose folder is ``folder`` and whose data is ``disk``."""

    def __init__(self, volume_id: str, folder: Path, disk: Path, settings: ExportSettings) -> None:
        self._volume_id = volume_id
        self._folder = folder
        self._disk = disk
        self._settings = settings
        self._record = folder / "export.json"
        self._pidfile = folder / "exporter.pid"
        self.log = folder / "exporter.log"
        self._keys = folder / "keys"
        self._owner = owner_of(volume_id)
        self._sockets = folder / "run"
        self._socket = self._sockets / "qmp"

    def record(self) -> ExportRecord | None:
        """What the volume is exported with, also when its daemon was killed; None when it is not exported."""
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=ExportRecord)
        except FileNotFoundError:
            return None

    def running(self) -> bool:
        return process.alive(self._pidfile)

    async def start(self, *, read_only: bool) -> VolumeConnection:
        """Export the volume, or see that it is exported; the connection stays the same until :meth:`stop`."""
        checked_socket(self._socket)
        record = self.record()
        if record is not None:
            if record.read_only != read_only:
                raise HostError(f"volume {self._volume_id} is exported already, not as asked (read_only={read_only})")
            if not self.running():
                await self._launch(record)
            else:
                await self._mend(record)
            return record.connection
        # A daemon without a record is one whose starter died before it could tell anyone its key.
        await asyncio.to_thread(process.stop, self._pidfile)
        key = secrets.token_hex(32)
        for attempt in range(_PORT_ATTEMPTS):
            connection = VolumeConnection(
                host=self._settings.address,
                port=random.randint(*self._settings.ports),
                export=self._volume_id,
                tls_username=TLS_USERNAME,
                tls_key=key,
            )
            record = ExportRecord(connection, read_only)
            # Written before the daemon starts, so that no crash leaves a daemon that nobody knows how to reach.
            write_private(self._record, msgspec.json.encode(record))
            try:
                await self._launch(record)
            except PortTaken:
                if attempt < _PORT_ATTEMPTS - 1:
                    continue
                await self.stop()
                raise
            except HostError:
                await self.stop()
                raise
            return connection
        raise HostError("no free port was found to export the volume at", transient=True)

    async def stop(self) -> None:
        """End the export and forget its port and key."""
        await asyncio.to_thread(process.stop, self._pidfile)
        self._record.unlink(missing_ok=True)
        await asyncio.to_thread(remove_tree, self._sockets)
        self.log.unlink(missing_ok=True)
        await asyncio.to_thread(remove_tree, self._keys)

    async def snapshot(self, name: str) -> None:
        """Make an internal snapshot at once, between two writes of the guest."""
        wanted = {"device": NODE, "name": name}
        async with session(self._socket, self._owner) as qmp:
            await qmp.execute("blockdev-snapshot-internal-sync", wanted, seconds=SNAPSHOT_SECONDS)

    async def delete_snapshot(self, name: str) -> None:
        wanted = {"device": NODE, "name": name}
        async with session(self._socket, self._owner) as qmp:
            await qmp.execute("blockdev-snapshot-delete-internal-sync", wanted, seconds=SNAPSHOT_SECONDS)

    async def resize(self, size_bytes: int) -> None:
        """Grow the volume: QEMU refuses this under an export, so the export is gone for some milliseconds.

        Guests hold their requests meanwhile and see the new size once they connect anew.
        """
        record = self.record()
        if record is None:
            raise HostError(f"volume {self._volume_id} is not exported")
        async with session(self._socket, self._owner) as qmp:
            await qmp.execute("block-export-del", {"id": EXPORT, "mode": "hard"})
            try:
                await _wait_for_no_export(qmp)
                await qmp.execute("block_resize", {"node-name": NODE, "size": size_bytes})
            finally:
                await qmp.execute("block-export-add", _export_options(self._volume_id, record.read_only))

    async def _mend(self, record: ExportRecord) -> None:
        """Add the export again when a resize was broken off between taking it away and putting it back."""
        async with session(self._socket, self._owner) as qmp:
            if not await qmp.execute("query-block-exports"):
                await qmp.execute("block-export-add", _export_options(self._volume_id, record.read_only))

    async def _launch(self, record: ExportRecord) -> None:
        await asyncio.to_thread(self._spawn, record)
        deadline = time.monotonic() + _START_SECONDS
        while not self._socket.exists() or not await self._answers():
            if not self.running():
                raise HostError(f"volume {self._volume_id} cannot be exported: {last_words(self.log)}")
            if time.monotonic() > deadline:
                await asyncio.to_thread(process.stop, self._pidfile)
                raise HostError(f"the exporter of volume {self._volume_id} did not answer", transient=True)
            await asyncio.sleep(0.01)

    def _spawn(self, record: ExportRecord) -> None:
        self._hand_over(record)
        self.log.unlink(missing_ok=True)
        with self._listening(record.connection) as listening:
            process.spawn(
                exporter_command(self._volume_id, record, listening.fileno()),
                pidfile=self._pidfile,
                log=self.log,
                netns=self._settings.netns,
                pass_fds=(listening.fileno(),),
                confinement=Confinement(self._owner, memory_bytes=MEMORY_BYTES),
                folder=self._folder,
            )

    def _listening(self, connection: VolumeConnection) -> socket.socket:
        """:raises PortTaken: whoever took the port of a daemon that died; the guests know no other one."""
        netns = self._settings.netns
        with namespaces.entered(netns) if netns else contextlib.nullcontext():
            opened = socket.socket()
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # In the guests' namespace nobody is but guests' engines, and hosts by the network that is theirs alone.
            opened.bind(("0.0.0.0" if netns else connection.host, connection.port))
            opened.listen(_BACKLOG)
        except OSError as error:
            opened.close()
            if error.errno != errno.EADDRINUSE:
                raise HostError(f"volume {self._volume_id} cannot be exported: {error.strerror}") from error
            raise PortTaken(
                f"volume {self._volume_id} cannot be exported: its port is taken", transient=True
            ) from error
        return opened

    def _hand_over(self, record: ExportRecord) -> None:
        """Let the daemon pass this folder, write the data and make its sockets; everything else stays the agent's."""
        connection = record.connection
        self._keys.mkdir(mode=0o700, exist_ok=True)
        keys = self._keys / "keys.psk"
        write_private(keys, f"{connection.tls_username}:{connection.tls_key}\n".encode())
        for path in (self._folder, self._keys, keys):
            confine.lend(path, self._owner)
        confine.give(self._disk, self._owner, 0o640)
        remove_tree(self._sockets)
        confine.make_folder(self._sockets, self._owner)

    async def _answers(self) -> bool:
        try:
            async with session(self._socket, self._owner):
                return True
        except QmpError:
            return False


def owner_of(volume_id: str) -> Identity | None:
    """The user a volume's data belongs to, and who works on it."""
    return confine.identity(f"volume-{volume_id}")


def exporter_command(volume_id: str, record: ExportRecord, listening: int) -> list[str]:
    """The command line of a volume's exporter, which runs in the volume's folder and inherits the socket
    ``listening``."""
    file = {"driver": "file", "filename": "disk.qcow2", "discard": "unmap", "aio": "threads"}
    node = {"node-name": NODE, "driver": "qcow2", "file": file, "discard": "unmap", "read-only": record.read_only}
    server = {"addr": {"type": "fd", "str": str(listening)}, "tls-creds": "tls"}
    return [
        "qemu-storage-daemon",
        *("--chardev", "socket,id=qmp,path=run/qmp,server=on,wait=off"),
        *("--monitor", "chardev=qmp"),
        *("--object", "tls-creds-psk,id=tls,endpoint=server,dir=keys"),
        *("--blockdev", json.dumps(node)),
        *("--nbd-server", json.dumps(server)),
        *("--export", json.dumps(_export_options(volume_id, record.read_only))),
    ]


def _export_options(volume_id: str, read_only: bool) -> dict[str, object]:
    return {"id": EXPORT, "type": "nbd", "node-name": NODE, "name": volume_id, "writable": not read_only}


async def _wait_for_no_export(qmp: QmpSession) -> None:
    while await qmp.execute("query-block-exports"):  # noqa: ASYNC110 (the daemon tells, no event of ours)
        await asyncio.sleep(0.002)
