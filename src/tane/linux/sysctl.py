"""Kernel parameters of the calling thread's network namespace (enter it first, see :mod:`tane.linux.netns`)."""

from __future__ import annotations

from pathlib import Path


def _path(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def read(name: str) -> str:
    """The value of ``net.ipv4.ip_forward`` and the like; raises FileNotFoundError when this kernel has no such one."""
    return _path(name).read_text().strip()


def write(name: str, value: str) -> bool:
    """Set a parameter unless it has the value already; returns whether it was written."""
    if read(name) == value:
        return False
    _path(name).write_text(value)
    return True
