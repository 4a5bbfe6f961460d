"""Network namespaces by name, as ``ip netns`` shows them, and entering them on the calling thread."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

RUN_DIR = Path("/run/netns")

_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_SHARED = 1 << 20
_MNT_DETACH = 2
# /proc/self is the process's first thread; a namespace belongs to a thread.
_OWN = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: Path, flags: int) -> None:
    result = _libc.mount(source.encode(), str(target).encode(), b"none", ctypes.c_ulong(flags), None)
    _check(result, f"mount on {target}")


def path(name: str) -> Path:
    """Where the namespace ``name`` is visible."""
    return RUN_DIR / name


def exists(name: str) -> bool:
    """Whether ``name`` is a live namespace; a left-over file without its mount is not one."""
    try:
        return path(name).stat().st_dev == Path(_OWN).stat().st_dev
    except FileNotFoundError:
        return False


def names() -> set[str]:
    """All namespaces visible under ``/run/netns``."""
    return {entry.name for entry in RUN_DIR.iterdir() if exists(entry.name)} if RUN_DIR.is_dir() else set()


def open_current() -> int:
    """A file descriptor of the calling thread's network namespace; the caller closes it."""
    return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


class NoNamespace(FileNotFoundError):
    """A namespace is not there: not yet, after a start of the machine."""


def open_named(name: str) -> int:
    """A file descriptor of the namespace ``name``; the caller closes it. Raises NoNamespace."""
    if not exists(name):
        raise NoNamespace(f"there is no network namespace {name}")
    return os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)


def enter(descriptor: int) -> None:
    """Move the calling thread, and only it, into a namespace for good."""
    _check(_libc.setns(descriptor, _CLONE_NEWNET), "setns")


@contextlib.contextmanager
def entered(target: str | int) -> Iterator[None]:
    """Run the block in a namespace (a name or a descriptor) and bring the calling thread back afterwards.

    Only for code that neither awaits nor yields inside the block: what else the thread runs would be in there too.
    """
    home = open_current()
    try:
        descriptor = open_named(target) if isinstance(target, str) else os.dup(target)
        try:
            enter(descriptor)
        finally:
            os.close(descriptor)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(home)


def create(name: str) -> bool:
    """Make the namespace unless it exists; returns whether it was made."""
    if exists(name):
        return False
    _share_run_dir()
    target = path(name)
    target.touch(exist_ok=True)
    home = open_current()
    try:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare network namespace")
        try:
            _mount(_OWN, target, _MS_BIND)
        finally:
            enter(home)
    except OSError:
        target.unlink()
        raise
    finally:
        os.close(home)
    return True


def remove(name: str) -> None:
    """Take the name away; the namespace itself goes when nothing runs or listens in it. Nothing when it is absent."""
    target = path(name)
    if exists(name):
        _check(_libc.umount2(str(target).encode(), _MNT_DETACH), f"unmount {target}")
    target.unlink(missing_ok=True)


def _share_run_dir() -> None:
    """Make ``/run/netns`` a shared mount as ``ip netns add`` does, so that removal reaches every mount namespace."""
    if not RUN_DIR.exists():
        RUN_DIR.mkdir(parents=True)
        # Everybody's, as `ip netns add` makes it, whatever this process keeps private.
        RUN_DIR.chmod(0o755)
    try:
        _mount("", RUN_DIR, _MS_SHARED | _MS_REC)
    except OSError:
        _mount(str(RUN_DIR), RUN_DIR, _MS_BIND | _MS_REC)
        _mount("", RUN_DIR, _MS_SHARED | _MS_REC)
