"""Limits of what a guest's own disks do in a second, kept by QEMU (QAPI: ``block_set_io_throttle``).

Volumes have none of these: theirs are a matter of their type, as in Nova.
"""

from __future__ import annotations

from tane.linux.qmp import QmpSession
from tane.wire.documents import DiskLimits, Guest


async def set_limits(session: QmpSession, guest: Guest) -> None:
    """Of the disks the guest was started with. Raises QmpError."""
    limits = guest.hardware.disk_limits
    if limits == DiskLimits():
        return
    wanted = {"rescue": guest.rescue, "root": guest.root, "ephemeral": guest.ephemeral_gb, "swap": guest.swap_mb}
    for name in (name for name, there in wanted.items() if there):
        # The part of the device that holds the disk: of a virtio disk's card it is a part of its own.
        part = {"virtio": f"{name}/virtio-backend", "scsi": f"{name}-disk", "sata": name}[guest.hardware.disk_bus]
        await session.execute(
            "block_set_io_throttle",
            {
                "id": f"/machine/peripheral/{part}",
                "bps": limits.bytes_total,
                "bps_rd": limits.bytes_read,
                "bps_wr": limits.bytes_write,
                "iops": limits.iops_total,
                "iops_rd": limits.iops_read,
                "iops_wr": limits.iops_write,
            },
        )
