"""Samples become series: each period of each granularity is counted anew from the samples of it, which are kept as long
as late ones may come. What is here knows neither database nor API."""

from __future__ import annotations

import math
import operator
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

PERIODS = 128
"""Periods of a chunk."""
SIMPLE = ("mean", "sum", "last", "max", "min", "std", "median", "first", "count", *(f"{n}pct" for n in range(1, 100)))
METHODS = frozenset((*SIMPLE, *(f"rate:{name}" for name in SIMPLE)))
"""How the samples of a period become one value; after ``rate:``, how the differences of successive samples do."""
NAN = math.nan
MEANS = frozenset(("mean", "rate:mean"))
MOST_RAW = 50_000
"""Samples that are kept of a metric: of more in a period its newest ones alone are counted."""
PLAIN, PACKED, ALIKE = b"\0", b"\1", b"\2"
"""How a chunk is written: as it is while it changes, compressed, and compressed by what changes in it, without the
places of periods that follow one another."""


@dataclass(frozen=True)
class Definition:
    """``points`` periods of ``granularity`` ns are kept; None keeps all."""

    granularity: int
    points: int | None

    @property
    def timespan(self) -> int | None:
        return None if self.points is None else self.granularity * self.points


@dataclass(frozen=True)
class Policy:
    """An archive policy: the finest granularity first, the methods in the order of the columns of chunks."""

    name: str
    back_window: int
    definitions: tuple[Definition, ...]
    methods: tuple[str, ...]

    @property
    def block(self) -> int:
        """The longest period: samples are kept as far back as its beginning."""
        return max(one.granularity for one in self.definitions)

    def definition(self, granularity: int) -> Definition | None:
        return next((one for one in self.definitions if one.granularity == granularity), None)

    def only(self, method: str) -> Policy:
        """As if it had no other method."""
        return replace(self, methods=(method,))


@dataclass
class Raw:
    """Samples in rising order of time, each moment once."""

    times: array[int]
    values: array[float]

    @classmethod
    def empty(cls) -> Raw:
        return cls(array("q"), array("d"))

    @classmethod
    def of(cls, times: bytes, values: bytes) -> Raw:
        one = cls.empty()
        one.times.frombytes(times)
        one.values.frombytes(values)
        return one


Columns = dict[int, list[float]]
"""The number of a period → a value for each method of the policy; NaN where there is none."""


@dataclass
class Folded:
    """``raw`` is what has to be kept; ``changed``: by granularity, the periods that have other values now; None where
    nothing was new."""

    raw: Raw
    changed: dict[int, Columns]


