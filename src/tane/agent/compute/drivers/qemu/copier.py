"""The daemon by which a guest's disks are written on another host.

QEMU opens what is on another host while its guest stands still, and says nothing meanwhile: a host that takes the
connection and is silent would hold the guest for as long as it likes. So a storage daemon opens it, and the guest's
QEMU opens the daemon, which is there by then. When the other host hangs later the daemon is ended: what the guest's
QEMU waits for fails at once. Source: qemu-storage-daemon(1), "NBD driver" of QEMU's block layer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterable, Mapping

from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.agent.translation import checked_socket, last_words
from tane.linux import confine, process
from tane.linux.confine import Confinement
from tane.linux.files import remove_tree, write_private
from tane.linux.qmp import QmpError, session
from tane.wire.documents import CopiedDisk, Landing
from tane.wire.errors import HostError

OPEN_SECONDS = 15.0
"""How long the other host has until all disks are open there."""
MEMORY_BYTES = 4 << 30
_BACKLOG = 8


class Copier:
    """The one copier of the guest whose folder is ``folder``; ``netns``: from where the other host is reached."""

    def __init__(self, folder: GuestFolder, netns: str | None) -> None:
        self._guest = folder
        self._netns = netns
        self._folder = folder.copier
        self._pidfile = self._folder / "pid"
        self._log = self._folder / "log"
        self._socket = self._folder / "r" / "qmp"
        self._owner = confine.identity(f"copier-{folder.path.name}")

    async def start(self, landing: Landing, disks: Iterable[CopiedDisk]) -> None:
        """Open the disks where they are awaited; QEMU finds them by :func:`server`. Raises HostError: they are not
        there, or their host is silent."""
        await self.stop()
        for path in (self._guest.copies, self._socket):
            checked_socket(path)
        sent = f"guest {self._guest.path.name} cannot be sent"
        try:
            await asyncio.to_thread(self._spawn, landing, tuple(disks))
            async with asyncio.timeout(OPEN_SECONDS):
                while not self._socket.exists() or not await self._answers():
                    if not process.alive(self._pidfile):
                        raise HostError(f"{sent}: its disks cannot be written there: {last_words(self._log)}")
                    await asyncio.sleep(0.01)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise HostError(f"{sent}: its disks were not open there within {OPEN_SECONDS:.0f} seconds") from None
            raise

    async def stop(self) -> None:
        """End it, whatever it does: it has nothing of its own to bring to an end."""
        await asyncio.to_thread(process.stop, self._pidfile, timeout_seconds=0)
        for folder in (self._folder, self._guest.copies.parent):
            await asyncio.to_thread(remove_tree, folder)

    def _spawn(self, landing: Landing, disks: tuple[CopiedDisk, ...]) -> None:
        keys = self._folder / "keys"
        write_private(keys / "keys.psk", f"{landing.tls_username}:{landing.tls_key}\n".encode())
        for path in (self._folder, keys, keys / "keys.psk"):
            confine.lend(path, self._owner)
        confine.make_folder(self._socket.parent, self._owner)
        with contextlib.closing(self._listening()) as listening:
            process.spawn(
                copier_command(landing, disks, listening.fileno()),
                pidfile=self._pidfile,
                log=self._log,
                netns=self._netns,
                pass_fds=(listening.fileno(),),
                confinement=Confinement(self._owner, memory_bytes=MEMORY_BYTES),
                folder=self._folder,
            )

    async def _answers(self) -> bool:
        """It does once all is open."""
        try:
            async with session(self._socket, self._owner):
                return True
        except QmpError:
            return False

    def _listening(self) -> socket.socket:
        """Where the guest's QEMU alone may ask."""
        place, owner = self._guest.copies, self._guest.owner
        place.parent.mkdir(mode=0o700)
        opened = socket.socket(socket.AF_UNIX)
        try:
            opened.bind(str(place))
            confine.lend(place.parent, owner)
            if owner is not None:
                os.chown(place, owner.uid, owner.gid)
            place.chmod(0o600)
            opened.listen(_BACKLOG)
        except BaseException:
            opened.close()
            raise
        return opened


def server(inside: GuestFolder) -> Mapping[str, str]:
    """Where QEMU, which runs in the guest's folder, finds the copier (QMP, ``SocketAddress``)."""
    return {"type": "unix", "path": str(inside.copies)}


def copier_command(landing: Landing, disks: Iterable[CopiedDisk], listening: int) -> list[str]:
    """The command line of a copier, which runs in its folder and inherits the socket ``listening``."""
    way = {"type": "inet", "host": landing.host, "port": str(landing.disks_port)}
    key = f"tls-creds-psk,id=tls,endpoint=client,dir=keys,username={landing.tls_username}"
    words = ["qemu-storage-daemon", "--chardev", "socket,id=qmp,path=r/qmp,server=on,wait=off"]
    words += ["--monitor", "chardev=qmp", "--object", key]
    for disk in disks:
        node = {"driver": "nbd", "node-name": disk, "server": way, "export": disk, "tls-creds": "tls"}
        words += ["--blockdev", json.dumps({**node, "discard": "unmap"})]
    words += ["--nbd-server", json.dumps({"addr": {"type": "fd", "str": str(listening)}})]
    for disk in disks:
        export = {"type": "nbd", "id": disk, "node-name": disk, "name": disk, "writable": True}
        words += ["--export", json.dumps(export)]
    return words
