"""What an image file really is, read from its headers alone: no tool opens a file before this has accepted it.

A file that names another one (a backing file, an external data file, a VMDK extent, a parent) is refused: whoever
opened it as a disk would be handed the contents of the machine it lies on (CVE-2024-32498, CVE-2024-40767). Sources:
QEMU's docs/interop/qcow2.txt, VMware's Virtual Disk Format 5.0, Microsoft's VHD and VHDX specifications,
VirtualBox's VDI.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

SECTOR = 512
DESCRIPTOR_BYTES = 1 << 20
MOST_SNAPSHOTS = 64
"""In a qcow2 file that is uploaded: each is listed by every tool that opens the file."""
DATA_FILE = "it has an external data file"
RAW_LIKE = ("raw", "ami", "ari", "aki", "ploop")
"""Formats whose bytes mean nothing to a disk driver."""


class UnacceptableImage(Exception):
    """The content is not what it is said to be, or refers to other files; the message may be shown."""


class Inspection(msgspec.Struct, frozen=True):
    """``format`` by its API name; ``virtual_size`` in bytes."""

    format: str
    virtual_size: int


def inspect(path: Path, disk_format: str) -> Inspection:
    """Look at a file that claims to be a disk of ``disk_format``.

    :raises UnacceptableImage: it is something else, or refers to other files.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        found = detect(file, size)
        if disk_format in RAW_LIKE:
            # An ISO file written to a disk as it is boots there too, and nobody interprets it on the way.
            if found not in ("raw", "iso"):
                raise UnacceptableImage(f"Image disk_format {disk_format} does not match stream data {found}")
            return Inspection(disk_format, size)
        if found != disk_format:
            raise UnacceptableImage(f"Image disk_format {disk_format} does not match stream data {found}")
        try:
            return Inspection(found, _READERS[found](file, size))
        except (struct.error, ValueError, OverflowError, OSError):
            # An offset beyond the file, or beyond any file.
            raise UnacceptableImage(f"Image failed safety checks: its {found} header is cut short") from None


