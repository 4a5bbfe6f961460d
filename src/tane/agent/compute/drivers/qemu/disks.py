"""Makes the files a guest's disks consist of."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pycdlib

from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.linux import confine, mkfs, qemu_img
from tane.linux.files import remove_tree
from tane.linux.qemu_img import Disk
from tane.wire.documents import ConfigDrive, Guest
from tane.wire.errors import HostError

_GB = 1 << 30
_MB = 1 << 20
EPHEMERAL_LABEL = "ephemeral0"
"""As Nova labels it: cloud-init mounts it by this name."""


async def make_disks(guest: Guest, folder: GuestFolder, base: Path | None) -> None:
    """Make the disks of ``guest`` in its folder; ``base`` is the image of its root disk."""
    if guest.root and base:
        size = await _root_size(guest, base)
        if guest.root.standalone:
            await qemu_img.convert(Disk(base, "qcow2"), folder.root, owner=folder.owner, most_bytes=size)
            await qemu_img.resize(root_disk(folder, None), size)
        else:
            await qemu_img.create_overlay(folder.root, base, size, folder.owner)
    if guest.ephemeral_gb:
        await mkfs.ext4(folder.ephemeral, guest.ephemeral_gb * _GB, EPHEMERAL_LABEL, folder.owner)
    if guest.swap_mb:
        await mkfs.swap(folder.swap, guest.swap_mb * _MB, folder.owner)
    await write_config_drive(guest, folder)


async def make_rescue(guest: Guest, folder: GuestFolder, base: Path | None) -> None:
    """Make the disk a rescued guest boots from, a copy of ``base``, or remove it when it is rescued no longer."""
    if guest.rescue is None or base is None:
        folder.rescue.unlink(missing_ok=True)
    elif not folder.rescue.exists():
        size = int((await qemu_img.info(Disk(base, "qcow2")))["virtual-size"])
        await qemu_img.create_overlay(folder.rescue, base, size, folder.owner)


async def write_config_drive(guest: Guest, folder: GuestFolder) -> None:
    """Make the config drive anew from the document, or remove it."""
    if guest.config_drive:
        await asyncio.to_thread(_write_iso, guest.config_drive, folder.config_drive)
    else:
        folder.config_drive.unlink(missing_ok=True)


def root_disk(folder: GuestFolder, base: Path | None) -> Disk:
    return Disk(folder.root, "qcow2", folder.owner, base)


async def grow_root(guest: Guest, folder: GuestFolder, base: Path | None) -> None:
    """Grow the root disk of a stopped guest to the document's size; a smaller size is refused."""
    if not guest.root or not guest.root.size_gb:
        return
    wanted = guest.root.size_gb * _GB
    disk = root_disk(folder, base)
    present = int((await qemu_img.info(disk))["virtual-size"])
    if wanted > present:
        await qemu_img.resize(disk, wanted)
    elif wanted < present:
        raise HostError(f"the root disk has {present} bytes and cannot shrink to {guest.root.size_gb} GB")


def hand_over(guest: Guest, folder: GuestFolder) -> None:
    """Let the guest's QEMU pass its folder, write its disks and make its sockets; all else stays the agent's."""
    confine.lend(folder.path, folder.owner)
    wanted = (
        (guest.root, folder.root),
        (guest.rescue, folder.rescue),
        (guest.ephemeral_gb, folder.ephemeral),
        (guest.swap_mb, folder.swap),
        (guest.hardware.firmware == "uefi", folder.variables),
    )
    for _, path in (pair for pair in wanted if pair[0]):
        # A copy of a stopped guest's disk is made by a program that is only in the owner's group.
        confine.give(path, folder.owner, 0o640)
    if guest.config_drive:
        confine.lend(folder.config_drive, folder.owner)
    remove_tree(folder.sockets)
    confine.make_folder(folder.sockets, folder.owner)


async def _root_size(guest: Guest, base: Path) -> int:
    assert guest.root is not None
    needed = int((await qemu_img.info(Disk(base, "qcow2")))["virtual-size"])
    size = guest.root.size_gb * _GB or needed
    if size < needed:
        raise HostError(f"image {guest.root.image.id} needs {needed} bytes, the disk has only {guest.root.size_gb} GB")
    return size


def _write_iso(drive: ConfigDrive, target: Path) -> None:
    """An ISO 9660 volume ``config-2`` with Joliet and Rock Ridge names."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident="config-2", joliet=3, rock_ridge="1.09")
    made: dict[str, str] = {"": ""}
    for number, (name, content) in enumerate(sorted(drive.files.items())):
        *parents, leaf = _parts(name)
        folder = ""
        for parent in parents:
            below = f"{folder}/{parent}"
            if below not in made:
                made[below] = f"{made[folder]}/D{len(made):06d}"
                iso.add_directory(made[below], rr_name=parent, joliet_path=below)
            folder = below
        iso_path = f"{made[folder]}/F{number:06d}.;1"
        iso.add_fp(io.BytesIO(content), len(content), iso_path, rr_name=leaf, joliet_path=f"{folder}/{leaf}")
    part = target.with_name(f".{target.name}.part")
    try:
        iso.write(str(part))
        part.replace(target)
    finally:
        iso.close()
        part.unlink(missing_ok=True)


def _parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part]
    if not parts or ".." in parts:
        raise HostError(f"{name!r} is no path of a config drive's file")
    return parts
