"""The compute duty over QEMU."""

from __future__ import annotations

import asyncio
import functools
import os
import platform
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from tane.agent.compute.drivers.qemu import diagnostics, inside, live, moving
from tane.agent.compute.drivers.qemu.accelerator import QEMU
from tane.agent.compute.drivers.qemu.command import ImageFiles
from tane.agent.compute.drivers.qemu.machine import Machine
from tane.agent.compute.drivers.qemu.moving import MovedDisks
from tane.agent.compute.drivers.qemu.record import GuestFolder, Record
from tane.agent.compute.drivers.qemu.settings import QemuSettings, guests_folder
from tane.agent.compute.leases import Leases
from tane.agent.images import ImageCache
from tane.agent.translation import checked_id, host_errors, vetted
from tane.linux import confine, process, sockets
from tane.wire import grammar
from tane.wire.documents import (
    Guest,
    GuestDiagnostics,
    GuestState,
    HostCapabilities,
    HostUptime,
    Landing,
    LiveProgress,
    LocalDisk,
    Nic,
    RootDisk,
    RunningGuest,
    VolumeDisk,
)
from tane.wire.duties import GuestListener
from tane.wire.errors import HostError, NotOnHost, NotSupported
from tane.wire.streams import Connection, chunks

_GB = 1 << 30
RECONNECT_SECONDS = 5.0
SCREEN_SECONDS = 5.0
PINGS = 32
"""Agents in guests that are asked at once."""


