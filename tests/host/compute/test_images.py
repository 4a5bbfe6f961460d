"""The image cache: what it fetches once, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from tane.agent.images import ImageCache
from tane.wire.errors import HostError
from tests.host.tools import FileImages

pytestmark = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-utils is not installed")


def make(path: Path, image_format: str, *options: str, size: str | None = "1M") -> Path:
    command = ["qemu-img", "create", "-q", "-f", image_format, *options, str(path), *([size] if size else [])]
    subprocess.run(command, check=True)
    return path


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def test_servers_made_at_once_fetch_their_image_once(tmp_path: Path) -> None:
    images = FileImages(local=False)
    image = images.add(make(tmp_path / "a.qcow2", "qcow2"), "qcow2")
    cache = ImageCache(tmp_path / "cache", images)

    async def fetch() -> list[Path]:
        return await asyncio.gather(*(cache.disk(image) for _ in range(8)))

    [path] = set(asyncio.run(fetch()))
    assert images.fetched == 1
    assert leftovers(tmp_path / "cache") == [path.name]


@pytest.mark.parametrize("image_format", ["raw", "qcow2", "vmdk", "vdi", "vhdx"])
def test_images_of_every_format_become_flat_qcow2(tmp_path: Path, image_format: str) -> None:
    images = FileImages()
    image = images.add(make(tmp_path / f"a.{image_format}", image_format), image_format)
    path = asyncio.run(ImageCache(tmp_path / "cache", images).disk(image))
    assert path.read_bytes()[:4] == b"QFI\xfb"


@pytest.mark.parametrize("local", [True, False])
def test_content_that_does_not_match_its_digest_is_refused(tmp_path: Path, local: bool) -> None:
    images = FileImages(local=local)
    image = images.add(make(tmp_path / "a.raw", "raw"), "raw")
    (tmp_path / "a.raw").write_bytes(b"other" * 1000)
    with pytest.raises(HostError, match="does not match its sha256 digest"):
        asyncio.run(ImageCache(tmp_path / "cache", images).disk(image))
    assert leftovers(tmp_path / "cache") == []


def test_an_image_that_points_at_a_file_of_the_host_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 4096)
    images = FileImages()
    backing = make(tmp_path / "backing.qcow2", "qcow2", "-b", str(secret), "-F", "raw", size=None)
    data_file = make(tmp_path / "data.qcow2", "qcow2", "-o", f"data_file={tmp_path / 'data'},data_file_raw=on")
    flat = make(tmp_path / "flat.vmdk", "vmdk", "-o", "subformat=monolithicFlat")
    cache = ImageCache(tmp_path / "cache", images)
    for path, disk_format, reason in (
        (backing, "qcow2", "backing file"),
        (data_file, "qcow2", "external data file"),
        (flat, "vmdk", "hold their own data"),
    ):
        with pytest.raises(HostError, match=reason):
            asyncio.run(cache.disk(images.add(path, disk_format)))
    assert leftovers(tmp_path / "cache") == []


def test_an_image_that_is_not_what_its_disk_format_says_is_refused(tmp_path: Path) -> None:
    images = FileImages()
    disguised = make(tmp_path / "a.raw", "qcow2", "-b", "/etc/hostname", "-F", "raw", size="1M")
    with pytest.raises(HostError, match="does not match stream data qcow2"):
        asyncio.run(ImageCache(tmp_path / "cache", images).disk(images.add(disguised, "raw")))


def test_an_image_without_a_usable_digest_or_format_is_refused(tmp_path: Path) -> None:
    images = FileImages()
    image = images.add(make(tmp_path / "a.raw", "raw"), "raw")
    cache = ImageCache(tmp_path / "cache", images)
    for digest in ("", "../" + "a" * 61, "A" * 64):
        with pytest.raises(HostError, match="no usable digest"):
            asyncio.run(cache.disk(msgspec.structs.replace(image, digest=digest)))
    with pytest.raises(HostError, match="format ploop cannot be used"):
        asyncio.run(cache.disk(msgspec.structs.replace(image, disk_format="ploop")))


def test_images_no_one_uses_make_room_the_longest_unused_first(tmp_path: Path) -> None:
    images = FileImages()
    base, held, old, new = (
        images.add(make(tmp_path / f"{number}.raw", "raw", size=f"{number}M"), "raw") for number in range(1, 5)
    )
    cache = ImageCache(tmp_path / "cache", images)
    cache.used_by(lambda: [base.digest])

    async def fill() -> None:
        for number, image in enumerate((base, held, old, new)):
            path = await cache.disk(image)
            os.utime(path, (number, number))
        async with cache.holding(held):
            size = (tmp_path / "cache" / f"{old.digest}.qcow2").stat().st_blocks * 512
            assert await cache.prune(size) == size, "what is left of the unused may stay"
            assert sum(await asyncio.gather(*(cache.prune(0) for _ in range(8)))) > 0
        assert set(leftovers(tmp_path / "cache")) == {f"{image.digest}.qcow2" for image in (base, held)}
        await cache.prune(0)
        assert leftovers(tmp_path / "cache") == [f"{base.digest}.qcow2"]

    asyncio.run(fill())


def test_what_a_killed_host_left_half_made_is_swept(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ("a" * 64 + ".0123.part")).write_bytes(b"half")
    ImageCache(tmp_path / "cache", FileImages())
    assert leftovers(tmp_path / "cache") == []