def fold(policy: Policy, counter: bool, raw: Raw, times: Sequence[int], values: Sequence[float]) -> Folded | None:
    """Take samples in, in any order. One of a moment that is known takes the place of the other; what is older than the
    policy's window is dropped."""
    merged = merge(policy, raw, times, values)
    if merged is None:
        return None
    raw, first = merged
    changed = {
        one.granularity: _columns(policy, counter, raw, one.granularity, first, one) for one in policy.definitions
    }
    # One sample before the window stays, so that the first one in it has a difference.
    block = policy.block
    edge = (raw.times[-1] // block - policy.back_window) * block
    start = max(0, bisect_left(raw.times, edge) - 1, len(raw.times) - MOST_RAW)
    if start:
        raw = Raw(raw.times[start:], raw.values[start:])
    return Folded(raw, changed)


def merge(policy: Policy, raw: Raw, times: Sequence[int], values: Sequence[float]) -> tuple[Raw, int] | None:
    """(``raw`` with samples that come to it, the earliest moment of these); None where nothing is new."""
    block = policy.block
    horizon = None
    if len(raw.times):
        horizon = (raw.times[-1] // block - policy.back_window) * block
    if len(times) == 1 and (not len(raw.times) or times[0] > raw.times[-1]):
        first = times[0]
        raw.times.append(first)
        raw.values.append(values[0])
    elif (not len(raw.times) or times[0] > raw.times[-1]) and _rising(times):
        # As they come from hosts.
        first = times[0]
        raw.times.extend(times)
        raw.values.extend(values)
    else:
        fresh = {at: value for at, value in zip(times, values, strict=True) if horizon is None or at >= horizon}
        if not fresh:
            return None
        first = min(fresh)
        if not len(raw.times) or first > raw.times[-1]:
            known = fresh
            kept = Raw(raw.times, raw.values)
        else:
            known = dict(zip(raw.times, raw.values, strict=True))
            known.update(fresh)
            kept = Raw.empty()
        order = sorted(known)
        kept.times.extend(order)
        kept.values.extend([known[at] for at in order])
        raw = kept
    return raw, first


def end_of(known: bytes, times: Sequence[int], values: Sequence[float], since: int) -> Raw | None:
    """Samples from ``since`` (ns) on and the one before, where these are all of it: they came in their order, after
    those whose moments are ``known``."""
    begin = bisect_left(times, since) - 1
    if begin < 0 or (known and struct.unpack_from("=q", known, len(known) - 8)[0] >= times[0]) or not _rising(times):
        return None
    return Raw(array("q", times[begin:]), array("d", values[begin:]))


def newest(policy: Policy, counter: bool, raw: Raw, definition: Definition, first: int) -> dict[int, float]:
    """The periods of samples from the one of ``first`` (ns) on, by the only method of ``policy``."""
    columns = _columns(policy, counter, raw, definition.granularity, first, definition)
    return {period: value for period, (value,) in columns.items()}


def _rising(times: Sequence[int]) -> bool:
    return all(map(operator.lt, times, times[1:]))


def _columns(policy: Policy, counter: bool, raw: Raw, step: int, first: int, definition: Definition) -> Columns:
    """The periods from the one of ``first`` on. A later difference changes with a sample before it: the one after the
    newest of them too, which all come later than ``first``."""
    times, values = raw.times, raw.values
    begin = bisect_left(times, first // step * step)
    if definition.points is not None:
        begin = max(begin, bisect_left(times, (times[-1] // step - definition.points + 1) * step))
    if set(policy.methods) <= MEANS:
        return _means(policy, counter, raw, step, begin)
    found: Columns = {}
    rates = any(name.startswith("rate:") for name in policy.methods)
    end, count = begin, len(times)
    while begin < count:
        period = times[begin] // step
        end = begin + 1
        limit = (period + 1) * step
        while end < count and times[end] < limit:
            end += 1
        samples = values[begin:end]
        differences = _differences(values, begin, end, counter) if rates else []
        found[period] = [
            AGGREGATES[name](samples) if not name.startswith("rate:") else _of_rates(name, differences)
            for name in policy.methods
        ]
        begin = end
    return found


def _means(policy: Policy, counter: bool, raw: Raw, step: int, begin: int) -> Columns:
    """As :func:`_columns` for policies that have nothing but means, as Ceilometer's: these are most of all samples."""
    times, values, count = raw.times, raw.values.tolist(), len(raw.times)
    found: Columns = {}
    rates = _differences(values, begin, count, counter) if "rate:mean" in policy.methods else []
    # The first sample of all has no difference.
    shift = max(begin, 1)
    while begin < count:
        period = times[begin] // step
        end = bisect_left(times, (period + 1) * step, begin)
        row = []
        for name in policy.methods:
            part = values[begin:end] if name == "mean" else rates[max(begin - shift, 0) : end - shift]
            row.append(sum(part) / len(part) if part else NAN)
        found[period] = row
        begin = end
    return found


def _differences(values: Sequence[float], begin: int, end: int, counter: bool) -> list[float]:
    begin = max(begin, 1)
    found = list(map(operator.sub, values[begin:end], values[begin - 1 : end]))
    if counter and found and min(found) < 0:
        # What counted began anew at zero meanwhile.
        found = [values[begin + i] if rise < 0 else rise for i, rise in enumerate(found)]
    return found


def _of_rates(name: str, differences: list[float]) -> float:
    return AGGREGATES[name[5:]](differences) if differences else NAN


def _mean(samples: Sequence[float]) -> float:
    return samples[0] if len(samples) == 1 else sum(samples) / len(samples)


def _std(samples: Sequence[float]) -> float:
    """Of a sample, as Gnocchi tells it: of one value there is none."""
    if len(samples) < 2:
        return NAN
    middle = sum(samples) / len(samples)
    return math.sqrt(sum((value - middle) * (value - middle) for value in samples) / (len(samples) - 1))


def percentile(samples: Sequence[float], percent: float) -> float:
    """Between the two nearest values, in proportion."""
    ordered = sorted(samples)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _percentile_of(percent: int) -> Callable[[Sequence[float]], float]:
    return lambda samples: percentile(samples, percent)


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": _mean,
    "sum": sum,
    "last": lambda samples: samples[-1],
    "first": lambda samples: samples[0],
    "max": max,
    "min": min,
    "count": lambda samples: float(len(samples)),
    "std": _std,
    "median": _percentile_of(50),
    **{f"{percent}pct": _percentile_of(percent) for percent in range(1, 100)},
}


# ---------------------------------------------------------------------------------------------------------- chunks


def encode(columns: Columns, methods: int, *, pack: bool) -> bytes:
    """A chunk: the numbers of its periods and the values by method. ``pack``: it will hardly change any more."""
    periods = sorted(columns)
    values = array("d")
    for method in range(methods):
        values.extend([columns[period][method] for period in periods])
    head = struct.pack("<HB", len(periods), methods)
    if pack and periods[-1] - periods[0] == len(periods) - 1:
        return ALIKE + head + bytes((periods[0] % PERIODS,)) + zlib.compress(_planes(values.tobytes()), 1)
    body = bytes(period % PERIODS for period in periods) + values.tobytes()
    return PACKED + head + zlib.compress(body, 1) if pack else PLAIN + head + body


def _planes(values: bytes) -> bytes:
    """Doubles as what each has other than the one before, byte by byte of all: what hardly changes becomes zeros, which
    :mod:`zlib` makes nothing of."""
    whole = int.from_bytes(values, "little")
    changes = (whole ^ whole << 64).to_bytes(len(values) + 8, "little")[: len(values)]
    return b"".join([changes[place::8] for place in range(8)])


def _values(planes: bytes) -> bytes:
    """What :func:`_planes` was made of."""
    changes, length, count = bytearray(len(planes)), len(planes), len(planes) // 8
    for place in range(8):
        changes[place::8] = planes[place * count : (place + 1) * count]
    whole, shift, mask = int.from_bytes(changes, "little"), 64, (1 << length * 8) - 1
    while shift < length * 8:
        whole ^= whole << shift & mask
        shift *= 2
    return whole.to_bytes(length, "little")


def _body(data: bytes, count: int) -> bytes:
    """Places of the periods, then their values."""
    if data[:1] == ALIKE:
        return bytes(range(data[4], data[4] + count)) + _values(zlib.decompress(data[5:]))
    return zlib.decompress(data[4:]) if data[:1] == PACKED else data[4:]


def decode(start: int, data: bytes) -> Columns:
    """The periods of a chunk whose first one has the number ``start``."""
    count, methods = struct.unpack_from("<HB", data, 1)
    body = _body(data, count)
    values = array("d")
    values.frombytes(body[count : count + 8 * count * methods])
    rows = zip(*(values[method * count : (method + 1) * count] for method in range(methods)), strict=True)
    return {start + place: list(row) for place, row in zip(body[:count], rows, strict=True)}


def column(start: int, data: bytes, method: int, low: int) -> dict[int, float]:
    """The periods of a chunk from number ``low`` on, by the method in that place."""
    count, _ = struct.unpack_from("<HB", data, 1)
    body, head = (data, 4) if data[:1] == PLAIN else (_body(data, count), 0)
    begin = bisect_left(body, low - start, head, head + count) - head if low > start else 0
    values = struct.unpack_from(f"={count - begin}d", body, head + count + 8 * (method * count + begin))
    return {start + body[head + begin + place]: value for place, value in enumerate(values)}


def split(columns: Columns) -> Iterator[tuple[int, Columns]]:
    """The periods by the first one of their chunk."""
    by_chunk: dict[int, Columns] = {}
    for period, values in columns.items():
        by_chunk.setdefault(period - period % PERIODS, {})[period] = values
    yield from by_chunk.items()


Point = tuple[int, int, float]
"""When (ns), granularity (ns), value."""


def points(
    columns: Mapping[int, Sequence[float]],
    method: int,
    definition: Definition,
    start: int | None = None,
    stop: int | None = None,
) -> list[Point]:
    """The series of a method: from the period that ``start`` lies in, before ``stop``, no older than is kept."""
    step = definition.granularity
    order = sorted(columns)
    if definition.points is not None and order:
        order = order[bisect_left(order, order[-1] - definition.points + 1) :]
    if start is not None:
        order = order[bisect_left(order, start // step) :]
    if stop is not None:
        order = order[: bisect_left(order, -(-stop // step))]
    found = [(period * step, step, columns[period][method]) for period in order]
    return [point for point in found if point[2] == point[2]]
