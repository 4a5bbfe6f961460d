"""The system packages a whole cloud needs: installed as root, else the command that does is printed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path


def install_missing_packages(*, tests: bool = False) -> None:
    """As root on Debian or Ubuntu, install what is missing, with ``tests`` also what only these need; else print the
    command that would."""
    packages = {
        "qemu-system-x86_64": "qemu-system-x86",
        "qemu-img": "qemu-utils",
        "dnsmasq": "dnsmasq-base",
        "ip": "iproute2",
        "ssh": "openssh-client",
        "nsenter": "util-linux",
        "busybox": "busybox",
        "dropbear": "dropbear-bin",
        "mke2fs": "e2fsprogs",
    }
    wanted = sorted({package for tool, package in packages.items() if shutil.which(tool) is None})
    if not _library_found("libnftables.so.1"):
        wanted.append("libnftables1")
    # Debian keeps PostgreSQL's programs off the path.
    if tests and not shutil.which("initdb") and not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        wanted.append("postgresql")
    if not wanted:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"tane: not installed on this machine: {', '.join(wanted)}. To have it all:", file=sys.stderr)
        print(f"    sudo {' '.join(command)}", file=sys.stderr)
        return
    print(f"tane: installing {' '.join(wanted)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update", "-q"], command):
        done = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"tane: {' '.join(step)} failed: {done.stderr.strip()[-500:]}", file=sys.stderr)
            return


def _library_found(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
