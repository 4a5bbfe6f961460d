"""Disk images made to read the host: refused by their headers, whatever container and format they claim."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tane.agent.images import ImageCache
from tane.linux import confine, image_header, qemu_img
from tane.linux.confine import Confinement
from tane.linux.image_header import UnacceptableImage
from tane.wire.errors import HostError
from tests.host.tools import FileImages

SIZE = 1 << 20
SECTOR = 512


def make(path: Path, form: str, *options: str) -> Path:
    command = ["qemu-img", "create", "-q", "-f", form, *options, str(path), str(SIZE)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def raw(path: Path, content: bytes = b"x", size: int = SIZE) -> Path:
    path.write_bytes(content * size)
    return path


def descriptor(path: Path, extent: str, *, kind: str = "monolithicFlat", parent: str = "ffffffff") -> Path:
    head = f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID={parent}\ncreateType="{kind}"\n'
    path.write_text(f'{head}{extent}\nddb.adapterType = "ide"\n')
    return path


def embedded(path: Path, text: bytes, *, length: int = 20, capacity: int = SIZE // SECTOR, offset: int = 1) -> Path:
    """A VMDK file with this descriptor inside, and a header that says what it likes of it."""
    header = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, capacity, 128, offset, length)
    path.write_bytes((header.ljust(SECTOR, b"\0") + text).ljust(SIZE, b"\0"))
    return path


FLAT = 'RW 2048 FLAT "/etc/shadow" 0'
TEXT = b'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicSparse"\n'
OWN = b'RW 2048 SPARSE "disk.vmdk"\n'

ATTACKS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "qcow2 with a backing file": ("qcow2", lambda p: make(p, "qcow2", "-b", "/etc/hostname", "-F", "raw")),
    "qcow2 with a data file": ("qcow2", lambda p: make(p, "qcow2", "-o", f"data_file={p}.data")),
    "vmdk descriptor of a host file": ("vmdk", lambda p: descriptor(p, FLAT)),
    "vmdk descriptor of a device": ("vmdk", lambda p: descriptor(p, 'RW 2048 VMFSRDM "/dev/vda"', kind="vmfsRDM")),
    "vmdk descriptor of a FIFO": ("vmdk", lambda p: descriptor(p, f'RW 2048 FLAT "{p}.fifo" 0')),
    "vmdk with a parent": ("vmdk", lambda p: descriptor(p, FLAT, parent="12345678")),
    "embedded flat extent": ("vmdk", lambda p: embedded(p, TEXT + FLAT.encode())),
    "embedded second extent": ("vmdk", lambda p: embedded(p, TEXT + OWN + FLAT.encode())),
    "embedded, no capacity": ("vmdk", lambda p: embedded(p, TEXT + OWN, capacity=0)),
    "embedded, elsewhere": ("vmdk", lambda p: embedded(p, TEXT + OWN, offset=9)),
    "embedded parent hint": ("vmdk", lambda p: embedded(p, TEXT + OWN + b'parentFileNameHint="/etc/shadow"')),
    "embedded, longer than its header says": (
        "vmdk",
        lambda p: embedded(p, (TEXT + OWN).ljust(SECTOR, b"\n") + FLAT.encode(), length=1),
    ),
    "embedded, never ending": ("vmdk", lambda p: embedded(p, (TEXT + OWN).ljust(2 << 20, b"\n"), length=1)),
    "qcow2 with very many snapshots": ("qcow2", lambda p: patched(make(p, "qcow2"), 60, struct.pack(">I", 65536))),
    "vhdx whose metadata is nowhere": ("vhdx", lambda p: shifted(make(p, "vhdx"))),
    "vdi that is a difference": ("vdi", lambda p: patched(make(p, "vdi"), 0x4C, struct.pack("<I", 4))),
    "vhd that is a difference": ("vhd", lambda p: patched(make(p, "vpc"), 60, struct.pack(">I", 4))),
}


def shifted(path: Path) -> Path:
    """The region table's entries, each with an offset beyond any file."""
    for entry in range(2):
        patched(path, (192 << 10) + 16 + 32 * entry + 16, b"\xff" * 8)
    return path


def patched(path: Path, offset: int, content: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
    return path


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_image_that_names_other_files_is_refused_by_its_header(attack: str, tmp_path: Path) -> None:
    disk_format, craft = ATTACKS[attack]
    os.mkfifo(tmp_path / "disk.fifo")
    image = craft(tmp_path / "disk")
    with pytest.raises(UnacceptableImage):
        image_header.inspect(image, disk_format)


@pytest.mark.guest
@pytest.mark.parametrize("attack", list(ATTACKS))
@pytest.mark.parametrize("claimed", [*qemu_img.FORMATS])
def test_a_host_makes_no_disk_of_it_whatever_format_is_claimed(attack: str, claimed: str, tmp_path: Path) -> None:
    _, craft = ATTACKS[attack]
    os.mkfifo(tmp_path / "disk.fifo")
    images = FileImages()
    image = images.add(craft(tmp_path / "disk"), claimed)
    cache = ImageCache(tmp_path / "cache", images)
    with pytest.raises(HostError) as told:
        asyncio.run(asyncio.wait_for(cache.disk(image), 20))
    assert str(tmp_path) not in str(told.value), "a path of the host came back"
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.guest
def test_an_image_that_says_two_things_of_its_size_fills_no_disk(tmp_path: Path) -> None:
    """VHD has its size twice: in bytes, which limits are held against, and in cylinders, which QEMU goes by."""
    path = tmp_path / "disk.vhd"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vpc", str(path), "4G"], check=True)
    content = bytearray(path.read_bytes())
    for footer in (0, len(content) - 512):
        struct.pack_into(">QQ", content, footer + 0x28, 1 << 20, 1 << 20)
        struct.pack_into(">I", content, footer + 0x40, 0)
        struct.pack_into(">I", content, footer + 0x40, ~sum(content[footer : footer + 512]) & 0xFFFFFFFF)
    path.write_bytes(content)
    assert image_header.inspect(path, "vhd").virtual_size == 1 << 20
    images = FileImages()
    with pytest.raises(HostError, match="two things of its size"):
        asyncio.run(ImageCache(tmp_path / "cache", images).disk(images.add(path, "vhd")))
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.guest
def test_a_copy_that_grows_past_its_limit_is_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu_img, "_METADATA_BYTES", 1 << 20)
    (tmp_path / "disk.raw").write_bytes(os.urandom(8 << 20))
    with pytest.raises(qemu_img.ImageError):
        asyncio.run(
            qemu_img.convert(qemu_img.Disk(tmp_path / "disk.raw", "raw"), tmp_path / "copy", most_bytes=4 << 20)
        )
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["disk.raw"]


