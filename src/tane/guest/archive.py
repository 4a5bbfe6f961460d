"""The file formats a guest image consists of: an initramfs archive, a partitioned disk, kernel module metadata."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import stat
import struct
from pathlib import Path

SECTOR = 512
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


def read_module(path: Path) -> bytes:
    """A kernel module's content, uncompressed (Debian 12 ships ``.ko``, later releases ``.ko.xz``)."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def module_dependencies(module: bytes) -> list[str]:
    """The names in the ``depends`` field of a module's ``.modinfo`` section."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name for name in found[1].decode().split(",") if name] if found else []
