"""What a server uses (Compute API: "Servers diagnostics")."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.hosts.told import told_to_the_caller
from tane.services.compute.domain import diagnostics
from tane.services.compute.domain.diagnostics import Known
from tane.web.request import Request
from tane.wire.documents import DiskCounters, GuestDiagnostics, NicCounters

DRIVER = "libvirt"
"""Of the five words that clients know, the one whose servers are QEMU's."""


async def show(request: Request) -> dict[str, Any]:
    """What a running server uses; its host is asked while the caller waits."""
    known = await request.core.in_thread(diagnostics.known, request.core, request.ctx, request.path["server_id"])
    with told_to_the_caller(f"instance {known.server.id}"):
        told = await request.core.hosts.compute(known.host_id).diagnostics(known.server.id)
    return _standard(known, told) if request.version >= (2, 48) else _as_libvirts(known, told)


def _standard(known: Known, told: GuestDiagnostics) -> dict[str, Any]:
    """Since 2.48: the same form for every driver. Memory in MiB; rates and what the guest itself knows are not told."""
    row: Row[Any] = known.server
    return {
        "state": "running",
        "driver": DRIVER,
        "hypervisor": told.hypervisor,
        "hypervisor_os": "linux",
        "uptime": told.uptime_seconds,
        "config_drive": bool(row.config_drive),
        "num_cpus": len(told.cpu_ns),
        "num_nics": len(told.nics),
        "num_disks": len(told.disks),
        "cpu_details": [{"id": number, "time": ns, "utilisation": None} for number, ns in enumerate(told.cpu_ns)],
        "nic_details": [_nic(known, nic) for nic in told.nics],
        "disk_details": [_disk(disk) for disk in told.disks],
        "memory_details": {"maximum": row.ram_mb, "used": None},
    }


def _nic(known: Known, nic: NicCounters) -> dict[str, Any]:
    counted = msgspec.structs.asdict(nic)
    del counted["port_id"]
    return {"mac_address": known.macs.get(nic.port_id), **counted, "rx_rate": None, "tx_rate": None}


def _disk(disk: DiskCounters) -> dict[str, Any]:
    return {
        "read_bytes": disk.read_bytes,
        "read_requests": disk.read_requests,
        "write_bytes": disk.write_bytes,
        "write_requests": disk.write_requests,
        "errors_count": disk.errors,
    }


def _as_libvirts(known: Known, told: GuestDiagnostics) -> dict[str, Any]:
    """Until 2.47: keys of the devices' names, as with libvirt. Memory in KiB; -1 is what is not counted, as there."""
    body: dict[str, Any] = {f"cpu{number}_time": ns for number, ns in enumerate(told.cpu_ns)}
    body["memory"] = known.server.ram_mb << 10
    for disk in told.disks:
        name = known.devices.get(disk.name, disk.name)
        body |= {f"{name}_read": disk.read_bytes, f"{name}_read_req": disk.read_requests}
        body |= {f"{name}_write": disk.write_bytes, f"{name}_write_req": disk.write_requests}
        body[f"{name}_errors"] = disk.errors
    for nic in told.nics:
        for key, value in msgspec.structs.asdict(nic).items():
            if key != "port_id":
                name = f"tap{nic.port_id[:11]}_{key.replace('_octets', '')}"
                body[name] = -1 if value is None else value
    return body