def refuse_data_file(path: Path) -> None:
    """Look at a qcow2 file that a program has written which runs what is a tenant's: no tool can be told to leave its
    data file alone, as it can of a backing file.

    :raises UnacceptableImage: its data are elsewhere, or it is no file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # A link; a socket.
            raise _refuse("it is no file") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refuse("it is no file")
        header = os.pread(descriptor, 104, 0)
    finally:
        os.close(descriptor)
    if len(header) >= 80 and struct.unpack_from(">I", header, 4)[0] >= 3 and _has_data_file(header):
        raise _refuse(DATA_FILE)


def _has_data_file(header: bytes) -> bool:
    return bool(struct.unpack_from(">Q", header, 72)[0] & 0x4)


def detect(file: BinaryIO, size: int) -> str:
    """The format the magic numbers tell; "raw" when there is none."""
    start = _at(file, 0, 64 + 8)
    if start.startswith(b"QFI\xfb"):
        return "qcow2"
    if start.startswith((b"KDMV", b"COWD", b"# Disk DescriptorFile")):
        return "vmdk"
    if start.startswith(b"vhdxfile"):
        return "vhdx"
    if start[64:68] == b"\x7f\x10\xda\xbe":
        return "vdi"
    if start.startswith(b"conectix") or (size >= SECTOR and _at(file, size - SECTOR, 8) == b"conectix"):
        return "vhd"
    if _at(file, 0x8001, 5) == b"CD001":
        return "iso"
    return "raw"


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _refuse(why: str) -> UnacceptableImage:
    return UnacceptableImage(f"Image failed safety checks: {why}")


def _qcow2(file: BinaryIO, size: int) -> int:
    header = _at(file, 0, 104)
    version, backing_offset, backing_length = struct.unpack_from(">IQI", header, 4)
    if version not in (2, 3):
        raise _refuse(f"qcow2 version {version} is not supported")
    if backing_offset or backing_length:
        raise _refuse("it has a backing file")
    if version == 3:
        (features,) = struct.unpack_from(">Q", header, 72)
        if _has_data_file(header):
            raise _refuse(DATA_FILE)
        if features & ~0x1F:
            raise _refuse("it uses unknown features")
    (snapshots,) = struct.unpack_from(">I", header, 60)
    if snapshots > MOST_SNAPSHOTS:
        raise _refuse(f"it holds {snapshots} snapshots; {MOST_SNAPSHOTS} are the most")
    (virtual_size,) = struct.unpack_from(">Q", header, 24)
    return int(virtual_size)


def _vmdk(file: BinaryIO, size: int) -> int:
    header = _at(file, 0, SECTOR)
    if not header.startswith(b"KDMV"):
        raise _refuse("only VMDK files that hold their own data (monolithicSparse, streamOptimized) are accepted")
    capacity, _, offset, length = struct.unpack_from("<QQQQ", header, 12)
    # QEMU looks for a parent in the second sector, wherever the header says that the descriptor is, and opens the
    # extents that the descriptor names when the capacity is 0.
    if offset != 1 or not capacity or not 0 < length <= 2048:
        raise _refuse("the VMDK file has no descriptor of its own where it is looked for")
    # QEMU reads on to the first NUL, however long the header says that the descriptor is.
    descriptor, end, _ = _at(file, SECTOR, DESCRIPTOR_BYTES).partition(b"\0")
    if not end or len(descriptor) > length * SECTOR:
        raise _refuse("the VMDK file's descriptor is longer than its header says")
    text = descriptor.decode("utf-8", "replace")
    kind = re.search(r'^\s*createType\s*=\s*"([^"]*)"', text, re.MULTILINE)
    if kind is None or kind.group(1) not in ("monolithicSparse", "streamOptimized"):
        raise _refuse(f"VMDK createType {kind.group(1) if kind else 'none'} is not allowed")
    parent = re.search(r"^\s*parentCID\s*=\s*(\w+)", text, re.MULTILINE)
    if (parent and parent.group(1).lower() != "ffffffff") or "parentFileNameHint" in text:
        raise _refuse("it has a parent file")
    extents = re.findall(r"^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)\s*(.*)$", text, re.MULTILINE)
    if len(extents) != 1 or extents[0][0] != "SPARSE" or "/" in extents[0][1] or "\\" in extents[0][1]:
        raise _refuse("its VMDK extents refer to other files")
    return int(capacity) * SECTOR


def _vdi(file: BinaryIO, size: int) -> int:
    header = _at(file, 0, SECTOR)
    (kind,) = struct.unpack_from("<I", header, 0x4C)
    if kind not in (1, 2):
        raise _refuse("it has a parent file")
    (virtual_size,) = struct.unpack_from("<Q", header, 0x170)
    return int(virtual_size)


def _vhd(file: BinaryIO, size: int) -> int:
    footer = _at(file, 0, SECTOR)
    if not footer.startswith(b"conectix"):
        footer = _at(file, size - SECTOR, SECTOR)
    (virtual_size,) = struct.unpack_from(">Q", footer, 48)
    (kind,) = struct.unpack_from(">I", footer, 60)
    if kind not in (2, 3):
        raise _refuse("it has a parent file")
    return int(virtual_size)


_VHDX_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_VHDX_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_VHDX_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le


def _vhdx(file: BinaryIO, size: int) -> int:
    table = _at(file, 192 << 10, 64 << 10)
    if table[:4] != b"regi":
        raise _refuse("the VHDX file has no region table")
    region = _vhdx_entry(table, 16, struct.unpack_from("<I", table, 8)[0], _VHDX_METADATA, "<Q", 16)
    metadata = _at(file, region, 64 << 10)
    count = struct.unpack_from("<H", metadata, 10)[0]
    (flags,) = struct.unpack(
        "<4xI", _at(file, region + _vhdx_entry(metadata, 32, count, _VHDX_PARAMETERS, "<I", 16), 8)
    )
    if flags & 2:
        raise _refuse("it has a parent file")
    place = region + _vhdx_entry(metadata, 32, count, _VHDX_SIZE, "<I", 16)
    return int(struct.unpack("<Q", _at(file, place, 8))[0])


def _vhdx_entry(table: bytes, start: int, count: int, guid: bytes, form: str, field: int) -> int:
    for index in range(min(count, 2047)):
        place = start + 32 * index
        if table[place : place + 16] == guid:
            return int(struct.unpack_from(form, table, place + field)[0])
    raise _refuse("the VHDX file lacks a required part")


def _iso(file: BinaryIO, size: int) -> int:
    return size


_READERS: dict[str, Callable[[BinaryIO, int], int]] = {
    "qcow2": _qcow2,
    "vmdk": _vmdk,
    "vdi": _vdi,
    "vhd": _vhd,
    "vhdx": _vhdx,
    "iso": _iso,
}
