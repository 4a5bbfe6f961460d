"""Guests that move: what a host sets aside of one until it is clear where it stays, and how another takes it over.

A move has a folder of its own with the guest's folder in it, so that a guest may be aside and, made anew, at work on
the same host at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from tane.agent.compute.drivers.qemu import disks
from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.agent.translation import checked_id, host_errors
from tane.linux import mkfs, qemu_img
from tane.linux.files import remove_tree, sync_folder
from tane.linux.qemu_img import Disk
from tane.wire.documents import Guest, Layout, LocalDisk
from tane.wire.errors import HostError, NotOnHost, NotSupported
from tane.wire.streams import save

_GB = 1 << 30
_COPY = "copy-"
_METADATA_BYTES = 64 << 20
_LARGEST_GB = 16 << 10
"""Of a root disk whose size is what its image says."""
_FORMATS = {"root": "qcow2", "ephemeral": "raw", "variables": "raw"}

Fetch = Callable[[LocalDisk, Path], Awaitable[None]]
"""Makes the file of a disk that was elsewhere. Raises NotSupported when the guest had no such disk."""
MovedDisks = Callable[[str, LocalDisk], AsyncIterator[bytes]]
"""(move id, disk) → the disk as the host streams it that has set it aside."""


class Kept:
    """What is set aside on this host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def moves(self) -> set[str]:
        return {path.name for path in self._folder.glob("*") if any(path.iterdir())}

    def of(self, move_id: str) -> GuestFolder | None:
        """The guest's folder; None when nothing is aside by that name."""
        found = list((self._folder / checked_id(move_id)).glob("*"))
        return GuestFolder(found[0]) if found else None

    def put(self, folder: GuestFolder, move_id: str) -> None:
        target = self._folder / checked_id(move_id)
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        _move(folder.path, target / folder.path.name)

    def take(self, move_id: str, target: Path) -> None:
        """Move what is aside to where guests at work are."""
        if (aside := self.of(move_id)) is not None:
            for copy in aside.path.glob(f"{_COPY}*"):
                copy.unlink()  # Of an agent that was killed while it made it.
            _move(aside.path, target)
        self.forget(move_id)

    def forget(self, move_id: str) -> None:
        remove_tree(self._folder / checked_id(move_id))

    def digests(self) -> Iterator[str]:
        """Of the images that root disks stand on."""
        for move_id in self.moves():
            aside = self.of(move_id)
            record = aside.load() if aside is not None else None
            if record is not None:
                yield from record.image_digests()


def _move(folder: Path, target: Path) -> None:
    """Rename a folder so that a loss of power does not undo it."""
    folder.rename(target)
    for changed in (target.parent, folder.parent, target.parent.parent):
        sync_folder(changed)


async def opened(aside: GuestFolder, disk: LocalDisk) -> BinaryIO:
    """A disk that was set aside, as it travels: open and without a name. Raises HostError."""
    record = aside.load()
    if record is None:
        raise NotOnHost("what was set aside of the guest cannot be read")
    guest = record.guest
    with host_errors(f"the {disk} disk of guest {guest.id} cannot be read"):
        if disk == "layout":
            return io.BytesIO(msgspec.json.encode(record.layout))
        if disk == "variables":
            if not aside.variables.exists():
                raise NotSupported(f"guest {guest.id} has no firmware variables")
            return aside.variables.open("rb")
        copy = aside.path / f"{_COPY}{uuid.uuid4()}.qcow2"
        try:
            await qemu_img.convert(_source(aside, disk), copy)
            return copy.open("rb")
        finally:
            copy.unlink(missing_ok=True)


def _source(aside: GuestFolder, disk: LocalDisk) -> Disk:
    record = aside.load()
    assert record is not None
    if disk == "root" and record.guest.root is not None:
        return disks.root_disk(aside, record.base_path)
    if disk == "ephemeral" and record.guest.ephemeral_gb:
        return Disk(aside.ephemeral, "raw", aside.owner)
    raise NotSupported(f"guest {record.guest.id} has no {disk} disk")


async def take_over(guest: Guest, folder: GuestFolder, fetch: Fetch) -> Layout:
    """Make the disks of ``guest`` from those that ``fetch`` gets; returns what its machine was like."""
    if guest.root:
        await fetch("root", folder.root)
    if guest.ephemeral_gb:
        try:
            await fetch("ephemeral", folder.ephemeral)
            os.truncate(folder.ephemeral, max(guest.ephemeral_gb * _GB, folder.ephemeral.stat().st_size))
        except NotSupported:
            await mkfs.ext4(folder.ephemeral, guest.ephemeral_gb * _GB, disks.EPHEMERAL_LABEL, folder.owner)
    if guest.swap_mb:
        await mkfs.swap(folder.swap, guest.swap_mb << 20, folder.owner)
    if guest.hardware.firmware == "uefi":
        with contextlib.suppress(NotSupported):  # They are made at the first start.
            await fetch("variables", folder.variables)
    await disks.write_config_drive(guest, folder)
    return await _layout(folder, fetch)


async def _layout(folder: GuestFolder, fetch: Fetch) -> Layout:
    file = folder.path / "layout.json"
    try:
        await fetch("layout", file)
        return msgspec.json.decode(file.read_bytes(), type=Layout)
    except msgspec.DecodeError as error:
        raise HostError(f"what was told of the guest's machine cannot be read: {error}") from None
    finally:
        file.unlink(missing_ok=True)


def _copy(content: BinaryIO, target: BinaryIO) -> None:
    """A guest's engine may have made of its file what it likes. Raises HostError."""
    if content.seek(0, os.SEEK_END) > _METADATA_BYTES:
        raise HostError(f"a guest's settings have more than {_METADATA_BYTES} bytes")
    content.seek(0)
    shutil.copyfileobj(content, target)


def from_here(aside: GuestFolder, folder: GuestFolder) -> Fetch:
    """Gets disks that are aside on this host."""

    async def fetch(disk: LocalDisk, target: Path) -> None:
        if disk in ("variables", "layout"):
            with await opened(aside, disk) as content, target.open("wb") as copy:
                await asyncio.to_thread(_copy, content, copy)
            return
        source = _source(aside, disk)
        await qemu_img.convert(source, target, owner=folder.owner, target_format=_FORMATS[disk])

    return fetch


def _most_bytes(guest: Guest, disk: LocalDisk) -> int:
    root = guest.root.size_gb if guest.root else 0
    return {"root": (root or _LARGEST_GB) * _GB, "ephemeral": guest.ephemeral_gb * _GB}.get(disk, 0)


def from_afar(move_id: str, moved: MovedDisks, folder: GuestFolder, guest: Guest) -> Fetch:
    """Gets disks that are aside on another host. What comes is believed no more than an image of a tenant."""

    async def fetch(disk: LocalDisk, target: Path) -> None:
        part = folder.path / f"{uuid.uuid4()}.part"
        try:
            most = _most_bytes(guest, disk)
            await save(moved(move_id, disk), part, most + most // 8 + _METADATA_BYTES)
            if disk in ("variables", "layout"):
                part.replace(target)
                return
            size = await qemu_img.check_untrusted(part, "qcow2")
            if size > most:
                raise HostError(f"the {disk} disk that came has {size} bytes, and there is room for {most}")
            source = Disk(part, "qcow2")
            await qemu_img.convert(source, target, owner=folder.owner, target_format=_FORMATS[disk], most_bytes=size)
        finally:
            part.unlink(missing_ok=True)

    return fetch
