"""The file formats guest images consist of: an initramfs archive, partitioned disks, kernel module metadata."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import stat
import struct
import uuid
import zlib
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
BIOS_BOOT = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX_ROOT = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
"""Types of partitions; the last is a root file system for x86-64 (UAPI group, "Discoverable Partitions")."""
PARTITION_START = 2048
"""First sector of the partition; GRUB's core lies in the gap before it."""


def write_initramfs(tree: Path, target: Path) -> None:
    """Pack the folder ``tree`` as a gzipped newc cpio archive owned by root, with a ``/dev/console`` node.

    The kernel opens ``/dev/console`` before ``/init`` runs; making the node in the archive needs no root rights.
    Source: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
    """
    with gzip.GzipFile(target, "wb", compresslevel=9, mtime=0) as out:
        for path in sorted(tree.rglob("*")):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                content = str(path.readlink()).encode()
            else:
                content = path.read_bytes() if stat.S_ISREG(mode) else b""
            out.write(_cpio_entry(path.relative_to(tree).as_posix(), mode, content))
        out.write(_cpio_entry("dev/console", stat.S_IFCHR | 0o600, b"", device=(5, 1)))
        out.write(_cpio_entry("TRAILER!!!", 0, b""))


def _cpio_entry(name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4)


def write_disk(file_system: Path, boot_image: Path, core_image: Path, target: Path) -> None:
    """Write a raw disk: GRUB's boot sector and core, a table with one bootable Linux partition, the file system."""
    sectors = file_system.stat().st_size // SECTOR
    boot = boot_image.read_bytes()[:440].ljust(446, b"\0")
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", PARTITION_START, sectors)
    core = core_image.read_bytes()
    if len(core) > (PARTITION_START - 1) * SECTOR:
        raise ValueError(f"GRUB's core image is {len(core)} bytes, which does not fit before the partition")
    with target.open("wb") as disk:
        disk.write(boot + entry + b"\0" * 48 + b"\x55\xaa" + core)
        disk.seek(PARTITION_START * SECTOR)
        with file_system.open("rb") as source:
            shutil.copyfileobj(source, disk, 1 << 20)


class Partition(NamedTuple):
    """One of a GUID partition table; ``start`` and ``size`` in bytes, on sector boundaries."""

    name: str
    kind: uuid.UUID
    id: uuid.UUID
    start: int
    size: int


def write_gpt(disk: Path, disk_id: uuid.UUID, partitions: list[Partition]) -> None:
    """Write a GUID partition table, its backup and the protective table into a raw disk that has its size already.

    Source: UEFI specification, chapter 5.
    """
    last = disk.stat().st_size // SECTOR - 1
    entries = b"".join(
        struct.pack(
            "<16s16sQQQ72s",
            *(part.kind.bytes_le, part.id.bytes_le),
            *(part.start // SECTOR, (part.start + part.size) // SECTOR - 1, 0),
            part.name.encode("utf-16-le"),
        )
        for part in partitions
    ).ljust(128 * 128, b"\0")
    table_sectors = len(entries) // SECTOR

    def header(own: int, other: int, table: int) -> bytes:
        def packed(checksum: int) -> bytes:
            usable = (2 + table_sectors, last - table_sectors - 1)
            fixed = (b"EFI PART", 0x10000, 92, checksum, 0, own, other, *usable, disk_id.bytes_le)
            return struct.pack("<8sIIIIQQQQ16sQIII", *fixed, table, 128, 128, zlib.crc32(entries))

        return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")

    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF))
    with disk.open("r+b") as file:
        file.write(b"\0" * 446 + protective + b"\0" * 48 + b"\x55\xaa" + header(1, last, 2) + entries)
        file.seek((last - table_sectors) * SECTOR)
        file.write(entries + header(last, 1, last - table_sectors))


def write_bios_boot(disk: Path, boot_image: Path, core_image: Path, partition: Partition) -> None:
    """Put GRUB for BIOS on a disk with a GUID partition table: its core into the partition made for it.

    The boot sector is told where the core lies, and the core's first sector where the rest does. Source: GRUB's
    boot.h (``GRUB_BOOT_MACHINE_KERNEL_SECTOR``, ``GRUB_BOOT_MACHINE_LIST_SIZE``).
    """
    core = bytearray(core_image.read_bytes())
    if len(core) > partition.size:
        raise ValueError(f"GRUB's core image is {len(core)} bytes, its partition {partition.size}")
    sector = partition.start // SECTOR
    struct.pack_into("<Q", core, SECTOR - 12, sector + 1)
    boot = bytearray(boot_image.read_bytes()[:440])
    struct.pack_into("<Q", boot, 0x5C, sector)
    with disk.open("r+b") as file:
        file.write(boot)
        file.seek(partition.start)
        file.write(core)


def read_module(path: Path) -> bytes:
    """A kernel module's content, uncompressed (Debian 12 ships ``.ko``, later releases ``.ko.xz``)."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def module_dependencies(module: bytes) -> list[str]:
    """The names in the ``depends`` field of a module's ``.modinfo`` section."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name for name in found[1].decode().split(",") if name] if found else []
