"""``bench/run boot``: request → SSH-able on a cloud, against QEMU started by hand on the same image.

Both use a user-mode network, the same kernel, memory and accelerator, and a config drive with the key. Run in turn,
``--rounds`` times; what counts is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pycdlib

from tane.agent.host import accelerator
from tane.cli.common import State, cache_folder
from tane.cli.demo import Tour
from tane.guest.build import GuestImage, build
from tests.ports import free_port

SSH = (
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=3",
)
MEMORY_MB = 128


def config_drive(folder: Path, public_key: str) -> Path:
    """The smallest config drive a guest takes its key from."""
    metadata = {"uuid": "by-hand", "hostname": "by-hand", "public_keys": {"key": public_key}}
    content = json.dumps(metadata).encode()
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="config-2")
    for path in ("/OPENSTACK", "/OPENSTACK/LATEST"):
        name = path.rsplit("/", 1)[1].lower()
        iso.add_directory(path, rr_name=name, joliet_path=path.lower())
    iso.add_fp(
        io.BytesIO(content),
        len(content),
        "/OPENSTACK/LATEST/METADATA.;1",
        rr_name="meta_data.json",
        joliet_path="/openstack/latest/meta_data.json",
    )
    target = folder / "config.iso"
    iso.write(str(target))
    iso.close()
    return target


def by_hand(guest: GuestImage, kind: str) -> float:
    """Seconds from starting QEMU to the first SSH login."""
    folder = Path(tempfile.mkdtemp(prefix="by-hand-"))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    drive = config_drive(folder, (folder / "key.pub").read_text().strip())
    port = free_port()
    begun = time.perf_counter()
    disk = folder / "disk.qcow2"
    overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(guest.disk), "-F", "qcow2", str(disk), "1G"]
    subprocess.run(overlay, check=True)
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", kind, "-m", str(MEMORY_MB), "-nodefaults"]
    command += ["-display", "none", "-kernel", str(guest.kernel), "-initrd", str(guest.ramdisk)]
    command += ["-append", guest.os_command_line, "-serial", f"file:{folder}/serial"]
    command += ["-drive", f"if=none,id=d,file={disk},format=qcow2", "-device", "virtio-blk-pci,drive=d"]
    command += ["-drive", f"if=none,id=c,file={drive},format=raw,readonly=on", "-device", "virtio-blk-pci,drive=c"]
    command += ["-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=n"]
    with subprocess.Popen(command) as qemu:
        try:
            login = ["ssh", *SSH, "-q", "-i", str(folder / "key"), "-p", str(port), "root@127.0.0.1", "true"]
            until = time.monotonic() + 240
            while subprocess.run(login, capture_output=True, check=False).returncode != 0:
                if qemu.poll() is not None or time.monotonic() > until:
                    sys.exit(f"bench.boot: the guest by hand did not come up; see {folder}")
                time.sleep(0.1)
            return time.perf_counter() - begun
        finally:
            qemu.kill()
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/run boot")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    guest = build(cache_folder())
    folder = Path(tempfile.mkdtemp(prefix="tane-boot-"))
    tane = [sys.executable, "-m", "tane.cli"]
    state = ["--state", str(folder)]
    subprocess.run([*tane, "up", *state, "--mode", "user", "--port", str(free_port())], check=True)
    try:
        files = State.of(folder)
        kind = accelerator(folder / "host").kind
        hand, cloud = [], []
        for _ in range(arguments.rounds):
            hand.append(by_hand(guest, f"{kind},tb-size=32" if kind == "tcg" else kind))
            tour = Tour(files, files.admin(), "user")
            with contextlib.redirect_stdout(io.StringIO()):
                seconds = tour.walk()
            assert seconds is not None
            cloud.append(seconds)
            servers = tour.user.call("GET", "/compute/v2.1/servers")["servers"]
            for server in servers:
                tour.user.call("DELETE", f"/compute/v2.1/servers/{server['id']}")
            while tour.user.call("GET", "/compute/v2.1/servers")["servers"]:
                time.sleep(0.1)
    finally:
        subprocess.run([*tane, "down", *state, "--purge"], check=True)
    ratio = statistics.median(cloud) / statistics.median(hand)
    print("| by hand, s | cloud, s | ratio of medians |\n|---|---|---|")
    print(f"| {', '.join(f'{s:.1f}' for s in hand)} | {', '.join(f'{s:.1f}' for s in cloud)} | {ratio:.2f} |")


main()
