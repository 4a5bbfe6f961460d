"""Samples: taken in as batches, folded into chunks later, and read as if they were already."""

from __future__ import annotations

import itertools
import operator
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import archive_policies, series, timespans
from tane.services.metric.domain.series import Columns, Point, Policy, Raw
from tane.services.metric.store import database
from tane.services.metric.store import measures as store
from tane.services.metric.store import metrics as metric_store
from tane.shares import for_the_cloud
from tane.web.errors import BadRequest

FOLD_TOPIC, TOLD = "metric.fold", "metric.listeners"
BATCHES, PATIENCE = 64, 600.0
MOST_BATCHES, MOST_SAMPLES = 2048, 2_000_000
"""Batches are folded when there are more than ``BATCHES`` of them and the oldest waits for ``PATIENCE`` seconds; sooner
when there are very many. Who sends when there are twice as many folds them first."""
SLICE, AT_ONCE = 500, 500_000
"""Batches and samples of a fold at most: it is one transaction, and in memory."""
MOST_POINTS = 400_000
"""That are read of a series at once."""
MOST_ALIKE = 64
"""Sets of metrics whose places in batches are remembered while these are looked through."""
UNCOUNTED = 2 * series.PERIODS
"""So few points cost less than counting them."""


@dataclass(frozen=True)
class Series:
    """A metric as far as its samples are concerned."""

    number: int
    policy: Policy
    counter: bool


def series_of(tx: Tx, row: Any) -> Series:
    return Series(row.number, archive_policies.policy_of(tx, row.archive_policy_name), row.counter)


def append(tx: Tx, numbers: Sequence[int], times: Sequence[int], values: Sequence[float]) -> None:
    """Take samples in. The transaction's listeners learn which metrics have new ones once it is committed."""
    if not numbers:
        return
    if any(a > b for a, b in itertools.pairwise(numbers)):
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        numbers, times = [numbers[i] for i in order], [times[i] for i in order]
        values = [values[i] for i in order]
    store.add_batch(
        tx,
        at=_seconds(tx),
        low=numbers[0],
        high=numbers[-1],
        count=len(numbers),
        metrics=array("I", numbers).tobytes(),
        times=array("q", times).tobytes(),
        values=array("d", values).tobytes(),
    )


def taken(core: Core, numbers: Iterable[int]) -> None:
    """Tell who listens that these metrics have new samples; call it when they are committed."""
    for listener in core.memory.get(TOLD, ()):
        listener(numbers)


def listen(core: Core, listener: Callable[[Iterable[int]], None]) -> None:
    core.memory.setdefault(TOLD, []).append(listener)


def make_room(core: Core) -> None:
    """Fold what waits, where far too much does: who sends so fast waits for it."""
    with database.of(core).read() as tx:
        waiting = store.waiting(tx)
    if waiting.batches > 2 * MOST_BATCHES or waiting.samples > 2 * MOST_SAMPLES:
        with for_the_cloud():
            fold(core)


def is_due(core: Core) -> bool:
    with database.of(core).read() as tx:
        waiting = store.waiting(tx)
        waited = _seconds(tx) - waiting.oldest if waiting.batches else 0.0
    if waiting.batches > MOST_BATCHES or waiting.samples > MOST_SAMPLES:
        return True
    # A quiet cloud's samples are folded once an hour.
    return waited > 6 * PATIENCE or (waited > PATIENCE and waiting.batches > BATCHES)


def _seconds(tx: Tx) -> float:
    return timespans.of_naive(tx.now) / timespans.SECOND


def fold(core: Core) -> int:
    """Fold what waits. Returns how many samples it was."""
    total = 0
    while True:
        with database.of(core).write() as tx:
            last, more = _part(tx)
            if last is None:
                return total
            total += _fold(tx, store.pending(tx, last))
            store.forget_batches(tx, last)
        if not more:
            return total


def _part(tx: Tx) -> tuple[int | None, bool]:
    """Up to which batch is folded at once, and whether there are more."""
    waiting, samples, last = store.sizes(tx, SLICE + 1), 0, None
    for row in waiting[:SLICE]:
        if last is not None and samples + row.samples > AT_ONCE:
            break
        last, samples = int(row.sequence), samples + row.samples
    return last, bool(waiting) and waiting[-1].sequence != last


def _fold(tx: Tx, batches: Sequence[Any]) -> int:
    # A host tells the same metrics each time: its batches are turned round as a whole.
    alike: dict[bytes, list[Any]] = {}
    for row in batches:
        alike.setdefault(bytes(row.metrics), []).append(row)
    by_metric: dict[int, Samples] = {}
    several: dict[int, tuple[list[int], list[float]]] = {}
    count = 0
    for rows in alike.values():
        arrays = [_arrays(row) for row in rows]
        count += len(arrays[0][0]) * len(rows)
        columns = (
            zip(*(times for _, times, _ in arrays), strict=True),
            zip(*(found for *_, found in arrays), strict=True),
        )
        for number, times, values in zip(arrays[0][0], *columns, strict=True):
            known = by_metric.get(number)
            if known is None:
                by_metric[number] = times, values
                continue
            if number not in several:
                by_metric[number] = several[number] = [*known[0]], [*known[1]]
            several[number][0].extend(times)
            several[number][1].extend(values)
    numbers_ = sorted(by_metric)
    for begin in range(0, len(numbers_), 2000):
        _fold_metrics(tx, {number: by_metric[number] for number in numbers_[begin : begin + 2000]})
    return count


