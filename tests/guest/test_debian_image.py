"""The Debian image: where its packages come from, and its disk as firmware reads it."""

from __future__ import annotations

import struct
import subprocess
import sys
import uuid
import zlib
from pathlib import Path

import pytest

from tane.guest import archive
from tane.guest.build import GuestImageError
from tane.guest.debian import build as debian
from tane.guest.debian.build import build_debian, lines_for_release

MIB = 1 << 20
DISK_ID = uuid.UUID("11111111-2222-4333-8444-555555555555")
PARTITIONS = [
    archive.Partition("BIOS", archive.BIOS_BOOT, uuid.uuid4(), MIB, MIB),
    archive.Partition("root", archive.LINUX_ROOT, uuid.uuid4(), 2 * MIB, 5 * MIB),
]


def test_packages_come_from_what_the_machine_has_of_the_release() -> None:
    targets = [
        "http://one.example/debian/ bookworm main",
        "http://one.example/debian/ bookworm main",
        "http://one.example/debian/ bookworm contrib",
        "http://two.example/security/ bookworm-security main",
        "http://one.example/debian/ trixie main",
        "http://one.example/debian/ bookworm-backports main",
    ]
    keys = f"[signed-by={debian.KEYRING}]"
    assert lines_for_release(targets) == [
        f"deb {keys} http://one.example/debian/ bookworm main",
        f"deb {keys} http://two.example/security/ bookworm-security main",
    ]


def test_a_machine_without_the_release_is_told_what_to_do() -> None:
    with pytest.raises(GuestImageError, match="no Debian bookworm: name an archive with --mirror URL"):
        lines_for_release(["http://one.example/ubuntu noble main", "http://one.example/s bookworm-security main"])


def test_an_archive_that_is_named_takes_the_place_of_the_machines(tmp_path: Path) -> None:
    keys = f"[signed-by={debian.KEYRING}]"
    assert debian.sources("http://mirror.example/debian", tmp_path) == [
        f"deb {keys} http://mirror.example/debian bookworm main",
        f"deb {keys} http://mirror.example/debian bookworm-updates main",
    ]


def test_an_archive_goes_with_debian_only() -> None:
    command = [sys.executable, "-m", "tane.cli", "guest-image", "--mirror", "http://mirror.example/debian"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--debian" in done.stderr


def test_missing_tools_are_told_by_their_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apt-get").touch(mode=0o755)
    monkeypatch.setattr("tane.guest.build.SYSTEM_PATH", str(tmp_path / "bin"))
    with pytest.raises(GuestImageError, match=r"apt-get install .*mmdebstrap mtools qemu-utils"):
        build_debian(tmp_path / "cache")


def test_the_script_is_one_that_sh_reads() -> None:
    subprocess.run(["sh", "-n", str(Path(debian.__file__).with_name("finish.sh"))], check=True)


def test_the_same_recipe_makes_the_same_ids() -> None:
    assert debian._id("root") == debian._id("root") != debian._id("efi")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(8 * MIB)
    archive.write_gpt(path, DISK_ID, PARTITIONS)
    return path


@pytest.mark.parametrize("backup", [False, True], ids=["first", "backup"])
def test_both_partition_tables_are_whole_and_name_each_other(disk: Path, backup: bool) -> None:
    content = disk.read_bytes()
    last = len(content) // 512 - 1
    own = last if backup else 1
    header = bytearray(content[own * 512 : own * 512 + 92])
    magic, revision, size, checksum = struct.unpack_from("<8sIII", header)
    assert (magic, revision, size) == (b"EFI PART", 0x10000, 92)
    header[16:20] = bytes(4)
    assert zlib.crc32(header) == checksum
    here, other, first, final, disk_id, table, count, each, sum_of_table = struct.unpack_from(
        "<QQQQ16sQIII", header, 24
    )
    assert (here, other, disk_id) == (own, 1 if backup else last, DISK_ID.bytes_le)
    entries = content[table * 512 : table * 512 + count * each]
    assert zlib.crc32(entries) == sum_of_table
    for number, part in enumerate(PARTITIONS):
        kind, own_id, start, end = struct.unpack_from("<16s16sQQ", entries, number * each)
        assert (kind, own_id) == (part.kind.bytes_le, part.id.bytes_le)
        assert (start * 512, (end + 1) * 512) == (part.start, part.start + part.size)
        assert first <= start <= end <= final
        assert entries[number * each + 56 :].decode("utf-16-le", errors="replace").startswith(part.name)


def test_programs_that_know_no_such_table_see_a_full_disk(disk: Path) -> None:
    first = disk.read_bytes()[:512]
    assert first[510:] == b"\x55\xaa"
    kind, start, sectors = first[450], *struct.unpack_from("<II", first, 454)
    assert (kind, start, sectors) == (0xEE, 1, 8 * MIB // 512 - 1)


def test_the_boot_sector_knows_where_grub_goes_on(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "boot.img").write_bytes(b"b" * 512)
    (tmp_path / "core.img").write_bytes(b"c" * 2048)
    before = disk.read_bytes()
    archive.write_bios_boot(disk, tmp_path / "boot.img", tmp_path / "core.img", PARTITIONS[0])
    content = disk.read_bytes()
    assert content[440:MIB] == before[440:MIB], "the tables are as they were"
    [core] = struct.unpack_from("<Q", content, 0x5C)
    assert core * 512 == PARTITIONS[0].start
    [rest] = struct.unpack_from("<Q", content, MIB + 500)
    assert rest == core + 1
    assert content[MIB + 512 : MIB + 2048] == b"c" * 1536


def test_a_core_larger_than_its_partition_is_refused(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "boot.img").write_bytes(b"b" * 512)
    (tmp_path / "core.img").write_bytes(b"c" * (MIB + 1))
    with pytest.raises(ValueError, match="1048577 bytes"):
        archive.write_bios_boot(disk, tmp_path / "boot.img", tmp_path / "core.img", PARTITIONS[0])


def test_what_takes_many_minutes_runs_only_when_asked_for() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/nightly"]
    root = Path(__file__).parents[2]
    daily = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert "/0 tests collected" in daily.stdout or "no tests collected" in daily.stdout
    assert "deselected" in daily.stdout
    nightly = subprocess.run([*command, "-m", "nightly"], capture_output=True, text=True, check=True, cwd=root)
    assert "test_cloud_init_is_done_without_errors[metadata]" in nightly.stdout
