"""The small guest image: how it is made, and that it boots by GRUB and takes its metadata from the network."""

from __future__ import annotations

import gzip
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tane.cli.common import cache_folder
from tane.guest import archive
from tane.guest.build import GuestImage, GuestImageError, build
from tane.guest.cirros import download_cirros

CACHE = cache_folder()
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMN5OCjS0/iM6i1qW3uYbzGls04GZPvuFGnhfj5AZCC me@home"

# Answers one HTTP request on its standard input, as the metadata service would.
SERVER = """#!/bin/sh
read -r method path rest
case $path in
{cases}
*) printf 'HTTP/1.0 404 Not Found\\r\\n\\r\\n'; exit ;;
esac
printf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s' "$body"
"""
USER_DATA = """#!/bin/sh
echo keys $(cut -d' ' -f3 /root/.ssh/authorized_keys) name $(hostname)
for c in mke2fs mount dd wget ping nc sync blkid resize2fs; do which $c >/dev/null || echo missing $c; done
for c in sudo curl mkfs.vfat; do which $c >/dev/null || echo missing $c; done
curl -s http://169.254.169.254/latest/meta-data/hostname | sed 's/^/curled /'; echo
curl -fs http://169.254.169.254/nothing; echo failed $?
sudo -n mkfs -t vfat -n SECOND /dev/vdb >/dev/null
mount "$(blkid -L SECOND -o device)" /mnt && echo mounted $(grep vdb /proc/mounts)
sudo sh -c 'echo "client $(cat /proc/$(cat /var/run/udhcpc.eth0.pid)/comm)"'
df -m / | tail -n 1 | awk '{print "root", ($2 > 900) ? "grown" : "small"}'"""
OPENSTACK = {
    "/openstack/latest/meta_data.json": f'{{"uuid": "i-1", "hostname": "web-1", "public_keys": {{"k": "{KEY}\\n"}}}}',
    "/openstack/latest/user_data": USER_DATA,
}
EC2 = {
    "/latest/meta-data/instance-id": "i-2",
    "/latest/meta-data/hostname": "web-2",
    "/latest/meta-data/public-keys/": "0=k",
    "/latest/meta-data/public-keys/0/openssh-key": KEY,
    "/latest/user-data": USER_DATA,
}


@pytest.fixture(scope="module")
def image() -> GuestImage:
    return build(CACHE)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tane-") as name:
        yield Path(name)


def test_the_image_is_small_and_its_manifest_tells_of_its_files(image: GuestImage) -> None:
    assert set(image.sha256) == {"disk.qcow2", "kernel", "ramdisk"}
    assert sum(image.size_bytes.values()) < 40 << 20
    assert image.kernel
    assert image.kernel.stat().st_size == image.size_bytes["kernel"]
    assert "console=ttyS0" in image.os_command_line


def test_the_image_is_built_once(image: GuestImage) -> None:
    said: list[str] = []
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda _: build(CACHE, said.append), range(2))) == [image, image]
    assert said == []


def test_missing_tools_are_told_by_their_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apt-get").touch(mode=0o755)
    monkeypatch.setattr("tane.guest.build.SYSTEM_PATH", str(tmp_path / "bin"))
    with pytest.raises(GuestImageError, match=r"apt-get install .*dropbear-bin.*qemu-utils"):
        build(tmp_path / "cache")


def test_without_a_connection_cirros_says_so(tmp_path: Path) -> None:
    with pytest.raises(GuestImageError, match="could not be downloaded"):
        download_cirros(tmp_path, url="http://127.0.0.1:9/cirros.img")
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_is_not_cirros_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.img").write_bytes(b"something else")
    with pytest.raises(GuestImageError, match="is not CirrOS"):
        download_cirros(tmp_path / "cache", url=(tmp_path / "other.img").as_uri())


def test_an_initramfs_is_what_cpio_reads(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/program").write_bytes(b"x" * 5)
    (tree / "init").symlink_to("bin/program")
    archive.write_initramfs(tree, tmp_path / "out.gz")
    content = gzip.decompress((tmp_path / "out.gz").read_bytes())
    listing = subprocess.run(["cpio", "-tv"], input=content, capture_output=True, check=True).stdout.decode()
    assert [line.split()[8] for line in listing.splitlines()][:3] == ["bin", "bin/program", "init"]
    assert "dev/console" in listing


@pytest.mark.guest
@pytest.mark.parametrize(
    ("answers", "direct"),
    [
        pytest.param(OPENSTACK, False, id="openstack-grub"),
        pytest.param(EC2, True, id="ec2-kernel", marks=pytest.mark.nightly),
    ],
)
def test_the_guest_takes_its_metadata_from_the_network(
    image: GuestImage, folder: Path, answers: dict[str, str], direct: bool
) -> None:
    cases = "".join(f"{path}) body=$(cat {folder}/{number}) ;;\n" for number, path in enumerate(answers))
    for number, body in enumerate(answers.values()):
        (folder / str(number)).write_text(body)
    server = folder / "server"
    server.write_text(SERVER.format(cases=cases))
    server.chmod(0o755)
    disk, console = folder / "disk.qcow2", folder / "console.log"
    overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image.disk), "-F", "qcow2", str(disk), "1G"]
    subprocess.run(overlay, check=True)
    with (folder / "second.raw").open("wb") as second:
        second.truncate(8 << 20)
    network = "user,id=n,net=169.254.169.0/24,restrict=on"
    kernel = ["-kernel", str(image.kernel), "-initrd", str(image.ramdisk), "-append", image.os_command_line]
    argv = [
        *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,tb-size=32", "-m", "96", "-nodefaults"),
        *("-display", "none", "-no-reboot", "-serial", f"file:{console}", "-monitor", "stdio"),
        *("-drive", f"if=virtio,format=qcow2,file={disk}"),
        *("-drive", f"if=virtio,format=raw,file={folder}/second.raw"),
        *("-netdev", f"{network},guestfwd=tcp:169.254.169.254:80-cmd:{server}"),
        *("-device", "virtio-net-pci,netdev=n,romfile="),
        *(kernel if direct else ()),
    ]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as guest:
        try:
            text = _wait_for(console, "TANE-USER-DATA exit 0")
            assert guest.stdin
            guest.stdin.write(b"system_powerdown\n")
            guest.stdin.flush()
            assert guest.wait(timeout=40) == 0
        finally:
            guest.kill()
    name = "web-2" if direct else "web-1"
    assert f"keys me@home name {name}" in text
    assert "root grown" in text
    assert "missing" not in text
    assert ("curled web-2" in text) == direct
    assert "failed 22" in text
    assert "mounted /dev/vdb /mnt vfat" in text
    assert "client udhcpc" in text


def _wait_for(console: Path, mark: str, seconds: float = 90) -> str:
    deadline = time.monotonic() + seconds
    while True:
        text = console.read_text(errors="replace") if console.exists() else ""
        if mark in text:
            return text
        assert time.monotonic() < deadline, f"no {mark!r} on the console:\n{text[-2000:]}"
        time.sleep(0.1)
