"""Charts: series of measures as few points, as lines of a picture, and as a table of the same figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tane.services.dashboard.domain import showing

WIDTH, HEIGHT = 600, 140
"""Of a picture, in its own units."""
LINES = ("a", "b")
"""Classes of the lines of one picture; the second is dashed, so that colour is not all that tells them apart."""

Points = Sequence[tuple[float, float, float]]
"""(seconds since 1970, granularity in seconds, value)."""


@dataclass(frozen=True)
class Series:
    """``values``: one for each period; None where nothing was measured."""

    title: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """A picture. ``ceiling``: what the upper edge stands for; ``lines``: (class, title, path)."""

    title: str
    ceiling: str
    lines: Sequence[tuple[str, str, str]]


def percent(value: float) -> str:
    return f"{value:.1f} %"


def speed(value: float) -> str:
    """Bytes per second."""
    return f"{showing.size(value)}/s"


def number(value: float) -> str:
    return f"{value:.2f}"


def gathered(points: Points, start: int, period: int, count: int, factor: float) -> list[float | None]:
    """The mean of each period, times ``factor``.

    Of a metric that is kept in several granularities the finest counts. A counter that began anew shows one step back,
    which is nobody's use: it counts as nothing.
    """
    finest = min((granularity for _, granularity, _ in points), default=0.0)
    sums, counts = [0.0] * count, [0] * count
    for at, granularity, value in points:
        place = int((at - start) // period)
        if granularity == finest and 0 <= place < count:
            sums[place] += max(value, 0.0) * factor
            counts[place] += 1
    return [total / many if many else None for total, many in zip(sums, counts, strict=True)]


def drawn(title: str, series: Sequence[Series], unit: Callable[[float], str], least: float) -> Chart:
    """The lines of some series under one ceiling: the highest value, or ``least`` when all are below it."""
    highest = max([least, *(value for one in series for value in one.values if value is not None)])
    lines = [(LINES[place], one.title, _path(one.values, highest)) for place, one in enumerate(series)]
    return Chart(title, unit(highest), lines)


def _path(values: Sequence[float | None], highest: float) -> str:
    """A line that is broken where nothing was measured; a lone value is a short stroke."""
    step, parts, going = WIDTH / max(len(values), 1), [], False
    for place, value in enumerate(values):
        if value is None:
            going = False
            continue
        down = round(HEIGHT - HEIGHT * value / highest)
        left, right = round(place * step), round((place + 1) * step)
        # Steps, as each value is the mean of a period.
        parts.append(f"{'L' if going else 'M'}{left} {down}H{right}")
        going = True
    return "".join(parts)


def name_of(title: str, series: Sequence[Series], one: Series) -> str:
    """What a column of figures is called: as its picture, and as its line when there are several."""
    return title if len(series) == 1 else f"{title}: {one.title}"


def table(
    columns: Sequence[tuple[Series, Callable[[float], str]]], start: int, period: int, count: int
) -> list[tuple[str, list[str]]]:
    """(time, figures) of each period in which something was measured."""
    found = []
    for place in range(count):
        values = [(one.values[place], unit) for one, unit in columns]
        if any(value is not None for value, _ in values):
            cells = [unit(value) if value is not None else "–" for value, unit in values]
            found.append((moment(start + place * period, count * period > 3600), cells))
    return found


def moment(seconds: int, long: bool) -> str:
    """A time of UTC, as short as the span allows."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%m-%d %H:%M" if long else "%H:%M")
