"""One guest: its record, its process, its QMP session."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import structlog
from msgspec import structs

from tane.agent.compute.drivers.qemu import disks, hardware, hotplug, inside, memory, moving, throttles
from tane.agent.compute.drivers.qemu.command import (
    INSIDE,
    SAVED,
    ImageFiles,
    Openings,
    assign_slots,
    command_line,
)
from tane.agent.compute.drivers.qemu.console import Console
from tane.agent.compute.drivers.qemu.copier import Copier
from tane.agent.compute.drivers.qemu.reach import require_exporter
from tane.agent.compute.drivers.qemu.record import GuestFolder, Record, remembered
from tane.agent.compute.drivers.qemu.settings import QemuSettings
from tane.agent.translation import checked_socket, host_errors, last_words
from tane.linux import confine, netns, process, qemu_img, tap
from tane.linux.confine import Confinement, Handed
from tane.linux.files import remove_tree
from tane.linux.qmp import QmpError, QmpSession, Rest
from tane.wire.documents import Guest, GuestState, Layout, Nic, VolumeDisk
from tane.wire.errors import HostError, NotOnHost, NotSupported

log = structlog.get_logger()
T = TypeVar("T")

_RUNSTATES: dict[str, GuestState] = {
    "paused": "paused",
    "io-error": "paused",
    "suspended": "paused",
    "watchdog": "paused",
    "finish-migrate": "paused",
    "postmigrate": "paused",
    "shutdown": "stopped",
    "internal-error": "crashed",
    "guest-panicked": "crashed",
}
"""QEMU's run states; those not named here are stages of running."""

_BUTTON_SECONDS = _STATUS_SECONDS = 10.0
_GLANCE_SECONDS = 5.0
"""How long whoever asks for the states of all guests waits for one of them."""
MISSING = (None, errno.ENODEV, errno.ENXIO)
"""Errors that say there is no such interface; Python's own has no number."""
FULL_DISK_SECONDS = 2.0
_CONSOLE_SECONDS = 5.0
_MEMORY_BESIDE_GUEST = 4 << 30
"""Address space QEMU needs besides the guest's memory: translation cache, video memory, threads' stacks, libraries."""
_MEMORY_PER_VCPU = 64 << 20
_OPEN_FILES = 4096
_THREADS = 256


