"""Files that are whole or not there, and folders that go whatever is in them."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Write a file only its owner may read, whole or not at all; its folder is made when it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(part, flags, 0o600), "wb") as out:
        out.write(content)
    part.replace(path)


def tail(path: Path, size: int) -> bytes:
    """The last ``size`` bytes of a file at most; none when it is not there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size)
    except FileNotFoundError:
        return b""


def first_used(folder: Path, names: Iterable[str]) -> Path | None:
    """The first of what ``names`` are in a folder that is a file, or holds one however deep; None when none does."""
    places = (folder / name for name in names)
    return next((each for each in places if each.is_file() or any(one.is_file() for one in each.rglob("*"))), None)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk (fsync(2)): a file that was renamed into it is found again after
    a loss of power. :raises OSError:"""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Delete a folder and all in it; nothing when it is not there. It takes as long as there are files: not on an event
    loop.

    An engine in other hands may have filled it, nested deeper than Python goes and with links in the way: rm(1) copes.

    :raises OSError: something is still there.
    """
    if os.path.lexists(path):
        done = subprocess.run(["rm", "-rf", "--", str(path)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(errno.ENOTEMPTY, f"not all of it could be deleted: {done.stderr.strip()[-200:]}")
