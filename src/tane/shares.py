"""Places that callers hold for a while, of which nobody gets all: what keeps one tenant from stopping the others."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Hashable, Iterator


class Full(Exception):
    """There is no place now: all are taken (``everybody``), or those of this owner are."""

    def __init__(self, *, everybody: bool) -> None:
        super().__init__("all places are taken" if everybody else "all places of this owner are taken")
        self.everybody = everybody


class Shares:
    """``places`` in all, at most ``share`` of them for one owner. Safe from threads.

    An owner is whatever the caller counts by: a project, an address, a token. None is nobody's share: the cloud's own.
    """

    def __init__(self, places: int, share: int) -> None:
        self.places, self.share = places, share
        self._lock = threading.Lock()
        self._taken = 0
        self._of: Counter[Hashable] = Counter()

    @contextlib.contextmanager
    def taken(self, *owners: Hashable) -> Iterator[None]:
        """Hold one place, which counts for each of ``owners``. :raises Full: at once; nobody waits here."""
        counted = [owner for owner in owners if owner is not None]
        with self._lock:
            if self._taken >= self.places:
                raise Full(everybody=True)
            if any(self._of[owner] >= self.share for owner in counted):
                raise Full(everybody=False)
            self._taken += 1
            self._of.update(counted)
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1
                self._of.subtract(counted)
                for owner in counted:
                    if not self._of[owner]:
                        del self._of[owner]