class QemuCompute:
    """A :class:`tane.wire.duties.ComputeDuty`; see README.md for what it promises beyond the interface."""

    def __init__(
        self, settings: QemuSettings, images: ImageCache, moved: MovedDisks, leases: Leases | None = None
    ) -> None:
        self._settings = settings
        self._leases = leases
        self._moved = moved
        self._kept = moving.Kept(settings.state_dir / "kept")
        self._images = images
        images.used_by(self._digests)
        self._machines: dict[str, Machine] = {}
        self._listener: GuestListener = lambda _id, _state: None

    async def start_duty(self, listener: GuestListener) -> None:
        self._listener = listener
        self._settings.guests.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self._settings.guests.iterdir():
            self._machines[path.name] = self._new_machine(path.name)
        looking = [machine.reconnect() for machine in self._machines.values()]
        if looking:
            # A guest whose process does not answer keeps nobody else's from being looked after.
            await asyncio.wait(looking, timeout=RECONNECT_SECONDS)

    async def stop_duty(self) -> None:
        await asyncio.gather(*(machine.let_go() for machine in self._machines.values()))
        self._machines.clear()

    async def capabilities(self) -> HostCapabilities:
        disk = os.statvfs(self._settings.state_dir)
        version = await asyncio.to_thread(_qemu_version)
        return HostCapabilities(
            hostname=self._settings.hostname,
            vcpus=os.cpu_count() or 1,
            memory_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            disk_gb=disk.f_blocks * disk.f_frsize // _GB,
            hypervisor_type="QEMU",
            hypervisor_version=version,
            cpu_model=_cpu_model(),
            cpu_arch=platform.machine(),
            accelerator=self._settings.accelerator.kind,
            accelerator_reason=self._settings.accelerator.reason,
            metadata_service=not self._settings.user_network,
        )

    async def uptime(self) -> HostUptime:
        return diagnostics.uptime()

    async def create(self, guest: Guest) -> None:
        guest = vetted(guest)
        if (found := self._machines.get(guest.id)) is not None and not found.absent:
            return  # Also where its image is nowhere any more.
        image = guest.root.image if guest.root else None
        most = _most(guest.root) if guest.root else None
        async with self._locked(guest.id, create=True) as machine, self._images.holding(image, most) as base:
            await machine.create(guest, base)

    async def start(self, guest: Guest) -> None:
        guest = vetted(guest)
        async with self._locked(guest.id) as machine:
            await self._lease(guest)
            # They are there already unless the image cache was emptied meanwhile.
            await machine.start(guest, functools.partial(self._image_files, guest, machine.record))

    async def stop(self, guest_id: str, *, timeout_seconds: float = 60.0) -> None:
        async with self._locked(guest_id) as machine:
            await machine.stop(timeout_seconds)

    async def pause(self, guest_id: str) -> None:
        async with self._locked(guest_id) as machine:
            await machine.pause()

    async def unpause(self, guest_id: str) -> None:
        async with self._locked(guest_id) as machine:
            await machine.unpause()

    async def suspend(self, guest_id: str) -> None:
        async with self._locked(guest_id) as machine:
            await machine.suspend()

    async def destroy(self, guest_id: str) -> None:
        if machine := self._machines.get(checked_id(guest_id)):
            await machine.cut_short()
        async with self._locked(guest_id, create=True) as machine:
            await machine.destroy()
            self._unlease(guest_id)
            del self._machines[guest_id]
        await self._images.prune()

    async def keep(self, guest_id: str, move_id: str) -> None:
        if self._kept.of(move_id) is not None:
            return
        async with self._locked(guest_id) as machine:
            with host_errors(f"guest {guest_id} cannot be set aside"):
                await machine.stop(0)
                await machine.let_go()
                await asyncio.to_thread(self._kept.put, machine.folder, move_id)
            self._unlease(guest_id)
            del self._machines[guest_id]

    async def kept(self) -> set[str]:
        awaited = {machine.record.awaited for machine in self._machines.values() if not machine.absent} - {""}
        return awaited | await asyncio.to_thread(self._kept.moves)

    async def kept_disk(self, move_id: str, disk: LocalDisk) -> AsyncIterator[bytes]:
        if (aside := self._kept.of(move_id)) is None:
            raise NotOnHost(f"nothing is set aside for move {move_id}")
        async for data in chunks(await moving.opened(aside, disk)):
            yield data

    async def receive(self, guest: Guest, move_id: str) -> None:
        guest = vetted(guest)
        async with self._locked(guest.id, create=True) as machine:
            if (aside := self._kept.of(move_id)) is not None:
                fetch = moving.from_here(aside, machine.folder)
            else:
                fetch = moving.from_afar(move_id, self._moved, machine.folder, guest)
            await machine.create(guest, None, fetch)

    async def bring_back(self, guest_id: str, move_id: str) -> None:
        if self._kept.of(move_id) is None:
            return
        await self.destroy(guest_id)
        async with self._locked(guest_id, create=True) as machine:
            with host_errors(f"guest {guest_id} cannot be brought back"):
                await asyncio.to_thread(self._kept.take, move_id, machine.folder.path)
            self._machines[guest_id] = self._new_machine(guest_id)

    async def forget(self, move_id: str) -> None:
        with host_errors("what was set aside cannot be deleted"):
            await asyncio.to_thread(self._kept.forget, move_id)
        for guest_id in [one for one, machine in self._machines.items() if _awaits(machine, move_id)]:
            async with self._locked(guest_id) as machine:
                # It may have landed while somebody else had it.
                if _awaits(machine, move_id):
                    await machine.destroy()
                    del self._machines[guest_id]
        await self._images.prune()

    async def running(self, guest_id: str) -> RunningGuest:
        async with self._locked(guest_id) as machine:
            return await live.running(machine)

    async def expect(self, guest: Guest, running: RunningGuest, move_id: str, address: str) -> Landing:
        guest, running, move_id = vetted(guest), vetted(running), checked_id(move_id)
        try:
            address = str(grammar.address(address))
        except ValueError as error:
            raise HostError(f"guest {guest.id} cannot be awaited: {error}") from None
        if (landing := self._awaited(guest.id, move_id)) is not None:
            return landing
        await self.destroy(guest.id)
        files = await self._image_files(guest, Record(guest=guest, standalone=True))
        async with self._locked(guest.id, create=True) as machine:
            await self._lease(guest)
            return await live.expect(machine, guest, running, (move_id, address), files)

    def _awaited(self, guest_id: str, move_id: str) -> Landing | None:
        machine = self._machines.get(guest_id)
        return machine.record.landing if machine and _awaits(machine, move_id) and machine.running() else None

    async def send(self, guest_id: str, landing: Landing) -> None:
        # Not alone with the guest: that takes as long as its memory is large.
        await live.send(self._present(guest_id), vetted(landing))

    async def progress(self, guest_id: str) -> LiveProgress:
        return await live.progress(self._present(guest_id))

    async def hurry(self, guest_id: str) -> None:
        await live.hurry(self._present(guest_id))

    async def stay(self, guest_id: str, *, paused: bool = False) -> None:
        async with self._locked(guest_id) as machine:
            await live.stay(machine, paused=paused)

    async def land(self, guest_id: str, *, paused: bool = False) -> None:
        async with self._locked(guest_id) as machine:
            await live.land(machine, paused=paused)

    async def set_password(self, guest_id: str, user: str, password: str) -> None:
        # Not alone with the guest: it may be silent, and what else is done with it does not wait for that.
        machine = self._present(guest_id)
        machine.require_running()
        if not machine.record.guest.hardware.guest_agent:
            raise NotSupported("the guest has no channel to an agent")
        async with machine.agent.asking():
            await inside.set_password(machine.folder, user, password)

    async def ping(self, guest_ids: list[str]) -> dict[str, str]:
        turns = asyncio.Semaphore(PINGS)

        async def one(guest_id: str) -> str | None:
            machine = self._machines.get(guest_id)
            if machine is None or machine.absent:
                return None
            async with turns:
                return await diagnostics.silence(machine)

        told = await asyncio.gather(*(one(guest_id) for guest_id in guest_ids))
        return {one: grammar.as_reason(text) for one, text in zip(guest_ids, told, strict=True) if text is not None}

    async def attach_nic(self, guest_id: str, nic: Nic) -> None:
        nic = vetted(nic)
        async with self._locked(guest_id) as machine:
            await machine.attach_nic(nic)

    async def detach_nic(self, guest_id: str, port_id: str) -> None:
        async with self._locked(guest_id) as machine:
            await machine.detach_nic(port_id)

    async def attach_volume(self, guest_id: str, disk: VolumeDisk) -> None:
        disk = vetted(disk)
        checked_id(disk.volume_id)
        async with self._locked(guest_id) as machine:
            await machine.attach_volume(disk)

    async def detach_volume(self, guest_id: str, volume_id: str) -> None:
        checked_id(volume_id)
        async with self._locked(guest_id) as machine:
            await machine.detach_volume(volume_id)

    async def resize_volume(self, guest_id: str, volume_id: str, size_bytes: int) -> None:
        async with self._locked(guest_id) as machine:
            await machine.resize_volume(volume_id, size_bytes)

    async def snapshot(self, guest_id: str) -> AsyncIterator[bytes]:
        async with self._locked(guest_id) as machine:
            made = await machine.snapshot()
        async for data in chunks(made):
            yield data

    async def console_log(self, guest_id: str, *, max_bytes: int = 102400) -> bytes:
        return await self._present(guest_id).console_log(max_bytes)

    async def diagnostics(self, guest_id: str) -> GuestDiagnostics:
        return await diagnostics.measured(self._present(guest_id), self._settings)

    async def has_screen(self, guest_id: str) -> None:
        self._present(guest_id).require_running()

    async def screen(self, guest_id: str) -> Connection:
        machine = self._present(guest_id)
        machine.require_running()
        try:
            async with asyncio.timeout(SCREEN_SECONDS):
                connected = await sockets.connected(machine.folder.vnc, confine.uid(machine.folder.owner))
                return Connection(*await asyncio.open_unix_connection(sock=connected))
        except (OSError, TimeoutError) as error:
            raise HostError(f"the screen of guest {guest_id} does not answer: {error}", transient=True) from error

    async def has_serial(self, guest_id: str) -> None:
        self._present(guest_id).require_running()

    async def serial(self, guest_id: str) -> Connection:
        machine = self._present(guest_id)
        machine.require_running()
        return await machine.console.attach(machine.qmp)

    async def state(self, guest_id: str) -> GuestState:
        machine = self._machines.get(guest_id)
        return await machine.state() if machine else "absent"

    async def states(self) -> dict[str, GuestState]:
        machines = dict(self._machines)
        for machine in machines.values():
            process.bound_log(machine.folder.log)
        found = await asyncio.gather(*(machine.state() for machine in machines.values()))
        return {guest_id: state for guest_id, state in zip(machines, found, strict=True) if state != "absent"}

    async def _lease(self, guest: Guest) -> None:
        """On the cloud's own machine nothing is leased: without that nobody could start it elsewhere."""
        if self._leases is not None and guest.leased:
            await self._leases.hold(guest.id)
        else:
            self._unlease(guest.id)

    def _unlease(self, guest_id: str) -> None:
        if self._leases is not None:
            self._leases.drop(guest_id)

    def _digests(self) -> Iterator[str]:
        """Of the images that the guests of this host stand on or boot from."""
        for machine in list(self._machines.values()):
            if not machine.absent:
                yield from machine.record.image_digests()
        yield from self._kept.digests()

    def _new_machine(self, guest_id: str) -> Machine:
        folder = GuestFolder(self._settings.guests / checked_id(guest_id))
        return Machine(folder, self._settings, self._listener)

    def _present(self, guest_id: str) -> Machine:
        machine = self._machines.get(guest_id)
        if machine is None or machine.absent:
            raise NotOnHost(f"guest {guest_id} is not on this host")
        return machine

    @asynccontextmanager
    async def _locked(self, guest_id: str, *, create: bool = False) -> AsyncIterator[Machine]:
        """Work on one guest alone. Raises NotOnHost for an absent one, unless it is to be created."""
        while True:
            if create and guest_id not in self._machines:
                self._machines[guest_id] = self._new_machine(guest_id)
            machine = self._machines[guest_id] if create else self._present(guest_id)
            async with machine.lock:
                # Whoever held the lock before may have destroyed the guest.
                if self._machines.get(guest_id) is machine:
                    yield machine
                    return

    async def _image_files(self, guest: Guest, record: Record) -> ImageFiles:
        boot, rescue = guest.kernel, guest.rescue
        return ImageFiles(
            base=await self._images.disk(guest.root.image, _most(guest.root))
            if guest.root and not record.standalone
            else None,
            rescue=await self._images.disk(rescue.image, _most(rescue)) if rescue else None,
            kernel=await self._images.file(boot.kernel) if boot else None,
            ramdisk=await self._images.file(boot.ramdisk) if boot and boot.ramdisk else None,
        )


def _awaits(machine: Machine, move_id: str) -> bool:
    return not machine.absent and machine.record.awaited == move_id


def _most(disk: RootDisk) -> int | None:
    """Bytes that a disk may hold; None: as many as its image says."""
    return disk.size_gb * _GB or None


def teardown(state_dir: Path) -> None:
    """End all guests of a state folder at once, from whatever process, and keep their files."""
    for pidfile in (path for name in ("qemu.pid", "cp/pid") for path in guests_folder(state_dir).glob(f"*/{name}")):
        process.stop(pidfile)


@functools.cache
def _qemu_version() -> int:
    """QEMU's version as the API gives it: major*1000000 + minor*1000 + micro."""
    try:
        text = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise HostError(f"{QEMU} does not run (Debian package qemu-system-x86): {error}") from error
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise HostError(f"{QEMU} tells no version: {text.strip()[:80]}")
    major, minor, micro = map(int, found.groups())
    return major * 1000000 + minor * 1000 + micro


def _cpu_model() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else ""
