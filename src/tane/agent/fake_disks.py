"""Disk files that hold no data, in each format a volume is uploaded as: what a simulated host writes.

They are told by their headers, as :mod:`tane.linux.image_header` reads them; no guest ever boots from one.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

SECTOR = 512
CLUSTER = 1 << 16
TABLES = 192 << 10
"""Where a VHDX file has its region table, in bytes."""


def empty(disk_format: str, size: int, content: bytes) -> bytes | None:
    """The file of a disk of ``size`` bytes, with ``content`` where it has a place for it; None of an unknown format."""
    build = _FORMATS.get(disk_format)
    return None if build is None else build(size, content)


def _raw(size: int, content: bytes) -> bytes:
    return content


def qcow2(size: int, content: bytes = b"") -> bytes:
    """Header, refcount table and block, level-1 table (docs/interop/qcow2.txt); there is no place for content."""
    entries = -(-size // (CLUSTER * CLUSTER // 8))
    fields = (b"QFI\xfb", 2, 0, 0, 16, size, 0, entries, 3 * CLUSTER, CLUSTER, 1, 0, 0)
    header = struct.pack(">4sIQIIQIIQQIIQ", *fields)
    parts = (header, struct.pack(">Q", 2 * CLUSTER), struct.pack(">4H", 1, 1, 1, 1), bytes(8 * entries))
    return b"".join(part.ljust(CLUSTER, b"\0") for part in parts)


def _vmdk(size: int, content: bytes) -> bytes:
    sectors = -(-size // SECTOR)
    descriptor = (
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        f'createType="monolithicSparse"\nRW {sectors} SPARSE "disk.vmdk"\n'
    ).encode()
    header = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, sectors, 128, 1, 20).ljust(SECTOR, b"\0")
    return header + descriptor.ljust(20 * SECTOR, b"\0") + content


def _vdi(size: int, content: bytes) -> bytes:
    header = bytearray(SECTOR)
    header[64:68] = b"\x7f\x10\xda\xbe"
    struct.pack_into("<I", header, 0x4C, 1)
    struct.pack_into("<Q", header, 0x170, size)
    return bytes(header) + content


def _vhd(size: int, content: bytes) -> bytes:
    footer = bytearray(SECTOR)
    footer[:8] = b"conectix"
    struct.pack_into(">Q", footer, 48, size)
    struct.pack_into(">I", footer, 60, 3)
    return bytes(footer) + content.ljust(SECTOR, b"\0") + bytes(footer)


def _vhdx(size: int, content: bytes) -> bytes:
    region = TABLES + (64 << 10)
    table = bytearray(64 << 10)
    struct.pack_into("<4s4xI", table, 0, b"regi", 1)
    table[16:32] = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
    struct.pack_into("<Q", table, 32, region)
    metadata = bytearray(128 << 10)
    metadata[:8] = b"metadata"
    struct.pack_into("<H", metadata, 10, 2)
    items = (
        ("caa16737-fa36-4d43-b3b6-33f0aa44e76b", 64 << 10, struct.pack("<II", 1 << 20, 0)),
        ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", (64 << 10) + 8, struct.pack("<Q", size)),
    )
    for place, (guid, offset, value) in zip((32, 64), items, strict=True):
        metadata[place : place + 16] = uuid.UUID(guid).bytes_le
        struct.pack_into("<I", metadata, place + 16, offset)
        metadata[offset : offset + len(value)] = value
    return b"vhdxfile".ljust(TABLES, b"\0") + bytes(table) + bytes(metadata) + content


_FORMATS: dict[str, Callable[[int, bytes], bytes]] = {
    "raw": _raw,
    "qcow2": qcow2,
    "vmdk": _vmdk,
    "vdi": _vdi,
    "vhd": _vhd,
    "vhdx": _vhdx,
}
