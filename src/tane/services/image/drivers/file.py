"""A folder of files named by their content's SHA-512.

Their URLs, ``file:///STORE/NAME``, say nothing of where the folder lies: it may be moved, and nobody learns a path of
the machine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tane.linux.files import sync_folder
from tane.services.image.drivers.base import StoreError

CHUNK = 1 << 20


class FileStore:
    """A store in a folder, which may lie on another file system than the folder uploads are written to."""

    kind = "file"
    read_only = False
    seekable = True

    def __init__(self, name: str, folder: Path) -> None:
        self._prefix = f"file:///{name}/"
        self.folder = folder

    def url_of(self, digest: str) -> str:
        return self._prefix + digest

    def _path(self, url: str) -> Path:
        digest = url.removeprefix(self._prefix)
        if digest == url or "/" in digest or digest.startswith("."):
            raise StoreError(f"{url} does not lie in this store")
        return self.folder / digest

    def put(self, path: Path, digest: str) -> None:
        target = self.folder / digest
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if target.exists():
                return
            try:
                # A link, not a rename: should the transaction around it not commit, the same is done again.
                os.link(path, target)
            except FileExistsError:
                return
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                    raise
                self._copy(path, target)
            sync_folder(self.folder)
        except OSError as error:
            raise StoreError(f"{error.strerror}: {self.folder}") from error

    def settle(self, path: Path, digest: str) -> None:
        self.put(path, digest)

    def _copy(self, path: Path, target: Path) -> None:
        part = self.folder / f".{uuid.uuid4().hex}.part"
        try:
            shutil.copyfile(path, part)
            with part.open("rb") as copied:
                os.fsync(copied.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def local_path(self, url: str) -> Path | None:
        path = self._path(url)
        return path if path.exists() else None

    def size(self, url: str) -> int:
        path = self.local_path(url)
        if path is None:
            raise StoreError(f"{url} is not there")
        return path.stat().st_size

    def read(self, url: str, offset: int = 0) -> Iterator[bytes]:
        try:
            with self._path(url).open("rb") as file:
                file.seek(offset)
                while data := file.read(CHUNK):
                    yield data
        except FileNotFoundError:
            raise StoreError(f"{url} is not there") from None

    def remove(self, url: str) -> bool:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._path(url).unlink()
            return True
        return False

    def urls(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        names = [entry.name for entry in os.scandir(self.folder) if entry.is_file()]
        return [self.url_of(name) for name in names if not name.startswith(".")]

    def tidy(self) -> int:
        return 0

    def properties(self) -> dict[str, Any]:
        return {"data_dir": str(self.folder.absolute()), "chunk_size": CHUNK, "thin_provisioning": False}