@pytest.mark.guest
def test_a_tool_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu_img, "_LOOK_SECONDS", 0)
    disk = make(tmp_path / "disk", "qcow2")
    with pytest.raises(qemu_img.ImageError, match="took longer"):
        asyncio.run(qemu_img.info(qemu_img.Disk(disk, "qcow2")))


def test_a_small_file_that_holds_a_large_disk_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    images = FileImages()
    path = make(tmp_path / "bomb.qcow2", "qcow2")
    subprocess.run(["qemu-img", "resize", "-q", str(path), "6G"], check=True)
    cache = ImageCache(tmp_path / "cache", images)
    with pytest.raises(HostError, match="holds a disk of 6442450944 bytes, and there is room for 1073741824"):
        asyncio.run(cache.disk(images.add(path, "qcow2"), 1 << 30))
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_empty_image_is_no_disk(tmp_path: Path) -> None:
    images = FileImages()
    (tmp_path / "empty").touch()
    with pytest.raises(HostError, match="is empty"):
        asyncio.run(ImageCache(tmp_path / "cache", images).disk(images.add(tmp_path / "empty", "raw")))


@pytest.mark.guest
@pytest.mark.parametrize("what", ["info", "convert", "resize", "overwrite"])
def test_a_disk_that_an_engine_has_written_names_no_data_elsewhere(tmp_path: Path, what: str) -> None:
    """Whoever has got out of a guest writes what he likes into its header."""
    disk = make(tmp_path / "disk", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=off")
    owner = confine.identity("guest")
    confine.give(disk, owner, 0o640)
    written = qemu_img.Disk(disk, "qcow2", owner)
    with pytest.raises(qemu_img.ImageError, match="external data file"):
        if what == "info":
            asyncio.run(qemu_img.info(written))
        elif what == "convert":
            asyncio.run(qemu_img.convert(written, tmp_path / "copy"))
        elif what == "resize":
            asyncio.run(qemu_img.resize(written, 2 * SIZE))
        else:
            asyncio.run(qemu_img.overwrite(qemu_img.Disk(raw(tmp_path / "raw"), "raw"), written))


@pytest.mark.guest
def test_a_disk_that_is_written_over_is_alone(tmp_path: Path) -> None:
    """Whatever it says that it stands on."""
    secret = raw(tmp_path / "secret", b"s")
    disk = make(tmp_path / "disk", "qcow2", "-b", str(secret), "-F", "raw")
    owner = confine.identity("guest")
    confine.give(disk, owner, 0o640)
    asyncio.run(
        qemu_img.overwrite(
            qemu_img.Disk(raw(tmp_path / "raw", size=SIZE // 2), "raw"), qemu_img.Disk(disk, "qcow2", owner)
        )
    )
    asyncio.run(qemu_img.convert(qemu_img.Disk(disk, "qcow2", owner), tmp_path / "copy", target_format="raw"))
    assert (tmp_path / "copy").read_bytes() == b"x" * (SIZE // 2) + bytes(SIZE // 2)


@pytest.mark.parametrize(
    "lay",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/hostname"), lambda path: os.mknod(path, stat.S_IFSOCK)],
    ids=["fifo", "folder", "link", "socket"],
)
def test_a_disk_that_is_none_holds_nobody_up(tmp_path: Path, lay: Callable[[Path], object]) -> None:
    """Nor does what is told of it name a place of the machine."""
    lay(tmp_path / "disk")
    with pytest.raises(UnacceptableImage, match="no file") as told:
        image_header.refuse_data_file(tmp_path / "disk")
    assert str(tmp_path) not in str(told.value)


@pytest.mark.guest
def test_qemu_img_reaches_no_network() -> None:
    """Whatever a header names; a listener of this machine's loopback is not there for it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        call = [sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"]
        near = Confinement(confine.identity("somebody"))
        assert subprocess.run(near.command(call), capture_output=True, check=False).returncode == 0
        far = Confinement(confine.identity("somebody"), offline=True)
        told = subprocess.run(far.command(call), capture_output=True, text=True, check=False)
    assert told.returncode != 0 and "unreachable" in told.stderr


@pytest.mark.guest
def test_every_call_of_qemu_img_is_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Confinement] = []
    real = Confinement.command
    monkeypatch.setattr(Confinement, "command", lambda self, argv: seen.append(self) or real(self, argv))
    disk = make(tmp_path / "disk", "qcow2")
    asyncio.run(qemu_img.info(qemu_img.Disk(disk, "qcow2")))
    asyncio.run(qemu_img.convert(qemu_img.Disk(disk, "qcow2"), tmp_path / "copy"))
    assert len(seen) >= 2 and all(one.offline for one in seen)
