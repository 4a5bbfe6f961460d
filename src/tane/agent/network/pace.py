"""How often something is done for each owner, beyond a first burst."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

MOST_OWNERS = 10_000


class Pace:
    """``per_second`` for each owner, and ``burst`` of them at once after a rest (the generic cell rate algorithm,
    ITU-T I.371). Not thread-safe."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._ahead, self._clock = 1 / per_second, burst / per_second, clock
        self._due: dict[Hashable, float] = {}
        """When all that was counted for an owner would be done at an even pace."""

    def count(self, owner: Hashable) -> float:
        """Count one more; returns the seconds it has to wait."""
        now = self._clock()
        if len(self._due) >= MOST_OWNERS:
            self._due = {known: due for known, due in self._due.items() if due > now}
        due = max(now, self._due.get(owner, now)) + self._interval
        self._due[owner] = due
        return max(0.0, due - self._ahead - now)
