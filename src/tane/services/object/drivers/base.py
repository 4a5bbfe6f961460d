"""What keeps blobs: bytes under drawn ids, written once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol


class Draft(Protocol):
    """A blob that is being written. Synchronous; called in threads, one after another."""

    id: str

    def write(self, part: memoryview) -> None:
        """:raises OSError: the disk is full or broken."""

    def finish(self) -> None:
        """Make it durable: after this it survives a power failure. :raises OSError:"""

    def abandon(self) -> None:
        """Forget it. Repeatable, also after :meth:`finish`."""


class Blobs(Protocol):
    """Called in threads."""

    host: str
    """Under which name ``blob_copy`` knows this place."""

    def draft(self) -> Draft:
        """:raises OSError:"""

    def free(self) -> float:
        """Which part of the room there is may still be filled: 0 to 1."""

    def open(self, blob_id: str) -> BinaryIO:
        """:raises FileNotFoundError: it is not here."""

    def remove(self, blob_id: str) -> None:
        """Repeatable."""

    def older_than(self, seconds: float) -> Iterator[str]:
        """Ids of the blobs here that were written before that."""

    def clear_drafts(self, seconds: float) -> int:
        """Remove what was begun before that and never finished; returns how many."""
