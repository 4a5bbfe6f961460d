"""Disk images of every format, good and bad, for suites that ask what an image service takes.

Tempest reads the list of them (``images_manifest_file``) in the form of the os-test-images project.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pycdlib
import yaml

SIZE = 1 << 20
SECTOR = 512


@dataclass(frozen=True)
class Sample:
    """One file; ``usable``: a service may take it, and must not when it is False."""

    name: str
    format: str
    make: Callable[[Path], None]
    usable: bool = True


def make(folder: Path) -> Path | None:
    """Write all samples and their manifest into ``folder``; returns the manifest, None without qemu-img."""
    if shutil.which("qemu-img") is None:
        return None
    folder.mkdir(parents=True)
    entries = []
    for sample in SAMPLES:
        file = folder / f"{sample.name}.{sample.format}"
        sample.make(file)
        about = {"name": sample.name, "filename": file.name, "format": sample.format, "usable": sample.usable}
        entries.append(about)
    manifest = folder / "manifest.yaml"
    manifest.write_text(yaml.safe_dump({"images": entries}))
    return manifest


def _created(kind: str, *options: str) -> Callable[[Path], None]:
    """A disk that qemu-img made; ``options`` as ``-o`` takes them, ``{file}`` standing for its path."""

    def make(file: Path) -> None:
        given = [word for option in options for word in ("-o", option.format(file=file))]
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, *given, file, str(SIZE)], check=True)

    return make


def _converted(kind: str, option: str) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        blank = file.with_suffix(".blank")
        blank.write_bytes(b"not empty".ljust(SIZE, b"\0"))
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", kind, "-o", option, blank, file], check=True)
        blank.unlink()

    return make


def _raw(file: Path) -> None:
    file.write_bytes(bytes(SIZE))


def _gpt(file: Path) -> None:
    """A protective master boot record and the head of a GUID partition table (UEFI specification, 5.2.3 and 5.3.2)."""
    record = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, SIZE // SECTOR - 1)
    head = (bytes(446) + record).ljust(510, b"\0") + b"\x55\xaa"
    file.write_bytes((head + b"EFI PART" + struct.pack("<II", 0x10000, 92)).ljust(SIZE, b"\0"))


def _iso(file: Path) -> None:
    disc = pycdlib.PyCdlib()
    disc.new()
    disc.write(str(file))
    disc.close()


def _with_backing_file(file: Path) -> None:
    base = file.with_suffix(".base")
    _raw(base)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base.name, "-F", "raw", file], check=True)


def _patched(first: Callable[[Path], None], offset: int, data: bytes) -> Callable[[Path], None]:
    """What ``first`` makes, with other bytes at ``offset`` (from the end when it is negative)."""

    def make(file: Path) -> None:
        first(file)
        content = bytearray(file.read_bytes())
        start = offset % len(content)
        content[start : start + len(data)] = data
        file.write_bytes(content)

    return make


def _with_foreign_extent(file: Path) -> None:
    """A VMDK whose own descriptor says that its data lies in a file of the machine."""
    _created("vmdk")(file)
    content = file.read_bytes()
    own = f'SPARSE "{file.name}"'.encode()
    file.write_bytes(content.replace(own, b'FLAT "/etc/passwd" 0'.ljust(len(own), b" ")))


SAMPLES = (
    Sample("raw", "raw", _raw),
    Sample("gpt", "gpt", _gpt),
    Sample("iso", "iso", _iso),
    Sample("qcow2-v2", "qcow2", _created("qcow2", "compat=0.10")),
    Sample("qcow2-v3", "qcow2", _created("qcow2", "compat=1.1")),
    Sample("qcow2-lazy-refcounts", "qcow2", _created("qcow2", "compat=1.1,lazy_refcounts=on")),
    Sample("qcow2-zstd", "qcow2", _created("qcow2", "compression_type=zstd")),
    Sample("qcow2-backing-file", "qcow2", _with_backing_file, usable=False),
    Sample("qcow2-data-file", "qcow2", _created("qcow2", "data_file={file}.data,data_file_raw=on"), usable=False),
    Sample("qcow2-unknown-feature", "qcow2", _patched(_created("qcow2"), 72, b"\x40"), usable=False),
    Sample("vmdk-monolithic-sparse", "vmdk", _created("vmdk", "subformat=monolithicSparse")),
    Sample("vmdk-stream-optimized-footer", "vmdk", _converted("vmdk", "subformat=streamOptimized")),
    Sample("vmdk-monolithic-flat", "vmdk", _created("vmdk", "subformat=monolithicFlat"), usable=False),
    Sample("vmdk-two-gb-flat", "vmdk", _created("vmdk", "subformat=twoGbMaxExtentFlat"), usable=False),
    Sample("vmdk-two-gb-sparse", "vmdk", _created("vmdk", "subformat=twoGbMaxExtentSparse"), usable=False),
    Sample("vmdk-foreign-extent", "vmdk", _with_foreign_extent, usable=False),
    Sample("vhd-dynamic", "vhd", _created("vpc", "subformat=dynamic")),
    Sample("vhd-fixed", "vhd", _created("vpc", "subformat=fixed")),
    Sample("vhd-with-parent", "vhd", _patched(_created("vpc"), 60, b"\0\0\0\4"), usable=False),
    Sample("vhdx-dynamic", "vhdx", _created("vhdx", "subformat=dynamic")),
    Sample("vhdx-fixed", "vhdx", _created("vhdx", "subformat=fixed")),
    Sample("vdi-dynamic", "vdi", _created("vdi")),
    Sample("vdi-static", "vdi", _created("vdi", "static=on")),
    Sample("vdi-with-parent", "vdi", _patched(_created("vdi"), 0x4C, b"\4"), usable=False),
)
