"""Image data in this cloud's object storage, in an account that no project reaches.

``data/SHA512`` says what there is, and of which parts it is made: ``parts/SHA512/ID/NUMBER``, of 256 MiB each, written
before it. So what a crash leaves are parts that nothing names, and data that is named is whole. Like a file, data is
named by its SHA-512, and all images of the same content share it.

What no image has is found by the sweep (``domain/content.py``), perhaps while an upload has put it there and is about
to name it, or a backup has the image and not yet the objects. So it is noted first, and removed
:data:`UNWANTED_SECONDS` later, unless somebody put it once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tane.core import Core
from tane.services.image.drivers.base import StoreError
from tane.services.object.interface import Gone, Vault, vault
from tane.web.errors import ApiError

CHUNK = 1 << 20
PART_BYTES = 256 << 20
UNWANTED_SECONDS = 600.0
ABANDONED_SECONDS = 1800.0
"""After so long without a further part nobody is writing any more."""
DIGEST = re.compile(r"[0-9a-f]{128}\Z")
OWNER = "images"
PARTS, SIZE, EACH = "parts", "size", "part-bytes"


class ObjectStore:
    """A store in a container of its own. URLs have Glance's form of its Swift store."""

    kind = "swift"
    read_only = False
    seekable = True

    def __init__(self, core: Core, name: str, policy: str) -> None:
        self._core = core
        self._prefix = f"swift+config://{name}/"
        self._vault = Vault(OWNER, name, policy)

    def url_of(self, digest: str) -> str:
        return self._prefix + digest

    def _name(self, url: str) -> str:
        digest = url.removeprefix(self._prefix)
        if digest == url or not DIGEST.match(digest):
            raise StoreError(f"{url} does not lie in this store")
        return f"data/{digest}"

    def put(self, path: Path, digest: str) -> None:
        if vault.touch(self._core, self._vault, f"data/{digest}"):
            return
        parts = f"parts/{digest}/{uuid.uuid4().hex}/"
        try:
            with _told():
                size = self._write(path, digest, parts)
                new = {PARTS: parts, SIZE: str(size), EACH: str(PART_BYTES)}
                if not vault.note(self._core, self._vault, f"data/{digest}", new):
                    # Somebody else has the same content, and was first.
                    self._forget(parts)
        except BaseException:
            with contextlib.suppress(Exception):
                # What stays is swept.
                self._forget(parts)
            raise

    def _write(self, path: Path, digest: str, parts: str) -> int:
        found, size, number, ended = hashlib.sha512(), 0, 0, False
        with path.open("rb") as file:
            while not ended:
                written = vault.put(self._core, self._vault, _part(parts, number), _chunks(file, found))
                size, number, ended = size + written, number + 1, written < PART_BYTES
        if found.hexdigest() != digest:
            raise StoreError("the data changed while it was kept")
        return size

    def _forget(self, parts: str, most: int | None = None) -> None:
        found = [name for name, _ in vault.names(self._core, self._vault, parts)]
        vault.remove(self._core, self._vault, found[:most])

    def settle(self, path: Path, digest: str) -> None:
        if not vault.touch(self._core, self._vault, f"data/{digest}"):
            raise StoreError("the data was removed again before it was used: send it once more")

    def local_path(self, url: str) -> Path | None:
        return None

    def _about(self, url: str) -> tuple[str, int, int]:
        """Of which parts data is made, its bytes, and those of each part."""
        found = vault.look(self._core, self._vault, self._name(url))
        if found is None:
            raise StoreError(f"{url} is not there")
        return found.meta[PARTS], int(found.meta[SIZE]), int(found.meta[EACH])

    def size(self, url: str) -> int:
        return self._about(url)[1]

    def read(self, url: str, offset: int = 0) -> Iterator[bytes]:
        parts, size, each = self._about(url)
        while offset < size:
            number, begin = divmod(offset, each)
            try:
                part = vault.find(self._core, self._vault, _part(parts, number))
                for data in part.parts(begin):
                    offset += len(data)
                    yield data
            except Gone as error:
                raise StoreError(f"{url} cannot be read: {error}") from None
            if offset != min(size, (number + 1) * each):
                raise StoreError(f"{url} is shorter than what was written")

    def remove(self, url: str) -> bool:
        """A few parts go at once, since a writer waits for this; :meth:`tidy` removes the rest."""
        name = self._name(url)
        about = vault.look(self._core, self._vault, name)
        if about is None or not vault.let_go(self._core, self._vault, name, UNWANTED_SECONDS):
            return False
        self._forget(about.meta[PARTS], vault.A_STEP)
        return True

    def urls(self) -> list[str]:
        found = vault.names(self._core, self._vault, "data/")
        return [self.url_of(name.removeprefix("data/")) for name, _ in found]

    def tidy(self) -> int:
        parts: dict[str, list[tuple[str, int]]] = {}
        for name, stamp in vault.names(self._core, self._vault, "parts/"):
            parts.setdefault(name[: name.rindex("/") + 1], []).append((name, stamp))
        # Looked at after the parts: what was named meanwhile is known, and what came meanwhile is young.
        there = {name for name, _ in vault.names(self._core, self._vault, "data/")} if parts else set()
        writes = Counter(_data_of(each) for each in parts)
        gone = 0
        for each, found in parts.items():
            young = vault.age(self._core, max(stamp for _, stamp in found)) <= ABANDONED_SECONDS
            if not young and not self._is_named(each, there, alone=writes[_data_of(each)] == 1):
                gone += vault.remove(self._core, self._vault, [name for name, _ in found])
        return gone

    def _is_named(self, parts: str, there: Collection[str], *, alone: bool) -> bool:
        """Whether data is made of these parts. Where they are the only ones of their content, they are what it is made
        of."""
        if _data_of(parts) not in there or alone:
            return _data_of(parts) in there
        about = vault.look(self._core, self._vault, _data_of(parts))
        return about is not None and about.meta[PARTS] == parts

    def properties(self) -> dict[str, Any]:
        return {"container": self._vault.container, "chunk_size": CHUNK, "large_object_chunk_size": PART_BYTES}


def _part(parts: str, number: int) -> str:
    return f"{parts}{number:08d}"


def _data_of(parts: str) -> str:
    return f"data/{parts.split('/')[1]}"


def _chunks(file: BinaryIO, digest: Any) -> Iterator[bytes]:
    left = PART_BYTES
    while left and (data := file.read(min(CHUNK, left))):
        left -= len(data)
        digest.update(data)
        yield data


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        raise StoreError(error.message) from None
    except OSError as error:
        raise StoreError(str(error)) from error
