"""Machines within this one, for demonstrations and tests of many hosts: each has a network and a /run of its own, and
an address on one bridge. Everything else they share; what runs in one runs with the rights of who started it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tane.linux import process

KEEP = "mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip link set lo up && exec sleep infinity"
"""/run is made private so that /run/netns can be written."""
UNSHARED = ("--net", "--mount", "--propagation", "private")
READY_SECONDS = 10.0
CARRIED_SECONDS = 60.0
KILL_ROUNDS = 100


class MachineError(OSError):
    """A machine could not be made; the message says what was tried."""


@dataclass(frozen=True)
class Bridge:
    """What the machines of one cloud are connected by: named after the cloud's id, in the range that RFC 6598 sets
    aside for networks between machines that others do not see."""

    cloud_id: str

    @property
    def name(self) -> str:
        return f"tm-{self.cloud_id}"

    def address(self, number: int = 0) -> str:
        """That of a machine; 0 is this one."""
        high, low = divmod(int(self.cloud_id, 16) % 4096, 256)
        return f"100.{112 + high}.{low}.{number + 1}"

    @property
    def tunnel_port(self) -> int:
        """Of this cloud's tunnels: those of others end on this machine, too."""
        return 14000 + int(self.cloud_id, 16) % 1000

    def make(self) -> None:
        """Repeatable. :raises MachineError:"""
        if not _done("ip", "link", "show", "dev", self.name):
            _run("ip", "link", "add", self.name, "type", "bridge")
            _run("ip", "address", "add", f"{self.address()}/24", "dev", self.name)
            _run("ip", "link", "set", self.name, "up")

    def remove(self) -> None:
        """The bridge and whatever end of a machine's is on it. Repeatable."""
        _done("ip", "link", "delete", self.name)


@dataclass(frozen=True)
class Machine:
    """``number`` from 1; ``within``: the state folder of the cloud it belongs to."""

    bridge: Bridge
    number: int
    within: Path

    @property
    def name(self) -> str:
        return f"machine-{self.number}"

    @property
    def folder(self) -> Path:
        """Its own state folder. A short name: paths of sockets end at 107 bytes."""
        return self.within / f"m{self.number}"

    @property
    def pidfile(self) -> Path:
        """Of what keeps its namespaces."""
        return self.within / "run" / f"m{self.number}.pid"

    @property
    def log(self) -> Path:
        return self.within / "log" / f"m{self.number}.log"

    @property
    def address(self) -> str:
        return self.bridge.address(self.number)

    def start(self) -> None:
        """Make its namespaces and connect them. Repeatable. :raises MachineError:"""
        there = f"tm-{self.bridge.cloud_id}-{self.number}"
        pid = process.read_pid(self.pidfile)
        if pid is None:
            # The kernel takes namespaces that ended down when it has time: what is left leads nowhere.
            _done("ip", "link", "delete", there)
            pid = self._keep()
        if not _done("ip", "link", "show", "dev", there):
            _run("ip", "link", "add", there, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
            _run("ip", "link", "set", there, "master", self.bridge.name, "up")
            self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
            self.run("ip", "link", "set", "eth0", "up")
            self.run("ip", "route", "add", "default", "via", self.bridge.address())
            self._carried(there)

    def _carried(self, there: str) -> None:
        """Wait until the kernel sends by both ends of a new link: it begins when it has time. :raises MachineError:"""
        ends = (("ip", "-o", "link", "show", "dev", there), self.command("ip", "-o", "link", "show", "dev", "eth0"))
        until = time.monotonic() + CARRIED_SECONDS
        while not all("state UP" in _told(*end) for end in ends):
            if time.monotonic() > until:
                raise MachineError(f"the link of {self.name} carries nothing")
            time.sleep(0.02)

    def _keep(self) -> int:
        process.spawn(["unshare", *UNSHARED, "sh", "-c", KEEP], pidfile=self.pidfile, log=self.log)
        return ready(self.pidfile, self.log)

    def command(self, *argv: str) -> list[str]:
        """The command that runs another one in it. :raises MachineError: it does not run."""
        pid = process.read_pid(self.pidfile)
        if pid is None:
            raise MachineError(f"{self.name} does not run")
        return [shutil.which("nsenter") or "nsenter", "--target", str(pid), "--net", "--mount", "--wd=.", "--", *argv]

    def run(self, *argv: str) -> None:
        """:raises MachineError: the command fails."""
        _run(*self.command(*argv))

    def stop(self) -> None:
        """End its namespaces; what runs in them should have ended. Repeatable."""
        process.stop(self.pidfile)


def ready(pidfile: Path, log: Path) -> int:
    """The pid of a keeper of namespaces, once its shell has become ``sleep``. :raises MachineError: it ended."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        pid = process.read_pid(pidfile)
        if pid is not None and Path(f"/proc/{pid}/comm").read_text().strip() == "sleep":
            return pid
        time.sleep(0.01)
    raise MachineError(f"the namespaces could not be made: {log.read_text().strip() or 'no reason given'}")


def _done(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _told(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")


def kill_all(pid: int) -> None:
    """Every process that has the mount namespace of ``pid`` is killed, with ``pid`` itself: as when power is lost."""
    for _ in range(KILL_ROUNDS):
        found = _sharing(pid)
        if not found:
            return
        for other in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(other, signal.SIGKILL)
        time.sleep(0.02)
    raise MachineError(f"what shares the namespaces of process {pid} does not end")


def _sharing(pid: int) -> list[int]:
    try:
        namespace = Path(f"/proc/{pid}/ns/mnt").readlink()
    except OSError:
        return []
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if (folder / "ns" / "mnt").readlink() == namespace and process.runs(int(folder.name)):
                    found.append(int(folder.name))
    # The one by which the others are known ends last.
    return sorted(found, key=lambda other: other == pid)