def _fold_metrics(tx: Tx, samples: dict[int, tuple[Sequence[int], Sequence[float]]]) -> None:
    numbers = list(samples)
    rows, known = metric_store.folding(tx, numbers), store.raw_of(tx, numbers)
    policies: dict[str, Policy] = {}
    raws: list[dict[str, Any]] = []
    changed: dict[tuple[int, int, int], Columns] = {}
    widths: dict[int, int] = {}
    kept_from: dict[tuple[int, int], list[int]] = {}
    for number, (times, values) in samples.items():
        row = rows.get(number)
        if row is None:
            continue  # It was deleted meanwhile.
        name = row.archive_policy_name
        policy = policies.get(name) or policies.setdefault(name, archive_policies.policy_of(tx, name))
        before = known.get(number)
        raw = Raw.of(before.times, before.values) if before else Raw.empty()
        folded = series.fold(policy, row.counter, raw, times, values)
        if folded is None:
            continue
        last = folded.raw.times[-1]
        raws.append({"metric": number, "times": folded.raw.times.tobytes(), "values": folded.raw.values.tobytes()})
        widths[number] = len(policy.methods)
        for definition in policy.definitions:
            for start, columns in series.split(folded.changed[definition.granularity]):
                changed[number, definition.granularity, start] = columns
            if definition.points is not None:
                edge = last // definition.granularity - definition.points + 1
                kept_from.setdefault((definition.granularity, edge - edge % series.PERIODS), []).append(number)
    former = store.chunks_at(tx, changed)
    chunks = []
    for (number, granularity, start), columns in changed.items():
        data = former.get((number, granularity, start))
        whole = {**series.decode(start, data), **columns} if data is not None else columns
        packed = len(whole) > series.PERIODS * 3 // 4
        encoded = series.encode(whole, widths[number], pack=packed)
        chunks.append({"metric": number, "granularity": granularity, "start": start, "data": encoded})
    store.keep_raw(tx, raws)
    store.keep_chunks(tx, chunks)
    for (granularity, edge), old in kept_from.items():
        if edge > 0:
            store.forget_chunks(tx, old, granularity, edge)


def _arrays(row: Any) -> tuple[array[int], array[int], array[float]]:
    numbers, times, values = array("I"), array("q"), array("d")
    numbers.frombytes(row.metrics)
    times.frombytes(row.times)
    values.frombytes(row.values)
    return numbers, times, values


Samples = tuple[Sequence[int], Sequence[float]]
Getter = Callable[[Sequence[Any]], Sequence[Any]]


