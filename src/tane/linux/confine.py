"""Runs programs that touch what tenants wrote: as a user of their own, without capabilities, within limits.

The users have no names and need none: their numbers follow from what they are for, out of a range that no distribution
and no container manager gives away, so that nothing is added to the machine and nothing is left on it. Files are handed
over by changing their owner; folders above stay closed, since a program reaches its files by its working folder or by
descriptors that it was started with (:class:`Handed`). Where this process may not change users (no root, or one
user only in a user namespace) programs keep its user and lose everything else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tane.linux.programs import SYSTEM_PATH

FIRST_UID = 1_879_048_192
"""The first number of the range (systemd's UIDS-GIDS: unused by any of its pools); it has 2^27 numbers."""
UIDS = 1 << 27


# What this process was started with may hold secrets. Each malloc arena would take 64 MiB of the address space allowed.
ENVIRONMENT = ("env", "-i", f"PATH={SYSTEM_PATH}", "LC_ALL=C", "MALLOC_ARENA_MAX=4")


@dataclass(frozen=True)
class Identity:
    """A user and a group of the same number."""

    uid: int

    @property
    def gid(self) -> int:
        return self.uid


@dataclass(frozen=True)
class Confinement:
    """What a program may do. ``groups``: numbers of more groups it is in; ``capabilities``: names as in
    capabilities(7) without ``CAP_``; limits as in setrlimit(2): threads and processes of its user together, address
    space, CPU time, size of a file it writes, open files. ``dies_with_us``: killed when the thread that started it
    ends, however that is. ``offline``: in a network of its own with nothing in it, where this process may make one."""

    identity: Identity | None
    groups: tuple[int, ...] = ()
    capabilities: tuple[str, ...] = ()
    threads: int = 256
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    file_bytes: int | None = None
    open_files: int = 1024
    dies_with_us: bool = False
    offline: bool = False

    def command(self, argv: Sequence[str]) -> list[str]:
        """``argv`` behind the programs that confine it; these become it, so that no process is added."""
        alone = ["unshare", "--net", "--"] if self.offline and _makes_networks() else []
        return [*ENVIRONMENT, *self._limits(), *alone, *self._rights(), *argv]

    def _limits(self) -> list[str]:
        limits = [f"--nofile={self.open_files}", "--core=0"]
        # Counted over all processes of a user: that of this process has others.
        limits += [f"--nproc={self.threads}"] if self.identity is not None else []
        limits += [f"--as={self.memory_bytes}"] if self.memory_bytes is not None else []
        limits += [f"--fsize={self.file_bytes}"] if self.file_bytes is not None else []
        limits += [f"--cpu={self.cpu_seconds}"] if self.cpu_seconds is not None else []
        return ["prlimit", *limits, "--"]

    def _rights(self) -> list[str]:
        words = ["setpriv", "--no-new-privs"]
        words += ["--pdeathsig=KILL"] if self.dies_with_us else []
        if self.identity is not None:
            words += [f"--reuid={self.identity.uid}", f"--regid={self.identity.gid}"]
            words += [f"--groups={','.join(map(str, self.groups))}"] if self.groups else ["--clear-groups"]
        if os.geteuid() == 0:
            kept = ",".join(["-all", *(f"+{name}" for name in self.capabilities)])
            words += [f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"]
        return [*words, "--"]


def identity(name: str) -> Identity | None:
    """The user for ``name`` (such as "guest" and its id), always the same; None where this process cannot change users.

    Two names have the same one by chance of 1 in 2^27: of 600 engines on a host some two in 1 of 750 hosts.
    """
    if not _changes_users():
        return None
    digest = hashlib.sha256(name.encode()).digest()
    return Identity(FIRST_UID + int.from_bytes(digest[:8], "big") % UIDS)


def uid(owner: Identity | None) -> int:
    """The number of a user; that of this process for None."""
    return os.geteuid() if owner is None else owner.uid


@functools.cache
def _changes_users() -> bool:
    """Whether this process is root of a user namespace that holds the whole range (user_namespaces(7))."""
    if os.geteuid() != 0:
        return False
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, _, count = map(int, line.split())
        if inside <= FIRST_UID and inside + count >= FIRST_UID + UIDS:
            return True
    return False


@functools.cache
def _makes_networks() -> bool:
    """Whether this process may put a program into a network of its own: it is root and not kept from it."""
    tried = ["unshare", "--net", "--", "true"]
    return os.geteuid() == 0 and subprocess.run(tried, capture_output=True, check=False).returncode == 0


# ------------------------------------------------------------------------------------------------ handing over files


def give(path: Path, owner: Identity | None, mode: int = 0o600) -> None:
    """Make a file or folder the ``owner``'s, or leave it this process's; a symbolic link is refused (OSError)."""
    with _opened(path) as descriptor:
        if owner is not None:
            os.fchown(descriptor, owner.uid, owner.gid)
        os.fchmod(descriptor, mode)


def lend(path: Path, reader: Identity | None) -> None:
    """Let the group of ``reader`` read a file, or pass a folder, that stays this process's."""
    with _opened(path) as descriptor:
        if reader is None:
            return
        os.fchown(descriptor, os.geteuid(), reader.gid)
        os.fchmod(descriptor, 0o710 if stat.S_ISDIR(os.fstat(descriptor).st_mode) else 0o640)


def take_back(path: Path) -> None:
    """Make a file this process's own, and nobody else's."""
    with _opened(path) as descriptor:
        os.fchown(descriptor, os.geteuid(), os.getegid())
        os.fchmod(descriptor, 0o600)


def make_file(path: Path, owner: Identity | None) -> None:
    """An empty file of the ``owner``'s, for a program to fill that may not make any; a file there before is emptied."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if owner is not None:
            os.fchown(descriptor, owner.uid, owner.gid)
        os.fchmod(descriptor, 0o640)
    finally:
        os.close(descriptor)


def make_folder(path: Path, owner: Identity | None) -> None:
    """A folder that belongs to the ``owner`` alone."""
    path.mkdir(mode=0o700, exist_ok=True)
    give(path, owner, 0o700)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Handed:
    """Files a program is started with. It opens each by the name :meth:`name` gives, by its own rights to the file
    alone: what folders the file lies in does not matter to it, and nothing else in them can be reached.

    >>> with Handed() as handed:
    ...     subprocess.run([program, handed.name(path)], pass_fds=handed.descriptors)
    """

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def __enter__(self) -> Handed:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)

    @property
    def descriptors(self) -> tuple[int, ...]:
        return tuple(self._descriptors)

    def name(self, path: Path) -> str:
        """Where the program finds the file. Raises OSError."""
        # O_PATH gives no right to the content: the program's own rights decide (open(2)).
        self._descriptors.append(os.open(path, os.O_PATH | os.O_NOFOLLOW))
        return f"/proc/self/fd/{self._descriptors[-1]}"

    def add(self, descriptor: int) -> int:
        """Hand over an open descriptor; it is closed here with the others."""
        self._descriptors.append(descriptor)
        return descriptor
