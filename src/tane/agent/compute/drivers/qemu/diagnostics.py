"""What a guest uses, by QEMU's monitor and the kernel's own counters (proc(5)); and how long the host is up."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tane.agent.compute.drivers.qemu import devices, inside
from tane.agent.compute.drivers.qemu.machine import Machine
from tane.agent.compute.drivers.qemu.settings import QemuSettings
from tane.linux import netns, process
from tane.linux.qmp import QmpError, QmpSession
from tane.wire.documents import DiskCounters, Guest, GuestDiagnostics, HostUptime, Nic, NicCounters
from tane.wire.errors import HostError

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
POLLING_SECONDS = 15
"""How often QEMU asks a guest."""
STALE_SECONDS = 120
_FIELDS = ("octets", "packets", "errors", "drop")
"""The first columns of each direction in ``/proc/net/dev``."""


def uptime() -> HostUptime:
    one, five, fifteen = os.getloadavg()
    return HostUptime(seconds=int(_up()), clock=time.strftime("%H:%M:%S"), load=(one, five, fifteen))


def _up() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


async def measured(machine: Machine, settings: QemuSettings) -> GuestDiagnostics:
    """:raises HostError: the guest does not run, or QEMU does not answer."""
    machine.require_running()
    pid, guest = process.read_pid(machine.folder.pidfile), machine.record.guest
    try:
        session = await machine.qmp()
        processors = await session.execute("query-cpus-fast")
        blocks = await session.execute("query-blockstats")
        begun, *_ = _times(f"/proc/{pid}/stat")
        return GuestDiagnostics(
            uptime_seconds=max(int(_up() - begun), 0),
            hypervisor="kvm" if settings.accelerator.kind == "kvm" else "qemu",
            cpu_ns=tuple(_processor_ns(pid, processor["thread-id"]) for processor in processors),
            nics=tuple(_nics(guest, settings)),
            disks=tuple(_disks(guest, blocks)),
            used_mb=await _used_mb(session, guest) if machine.record.balloon else None,
            resident_mb=int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE >> 20,
        )
    except (QmpError, OSError) as error:
        raise HostError(f"guest {guest.id} tells nothing of itself: {error}", transient=True) from error
    except (LookupError, TypeError, ValueError) as error:
        # Whoever took a guest's QEMU may answer anything.
        raise HostError(f"guest {guest.id} tells nonsense of itself") from error


async def silence(machine: Machine) -> str | None:
    """Why the agent in a guest does not answer, empty when it does; None where it cannot be asked now."""
    record = machine.record
    if not machine.running() or record.state != "running" or not record.guest.hardware.guest_agent:
        return None
    async with machine.agent.looking() as free:
        if not free:
            return None
        try:
            await inside.ping(machine.folder)
        except HostError as error:
            return str(error)
    return ""


async def _used_mb(session: QmpSession, guest: Guest) -> float | None:
    """What a guest says that it uses of its memory, by the driver of its balloon (VIRTIO 1.2, section 5.5.6.3): all but
    what is available without swapping, as Ceilometer's ``memory.usage`` is. None where it says nothing lately."""
    told = await session.execute("qom-get", {"path": devices.BALLOON_PATH, "property": "guest-stats"})
    stats, at = told["stats"], int(told["last-update"])
    if at + STALE_SECONDS < time.time():
        polling = {"property": "guest-stats-polling-interval", "value": POLLING_SECONDS}
        await session.execute("qom-set", {"path": devices.BALLOON_PATH, **polling})
        return None
    whole = _stat(stats, "stat-total-memory")
    left = _stat(stats, "stat-available-memory")
    left = _stat(stats, "stat-free-memory") if left is None else left
    if whole is None or left is None:
        return None
    return min(max(whole - left, 0) / (1 << 20), float(guest.memory_mb))


def _stat(stats: Mapping[str, Any], name: str) -> int | None:
    """A number that the guest gave; all ones is none."""
    value = int(stats.get(name, -1))
    return value if 0 <= value < 1 << 63 else None


def _times(stat: str) -> tuple[float, float, float]:
    """When a process or thread began, in seconds since the host's start; its user and system time in seconds."""
    # Behind the name, which may hold anything, stands the third field.
    fields = Path(stat).read_text().rpartition(")")[2].split()
    return int(fields[19]) / _TICKS, int(fields[11]) / _TICKS, int(fields[12]) / _TICKS


def _processor_ns(pid: int | None, thread: Any) -> int:
    _, user, system = _times(f"/proc/{pid}/task/{int(thread)}/stat")
    return round((user + system) * 1e9)


def _nics(guest: Guest, settings: QemuSettings) -> list[NicCounters]:
    if settings.user_network:
        return [NicCounters(port_id=nic.port_id) for nic in guest.nics]
    if settings.netns:
        with netns.entered(settings.netns):
            table = Path("/proc/thread-self/net/dev").read_text()
    else:
        table = Path("/proc/thread-self/net/dev").read_text()
    counted = {name.strip(): row.split() for name, _, row in (line.partition(":") for line in table.splitlines()[2:])}
    return [_nic(nic, counted.get(nic.tap)) for nic in guest.nics]


def _nic(nic: Nic, row: list[str] | None) -> NicCounters:
    """What the host's end of a card sent, the guest received."""
    if row is None:
        return NicCounters(port_id=nic.port_id)
    sent = {f"rx_{name}": int(value) for name, value in zip(_FIELDS, row[8:12], strict=True)}
    received = {f"tx_{name}": int(value) for name, value in zip(_FIELDS, row[:4], strict=True)}
    return NicCounters(port_id=nic.port_id, **sent, **received)


def _disks(guest: Guest, blocks: list[Mapping[str, Any]]) -> list[DiskCounters]:
    volumes = {devices.volume_device(disk.volume_id): disk.volume_id for disk in guest.volumes}
    names = {**volumes, **{name: name for name in ("root", "ephemeral", "swap", "config")}}
    found = []
    for block in blocks:
        # /machine/peripheral/root/virtio-backend; SCSI disks are called root-disk.
        parts = {part.removesuffix("-disk") for part in block.get("qdev", "").split("/")}
        for device in parts & names.keys():
            found.append(_disk(names[device], block["stats"]))
    return found


def _disk(name: str, stats: Mapping[str, Any]) -> DiskCounters:
    failed = ("failed_rd_operations", "failed_wr_operations", "failed_flush_operations", "failed_unmap_operations")
    return DiskCounters(
        name=name,
        read_bytes=stats["rd_bytes"],
        read_requests=stats["rd_operations"],
        write_bytes=stats["wr_bytes"],
        write_requests=stats["wr_operations"],
        errors=sum(stats.get(each, 0) for each in failed),
    )