class Machine:
    """A guest of this host. Every operation that changes it holds ``lock``; the guest's own events wait for it too."""

    def __init__(
        self, folder: GuestFolder, settings: QemuSettings, listener: Callable[[str, GuestState], None]
    ) -> None:
        self.folder = folder
        self.copier = Copier(folder, settings.netns)
        self.lock = asyncio.Lock()
        self._settings = settings
        self._listener = listener
        self._session: QmpSession | None = None
        self._connecting = asyncio.Lock()
        self.console = Console(folder)
        self.sending = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut = False
        self._awaited: set[str] = set()
        self.agent = inside.Channel()
        self._rest = Rest()
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

    async def create(self, guest: Guest, base: Path | None, moved: moving.Fetch | None = None) -> None:
        """Make the guest's files, from an image or from disks that were elsewhere; leaves none when that fails, and
        nothing to do when they are there."""
        if self._record is not None:
            return
        checked_socket(self.folder.memory_listener)
        try:
            with host_errors(f"guest {guest.id} cannot be made"):
                await asyncio.to_thread(remove_tree, self.folder.path)
                self.folder.path.mkdir(parents=True, mode=0o700)
                folder = self.folder
                made = moving.take_over(guest, folder, moved) if moved else disks.make_disks(guest, folder, base)
                layout = structs.asdict(await made or Layout())
                alone = moved is not None or (guest.root is not None and guest.root.standalone)
                record = Record(guest=remembered(guest), base=str(base or ""), standalone=alone, **layout)
                self.folder.save(record)
        except BaseException:
            with contextlib.suppress(OSError):  # The reason counts more than what is left of it.
                await asyncio.to_thread(remove_tree, self.folder.path)
            raise
        self._record = record

    async def start(self, guest: Guest, fetch: Callable[[], Awaitable[ImageFiles]]) -> None:
        """Start or resume the guest, on the image files that ``fetch`` gives; nothing when it runs already."""
        record = self.record
        with host_errors(f"guest {guest.id} cannot be started"):
            if record.awaited:  # Its memory did not come as a whole; its disks are its own from now on.
                await self._end()
                self.note(structs.replace(record, awaited="", landing=None), "stopped")
            if self.running():
                gone = await self.run_state() in ("shutdown", "guest-panicked", "internal-error")
                if not gone and record.guest.rescue == guest.rescue:
                    return
                await self._end()
            files = await fetch()
            if record.state == "suspended" and self.folder.memory.exists():
                await self._resume(guest, files)
            else:
                await self._boot(guest, files)

    async def _boot(self, guest: Guest, files: ImageFiles) -> None:
        await disks.grow_root(guest, self.folder, files.base)
        if self.record.guest.rescue != guest.rescue:
            self.folder.rescue.unlink(missing_ok=True)  # Of another time, and maybe another image.
        await disks.make_rescue(guest, self.folder, files.rescue)
        await disks.write_config_drive(guest, self.folder)
        await asyncio.to_thread(hardware.make_firmware, guest, self.folder)
        slots, ports = assign_slots(guest, self._settings, self.record.slots)
        kept = structs.replace(self.record, guest=remembered(guest), base=str(files.base or ""), balloon=True)
        record = structs.replace(kept, slots=slots, ports=ports)
        self.console.clear()
        self.folder.memory.unlink(missing_ok=True)
        await self.launch(record, files)
        kind = await (await self.qmp()).execute("qom-get", {"path": "/machine", "property": "type"})
        record = structs.replace(record, machine=str(kind).removesuffix("-machine"))
        self.note(record, "running")

    async def _resume(self, guest: Guest, files: ImageFiles) -> None:
        """Bring back the machine as it was saved; only the way to its volumes may have changed meanwhile."""
        ways = {disk.volume_id: disk.connection for disk in guest.volumes}
        volumes = tuple(
            structs.replace(disk, connection=ways.get(disk.volume_id, disk.connection))
            for disk in self.record.guest.volumes
        )
        saved = structs.replace(self.record.guest, volumes=volumes)
        record = structs.replace(self.record, guest=saved)
        await self.launch(record, files, SAVED, functools.partial(memory.restore, folder=self.folder))
        self.note(record, "running")
        self.folder.memory.unlink(missing_ok=True)
        self.clock_stood_still()

    async def launch(
        self,
        record: Record,
        files: ImageFiles,
        incoming: tuple[str, ...] = (),
        then: Callable[[QmpSession], Awaitable[T]] | None = None,
    ) -> T | None:
        """``incoming``: as :func:`command_line` says; ``then``: once QEMU answers. What fails ends it again."""
        await asyncio.to_thread(self._spawn, record, files, incoming)
        try:
            await self._wait_for_qmp()
            session = await self.qmp()
            await throttles.set_limits(session, record.guest)
            return await then(session) if then is not None else None
        except BaseException as error:
            crashed = not self.running()
            await self._end()
            if crashed and isinstance(error, HostError | QmpError):
                raise HostError(f"QEMU ended: {last_words(self.folder.log)}") from error
            raise

    def _spawn(self, record: Record, files: ImageFiles, incoming: tuple[str, ...]) -> None:
        disks.hand_over(record.guest, self.folder)
        for disk in record.guest.volumes:
            self.write_keys(disk)
        self.folder.log.unlink(missing_ok=True)
        with Handed() as handed:
            openings = self._openings(record.guest, files, handed)
            process.spawn(
                command_line(record, self._settings, openings, incoming),
                pidfile=self.folder.pidfile,
                log=self.folder.log,
                netns=self._settings.netns,
                pass_fds=handed.descriptors,
                confinement=self._confinement(record.guest),
                folder=self.folder.path,
            )

    def _confinement(self, guest: Guest) -> Confinement:
        owner, readers = self.folder.owner, qemu_img.content_readers()
        groups = [readers.gid] if readers is not None else []
        groups += self._settings.accelerator.groups
        memory = (guest.memory_mb << 20) + _MEMORY_BESIDE_GUEST + guest.vcpus * _MEMORY_PER_VCPU
        return Confinement(
            owner,
            groups=tuple(groups),
            threads=_THREADS + guest.vcpus,
            memory_bytes=memory,
            open_files=_OPEN_FILES,
        )

    def _openings(self, guest: Guest, files: ImageFiles, handed: Handed) -> Openings:
        """Lend QEMU the images and open the taps: it may do neither itself."""
        names: dict[str, str] = {}
        for field in ("base", "rescue", "kernel", "ramdisk"):
            if (path := getattr(files, field)) is not None:
                confine.lend(path, qemu_img.content_readers())
                names[field] = handed.name(path)
        taps: dict[str, int] = {}
        if not self._settings.user_network:
            taps = {nic.port_id: handed.add(self._open_tap(nic)) for nic in guest.nics}
        return Openings(**names, taps=taps)

    def _open_tap(self, nic: Nic) -> int:
        """The caller closes it. Raises HostError for now while the host's network has not been made."""
        try:
            with netns.entered(self._settings.netns) if self._settings.netns else contextlib.nullcontext():
                return tap.opened(nic.tap)
        except OSError as error:
            if error.errno not in MISSING:
                raise
            raise HostError(f"interface {nic.tap} is not there yet", transient=True) from error

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
                    if time.monotonic() > deadline:
                        raise HostError(f"QEMU does not answer: {error}", transient=True) from error
            await asyncio.sleep(0.01)

    async def stop(self, timeout_seconds: float) -> None:
        """Press the power button until the guest is off, or cut the power; a suspended guest loses its memory."""
        record = self.record
        with host_errors(f"guest {record.guest.id} cannot be stopped"):
            if self.running() and timeout_seconds > 0:
                await self._power_down(timeout_seconds)
            await self._end()
            self.folder.memory.unlink(missing_ok=True)
            self.note(record, "stopped")

    async def _power_down(self, timeout_seconds: float) -> None:
        try:
            if await self.run_state() == "paused":
                await (await self.qmp()).execute("cont")
            now = time.monotonic()
            deadline, press = now + timeout_seconds, now
            while time.monotonic() < deadline and not self._cut and self.running():
                if await self.run_state() in ("shutdown", "guest-panicked", "internal-error"):
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
            await asyncio.to_thread(remove_tree, self.folder.path)
        self._record = None

    async def cut_short(self) -> None:
        """End whatever waits for the guest's process, before the guest is destroyed."""
        self._cut = True
        if self.lock.locked():
            await asyncio.to_thread(process.stop, self.folder.pidfile)

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            if session.connected:
                # A QEMU that does not listen is ended by signals below.
                with contextlib.suppress(QmpError, TimeoutError):
                    await asyncio.wait_for(self.console.drain(session), 5)
                    await asyncio.wait_for(session.execute("quit"), 5)
            await session.close()
        await asyncio.to_thread(process.stop, self.folder.pidfile)
        await self.copier.stop()
        for folder in (self.folder.sockets, self.folder.keys):
            await asyncio.to_thread(remove_tree, folder)

    # ------------------------------------------------------------------------------------------- while it runs

    async def pause(self) -> None:
        await self._command("stop", "paused")

    async def unpause(self) -> None:
        await self._command("cont", "running")
        self.clock_stood_still()

    async def _command(self, command: str, state: GuestState) -> None:
        record = self.record
        self.require_running()
        with host_errors(f"guest {record.guest.id} does not obey"):
            await (await self.qmp()).execute(command)
        self.note(record, state)

    async def suspend(self) -> None:
        """Save the memory and end the process; a failure leaves the guest running."""
        record = self.record
        if record.state == "suspended":
            return
        self.require_running()
        with host_errors(f"guest {record.guest.id} cannot be suspended"):
            await memory.save(await self.qmp(), self.folder, record.guest.memory_mb)
            self.note(record, "suspended")
            await self._end()

    def clock_stood_still(self) -> None:
        if self.record.guest.hardware.guest_agent:
            self._later(inside.try_to_set_time(self.folder))

    async def attach_nic(self, nic: Nic) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"port {nic.port_id} cannot be attached"):
                open_tap = None if self._settings.user_network else functools.partial(self._open_tap, nic)
                await hotplug.attach_nic(await self.qmp(), self._slots(), nic, guest.hardware.vif_model, open_tap)
        nics = (*(other for other in guest.nics if other.port_id != nic.port_id), nic)
        self._change(structs.replace(guest, nics=nics))

    async def detach_nic(self, port_id: str) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"port {port_id} cannot be detached"):
                await hotplug.detach_nic(await self.qmp(), self._slots(), port_id)
        self._change(structs.replace(guest, nics=tuple(nic for nic in guest.nics if nic.port_id != port_id)))

    async def attach_volume(self, disk: VolumeDisk) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"volume {disk.volume_id} cannot be attached"):
                await require_exporter(disk.connection, self._settings.netns)
                self.write_keys(disk)
                keys = INSIDE.key_folder(disk.volume_id)
                bus = guest.hardware.disk_bus
                await hotplug.attach_volume(await self.qmp(), self._slots(), disk, bus, keys)
        volumes = (*(other for other in guest.volumes if other.volume_id != disk.volume_id), disk)
        self._change(structs.replace(guest, volumes=volumes))

    async def detach_volume(self, volume_id: str) -> None:
        guest = self._changeable()
        if self.running():
            with host_errors(f"volume {volume_id} cannot be detached"):
                await hotplug.detach_volume(await self.qmp(), self._slots(), volume_id)
        shutil.rmtree(self.folder.key_folder(volume_id), ignore_errors=True)
        volumes = tuple(disk for disk in guest.volumes if disk.volume_id != volume_id)
        self._change(structs.replace(guest, volumes=volumes))

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        """Let the running guest see a volume's new size; a stopped one sees it when it starts."""
        disk = next((disk for disk in self.record.guest.volumes if disk.volume_id == volume_id), None)
        if disk is None:
            raise NotOnHost(f"volume {volume_id} is not attached to guest {self.record.guest.id}")
        if self.running():
            with host_errors(f"volume {volume_id} cannot be resized in the guest"):
                await require_exporter(disk.connection, self._settings.netns)
                await hotplug.resize_volume(await self.qmp(), disk, size_bytes)

    async def snapshot(self) -> BinaryIO:
        """A copy of the root disk as it is now, open and without a name: it goes when it is closed. A running guest
        goes on."""
        record = self.record
        if record.guest.root is None:
            raise NotSupported(f"guest {record.guest.id} boots from a volume: make a snapshot of the volume")
        copy = self.folder.copy
        with host_errors(f"guest {record.guest.id} cannot be snapshotted"):
            try:
                disk = disks.root_disk(self.folder, record.base_path)
                if self.running():
                    # QEMU writes into the guest's own folder, where else it may not.
                    size = int((await qemu_img.info(disk, in_use=True))["virtual-size"])
                    await qemu_img.create(copy, size, self.folder.owner)
                    asleep = record.state != "running" or not record.guest.hardware.quiesce
                    frozen = contextlib.nullcontext() if asleep else inside.quiet(self.folder)
                    await hotplug.backup_root(await self.qmp(), INSIDE.copy, frozen)
                    confine.take_back(copy)
                else:
                    await qemu_img.convert(disk, copy)
                return copy.open("rb")
            finally:
                copy.unlink(missing_ok=True)

    async def console_log(self, max_bytes: int) -> bytes:
        """The end of what the guest wrote to its serial console since it was started."""
        if self.running():
            # What was read before is still there when QEMU does not answer now, or others wait for it.
            with contextlib.suppress(QmpError, TimeoutError):
                async with asyncio.timeout(_CONSOLE_SECONDS):
                    await self.console.drain(await self.qmp())
        return await self.console.tail(max_bytes)

    # ------------------------------------------------------------------------------------------- seeing it

    def running(self) -> bool:
        """Whether the guest's process exists."""
        return process.alive(self.folder.pidfile)

    def require_running(self) -> None:
        if not self.running():
            raise HostError(f"guest {self.record.guest.id} is not running")

    async def state(self) -> GuestState:
        if self._record is None or self._record.awaited:
            return "absent"
        if self._record.state not in ("running", "paused") or self.lock.locked():
            return self._record.state
        if not self.running():
            return "crashed"
        try:
            async with asyncio.timeout(_GLANCE_SECONDS):
                return _RUNSTATES.get(await self.run_state(), "running")
        except (QmpError, TimeoutError):
            return self._record.state if self.running() else "crashed"

    def reconnect(self) -> asyncio.Task[None]:
        """Find the guest an earlier agent left, and tell when it powered itself off meanwhile.

        One whose process is gone went down with its host, as far as anybody knows: :meth:`state` says so, and nobody is
        told that it crashed. One that does not answer is asked again whenever somebody wants to know its state.
        """
        return self._later(self._reconnect())

    async def _reconnect(self) -> None:
        if self._record is None or self._record.state not in ("running", "paused"):
            return
        try:
            if self.running():
                await self.console.mend(await self.qmp())
            await self._settle(tell_crash=False)
            self._once("writing", self._try_writing_again())
            if self._record.guest.hardware.quiesce:  # The agent before may have ended in the middle of it.
                self._once("thawing", inside.try_to_thaw(self.folder))
        except (QmpError, OSError) as error:
            log.warning("a guest does not answer", guest_id=self._record.guest.id, error=str(error))

    async def let_go(self) -> None:
        """Close the session; the guest goes on."""
        await self.console.let_go(self.qmp)
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
                if self._rest.lasts():
                    raise QmpError("its process floods the connection, which rests", lost=True)
                old, self._session = self._session, None
                if old is not None:
                    await old.close()
                session = QmpSession(self.folder.qmp, self.folder.owner, on_event=self._on_event, on_lost=self._lost)
                await session.connect()
                self._session = session
                self._rest.begun()
            return self._session

    def write_keys(self, disk: VolumeDisk) -> None:
        self.folder.write_key(disk.volume_id, disk.connection.tls_username, disk.connection.tls_key)

    async def run_state(self) -> str:
        """QEMU's own word for what the guest does. Raises QmpError."""
        session = await self.qmp()
        return str((await session.execute("query-status", seconds=_STATUS_SECONDS))["status"])

    def _on_event(self, event: Mapping[str, Any]) -> None:
        if event["event"] in ("SHUTDOWN", "GUEST_PANICKED"):
            self._look()
        elif event["event"] == "BLOCK_IO_ERROR" and event["data"]["action"] == "stop":
            self._once("writing", self._try_writing_again())

    def _look(self) -> None:
        self._once("state", self._settle())

    def _lost(self) -> None:
        """The session ended. One that was flooded is left alone for a while: the next one may be, too."""
        if self._session is not None and self._session.flooded:
            log.warning("a guest's process floods its connection", guest_id=self.folder.path.name)
            self._rest.take()
        else:
            self._look()

    def _once(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work`` later, unless it waits for its turn already: events come as often as a guest likes. It takes
        ``what`` out of ``_awaited`` before it looks, so that what comes later is not overlooked."""
        if what in self._awaited:
            work.close()
            return
        self._awaited.add(what)
        self._later(work)

    def _later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _try_writing_again(self) -> None:
        """QEMU holds a guest whose disk has no room, so that it never sees the error; each try that fails comes back
        here as another event."""
        await asyncio.sleep(FULL_DISK_SECONDS)
        async with self.lock:
            self._awaited.discard("writing")
            if self._record is not None and self._record.state == "running" and self.running():
                with contextlib.suppress(QmpError):  # It ended meanwhile, which is noted elsewhere.
                    if await self.run_state() == "io-error":
                        await (await self.qmp()).execute("cont")

    async def _settle(self, *, tell_crash: bool = True) -> None:
        """Note and tell when the guest stopped by itself. What our own operations did is noted already."""
        async with self.lock:
            self._awaited.discard("state")
            if self._record is None or self._record.state not in ("running", "paused"):
                return
            found: GuestState = "crashed"
            if self.running():
                try:
                    found = _RUNSTATES.get(await self.run_state(), "running")
                except QmpError:
                    if self.running():
                        return
            if found in ("running", "paused"):
                return
            await self._end()
            if found == "crashed" and not tell_crash:
                return
            self.note(self._record, found)
            self._listener(self._record.guest.id, found)

    def note(self, record: Record, state: GuestState) -> None:
        """Keep what the guest is like now."""
        self._record = structs.replace(record, state=state)
        self.folder.save(self._record)

    def _changeable(self) -> Guest:
        if self.record.state == "suspended":
            raise HostError(f"guest {self.record.guest.id} is suspended: resume it before changing its devices")
        return self.record.guest

    def _change(self, guest: Guest) -> None:
        self._record = structs.replace(self.record, guest=guest)
        self.folder.save(self._record)

    def _slots(self) -> hotplug.Slots:
        def save(slots: dict[str, int]) -> None:
            self._record = structs.replace(self.record, slots=slots)
            self.folder.save(self._record)

        return hotplug.Slots(self.record.slots, self.record.ports, save)
