"""The programs of the system that this project calls, and the Debian packages they come from.

A program stands in one of these lists or is not called: the tests watch every process they start.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for besides PATH: that of an ordinary user often lacks the folders of administration."""

GUESTS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
}
NETWORKS = {"ip": "iproute2", "dnsmasq": "dnsmasq-base", "nsenter": "util-linux", "unshare": "util-linux"}
FILE_SYSTEMS = {"mke2fs": "e2fsprogs", "mkswap": "util-linux"}
CONFINEMENT = {"setpriv": "util-linux", "prlimit": "util-linux"}
GUEST_IMAGE = {
    "busybox": "busybox",
    "dropbear": "dropbear-bin",
    "dropbearkey": "dropbear-bin",
    "mke2fs": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "lsblk": "util-linux",
    "blkid": "util-linux",
    "qemu-img": "qemu-utils",
    "ldd": "libc-bin",
}
DEBIAN_IMAGE = {
    "mmdebstrap": "mmdebstrap",
    "mformat": "mtools",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "unshare": "util-linux",
    "qemu-img": "qemu-utils",
}
"""What the image of a whole Debian needs."""
BROWSER = {"chromium": "chromium"}
"""What looks at the portal as people do."""
SCREENS = {"/usr/share/novnc/vnc_lite.html": "novnc"}
"""What shows the screen of a server there."""
MANY_IDS = {"newuidmap": "uidmap", "newgidmap": "uidmap"}
"""By what an ordinary user makes a namespace with more than one id: a system of files has many owners."""
TOUR = {"ssh": "openssh-client"}
CLOUD = {**GUESTS, **NETWORKS, **FILE_SYSTEMS, **CONFINEMENT, **GUEST_IMAGE, **TOUR}
"""Everything a whole cloud and its tour need."""
TESTS = {
    "cpio": "cpio",
    "curl": "curl",
    "debugfs": "e2fsprogs",
    "mount": "mount",
    "umount": "mount",
    "nft": "nftables",
    "ping": "iputils-ping",
    "ps": "procps",
    "qemu-io": "qemu-utils",
    "ssh-keygen": "openssh-client",
    "initdb": "postgresql",
}
"""What only the tests need."""
NIGHTLY = {"prometheus": "prometheus", "promtool": "prometheus"}
"""What only the tests of the night need."""
LIBRARIES = {"libnftables.so.1": "libnftables1", "libdevmapper.so.1.02.1": "libdevmapper1.02.1"}
"""Libraries that are loaded in process, or by a program that is unpacked and run without being installed (GRUB's)."""
FILES = {"/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf"}
"""Files of data: the firmware of servers that boot by UEFI."""
EVERYWHERE = {"sh", "bash", "env", "cat", "mkdir", "rm", "sleep", "true", "zcat", "apt-get", "apt-cache", "dpkg-deb"}
"""What the essential packages of every Debian bring."""


def find(program: str) -> str | None:
    """The path of an installed program, or None."""
    found = shutil.which(program) or shutil.which(program, path=SYSTEM_PATH)
    if found is None and program == "initdb":
        # Debian keeps PostgreSQL's programs off the path.
        return max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)
    return found


def complete_path() -> None:
    """Let this process and its children find programs in every folder of the system."""
    folders = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([*filter(None, folders), *(f for f in SYSTEM_PATH.split(":") if f not in folders)])


def missing(wanted: Iterable[str]) -> list[str]:
    """Those of ``wanted`` that are not installed."""
    return [program for program in wanted if find(program) is None]


def missing_packages(
    wanted: dict[str, str], libraries: Iterable[str] = (), files: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """The Debian packages that bring what of ``wanted`` (program → package), of ``libraries`` and of ``files`` (path →
    package) is not installed."""
    packages = {wanted[program] for program in missing(wanted)}
    packages.update(LIBRARIES[library] for library in libraries if not _loads(library))
    packages.update(package for file, package in files.items() if not Path(file).exists())
    return sorted(packages)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
