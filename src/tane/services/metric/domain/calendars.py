"""Periods of the calendar: year, half, quarter, month, week (from Sunday), in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tane.services.metric.domain import timespans


def _of_months(count: int) -> Callable[[datetime], datetime]:
    return lambda day: day.replace(month=(day.month - 1) // count * count + 1, day=1)


GROUPS: dict[str, Callable[[datetime], datetime]] = {
    "Y": _of_months(12),
    "H": _of_months(6),
    "Q": _of_months(3),
    "M": _of_months(1),
    "W": lambda day: day - timedelta(days=(day.weekday() + 1) % 7),
}


def begin(moment: int, group: str) -> int:
    """The moment that the period begins in which ``moment`` lies."""
    day = timespans.naive(moment).replace(hour=0, minute=0, second=0, microsecond=0)
    return timespans.of_naive(GROUPS[group](day))