class _Alike:
    """Batches of the same metrics, as a host tells them: what is wanted of each is taken out at once."""

    def __init__(self, places: Iterable[tuple[int, int, int]]) -> None:
        """``places``: (number of a metric, where its samples begin and end)."""
        told = [*places]
        self.several = [one for one in told if one[2] - one[1] > 1]
        """Metrics of which a batch has more samples than one."""
        single = [(number, begin) for number, begin, end in told if end - begin == 1]
        self.numbers = [number for number, _ in single]
        self._get = _getter([begin for _, begin in single])
        self._sequences: list[int] = []
        self._times: list[Sequence[int]] = []
        self._values: list[Sequence[float]] = []
        self._moments: list[int] | None = []
        """One of each batch, as long as all of its samples are of one."""

    def take(self, row: Any) -> None:
        if not self.numbers:
            return
        times = row.times
        if self._moments is not None and times != times[:8] * (len(times) // 8):
            self._times = [(moment,) * len(self.numbers) for moment in self._moments]
            self._moments = None
        if self._moments is None:
            self._times.append(self._get(memoryview(times).cast("q")))
        else:
            self._moments.append(memoryview(times).cast("q")[0])
        self._sequences.append(row.sequence)
        self._values.append(self._get(memoryview(row.values).cast("d")))

    def segments(self) -> Iterator[tuple[int, Segment]]:
        columns = zip(self.numbers, zip(*self._values, strict=True), strict=True)
        if self._moments is not None:
            for number, values in columns:
                yield number, (self._sequences, self._moments, values)
            return
        for (number, values), times in zip(columns, zip(*self._times, strict=True), strict=True):
            yield number, (self._sequences, times, values)


Segment = tuple[Sequence[int], Sequence[int], Sequence[float]]
"""Of samples of a metric: the numbers of their batches, when they were, and their values."""


def _getter(places: Sequence[int]) -> Getter:
    if len(places) == 1:
        [place] = places
        return lambda told: (told[place],)
    return operator.itemgetter(*places) if places else lambda told: ()


def waiting_of(tx: Tx, numbers: Sequence[int]) -> dict[int, Samples]:
    """The samples of these metrics that are not folded yet, as they came; each batch is looked through once."""
    if not numbers:
        return {}
    wanted = sorted(set(numbers))
    segments: dict[int, list[Segment]] = {}
    alike: dict[bytes, _Alike] = {}

    def close() -> None:
        for group in alike.values():
            for number, segment in group.segments():
                segments.setdefault(number, []).append(segment)
        alike.clear()

    for row in store.pending_between(tx, wanted[0], wanted[-1]):
        metrics = bytes(row.metrics)
        group = alike.get(metrics)
        if group is None:
            if len(alike) >= MOST_ALIKE:
                close()
            group = alike[metrics] = _Alike(_places(row, wanted))
        group.take(row)
        for number, begin, end in group.several:
            times, values = memoryview(row.times).cast("q"), memoryview(row.values).cast("d")
            segment = [row.sequence] * (end - begin), times[begin:end].tolist(), values[begin:end].tolist()
            segments.setdefault(number, []).append(segment)
    close()
    return {number: _in_order(found) for number, found in segments.items()}


def _in_order(segments: Sequence[Segment]) -> Samples:
    """What came later is the later word."""
    if len(segments) == 1:
        return segments[0][1:]
    told = [one for segment in segments for one in zip(*segment, strict=True)]
    told.sort(key=operator.itemgetter(0))
    return [at for _, at, _ in told], [value for *_, value in told]


def _places(row: Any, wanted: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(number of a metric, where its samples begin and end in a batch) of those that are in it."""
    there = array("I")
    there.frombytes(row.metrics)
    for number in wanted[bisect_left(wanted, row.low) : bisect_right(wanted, row.high)]:
        begin = bisect_left(there, number)
        end = bisect_right(there, number, begin)
        if begin < end:
            yield number, begin, end


def read(
    tx: Tx,
    one: Series,
    granularities: Sequence[int],
    method: str,
    start: int | None = None,
    stop: int | None = None,
    *,
    waiting: Samples | None,
    spend: Callable[[int], object] = lambda steps: None,
) -> dict[int, list[Point]]:
    """The series of a metric by granularity. ``waiting``: its samples that are not folded yet; ``spend``: is told how
    many values are to be looked at, before they are."""
    fresh = folded_now(tx, one, waiting, spend)
    column = one.policy.methods.index(method)
    found: dict[int, list[Point]] = {}
    for granularity in granularities:
        definition = one.policy.definition(granularity)
        if definition is None:
            continue
        first = None if start is None else chunk_of(start // granularity)
        last = None if stop is None else chunk_of(-(-stop // granularity))
        most = 1 << 62 if definition.points is None else definition.points
        if start is not None and stop is not None:
            most = min(most, max(0, stop - start) // granularity + 2)
        if most > UNCOUNTED:
            most = min(most, store.count_chunks(tx, one.number, granularity, first, last) * series.PERIODS)
        if most > MOST_POINTS:
            raise BadRequest(f"More than {MOST_POINTS} points: ask for a shorter time or a coarser granularity.")
        spend(most)
        columns: Columns = {}
        for row in store.chunks_of(tx, one.number, granularity, first, last):
            columns |= series.decode(row.start, row.data)
        newest = fresh.get(granularity) or {}
        columns |= newest
        points = series.points(columns, column, definition, start, stop)
        if definition.points is not None and points and stop is not None:
            # What is too old is so by the newest of all, not of those asked for.
            edge = _newest(tx, one, granularity, newest) - definition.points + 1
            points = [point for point in points if point[0] >= edge * granularity]
        found[granularity] = points
    return found


def _newest(tx: Tx, one: Series, granularity: int, fresh: Columns) -> int:
    row = store.newest_chunk(tx, one.number, granularity)
    return max([*fresh, *(series.decode(row.start, row.data) if row else ())], default=0)


def folded_now(
    tx: Tx, one: Series, waiting: Samples | None, spend: Callable[[int], object] = lambda steps: None
) -> dict[int, Columns]:
    """What waiting samples change, by granularity."""
    if waiting is None:
        return {}
    row = store.raw_of(tx, [one.number]).get(one.number)
    raw = Raw.of(row.times, row.values) if row else Raw.empty()
    spend((len(raw.times) + len(waiting[0])) * len(one.policy.definitions))
    folded = series.fold(one.policy, one.counter, raw, *waiting)
    return folded.changed if folded else {}


def chunk_of(period: int) -> int:
    """The first period of the chunk that a period is in."""
    return period - period % series.PERIODS


def waiting(core: Core) -> dict[str, int]:
    """How many samples, of how many metrics, wait to be folded."""
    numbers: set[int] = set()
    samples = 0
    with database.of(core).read() as tx:
        for row in store.pending_between(tx, 0, 1 << 62):
            found = _arrays(row)[0]
            numbers.update(found)
            samples += len(found)
    return {"metrics": len(numbers), "measures": samples}
