"""One guest: its record, its process, its QMP session."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tane.agent.compute.drivers.qemu import disks, hotplug, memory
from tane.agent.compute.drivers.qemu.command import BootFiles, assign_slots, command_line
from tane.agent.compute.drivers.qemu.record import GuestFolder, Record, write_private
from tane.agent.compute.drivers.qemu.settings import QemuSettings
from tane.agent.documents import Guest, GuestState, Nic, VolumeDisk
from tane.agent.errors import HostError, NotOnHost, NotSupported
from tane.agent.translation import checked_socket, host_errors, last_words
from tane.linux import process, qemu_img
from tane.linux.qmp import QmpError, QmpSession

_RUNSTATES: dict[str, GuestState] = {
    "paused": "paused",
    "io-error": "paused",
    "suspended": "paused",
    "watchdog": "paused",
    "shutdown": "stopped",
    "internal-error": "crashed",
    "guest-panicked": "crashed",
}
"""QEMU's run states; those not named here are stages of running."""

_BUTTON_SECONDS = 10.0
FULL_DISK_SECONDS = 2.0
_CONSOLE_LIMIT = 4 << 20


class Machine:
    """A guest of this host. Every operation holds ``lock``; the guest's own events wait for it too."""

    def __init__(
        self, folder: GuestFolder, settings: QemuSettings, listener: Callable[[str, GuestState], None]
    ) -> None:
        self.folder = folder
        self.lock = asyncio.Lock()
        self._settings = settings
        self._listener = listener
        self._session: QmpSession | None = None
        self._connecting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut = False
        self._record = folder.load()

    @property
    def absent(self) -> bool:
        """Whether there is nothing of the guest but this object."""
        return self._record is None

    @property
    def record(self) -> Record:
        if self._record is None:
            raise NotOnHost(f"guest {self.folder.path.name} is not on this host")
        return self._record

    # ------------------------------------------------------------------------------------------- life and death

    async def create(self, guest: Guest, base: Path | None) -> None:
        """Make the guest's files; leaves none when that fails, and nothing to do when they are there."""
        if self._record is not None:
            return
        checked_socket(self.folder.memory_socket)
        try:
            with host_errors(f"guest {guest.id} cannot be made"):
                shutil.rmtree(self.folder.path, ignore_errors=True)
                self.folder.path.mkdir(parents=True, mode=0o700)
                await disks.make_disks(guest, self.folder, base)
                record = Record(guest=guest, base=str(base or ""))
                self.folder.save(record)
        except BaseException:
            shutil.rmtree(self.folder.path, ignore_errors=True)
            raise
        self._record = record

    async def start(self, guest: Guest, boot: BootFiles | None) -> None:
        """Start or resume the guest; nothing when it runs already."""
        record = self.record
        with host_errors(f"guest {guest.id} cannot be started"):
            if self.running():
                if await self._run_state() not in ("shutdown", "guest-panicked", "internal-error"):
                    return
                await self._end()
            if record.state == "suspended" and self.folder.memory.exists():
                await self._resume(guest, boot)
            else:
                await self._boot(guest, boot)

    async def _boot(self, guest: Guest, boot: BootFiles | None) -> None:
        await disks.grow_root(guest, self.folder)
        await disks.write_config_drive(guest, self.folder)
        slots, ports = assign_slots(guest, self._settings)
        record = msgspec.structs.replace(self.record, guest=guest, slots=slots, ports=ports)
        self.folder.console.unlink(missing_ok=True)
        self.folder.memory.unlink(missing_ok=True)
        await self._launch(record, boot)
        self._note(record, "running")

    async def _resume(self, guest: Guest, boot: BootFiles | None) -> None:
        """Bring back the machine as it was saved; only the way to its volumes may have changed meanwhile."""
        ways = {disk.volume_id: disk.connection for disk in guest.volumes}
        volumes = tuple(
            msgspec.structs.replace(disk, connection=ways.get(disk.volume_id, disk.connection))
            for disk in self.record.guest.volumes
        )
        saved = msgspec.structs.replace(self.record.guest, volumes=volumes)
        record = msgspec.structs.replace(self.record, guest=saved)
        await self._launch(record, boot, incoming=True)
        self._note(record, "running")
        self.folder.memory.unlink(missing_ok=True)

    async def _launch(self, record: Record, boot: BootFiles | None, *, incoming: bool = False) -> None:
        for disk in record.guest.volumes:
            self.write_keys(disk)
        for socket in (self.folder.qmp, self.folder.vnc, self.folder.memory_socket, self.folder.log):
            socket.unlink(missing_ok=True)
        argv = command_line(record, self.folder, self._settings, boot, incoming=incoming)
        await asyncio.to_thread(
            process.spawn, argv, pidfile=self.folder.pidfile, log=self.folder.log, netns=self._settings.netns
        )
        try:
            await self._wait_for_qmp()
            if incoming:
                await memory.restore(await self.qmp(), self.folder)
        except BaseException as error:
            crashed = not self.running()
            await self._end()
            if crashed and isinstance(error, HostError | QmpError):
                raise HostError(f"QEMU ended: {last_words(self.folder.log)}") from error
            raise

    async def _wait_for_qmp(self) -> None:
        deadline = time.monotonic() + self._settings.start_seconds
        while True:
            if not self.running():
                raise HostError(f"QEMU ended: {last_words(self.folder.log)}")
            if self.folder.qmp.exists():
                try:
                    await self.qmp()
                    return
                except QmpError as error:
                    reason = error
                    if time.monotonic() > deadline:
                        raise HostError(f"QEMU does not answer: {reason}", transient=True) from error
            await asyncio.sleep(0.01)

    async def stop(self, timeout_seconds: float) -> None:
        """Press the power button until the guest is off, or cut the power; a suspended guest loses its memory."""
        record = self.record
        with host_errors(f"guest {record.guest.id} cannot be stopped"):
            if self.running() and timeout_seconds > 0:
                await self._power_down(timeout_seconds)
            await self._end()
            self.folder.memory.unlink(missing_ok=True)
            self._note(record, "stopped")

    async def _power_down(self, timeout_seconds: float) -> None:
        try:
            if await self._run_state() == "paused":
                await (await self.qmp()).execute("cont")
            now = time.monotonic()
            deadline, press = now + timeout_seconds, now
            while time.monotonic() < deadline and not self._cut and self.running():
                if await self._run_state() in ("shutdown", "guest-panicked", "internal-error"):
                    return
                # A guest that has not loaded its button's driver yet misses the first press.
                if time.monotonic() >= press:
                    await (await self.qmp()).execute("system_powerdown")
                    press = time.monotonic() + _BUTTON_SECONDS
                await asyncio.sleep(0.1)
        except QmpError as error:
            if not error.lost:
                raise

    async def destroy(self) -> None:
        """End the process and delete the files; ``cut_short`` before it ends a stop that waits for the guest."""
        with host_errors(f"guest {self.folder.path.name} cannot be deleted"):
            await self._end()
            if self.folder.path.exists():
                await asyncio.to_thread(shutil.rmtree, self.folder.path)
        self._record = None

    def cut_short(self) -> None:
        """Let a :meth:`stop` that waits for the guest cut the power now."""
        self._cut = True

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            if session.connected:
                # A QEMU that does not listen is ended by signals below.
                with contextlib.suppress(QmpError, TimeoutError):
                    await asyncio.wait_for(session.execute("quit"), 5)
            await session.close()
        await asyncio.to_thread(process.stop, self.folder.pidfile)
        for socket in (self.folder.qmp, self.folder.vnc, self.folder.memory_socket):
            socket.unlink(missing_ok=True)
        shutil.rmtree(self.folder.keys, ignore_errors=True)

    # ------------------------------------------------------------------------------------------- while it runs

    async def pause(self) -> None:
        await self._command("stop", "paused")

    async def unpause(self) -> None:
        await self._command("cont", "running")

    async def _command(self, command: str, state: GuestState) -> None:
        record = self.record
        self.require_running()
        with host_errors(f"guest {record.guest.id} does not obey"):
            await (await self.qmp()).execute(command)
        self._note(record, state)

    async def suspend(self) -> None:
        """Save the memory and end the process; a failure leaves the guest running."""
        record = self.record
        if record.state == "suspended":
            return
        self.require_running()
        with host_errors(f"guest {record.guest.id} cannot be suspended"):
            await memory.save(await self.qmp(), self.folder)
            self._note(record, "suspended")
            await self._end()

    async def attach_nic(self, nic: Nic) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"port {nic.port_id} cannot be attached"):
                await hotplug.attach_nic(await self.qmp(), self._slots(), nic, user_network=self._settings.user_network)
        nics = (*(other for other in guest.nics if other.port_id != nic.port_id), nic)
        self._change(msgspec.structs.replace(guest, nics=nics))

    async def detach_nic(self, port_id: str) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"port {port_id} cannot be detached"):
                await hotplug.detach_nic(await self.qmp(), self._slots(), port_id)
        self._change(msgspec.structs.replace(guest, nics=tuple(nic for nic in guest.nics if nic.port_id != port_id)))

    async def attach_volume(self, disk: VolumeDisk) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"volume {disk.volume_id} cannot be attached"):
                self.write_keys(disk)
                keys = self.folder.key_folder(disk.volume_id)
                await hotplug.attach_volume(await self.qmp(), self._slots(), disk, keys)
        volumes = (*(other for other in guest.volumes if other.volume_id != disk.volume_id), disk)
        self._change(msgspec.structs.replace(guest, volumes=volumes))

    async def detach_volume(self, volume_id: str) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"volume {volume_id} cannot be detached"):
                await hotplug.detach_volume(await self.qmp(), self._slots(), volume_id)
        shutil.rmtree(self.folder.key_folder(volume_id), ignore_errors=True)
        volumes = tuple(disk for disk in guest.volumes if disk.volume_id != volume_id)
        self._change(msgspec.structs.replace(guest, volumes=volumes))

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        """Let the running guest see a volume's new size; a stopped one sees it when it starts."""
        disk = next((disk for disk in self.record.guest.volumes if disk.volume_id == volume_id), None)
        if disk is None:
            raise NotOnHost(f"volume {volume_id} is not attached to guest {self.record.guest.id}")
        if self.running():
            with host_errors(f"volume {volume_id} cannot be resized in the guest"):
                await hotplug.resize_volume(await self.qmp(), disk, size_bytes)

    async def snapshot(self, target: Path) -> int:
        """Copy the root disk as it is now; a running guest goes on."""
        record = self.record
        if record.guest.root is None:
            raise NotSupported(f"guest {record.guest.id} boots from a volume: make a snapshot of the volume")
        with host_errors(f"guest {record.guest.id} cannot be snapshotted"):
            if self.running():
                size = int((await qemu_img.info(self.folder.root, "qcow2", in_use=True))["virtual-size"])
                await qemu_img.create(target, size)
                try:
                    await hotplug.backup_root(await self.qmp(), target)
                except BaseException:
                    target.unlink(missing_ok=True)
                    raise
            else:
                await qemu_img.convert(self.folder.root, "qcow2", target)
            return target.stat().st_size

    def console_log(self, max_bytes: int) -> bytes:
        """The end of the console's log; a log that grew beyond a limit is cut down on the way."""
        try:
            with self.folder.console.open("r+b") as log:
                size = log.seek(0, 2)
                log.seek(max(0, size - max_bytes))
                tail = log.read(max_bytes)
                if size > _CONSOLE_LIMIT:
                    # QEMU appends, so what it writes next lands behind the new end.
                    log.seek(0)
                    log.truncate(0)
                    log.write(tail)
                return tail
        except FileNotFoundError:
            return b""

    # ------------------------------------------------------------------------------------------- seeing it

    def running(self) -> bool:
        """Whether the guest's process exists."""
        return process.alive(self.folder.pidfile)

    def require_running(self) -> None:
        if not self.running():
            raise HostError(f"guest {self.record.guest.id} is not running")

    async def state(self) -> GuestState:
        if self._record is None:
            return "absent"
        if self._record.state not in ("running", "paused") or self.lock.locked():
            return self._record.state
        if not self.running():
            return "crashed"
        try:
            return _RUNSTATES.get(await self._run_state(), "running")
        except QmpError:
            return self._record.state if self.running() else "crashed"

    async def reconnect(self) -> None:
        """Find the guest an earlier agent left, and tell what became of it meanwhile."""
        if self._record is None or self._record.state not in ("running", "paused"):
            return
        if self.running():
            await self.qmp()
        await self._settle()
        self._later(self._try_writing_again())

    async def let_go(self) -> None:
        """Close the session; the guest goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def qmp(self) -> QmpSession:
        """The guest's session, connected when it was not. Raises QmpError."""
        async with self._connecting:
            if self._session is None or not self._session.connected:
                if self._session is not None:
                    await self._session.close()
                session = QmpSession(self.folder.qmp, on_event=self._on_event, on_lost=self._look)
                await session.connect()
                self._session = session
            return self._session

    def write_keys(self, disk: VolumeDisk) -> None:
        line = f"{disk.connection.tls_username}:{disk.connection.tls_key}\n"
        write_private(self.folder.key_folder(disk.volume_id) / "keys.psk", line.encode())

    async def _run_state(self) -> str:
        return str((await (await self.qmp()).execute("query-status"))["status"])

    def _on_event(self, event: Mapping[str, Any]) -> None:
        if event["event"] in ("SHUTDOWN", "GUEST_PANICKED"):
            self._look()
        elif event["event"] == "BLOCK_IO_ERROR" and event["data"]["action"] == "stop":
            self._later(self._try_writing_again())

    def _look(self) -> None:
        self._later(self._settle())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try_writing_again(self) -> None:
        """QEMU holds a guest whose disk has no room, so that it never sees the error; each try that fails comes back
        here as another event."""
        await asyncio.sleep(FULL_DISK_SECONDS)
        async with self.lock:
            if self._record is not None and self._record.state == "running" and self.running():
                with contextlib.suppress(QmpError):  # It ended meanwhile, which is noted elsewhere.
                    if await self._run_state() == "io-error":
                        await (await self.qmp()).execute("cont")

    async def _settle(self) -> None:
        """Note and tell when the guest stopped by itself. What our own operations did is noted already."""
        async with self.lock:
            if self._record is None or self._record.state not in ("running", "paused"):
                return
            found: GuestState = "crashed"
            if self.running():
                try:
                    found = _RUNSTATES.get(await self._run_state(), "running")
                except QmpError:
                    if self.running():
                        return
            if found in ("running", "paused"):
                return
            await self._end()
            self._note(self._record, found)
            self._listener(self._record.guest.id, found)

    def _note(self, record: Record, state: GuestState) -> None:
        self._record = msgspec.structs.replace(record, state=state)
        self.folder.save(self._record)

    def _changeable(self) -> Guest:
        if self.record.state == "suspended":
            raise HostError(f"guest {self.record.guest.id} is suspended: resume it before changing its devices")
        return self.record.guest

    def _change(self, guest: Guest) -> None:
        self._record = msgspec.structs.replace(self.record, guest=guest)
        self.folder.save(self._record)

    def _slots(self) -> hotplug.Slots:
        def save(slots: dict[str, int]) -> None:
            self._record = msgspec.structs.replace(self.record, slots=slots)
            self.folder.save(self._record)

        return hotplug.Slots(self.record.slots, self.record.ports, save)
