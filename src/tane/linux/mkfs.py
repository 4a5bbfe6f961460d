"""Disks that come with a file system or swap space on them. Tools run confined, on the file they are handed alone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tane.linux import confine
from tane.linux.confine import Confinement, Handed, Identity

_SECONDS = 120
_MEMORY_BYTES = 1 << 30


class MkfsError(Exception):
    """A file system could not be made; the message says why and holds no path."""


async def ext4(path: Path, size_bytes: int, label: str, owner: Identity | None) -> None:
    """Make ``path`` a sparse raw disk of the ``owner``'s that is one ext4 file system. Raises MkfsError, OSError."""
    await _make(path, size_bytes, owner, "mke2fs", "-q", "-F", "-t", "ext4", "-L", label)


async def swap(path: Path, size_bytes: int, owner: Identity | None) -> None:
    """Make ``path`` a sparse raw disk of the ``owner``'s that is swap space. Raises MkfsError, OSError."""
    await _make(path, size_bytes, owner, "mkswap", "--label", "swap")


async def _make(path: Path, size_bytes: int, owner: Identity | None, *tool: str) -> None:
    confine.make_file(path, owner)
    os.truncate(path, size_bytes)
    with Handed() as handed:
        confinement = Confinement(owner, memory_bytes=_MEMORY_BYTES, cpu_seconds=_SECONDS)
        process = await asyncio.create_subprocess_exec(
            *confinement.command([*tool, handed.name(path)]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=handed.descriptors,
        )
        _, told = await process.communicate()
    if process.returncode:
        raise MkfsError(f"{tool[0]} failed: {told.decode(errors='replace').strip()[:300]}")
