"""Guests that go to another host while they run.

The host they go to makes the same machine with empty disks and awaits them: QEMU takes the memory at one port, and
writes to the disks at another (NBD). The one they leave copies disks, then memory, and lets the guest stand still in
the end. It goes on where somebody says so: at either host, never at both. Both ways are TLS with a key made for this
one journey. A guest that is emulated stands still for all of its memory, not only for the last of it.
Source: QEMU's QMP reference (``migrate``, ``blockdev-mirror``, ``nbd-server-start``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from tane.agent.compute.drivers.qemu import copier, devices, hardware, hotplug
from tane.agent.compute.drivers.qemu.command import AWAITED, INSIDE, ImageFiles
from tane.agent.compute.drivers.qemu.memory import CAPABILITIES, NO_CAPABILITIES
from tane.agent.compute.drivers.qemu.record import GuestFolder, Record, remembered
from tane.agent.translation import checked_socket, host_errors
from tane.linux import confine, qemu_img
from tane.linux.files import remove_tree
from tane.linux.qmp import QmpError, QmpSession, ignore_absent
from tane.wire.documents import CopiedDisk, Guest, Landing, Layout, LiveProgress, RunningGuest
from tane.wire.errors import HostError, NotOnHost

if TYPE_CHECKING:
    from tane.agent.compute.drivers.qemu.machine import Machine

LIVE = "live"
"""Names the journey's key in a guest's folder and in QEMU."""
PORTS = (30000, 31999)
"""Where guests are awaited; those of the exporters of volumes lie below."""
_GB = 1 << 30
_LARGEST_BYTES = 16 << 40
_PORT_ATTEMPTS = 20
_MOST_CONNECTIONS = 64
_USERNAME = "tane"
_UNLIMITED_BYTES, _UNLIMITED_MS = 1 << 42, 2_000_000
_DOWNTIME_MS = 100
_NEAR_BYTES, _NEAR_SECONDS, _FAR_SECONDS = 64 << 20, 0.01, 0.1
_TAKE_IN_SECONDS = _IDLE_SECONDS = 60.0
_STILL_SECONDS = 10.0
"""How long the guest stands still for a host that takes the last of its disks."""
_UNDER_WAY = ("setup", "active", "pre-switchover", "device", "cancelling")
_STILL = ("finish-migrate", "postmigrate")
"""Run states of a guest that stands still because it was sent."""


def copied(guest: Guest) -> Iterator[CopiedDisk]:
    """The disks of a guest that lie on its host and are written to."""
    if guest.root:
        yield "root"
    if guest.ephemeral_gb:
        yield "ephemeral"
    if guest.swap_mb:
        yield "swap"


# ---------------------------------------------------------------------------------------------- where it comes to


async def expect(
    machine: Machine, guest: Guest, running: RunningGuest, place: tuple[str, str], files: ImageFiles
) -> Landing:
    """Await the guest, which runs on another host; ``place``: the move by which it comes, and the address of this host
    that it comes to. Leaves nothing of it when that fails. Raises HostError."""
    move_id, address = place
    with host_errors(f"guest {guest.id} cannot be awaited"):
        try:
            record = msgspec.structs.replace(await _make_files(guest, running, machine.folder), awaited=move_id)
            machine.note(record, record.state)
            landing = await machine.launch(
                record, files, AWAITED, lambda session: _await_sender(machine, session, address)
            )
        except BaseException:
            await machine.destroy()
            raise
    assert landing is not None
    machine.note(msgspec.structs.replace(machine.record, landing=landing), machine.record.state)
    return landing


async def _make_files(guest: Guest, running: RunningGuest, folder: GuestFolder) -> Record:
    """Empty disks, as large as those that run."""
    checked_socket(folder.memory_listener)
    await asyncio.to_thread(remove_tree, folder.path)
    folder.path.mkdir(parents=True, mode=0o700)
    for disk in copied(guest):
        size = running.disks.get(disk, 0)
        most = _most_bytes(guest, disk)
        if not 0 < size <= most:
            raise HostError(f"the {disk} disk that is to come has {size} bytes, and there is room for {most}")
        if disk == "root":
            await qemu_img.create(folder.root, size, folder.owner)
        else:
            path = folder.ephemeral if disk == "ephemeral" else folder.swap
            confine.make_file(path, folder.owner)
            os.truncate(path, size)
    if guest.config_drive:
        folder.config_drive.write_bytes(running.config_drive or b"")
    await asyncio.to_thread(hardware.make_firmware, guest, folder)
    layout = running.layout
    record = Record(
        guest=remembered(guest),
        slots=layout.slots,
        ports=layout.ports,
        machine=layout.machine,
        balloon=layout.balloon,
        standalone=True,
    )
    _refuse_other_devices(record)
    return record


def _most_bytes(guest: Guest, disk: CopiedDisk) -> int:
    if disk == "root":
        assert guest.root is not None
        return guest.root.size_gb * _GB or _LARGEST_BYTES
    return guest.ephemeral_gb * _GB if disk == "ephemeral" else guest.swap_mb << 20


def _refuse_other_devices(record: Record) -> None:
    guest = record.guest
    wanted = {*copied(guest), *(["config"] if guest.config_drive else [])}
    wanted |= {devices.volume_device(disk.volume_id) for disk in guest.volumes}
    wanted |= {devices.nic_device(nic.port_id) for nic in guest.nics}
    if wanted != set(record.slots):
        different = sorted(wanted ^ set(record.slots))
        raise HostError(f"the machine that runs has other devices than the server: {', '.join(different)}")


async def _await_sender(machine: Machine, session: QmpSession, address: str) -> Landing:
    """Let QEMU take disks and memory at ``address``, whoever has the key. Raises QmpError."""
    key = secrets.token_hex(32)
    machine.folder.write_key(LIVE, _USERNAME, key)
    await session.execute("object-add", _credentials("server"))
    disks_port = await _on_a_free_port(
        lambda port: session.execute(
            "nbd-server-start",
            {
                "addr": {"type": "inet", "data": {"host": address, "port": str(port)}},
                "tls-creds": LIVE,
                # Not only as many as there are disks: whoever is silent holds one for some seconds.
                "max-connections": _MOST_CONNECTIONS,
            },
        )
    )
    for disk in copied(machine.record.guest):
        export = {"type": "nbd", "id": f"{LIVE}-{disk}", "node-name": disk, "name": disk, "writable": True}
        await session.execute("block-export-add", export)
    await _prepare(session)
    host = f"[{address}]" if ":" in address else address
    memory_port = await _on_a_free_port(lambda port: session.execute("migrate-incoming", {"uri": f"tcp:{host}:{port}"}))
    return Landing(host=address, memory_port=memory_port, disks_port=disks_port, tls_username=_USERNAME, tls_key=key)


async def _on_a_free_port(listen: Callable[[int], Awaitable[Any]]) -> int:
    for _ in range(_PORT_ATTEMPTS):
        port = random.randint(*PORTS)
        try:
            await listen(port)
        except QmpError as error:
            if error.lost or "in use" not in str(error):
                raise
            continue
        return port
    raise HostError("no free port was found to await the guest at", transient=True)


async def _prepare(session: QmpSession, **more: object) -> None:
    """Settings of both sides."""
    wanted = [{"capability": name, "state": True} for name in CAPABILITIES]
    await session.execute("migrate-set-capabilities", {"capabilities": wanted})
    await session.execute("migrate-set-parameters", {"tls-creds": LIVE, **more})


def _credentials(endpoint: str) -> dict[str, str]:
    keys = str(INSIDE.key_folder(LIVE))
    user = {"username": _USERNAME} if endpoint == "client" else {}
    return {"qom-type": "tls-creds-psk", "id": LIVE, "endpoint": endpoint, "dir": keys, **user}


async def land(machine: Machine, *, paused: bool) -> None:
    """Let the guest that came go on, or stand as it stood. Raises HostError: it has not come, or is gone."""
    record = machine.record
    if not record.awaited:
        return
    with host_errors(f"guest {record.guest.id} cannot go on here"):
        machine.require_running()
        session = await machine.qmp()
        await _taken_in(session)
        with contextlib.suppress(QmpError):  # Stopped by an earlier call already.
            await session.execute("nbd-server-stop")
        if not paused:
            await session.execute("cont")
        arrived = msgspec.structs.replace(record, awaited="", landing=None, journey="")
        machine.note(arrived, "paused" if paused else "running")
        if not paused:
            machine.clock_stood_still()
        await _forget_key(machine, session)


async def _taken_in(session: QmpSession) -> None:
    """Wait until the last that was sent is taken in."""
    deadline = time.monotonic() + _TAKE_IN_SECONDS
    while (await session.execute("query-status"))["status"] == "inmigrate":
        coming = (await session.execute("query-migrate")).get("status")
        if coming not in ("active", "completed") or time.monotonic() > deadline:
            raise HostError("it has not come as a whole")
        await asyncio.sleep(_NEAR_SECONDS / 2)


async def _forget_key(machine: Machine, session: QmpSession) -> None:
    await session.execute("migrate-set-capabilities", {"capabilities": NO_CAPABILITIES})
    await session.execute("migrate-set-parameters", {"tls-creds": ""})
    await ignore_absent(session, "object-del", {"id": LIVE})
    await asyncio.to_thread(remove_tree, machine.folder.key_folder(LIVE))


# --------------------------------------------------------------------------------------------- where it comes from


async def running(machine: Machine) -> RunningGuest:
    """What the other host has to know. Raises HostError."""
    record = machine.record
    machine.require_running()
    if record.guest.rescue:
        raise HostError(f"guest {record.guest.id} is being rescued")
    with host_errors(f"guest {record.guest.id} cannot be looked at"):
        nodes = await (await machine.qmp()).execute("query-named-block-nodes", {"flat": True})
        sizes = {node["node-name"]: int(node["image"]["virtual-size"]) for node in nodes}
        drive = machine.folder.config_drive.read_bytes() if record.guest.config_drive else None
    return RunningGuest(
        layout=Layout(slots=record.slots, machine=record.machine, ports=record.ports, balloon=record.balloon),
        disks={disk: sizes[disk] for disk in copied(record.guest)},
        config_drive=drive,
    )


def _node(disk: CopiedDisk) -> str:
    return f"copy-{disk}"


async def send(machine: Machine, landing: Landing) -> None:
    """Send the guest to where it is awaited; it stands still then. Whoever asks again waits for the same. Raises
    HostError."""
    with host_errors(f"guest {machine.record.guest.id} cannot be sent"):
        try:
            async with machine.lock:
                machine.require_running()
                await _begin(machine, landing)
            async with machine.sending:
                await _follow(machine, landing)
        except (HostError, QmpError):
            # What QEMU waits for may never come, and it says nothing while it does.
            if machine.record.landing == landing:
                await machine.copier.stop()
            raise


async def _begin(machine: Machine, landing: Landing) -> None:
    """Start copying the disks, unless that was done. What went elsewhere before is broken off, so is half a start."""
    record = machine.record
    if record.landing == landing and record.journey:
        return
    await machine.copier.stop()
    session = await machine.qmp()
    await _cancel(session)
    await _clean(machine, session)
    if await machine.run_state() in _STILL:
        raise HostError("it stands still after a journey that was broken off")
    machine.note(msgspec.structs.replace(record, landing=landing, journey=""), record.state)
    machine.folder.write_key(LIVE, landing.tls_username, landing.tls_key)
    await session.execute("object-add", _credentials("client"))
    await _prepare(session, **{"max-bandwidth": _UNLIMITED_BYTES, "downtime-limit": _DOWNTIME_MS})
    disks = tuple(copied(record.guest))
    if disks:
        await machine.copier.start(landing, disks)
    for disk in disks:
        node = {"driver": "nbd", "node-name": _node(disk), "server": copier.server(INSIDE), "export": disk}
        await session.execute("blockdev-add", {**node, "discard": "unmap", "detect-zeroes": "unmap"})
        job = {"job-id": _node(disk), "device": disk, "target": _node(disk), "sync": "full", "auto-dismiss": False}
        # Behind the guest's back: its writes wait for no other host.
        await session.execute("blockdev-mirror", {**job, "copy-mode": "background"})
    machine.note(msgspec.structs.replace(machine.record, journey="begun"), record.state)


async def _follow(machine: Machine, landing: Landing) -> None:
    """Wait until all is there."""
    while True:
        _refuse_broken_off(machine, landing)
        session = await machine.qmp()
        if machine.record.journey == "begun":
            await _copies_follow(machine, landing)
            if await _emulated(session):
                await session.execute("stop")
            machine.note(msgspec.structs.replace(machine.record, journey="sent"), machine.record.state)
            host = f"[{landing.host}]" if ":" in landing.host else landing.host
            await session.execute("migrate", {"uri": f"tcp:{host}:{landing.memory_port}"})
        if await _memory_sent(machine, landing):
            await _finish(machine, landing, session)
        elif await machine.run_state() in _STILL:
            return
        else:
            await asyncio.sleep(_NEAR_SECONDS)


async def _emulated(session: QmpSession) -> bool:
    """Whether the guest has to stand still as long as its memory is sent: an emulator loses track of some of what a
    running guest writes, and whole pages arrive as they were before (seen with QEMU 7.2)."""
    return not (await session.execute("query-kvm"))["enabled"]


async def _finish(machine: Machine, landing: Landing, session: QmpSession) -> None:
    """Send the last of it, for which the guest stands still: not for as long as a broken way would let it."""
    try:
        async with asyncio.timeout(_STILL_SECONDS):
            await _end_copies(machine, session)
    except TimeoutError:
        raise HostError(f"the last of its disks was not there within {_STILL_SECONDS:.0f} seconds") from None
    await session.execute("migrate-continue", {"state": "pre-switchover"})
    await _memory_sent(machine, landing, continued=True)


class _Watch:
    """Whether something goes on. Raises HostError after a while in which nothing did."""

    def __init__(self, what: str) -> None:
        self._what, self._seen, self._since = what, -1, time.monotonic()

    def look(self, done: int) -> None:
        if done != self._seen:
            self._seen, self._since = done, time.monotonic()
        elif time.monotonic() - self._since > _IDLE_SECONDS:
            raise HostError(f"nothing of the {self._what} has been taken for {_IDLE_SECONDS:.0f} seconds")


def _refuse_broken_off(machine: Machine, landing: Landing) -> None:
    if machine.record.landing != landing:
        raise HostError(f"guest {machine.record.guest.id} stays where it is")


async def _copies_follow(machine: Machine, landing: Landing) -> None:
    """Wait until the copies of all disks are as the disks are."""
    watch = _Watch("disks")
    while True:
        _refuse_broken_off(machine, landing)
        jobs = await _jobs(await machine.qmp())
        for job in jobs:
            _refuse_failed(job)
        if {job["id"] for job in jobs} != {_node(disk) for disk in copied(machine.record.guest)}:
            raise HostError("a copy of its disks has ended")
        if all(job["status"] == "ready" for job in jobs):
            return
        watch.look(sum(int(job["current-progress"]) for job in jobs))
        await asyncio.sleep(_FAR_SECONDS)


def _refuse_failed(job: dict[str, Any]) -> None:
    if job["status"] in ("aborting", "concluded", "null"):
        disk = str(job["id"]).removeprefix("copy-")
        raise HostError(f"the {disk} disk could not be copied: {job.get('error', 'QEMU gave no reason')}")


async def _jobs(session: QmpSession) -> list[dict[str, Any]]:
    names = {_node(disk) for disk in get_args(CopiedDisk)}
    return [job for job in await session.execute("query-jobs") if job["id"] in names]


async def _memory_sent(machine: Machine, landing: Landing, *, continued: bool = False) -> bool:
    """Wait until the guest stands still for the last of its memory; False when even that has been sent, which is waited
    for once it is ``continued``."""
    watch = _Watch("memory")
    while True:
        _refuse_broken_off(machine, landing)
        about = await (await machine.qmp()).execute("query-migrate", seconds=_STILL_SECONDS)
        match about.get("status", "none"):
            case "pre-switchover":
                if not continued:
                    return True
            case "completed":
                return False
            case "failed" | "cancelled" | "none":
                raise HostError(f"the memory could not be sent: {about.get('error-desc', 'QEMU gave no reason')}")
        memory = about.get("ram", {})
        watch.look(int(memory.get("transferred", 0)))
        left = memory.get("remaining", 0)
        await asyncio.sleep(_NEAR_SECONDS if left < _NEAR_BYTES else _FAR_SECONDS)


async def _end_copies(machine: Machine, session: QmpSession) -> None:
    """All that the guest has written is in both; from now on only there. Raises HostError."""
    left = {_node(disk) for disk in copied(machine.record.guest)}
    asked: set[str] = set()
    while left:
        jobs = {str(job["id"]): job for job in await _jobs(session)}
        if missing := left - set(jobs):
            raise HostError(f"the copy of a disk has ended: {', '.join(sorted(missing))}")
        for name in sorted(left):
            job = jobs[name]
            if job["status"] == "ready" and name not in asked:
                await session.execute("block-job-cancel", {"device": name})
                asked.add(name)
            elif job["status"] == "concluded":
                if "error" in job or name not in asked:
                    _refuse_failed(job)
                await session.execute("job-dismiss", {"id": name})
                left.discard(name)
        await asyncio.sleep(_NEAR_SECONDS / 5)


async def stay(machine: Machine, *, paused: bool) -> None:
    """Break off, and let the guest go on; nothing when it was not sent. Raises HostError."""
    # First of all: while it waits for the other host QEMU may hear nothing else.
    await machine.copier.stop()
    if not machine.running():
        return
    record = machine.record
    with host_errors(f"guest {record.guest.id} cannot go on here"):
        if record.landing is None and await machine.run_state() not in _STILL:
            return
        session = await machine.qmp()
        await _cancel(session)
        state = await machine.run_state()
        if state in _STILL or (state == "paused" and not paused):
            await session.execute("cont")
            if paused:  # QEMU takes its disks back as it goes on, and at no other time.
                await session.execute("stop")
        await _clean(machine, session)


async def _cancel(session: QmpSession) -> None:
    """Send no more memory."""
    deadline = time.monotonic() + _IDLE_SECONDS
    await session.execute("migrate_cancel")
    while (await session.execute("query-migrate")).get("status") in _UNDER_WAY:
        if time.monotonic() > deadline:
            raise HostError("what was on its way is not broken off", transient=True)
        await asyncio.sleep(_NEAR_SECONDS)


async def _clean(machine: Machine, session: QmpSession) -> None:
    """Copy its disks no more, and forget the journey, last of all that there was one."""
    await machine.copier.stop()
    deadline = time.monotonic() + _IDLE_SECONDS
    while jobs := await _jobs(session):
        if time.monotonic() > deadline:
            raise HostError("the copies of its disks do not end", transient=True)
        for job in jobs:
            if job["status"] == "concluded":
                await ignore_absent(session, "job-dismiss", {"id": job["id"]})
            elif job["status"] != "aborting":
                await ignore_absent(session, "block-job-cancel", {"device": job["id"], "force": True})
        await asyncio.sleep(_NEAR_SECONDS)
    present = await hotplug.nodes(session)
    for disk in get_args(CopiedDisk):
        if _node(disk) in present:
            await hotplug.delete_node(session, _node(disk))
    await _forget_key(machine, session)
    machine.note(msgspec.structs.replace(machine.record, landing=None, journey=""), machine.record.state)


async def hurry(machine: Machine) -> None:
    """Raises HostError: the guest is not on its way."""
    _require_on_its_way(machine)
    with host_errors(f"guest {machine.record.guest.id} cannot be hurried"):
        await (await machine.qmp()).execute("migrate-set-parameters", {"downtime-limit": _UNLIMITED_MS})


async def progress(machine: Machine) -> LiveProgress:
    """Raises HostError: the guest is not on its way."""
    _require_on_its_way(machine)
    with host_errors(f"guest {machine.record.guest.id} does not answer"):
        session = await machine.qmp()
        memory = (await session.execute("query-migrate")).get("ram", {})
        jobs = await _jobs(session)
    copied_bytes = sum(int(job["current-progress"]) for job in jobs)
    all_bytes = sum(int(job["total-progress"]) for job in jobs)
    return LiveProgress(
        memory_total=int(memory.get("total", 0)),
        memory_processed=int(memory.get("transferred", 0)),
        memory_remaining=int(memory.get("remaining", 0)),
        disk_total=all_bytes,
        disk_processed=copied_bytes,
        disk_remaining=max(all_bytes - copied_bytes, 0),
    )


def _require_on_its_way(machine: Machine) -> None:
    machine.require_running()
    if machine.record.landing is None:
        raise NotOnHost(f"guest {machine.record.guest.id} is not on its way to another host")
