"""What this machine lets the cloud do, found out by trying, and said in one sentence."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Literal

from tane.config import Config
from tane.linux import programs

Chosen = Literal["root", "userns", "user", "simulated"]


@dataclass(frozen=True)
class Choice:
    """How the hosts of this cloud are run. ``sentence`` is what the first line of ``tane up`` says, ``mend`` the
    command after which the machine allows more."""

    mode: Chosen
    sentence: str
    mend: str = ""


def choose(config: Config) -> Choice:
    """The most capable mode the machine allows, or the one the settings ask for."""
    if config.mode != "auto":
        return Choice(config.mode, f"tane: mode {config.mode}, as the settings ask for.")
    missing = programs.missing(programs.GUESTS)
    if missing:
        return Choice(
            "simulated",
            f"tane: SIMULATED HOSTS, no server really runs: {', '.join(missing)} not found on this machine.",
        )
    missing = programs.missing(programs.NETWORKS)
    if missing:
        return Choice(
            "user",
            f"tane: user-mode network, because {', '.join(missing)} not found: real guests, no routers.",
            f"sudo apt-get install {' '.join(programs.missing_packages(programs.NETWORKS))}",
        )
    if os.geteuid() == 0:
        problem = _try_unshare("--net")
        if problem is None:
            return Choice("root", "tane: root on this machine: real guests, networks in namespaces of their own.")
    problem = _try_unshare("--user", "--map-root-user", "--net", "--mount")
    if problem is None:
        return Choice("userns", "tane: no root: real guests and networks inside an unprivileged user namespace.")
    return Choice("user", f"tane: user-mode network, because {problem.what}: real guests, no routers.", problem.mend)


@dataclass(frozen=True)
class _Problem:
    what: str
    mend: str


def _try_unshare(*flags: str) -> _Problem | None:
    """None when a bridge and a tap can be made in namespaces of one's own; else the kernel's reason."""
    for attempt, what, mend in (
        ("true", "namespaces cannot be made", "run as root, or: sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("ip link add name tane0 type bridge", "bridges cannot be made", "sudo modprobe bridge"),
        ("ip tuntap add dev tane1 mode tap", "/dev/net/tun cannot be used", "sudo chmod 666 /dev/net/tun"),
    ):
        command = ["unshare", *flags, "sh", "-c", attempt]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return _Problem(f"{what} ({done.stderr.strip() or f'exit status {done.returncode}'})", mend)
    return None
