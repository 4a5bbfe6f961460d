"""Blobs as files of a folder: ``blobs/AB/ID``, and ``incoming/ID`` while they are written.

The names are drawn here: nothing of a client's ever becomes a path.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tane.linux.files import sync_folder

IDS = re.compile(r"[0-9a-f]{32}\Z")


class BlobFiles:
    """The files below ``folder``, private from their first byte."""

    host = "local"

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._incoming = folder / "incoming"
        for path in (folder, self._blobs, self._incoming):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        # All at once, and on the disk: a file is durable when its own folder is.
        for number in range(256):
            (self._blobs / f"{number:02x}").mkdir(exist_ok=True, mode=0o700)
        sync_folder(self._blobs)

    def draft(self) -> FileDraft:
        blob_id = uuid.uuid4().hex
        return FileDraft(blob_id, self._incoming / blob_id, self._path(blob_id))

    def append(self, blob_id: str, offset: int, part: bytes) -> None:
        """Write a part of a file that is not finished; again, if need be. :raises ValueError: one before it is missing.
        :raises OSError:"""
        self._path(blob_id)
        # What begins anew keeps nothing of an earlier time.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if offset else os.O_TRUNC)
        descriptor = os.open(self._incoming / blob_id, flags, 0o600)
        try:
            if offset > os.fstat(descriptor).st_size:
                raise ValueError(f"there are no {offset} bytes of blob {blob_id} before these")
            view = memoryview(part)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
        finally:
            os.close(descriptor)

    def finish(self, blob_id: str, size: int) -> None:
        """Make a file durable that was appended to; again, if need be. :raises ValueError: it has another size.
        :raises FileNotFoundError: :raises OSError:"""
        place, incoming = self._path(blob_id), self._incoming / blob_id
        if incoming.exists():
            if incoming.stat().st_size != size:
                raise ValueError(f"blob {blob_id} has {incoming.stat().st_size} bytes, not {size}")
            FileDraft.resumed(blob_id, incoming, place).finish()
        elif place.stat().st_size != size:
            raise ValueError(f"blob {blob_id} has {place.stat().st_size} bytes, not {size}")
        else:
            # The power may have failed before its name was on the disk.
            sync_folder(place.parent)

    def forget(self, blob_id: str) -> None:
        """Remove it whether it is finished or not."""
        self.remove(blob_id)
        (self._incoming / blob_id).unlink(missing_ok=True)

    def page(self, seconds: float, after: str, limit: int) -> list[str]:
        """The first ids behind ``after``, in their order, of files that were written before that."""
        before, found = time.time() - seconds, list[str]()
        for folder in sorted(each.name for each in self._blobs.iterdir() if each.name >= after[:2]):
            with os.scandir(self._blobs / folder) as entries:
                old = [each.name for each in entries if IDS.match(each.name) and _modified(each) < before]
            found += sorted(name for name in old if name > after)
            if len(found) >= limit:
                return found[:limit]
        return found

    def free(self) -> float:
        disk = os.statvfs(self._incoming)
        return disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0

    def _path(self, blob_id: str) -> Path:
        if IDS.match(blob_id) is None:
            raise ValueError(f"{blob_id!r} is no id of a blob")
        return self._blobs / blob_id[:2] / blob_id

    def open(self, blob_id: str) -> BinaryIO:
        return self._path(blob_id).open("rb")

    def remove(self, blob_id: str) -> None:
        self._path(blob_id).unlink(missing_ok=True)

    def older_than(self, seconds: float) -> Iterator[str]:
        before = time.time() - seconds
        for folder in os.scandir(self._blobs):
            for entry in os.scandir(folder.path):
                if IDS.match(entry.name) and _modified(entry) < before:
                    yield entry.name

    def clear_drafts(self, seconds: float) -> int:
        before, count = time.time() - seconds, 0
        for entry in os.scandir(self._incoming):
            if _modified(entry) < before:
                Path(entry.path).unlink(missing_ok=True)
                count += 1
        return count


def _modified(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


class FileDraft:
    """A file in ``incoming``, until it is renamed."""

    copies = ((BlobFiles.host, "good"),)
    checks = b""

    def __init__(self, blob_id: str, draft: Path, place: Path) -> None:
        self.id = blob_id
        self._draft, self._place = draft, place
        self._descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    @classmethod
    def resumed(cls, blob_id: str, draft: Path, place: Path) -> FileDraft:
        """One that was begun before."""
        found = cls.__new__(cls)
        found.id, found._draft, found._place = blob_id, draft, place
        found._descriptor = os.open(draft, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return found

    def write(self, part: memoryview) -> None:
        while part:
            part = part[os.write(self._descriptor, part) :]

    def finish(self) -> None:
        os.fsync(self._descriptor)
        self._close()
        self._draft.rename(self._place)
        sync_folder(self._place.parent)

    def abandon(self) -> None:
        self._close()
        for path in (self._draft, self._place):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
