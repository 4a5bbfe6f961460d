"""The format inspector, over files that qemu-img makes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tane.linux.image_header import UnacceptableImage, inspect

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="not installed: qemu-img")
SIZE = 8 << 20


def make(path: Path, tool_format: str, *options: str) -> Path:
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", tool_format, *options, str(path), str(SIZE)], check=True, capture_output=True
    )
    return path


@pytest.mark.parametrize(
    ("disk_format", "tool_format", "options"),
    [
        ("qcow2", "qcow2", ()),
        ("qcow2", "qcow2", ("-o", "compat=0.10")),
        ("vmdk", "vmdk", ()),
        ("vmdk", "vmdk", ("-o", "subformat=streamOptimized")),
        ("vdi", "vdi", ()),
        ("vhd", "vpc", ("-o", "force_size=on")),
        ("vhd", "vpc", ("-o", "force_size=on,subformat=fixed")),
        ("vhdx", "vhdx", ()),
        ("raw", "raw", ()),
    ],
)
def test_a_self_contained_image_is_known_with_its_virtual_size(
    tmp_path: Path, disk_format: str, tool_format: str, options: tuple[str, ...]
) -> None:
    found = inspect(make(tmp_path / "disk", tool_format, *options), disk_format)
    assert (found.format, found.virtual_size) == (disk_format, SIZE)


@pytest.mark.parametrize(("said", "is_"), [("raw", "qcow2"), ("raw", "vmdk"), ("qcow2", "raw"), ("vdi", "qcow2")])
def test_content_that_is_not_its_disk_format_is_refused(tmp_path: Path, said: str, is_: str) -> None:
    with pytest.raises(UnacceptableImage, match=f"disk_format {said} does not match stream data {is_}"):
        inspect(make(tmp_path / "disk", is_), said)


def test_a_backing_file_is_refused(tmp_path: Path) -> None:
    base = make(tmp_path / "base", "qcow2")
    top = make(tmp_path / "top", "qcow2", "-b", str(base), "-F", "qcow2")
    with pytest.raises(UnacceptableImage, match="backing file"):
        inspect(top, "qcow2")


def test_an_external_data_file_is_refused(tmp_path: Path) -> None:
    disk = make(tmp_path / "disk", "qcow2", "-o", f"data_file={tmp_path / 'data'}")
    with pytest.raises(UnacceptableImage, match="external data file"):
        inspect(disk, "qcow2")


@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_vmdk_files_whose_data_lies_elsewhere_are_refused(tmp_path: Path, subformat: str) -> None:
    disk = make(tmp_path / "disk.vmdk", "vmdk", "-o", f"subformat={subformat}")
    with pytest.raises(UnacceptableImage, match="failed safety checks"):
        inspect(disk, "vmdk")


def test_a_header_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"QFI\xfb\0\0\0\3")
    with pytest.raises(UnacceptableImage, match="cut short"):
        inspect(disk, "qcow2")


def test_an_iso_file_may_be_uploaded_as_iso_and_as_raw(tmp_path: Path) -> None:
    disk = tmp_path / "cd"
    disk.write_bytes(bytes(0x8001) + b"CD001" + bytes(4096))
    for disk_format in ("iso", "raw"):
        assert inspect(disk, disk_format).virtual_size == disk.stat().st_size
    with pytest.raises(UnacceptableImage):
        inspect(disk, "qcow2")
