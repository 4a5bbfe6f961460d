"""Moments and spans as Gnocchi's clients write them. Both are whole nanoseconds; moments count from 1970, in UTC."""

from __future__ import annotations

import calendar
import math
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

SECOND = 1_000_000_000
LAST = 9_000_000_000 * SECOND
"""No moment and no span is longer: it is beyond the year 2200, and fits into 64 bits."""

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-][01]\d:?[0-5]\d)?\Z", re.A
)
_UNITS = {
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 604800),
    **dict.fromkeys(("d", "dy", "dys", "day", "days"), 86400),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
}
_PART = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)[\s,]*", re.A)
_CLOCK = re.compile(r"(?:(\d+)\s*(?:days?|d),?\s*)?(\d+):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?\Z", re.A)


def span(value: Any, *, positive: bool = True) -> int:
    """Seconds as a number or a text of one, ``5 minutes``, ``1h 30m``, ``0:05:00``.

    :raises ValueError: none of them, or (``positive``) not above zero.
    """
    found = _seconds(value)
    if found is None or isinstance(value, bool):
        raise ValueError("Unable to parse timespan")
    if not math.isfinite(found) or abs(found) * SECOND > LAST:
        raise ValueError("Timespan is too long")
    nanoseconds = round(found * SECOND)
    if positive and nanoseconds <= 0:
        raise ValueError("Timespan must be positive")
    return nanoseconds


def _seconds(value: Any) -> float | None:
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else math.inf
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip().lower()
    try:
        return float(text)
    except ValueError:
        pass
    sign = -1.0 if text.startswith("-") else 1.0
    text = text.lstrip("+-").strip()
    if clock := _CLOCK.match(text):
        days, first, second, third = clock.groups()
        # Two parts are minutes and seconds.
        parts = (0, first, second) if third is None else (first, second, third)
        return sign * (int(days or 0) * 86400 + int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2]))
    total, place = 0.0, 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None or part.group(2) not in _UNITS:
            return None
        total += float(part.group(1)) * _UNITS[part.group(2)]
        place = part.end()
    return sign * total if text else None


def moment(value: Any, now: float) -> int:
    """A moment: seconds since 1970 as a number or a text of one, ISO 8601, or a span relative to ``now``.

    :raises ValueError: none of them, or before 1970.
    """
    found = _moment(value, now)
    if found < 0:
        raise ValueError("Timestamp must be after Epoch")
    if found > LAST:
        raise ValueError("Timestamp is too far away")
    return found


def _moment(value: Any, now: float) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("Unable to convert timestamps")
    if isinstance(value, str):
        if iso := _ISO.match(value.strip()):
            return _from_iso(iso)
        if value.strip().lower() == "now":
            return round(now * SECOND)
        try:
            value = float(value)
        except ValueError:
            try:
                return round(now * SECOND) + span(value, positive=False)
            except ValueError:
                raise ValueError("Unable to convert timestamps") from None
    if not -1e10 < value < 1e11:
        raise ValueError("Unable to convert timestamps")
    if isinstance(value, int):
        return int(value) * SECOND
    # Microseconds are as exact as a float tells the moments of today.
    microseconds: int = round(value * 1e6)
    return microseconds * 1000


def _from_iso(iso: re.Match[str]) -> int:
    year, month, day, hour, minute, second, fraction, zone = iso.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        if zone and zone != "Z":
            digits = zone[1:].replace(":", "")
            ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            at += ahead if zone[0] == "-" else -ahead
    except (ValueError, OverflowError):
        raise ValueError("Unable to convert timestamps") from None
    seconds: int = calendar.timegm(at.timetuple())
    return seconds * SECOND + int((fraction or "").ljust(9, "0"))


def naive(nanoseconds: int) -> datetime:
    """A moment as a naive UTC datetime."""
    return datetime(1970, 1, 1) + timedelta(microseconds=nanoseconds // 1000)


def of_naive(at: datetime) -> int:
    """A naive UTC datetime as a moment."""
    return (calendar.timegm(at.timetuple()) * 1_000_000 + at.microsecond) * 1000


def iso(at: datetime | None) -> str | None:
    """``2026-01-31T12:00:00+00:00``: Gnocchi's form."""
    return None if at is None else at.replace(tzinfo=UTC).isoformat()


def text(nanoseconds: int) -> str:
    """A moment in Gnocchi's form; a fraction only where there is one."""
    seconds, rest = divmod(nanoseconds, SECOND)
    parts = time.gmtime(seconds)
    fraction = f".{rest // 1000:06}" if rest else ""
    day = f"{parts.tm_year:04}-{parts.tm_mon:02}-{parts.tm_mday:02}"
    return f"{day}T{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02}{fraction}+00:00"


def clock(nanoseconds: int) -> str:
    """A span as ``0:05:00`` or ``30 days, 0:00:00``."""
    return str(timedelta(microseconds=nanoseconds / 1000))
