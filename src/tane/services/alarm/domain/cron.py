"""Times that come again, in cron's five fields: minute, hour, day of the month, month, day of the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = {
    name: n
    for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
DAYS = {name: n for n, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
NAMES: tuple[dict[str, int], ...] = ({}, {}, {}, MONTHS, DAYS)


@dataclass(frozen=True)
class Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """A day of the month and one of the week are both told: one of them is enough."""

    def on(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        month, week = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
        return (month or week) if self.either else (month and week)

    def last(self, now: datetime, earliest: datetime) -> datetime | None:
        """The latest time not after ``now`` and not before ``earliest``; all are wall times of one zone."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        while day + timedelta(days=1) > earliest:
            if self.on(day):
                for hour in sorted(self.hours, reverse=True):
                    for minute in sorted(self.minutes, reverse=True):
                        found = day + timedelta(hours=hour, minutes=minute)
                        if found <= now:
                            return found if found >= earliest else None
            day -= timedelta(days=1)
        return None


@lru_cache(1000)
def parse(text: str) -> Cron:
    """:raises ValueError: it is none."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} is no time of cron: five fields are expected")
    sets = [_field(field.lower(), place) for place, field in enumerate(fields)]
    weekdays = frozenset(day % 7 for day in sets[4])
    return Cron(sets[0], sets[1], sets[2], sets[3], weekdays, fields[2] != "*" and fields[4] != "*")


def _field(text: str, place: int) -> frozenset[int]:
    low, high = BOUNDS[place]
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        width = _number(step, place) if slash else 1
        if span == "*":
            first, last = low, high
        else:
            begin, dash, end = span.partition("-")
            first = _number(begin, place)
            last = _number(end, place) if dash else (high if slash else first)
        if not (low <= first <= last <= high) or width < 1:
            raise ValueError(f"{part!r} is out of range")
        found.update(range(first, last + 1, width))
    return frozenset(found)


def _number(text: str, place: int) -> int:
    if text in NAMES[place]:
        return NAMES[place][text]
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        raise ValueError(f"{text!r} is no number of a time of cron")
    return int(text)


def zone(name: str) -> ZoneInfo:
    """:raises ValueError: there is no such time zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"Timezone {name} is not valid") from None


def within(start: str, duration: float, timezone: str | None, now: datetime) -> bool:
    """Whether ``now`` (naive UTC) lies in a time that began at most ``duration`` seconds ago."""
    local = now if not timezone else now.replace(tzinfo=UTC).astimezone(zone(timezone)).replace(tzinfo=None)
    return parse(start).last(local, local - timedelta(seconds=max(duration, 59.0))) is not None
