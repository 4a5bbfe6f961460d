"""What keeps blobs: bytes under drawn ids, written once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol


class Draft(Protocol):
    """A blob that is being written. Synchronous; called in threads, one after another."""

    id: str

    @property
    def copies(self) -> Sequence[tuple[str, str]]:
        """Once it is finished: where its copies are, or are to be, and the state of each (``blob_copy``)."""

    @property
    def checks(self) -> bytes:
        """What its blocks are known by (``blob_check``); nothing for a file of this machine."""

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
