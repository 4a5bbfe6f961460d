"""Changes to a running guest: NICs and volumes come and go, volumes grow, the root disk is copied.

Each function looks first what is there already, so that it may be called again after any interruption.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tane.agent.compute.drivers.qemu import devices
from tane.linux.qmp import QmpError, QmpSession, ignore_absent
from tane.wire.documents import Nic, VolumeDisk
from tane.wire.errors import HostError

UNPLUG_SECONDS = 30.0
COPY_SECONDS = 3 * 3600
_UNPLUG_AGAIN_SECONDS = 3.0
_RELEASE_SECONDS = 10.0
_BACKUP_JOB = "snapshot"


class Slots:
    """The root ports of a guest: ``taken`` by device id, ``count`` in all; ``save`` keeps a change."""

    def __init__(self, taken: dict[str, int], count: int, save: Callable[[dict[str, int]], None]) -> None:
        self._taken = dict(taken)
        self._count = count
        self._save = save

    def take(self, device_id: str, first: int = 0) -> int:
        """The slot of a device, when it has none the first free one from ``first`` on, then any. Raises HostError when
        all are taken."""
        if device_id not in self._taken:
            free = set(range(self._count)) - set(self._taken.values())
            if not free:
                raise HostError(
                    f"all {self._count} slots of the guest are taken; they become more when it is restarted"
                )
            self._taken[device_id] = min(free, key=lambda slot: (slot < first, slot))
            self._save(self._taken)
        return self._taken[device_id]

    def release(self, device_id: str) -> None:
        if self._taken.pop(device_id, None) is not None:
            self._save(self._taken)


async def attach_nic(qmp: QmpSession, slots: Slots, nic: Nic, model: str, open_tap: Callable[[], int] | None) -> None:
    """Plug a NIC in; ``open_tap`` opens its tap, which only one program may have; None in user network mode."""
    device_id = devices.nic_device(nic.port_id)
    if device_id in await _peripherals(qmp):
        return
    slot = slots.take(device_id, devices.FIRST_NIC_SLOT)
    try:
        await _forget_backend(qmp, nic.port_id)
        name = ""
        if open_tap is not None:
            name = devices.netdev(nic.port_id)
            descriptor = await asyncio.to_thread(open_tap)
            try:
                await qmp.send_descriptor(name, descriptor)
            finally:
                os.close(descriptor)
        await qmp.execute("netdev_add", devices.nic_backend(nic, name))
        await qmp.execute("device_add", devices.nic_frontend(nic, slot, model))
    except BaseException:
        await _forget_backend(qmp, nic.port_id)
        slots.release(device_id)
        raise


async def _forget_backend(qmp: QmpSession, port_id: str) -> None:
    """Let QEMU close the tap of an attachment that was broken off, wherever that was."""
    await ignore_absent(qmp, "netdev_del", {"id": devices.netdev(port_id)})
    await ignore_absent(qmp, "closefd", {"fdname": devices.netdev(port_id)})


async def detach_nic(qmp: QmpSession, slots: Slots, port_id: str) -> None:
    device_id = devices.nic_device(port_id)
    await _unplug(qmp, device_id)
    await ignore_absent(qmp, "netdev_del", {"id": devices.netdev(port_id)})
    slots.release(device_id)


async def attach_volume(qmp: QmpSession, slots: Slots, disk: VolumeDisk, bus: str, keys: Path) -> None:
    """Plug a volume in; ``keys`` is the folder, as QEMU sees it, that holds its pre-shared key."""
    device_id = devices.volume_device(disk.volume_id)
    slot = slots.take(device_id)
    wanted, present = devices.volume_block_devices(disk, bus, slot), await _peripherals(qmp)
    plugged = device_id in present
    if wanted[-1]["id"] in present:
        return
    try:
        await _remove_nodes(qmp, disk.volume_id)
        await qmp.execute("object-add", devices.tls_credentials(disk, keys))
        await qmp.execute("blockdev-add", devices.nbd_connection(disk))
        await qmp.execute("blockdev-add", devices.volume_layer(disk))
        for options in wanted:
            if options["id"] not in present:
                await qmp.execute("device_add", options)
                plugged = True
    except BaseException:
        await _remove_nodes(qmp, disk.volume_id)
        if not plugged:
            slots.release(device_id)
        raise


async def detach_volume(qmp: QmpSession, slots: Slots, volume_id: str) -> None:
    device_id = devices.volume_device(volume_id)
    await _unplug(qmp, device_id)
    await _remove_nodes(qmp, volume_id)
    slots.release(device_id)


async def resize_volume(qmp: QmpSession, disk: VolumeDisk, size_bytes: int) -> None:
    """Connect to the grown export anew and tell the guest; its requests wait meanwhile.

    An NBD connection keeps the size it was opened with, so it is replaced below the guest's device.
    """
    present = await nodes(qmp)
    old = next((number for number in (0, 1) if devices.nbd_node(disk.volume_id, number) in present), 0)
    await qmp.execute("blockdev-add", devices.nbd_connection(disk, old + 1))
    try:
        await qmp.execute("blockdev-reopen", {"options": [devices.volume_layer(disk, old + 1)]})
    except BaseException:
        await ignore_absent(qmp, "blockdev-del", {"node-name": devices.nbd_node(disk.volume_id, old + 1)})
        raise
    await qmp.execute("blockdev-del", {"node-name": devices.nbd_node(disk.volume_id, old)})
    await qmp.execute("block_resize", {"node-name": devices.volume_node(disk.volume_id), "size": size_bytes})


async def backup_root(qmp: QmpSession, target: Path, frozen: AbstractAsyncContextManager[None]) -> None:
    """Copy the root disk as it is at this moment into the empty qcow2 file ``target``, named as QEMU sees it, while the
    guest goes on. The moment lies within ``frozen``, the copying does not."""
    file = {"driver": "file", "filename": str(target)}
    await ignore_absent(qmp, "job-dismiss", {"id": _BACKUP_JOB})
    await ignore_absent(qmp, "blockdev-del", {"node-name": _BACKUP_JOB})
    await qmp.execute("blockdev-add", {"node-name": _BACKUP_JOB, "driver": "qcow2", "discard": "unmap", "file": file})
    try:
        job = {"job-id": _BACKUP_JOB, "device": "root", "target": _BACKUP_JOB, "sync": "full", "auto-dismiss": False}
        async with frozen:
            await qmp.execute("blockdev-backup", job)
        try:
            await _wait_for_job(qmp)
        except asyncio.CancelledError:
            await qmp.execute("job-cancel", {"id": _BACKUP_JOB})
            await _wait_for_job(qmp)
            raise
        finally:
            await ignore_absent(qmp, "job-dismiss", {"id": _BACKUP_JOB})
    finally:
        await ignore_absent(qmp, "blockdev-del", {"node-name": _BACKUP_JOB})


async def _wait_for_job(qmp: QmpSession) -> None:
    until = time.monotonic() + COPY_SECONDS
    while True:
        if time.monotonic() > until:
            raise HostError(f"the copy did not end in {COPY_SECONDS // 3600} hours")
        job = next(job for job in await qmp.execute("query-jobs") if job["id"] == _BACKUP_JOB)
        if job["status"] == "concluded":
            if "error" in job:
                raise HostError(f"the copy failed: {job['error']}")
            return
        await asyncio.sleep(0.1)


async def _unplug(qmp: QmpSession, device_id: str) -> None:
    """Ask the guest to give a device back until it has; a guest that is just booting misses requests."""
    deadline = time.monotonic() + UNPLUG_SECONDS
    ask = time.monotonic()
    while device_id in await _peripherals(qmp):
        now = time.monotonic()
        if now > deadline:
            raise HostError(f"the guest did not give the device back in {UNPLUG_SECONDS:.0f} seconds", transient=True)
        if now >= ask:
            try:
                await qmp.execute("device_del", {"id": device_id})
            except QmpError as error:
                if error.lost or not ("unplug" in str(error) or "not found" in str(error)):
                    raise
            ask = now + _UNPLUG_AGAIN_SECONDS
        await asyncio.sleep(0.05)


async def _peripherals(qmp: QmpSession) -> set[str]:
    return {entry["name"] for entry in await qmp.execute("qom-list", {"path": "/machine/peripheral"})}


async def nodes(qmp: QmpSession) -> set[str]:
    """The names of all block nodes. Raises QmpError."""
    return {node["node-name"] for node in await qmp.execute("query-named-block-nodes", {"flat": True})}


async def _remove_nodes(qmp: QmpSession, volume_id: str) -> None:
    present = await nodes(qmp)
    for node in (devices.volume_node(volume_id), devices.nbd_node(volume_id, 0), devices.nbd_node(volume_id, 1)):
        if node in present:
            await delete_node(qmp, node)
    objects = {entry["name"] for entry in await qmp.execute("qom-list", {"path": "/objects"})}
    if devices.tls_object(volume_id) in objects:
        await qmp.execute("object-del", {"id": devices.tls_object(volume_id)})


async def delete_node(qmp: QmpSession, node: str) -> None:
    """Delete a block node. QEMU lets go of an unplugged device's node a moment after the device has vanished."""
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        try:
            await qmp.execute("blockdev-del", {"node-name": node})
            return
        except QmpError as error:
            if "is in use" not in str(error) or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)
