"""What a store of image data is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol


class StoreError(Exception):
    """A store cannot do what is asked; the message may be shown."""


class Store(Protocol):
    """A named place for image data; all methods are synchronous, for threads.

    Data is told by its URL; a store that keeps files names them by their SHA-512, so that equal content is one file.
    """

    kind: str
    read_only: bool
    seekable: bool
    """Whether data that is not on this machine can be read from any place on."""

    def url_of(self, digest: str) -> str:
        """Where data of this SHA-512 lies or would lie."""

    def put(self, path: Path, digest: str) -> None:
        """Keep the file's content (the file stays, too). Repeatable. :raises StoreError: it cannot be kept."""

    def settle(self, path: Path, digest: str) -> None:
        """The same once more, inside the transaction that names the data, after :meth:`put`: little is to be done.

        :raises StoreError: it is gone meanwhile, and would take long to be kept again.
        """

    def local_path(self, url: str) -> Path | None:
        """The file when the data lies on this machine and is there."""

    def size(self, url: str) -> int:
        """In bytes. :raises StoreError: there is nothing."""

    def read(self, url: str, offset: int = 0) -> Iterator[bytes]:
        """The data in chunks of at most 1 MiB, from ``offset`` on where that is possible.

        :raises StoreError: it cannot be had.
        """

    def remove(self, url: str) -> bool:
        """Forget data; False when it was not there, or the store does not keep it."""

    def urls(self) -> list[str]:
        """All data the store keeps."""

    def tidy(self) -> int:
        """Remove what was begun and never finished, once nobody can be writing it any more; returns how much."""

    def properties(self) -> dict[str, Any]:
        """What an administrator is told of it."""
