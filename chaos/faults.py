"""What is broken. Each fault tells in a few words what it did to the cloud, or None when it found nothing to break."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.e2e.real import RealCloud
from tests.running import running_below

FULL_SECONDS = 3.0
FROZEN_SECONDS = 5.0


def processes(cloud: RealCloud, program: str) -> Iterator[tuple[int, str]]:
    """(pid, working folder) of the cloud's own processes of a kind: each runs in a folder of the cloud's."""
    return ((pid, folder) for pid, name, folder in running_below(cloud.folder) if name.startswith(program))


def kill_one(cloud: RealCloud, dice: random.Random, program: str, pattern: str) -> str | None:
    found = sorted(pid for pid, folder in processes(cloud, program) if pattern in folder)
    if not found:
        return None
    pid = dice.choice(found)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return f"killed {program} {pid}"


def kill_cloud(cloud: RealCloud, dice: random.Random) -> str:
    """The cloud's process, which is its host's agent too, and a start after it."""
    cloud.kill()
    time.sleep(dice.uniform(0.0, 1.0))
    cloud.up()
    return "killed the cloud"


def kill_guest(cloud: RealCloud, dice: random.Random) -> str | None:
    return kill_one(cloud, dice, "qemu-system", "/host/guests/")


def kill_dnsmasq(cloud: RealCloud, dice: random.Random) -> str | None:
    return kill_one(cloud, dice, "dnsmasq", "/host/")


def kill_exporter(cloud: RealCloud, dice: random.Random) -> str | None:
    return kill_one(cloud, dice, "qemu-storage-daemon", "/host/volumes/")


def freeze(cloud: RealCloud, dice: random.Random) -> str | None:
    """The cloud or an exporter says nothing for some seconds, like one behind a cut connection, and goes on."""
    exporters = sorted(pid for pid, _ in processes(cloud, "qemu-storage-daemon"))
    own = int((cloud.folder / "run" / "tane.pid").read_text().split()[0])
    pid = dice.choice([own, *exporters])
    try:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(dice.uniform(1.0, FROZEN_SECONDS))
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return None
    return f"froze {'the cloud' if pid == own else f'qemu-storage-daemon {pid}'}"


def fill_disk(cloud: RealCloud, dice: random.Random) -> str:
    """No byte is free on the state disk for some seconds."""
    ballast = cloud.folder.parent / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        time.sleep(FULL_SECONDS)
    finally:
        ballast.unlink()
    return "filled the state disk"


Fault = Callable[[RealCloud, random.Random], str | None]

FAULTS: dict[str, tuple[Fault, int]] = {
    "cloud": (kill_cloud, 4),
    "guest": (kill_guest, 1),
    "dnsmasq": (kill_dnsmasq, 2),
    "exporter": (kill_exporter, 2),
    "freeze": (freeze, 2),
    "disk": (fill_disk, 1),
}
"""With how often each comes, compared with the others."""


def mount_state_disk(folder: Path, megabytes: int) -> None:
    """A small disk of its own for the state, so that it can be filled."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tane-chaos", str(folder)], check=True)


def unmount_state_disk(folder: Path) -> None:
    """At once for everybody here; a copy of the mount in another namespace (of a command run in a network namespace)
    may keep it a moment longer."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
