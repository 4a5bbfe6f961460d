"""The ends of many series, looked up together: what alarms ask for again and again. Only what is small is: a series
with much to look at is read alone, so that the time it takes is that of who asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import access, archive_policies, measures, metrics, resources, series, timespans
from tane.services.metric.domain.errors import no_metric
from tane.services.metric.domain.series import Definition, Point, Policy, Raw
from tane.services.metric.store import archive_policies as policy_store
from tane.services.metric.store import measures as measure_store
from tane.services.metric.store import metrics as metric_store
from tane.services.metric.store import resources as resource_store
from tane.web.context import Context
from tane.web.errors import ApiError, NotFound

FEW_IDS, FEW_METHODS = 10, 16
FEW_SAMPLES = 2048
"""Of a metric, that are kept or wait."""


@dataclass(frozen=True)
class Asked:
    """Values of one series, for an alarm. ``seconds``: a period; ``periods``: how many before now.

    One of: ``resource`` (type, id) and ``name``; ``ids`` of metrics; ``query`` (type, tree) and ``name``.
    """

    method: str
    seconds: int
    periods: int
    name: str = ""
    resource: tuple[str, str] | None = None
    ids: tuple[str, ...] = ()
    query: tuple[str, Any] | None = None

    @property
    def granularity(self) -> int:
        """In ns."""
        return self.seconds * timespans.SECOND

    def start(self, now: int) -> int:
        return now - self.granularity * (self.periods + 1)


@dataclass(frozen=True)
class _Merged:
    """The samples of a metric, those that wait among them: ``first`` is the earliest moment of these, ``count`` how
    many are to be looked at for them; None and 0 where none waits."""

    raw: Raw
    first: int | None
    count: int


Span = tuple[int, int, int]
"""(granularity in ns, the first chunk, the last one)."""


class Shared:
    """What was looked up for many who ask, at the moment ``now`` (ns). ``tx`` may be another one later: what is not
    here is read in it."""

    def __init__(self, core: Core, tx: Tx) -> None:
        self.core, self.tx = core, tx
        self.now = timespans.of_naive(tx.now)
        self.policies: dict[str, Any] = {row.name: row for row in policy_store.every(tx)}
        self.made: dict[str, Policy] = {}
        self._narrow: dict[tuple[str, str], Policy] = {}
        self._types: dict[str, Any] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._resources: dict[str, Any] = {}
        self._named: dict[tuple[str, str], Any] = {}
        self._metrics: dict[str, Any] = {}
        self._merged: dict[int, _Merged] = {}
        self._chunks: dict[tuple[int, Span], list[tuple[int, bytes]]] = {}
        self._points: dict[tuple[int, int, str, int, int], list[Point]] = {}

    # ---------------------------------------------------------------------------------------------- what is asked for

    def named(self, ctx: Context, type_name: str, text: str, name: str) -> Any:
        """The metric that a resource has under a name. :raises NotFound: or the caller does not see it."""
        if type_name not in self._types:
            self._types[type_name] = resource_store.type_of(self.tx, type_name)
        declared = self._types[type_name]
        if declared is None:
            raise NotFound(f"Resource type {type_name} does not exist")
        who = text, access.creator(ctx)
        resource_id = self._ids.get(who) or resources.identifier(ctx, text)
        row = self._resource(resource_id)
        resources.judged(self.core, ctx, declared, resource_id, row)
        key = resource_id, name
        metric = self._named[key] if key in self._named else metric_store.named(self.tx, *key)
        if metric is None:
            raise NotFound(f"Metric {name} does not exist")
        return metric

    def _resource(self, resource_id: str) -> Any:
        if resource_id in self._resources:
            return self._resources[resource_id]
        return resource_store.get(self.tx, resource_id)

    def metric(self, ctx: Context, text: str) -> Any:
        """:raises NotFound: it is not there, or another project's."""
        metric_id = metrics.identifier(text)
        if metric_id not in self._metrics:
            return metrics.seen(self.core, ctx, self.tx, text)
        row = self._metrics[metric_id]
        if row is None or not access.sees_metric(self.core, ctx, row):
            raise no_metric(text)
        return row

    def policy(self, name: str) -> Policy:
        return self.made.get(name) or self.made.setdefault(name, archive_policies.policy(self.policies[name]))

    # --------------------------------------------------------------------------------------------------- looking it up

    def look(self, wanted: Iterable[tuple[Context, Asked]]) -> None:
        """Look up what these ask for, as far as it is little."""
        by_name: dict[tuple[str, str], list[Asked]] = {}
        by_id: dict[str, list[Asked]] = {}
        types: set[str] = set()
        for ctx, one in wanted:
            try:
                if one.resource is not None:
                    who = one.resource[1], access.creator(ctx)
                    resource_id = self._ids[who] = resources.identifier(ctx, one.resource[1])
                    if _plain(one.name) and _plain(one.resource[0]):
                        types.add(one.resource[0])
                        by_name.setdefault((resource_id, one.name), []).append(one)
                elif len(one.ids) <= FEW_IDS:
                    for metric_id in [metrics.identifier(text) for text in one.ids]:
                        by_id.setdefault(metric_id, []).append(one)
            except (ApiError, ValueError):
                continue  # Whoever asks for it is told.
        series_of = self._look_up_named(by_name, types) + self._look_up_metrics(by_id)
        self._look_at_samples(series_of)
        self._look_at_chunks(series_of)

    def _look_up_named(
        self, wanted: dict[tuple[str, str], list[Asked]], types: set[str]
    ) -> list[tuple[Any, list[Asked]]]:
        if not wanted:
            return []
        self._types |= {**dict.fromkeys(types), **{row.name: row for row in resource_store.types_of(self.tx, types)}}
        ids = [resource_id for resource_id, _ in wanted]
        self._resources |= {**dict.fromkeys(ids), **{row.id: row for row in resource_store.owners_of(self.tx, ids)}}
        rows = metric_store.all_named(self.tx, list(wanted))
        self._named |= {**dict.fromkeys(wanted), **{(row.resource_id, row.name): row for row in rows}}
        return [(row, wanted[row.resource_id, row.name]) for row in rows]

    def _look_up_metrics(self, wanted: dict[str, list[Asked]]) -> list[tuple[Any, list[Asked]]]:
        if not wanted:
            return []
        rows = metric_store.of_ids(self.tx, wanted)
        self._metrics |= {**dict.fromkeys(wanted), **{row.id: row for row in rows}}
        return [(row, wanted[row.id]) for row in rows]

    def _look_at_samples(self, wanted: Iterable[tuple[Any, Sequence[Asked]]]) -> None:
        by_number: dict[int, Any] = {}
        since: dict[int, int] = {}
        for row, those in wanted:
            by_number[row.number] = row
            begin = min(one.start(self.now) // one.granularity * one.granularity for one in those)
            since[row.number] = min(begin, since.get(row.number, begin))
        waiting = measures.waiting_of(self.tx, list(by_number))
        kept = {row.metric: row for row in measure_store.small_raw_of(self.tx, list(by_number), 8 * FEW_SAMPLES)}
        for number, row in by_number.items():
            known, fresh = kept.get(number), waiting.get(number)
            if (known is not None and known.times is None) or (fresh is not None and len(fresh[0]) > FEW_SAMPLES):
                continue
            policy = self.policy(row.archive_policy_name)
            if len(policy.methods) > FEW_METHODS:
                continue
            self._merged[number] = _merged(policy, known, fresh, since[number])

    def _look_at_chunks(self, wanted: Iterable[tuple[Any, Sequence[Asked]]]) -> None:
        by_span: dict[Span, list[int]] = {}
        for row, those in wanted:
            merged = self._merged.get(row.number)
            for one in those if merged is not None else ():
                assert merged is not None
                span = _span(one.granularity, one.start(self.now), self.now)
                if _needs(merged, one.granularity, one.start(self.now)) and span[2] - span[1] <= measures.UNCOUNTED:
                    by_span.setdefault(span, []).append(row.number)
        for span, numbers in by_span.items():
            found: dict[int, list[tuple[int, bytes]]] = {number: [] for number in numbers}
            for row in measure_store.chunks_between(self.tx, list(found), *span):
                found[row.metric].append((row.start, row.data))
            self._chunks |= {(number, span): chunks for number, chunks in found.items()}

    # --------------------------------------------------------------------------------------------------------- reading

    def has(self, number: int) -> bool:
        """Whether the samples of a metric were looked up."""
        return number in self._merged

    def series(
        self, metric: Any, definition: Definition, method: str, start: int, stop: int, spend: Callable[[int], object]
    ) -> list[Point] | None:
        """What :func:`measures.read` finds; None: it was not looked up."""
        step = definition.granularity
        merged, span = self._merged.get(metric.number), _span(step, start, stop)
        most = max(0, stop - start) // step + 2
        if merged is None or most > measures.UNCOUNTED:
            return None
        needed = _needs(merged, step, start)
        if needed and (metric.number, span) not in self._chunks:
            return None
        spend(merged.count)
        spend(most if definition.points is None else min(most, definition.points))
        key = metric.number, step, method, start, stop
        if key not in self._points:
            chunks = self._chunks[metric.number, span] if needed else []
            self._points[key] = self._read(metric, merged, definition, method, chunks, start, stop)
        return self._points[key]

    def _read(
        self,
        metric: Any,
        merged: _Merged,
        definition: Definition,
        method: str,
        chunks: Sequence[tuple[int, bytes]],
        start: int,
        stop: int,
    ) -> list[Point]:
        times, step = merged.raw.times, definition.granularity
        if not times:
            return []
        low, high = start // step, -(-stop // step)
        if definition.points is not None:
            # The newest sample is kept, so that what is too old is so by it.
            low = max(low, times[-1] // step - definition.points + 1)
        policy = self.policy(metric.archive_policy_name)
        column = policy.methods.index(method)
        values: dict[int, float] = {}
        for begin, data in chunks:
            values |= series.column(begin, data, column, low)
        if merged.first is not None:
            name = policy.name, method
            narrow = self._narrow.get(name) or self._narrow.setdefault(name, policy.only(method))
            first = max(merged.first, low * step)
            values |= series.newest(narrow, metric.counter, merged.raw, definition, first)
        found = [(period * step, step, values[period]) for period in sorted(values) if low <= period < high]
        return [point for point in found if point[2] == point[2]]


def _merged(policy: Policy, known: Any, fresh: measures.Samples | None, since: int) -> _Merged:
    """``known``: the row of the samples that are kept; ``fresh``: those that wait. What is before ``since`` (ns) may be
    left out, but for one."""
    if fresh is None:
        return _Merged(Raw.of(known.times, known.values) if known else Raw.empty(), None, 0)
    count = (len(known.times) // 8 if known else 0) + len(fresh[0])
    raw = series.end_of(known.times if known else b"", *fresh, since)
    first = None if raw is None else raw.times[0]
    if raw is None:
        raw = Raw.of(known.times, known.values) if known else Raw.empty()
        merged = series.merge(policy, raw, *fresh)
        if merged is not None:
            raw, first = merged
    return _Merged(raw, first, count * len(policy.definitions))


def _span(step: int, start: int, stop: int) -> Span:
    return step, measures.chunk_of(start // step), measures.chunk_of(-(-stop // step))


def _needs(merged: _Merged, step: int, start: int) -> bool:
    """Whether not all periods from ``start`` on are counted anew from the samples."""
    return bool(merged.raw.times) and (merged.first is None or merged.first // step > start // step)


def _plain(text: str) -> bool:
    """Whether every database takes it."""
    return "\0" not in text and text.encode("utf-8", "replace").decode() == text
