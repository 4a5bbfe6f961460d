"""Time as the cloud sees it: naive UTC datetimes from a clock that tests can set."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current moment as a naive UTC datetime with microseconds."""

    def uptime(self) -> float:
        """Seconds since the machine's start, those in which it slept counted: nobody sets this."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)

    def uptime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or SystemClock().now()
        self._uptime = 0.0

    def now(self) -> datetime:
        return self._now

    def uptime(self) -> float:
        return self._uptime

    def advance(self, seconds: float) -> None:
        self.set(seconds)
        self._uptime += seconds

    def set(self, seconds: float) -> None:
        """Put it forward, as who sets a clock."""
        self._now += timedelta(seconds=seconds)
