"""Series put together: by the operations of a request, over metrics that are named or that resources have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import access, archive_policies, measures, metrics, operations, resources, timespans
from tane.services.metric.domain.conditions import Condition
from tane.services.metric.domain.ends import Shared
from tane.services.metric.domain.errors import Told, ToldNotFound, no_metric
from tane.services.metric.domain.operations import METRIC_STEPS, Budget, Grid, Reference, Unaggregable
from tane.services.metric.domain.series import Point, Policy
from tane.services.metric.store import archive_policies as policy_store
from tane.services.metric.store import database
from tane.services.metric.store import metrics as metric_store
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound
from tane.wildcards import Wildcard

NAN = math.nan
MOST_SERIES, MOST_POINTS = 2000, measures.MOST_POINTS
"""Of one request: series that are read, and points that are held."""
SERIES_STEPS = 50
"""What it costs to look up a series, in values that are looked at."""
FORWARD, BACKWARD = ("ffill", "full_ffill"), ("bfill", "full_bfill")
DROPPING = ("dropna", *FORWARD, *BACKWARD)
FILLS = ("null", *DROPPING)


@dataclass(frozen=True)
class Window:
    """What of the series is asked for. ``granularity``: None for all that the metrics have in common. ``overlap``:
    percent of the moments that all of them must have; ``fill``: what stands where one has none."""

    start: int | None = None
    stop: int | None = None
    granularity: int | None = None
    overlap: float | None = 100.0
    fill: float | str | None = None


@dataclass(frozen=True)
class Wanted:
    """A metric and the aggregation of it that is asked for; ``key``: how the operations name them."""

    metric: Any
    aggregation: str
    key: Reference
    resource: Any = None

    @property
    def name(self) -> str:
        return str(self.metric.id) if self.resource is None else str(self.metric.name)


class Reading:
    """Reads series in one transaction: each policy once, and not more than a request may (``budget``). ``shared``: what
    was looked up before, for others too."""

    def __init__(self, tx: Tx, budget: Budget, shared: Shared | None = None) -> None:
        self._tx = tx
        self._shared = shared
        self._policies = {row.name: row for row in policy_store.every(tx)} if shared is None else shared.policies
        self._made: dict[str, Policy] = {} if shared is None else shared.made
        self._waiting: dict[int, measures.Samples] = {}
        self._looked: set[int] = set()
        self.points = 0
        self.named = 0
        self.budget = budget

    def prepare(self, metrics: Sequence[Any]) -> None:
        """These will be read: what waits of them is looked up at once."""
        numbers = {one.number for one in metrics}
        self._look(numbers if self._shared is None else {one for one in numbers if not self._shared.has(one)})

    def _look(self, numbers: set[int]) -> None:
        numbers = numbers - self._looked
        self._waiting |= measures.waiting_of(self._tx, sorted(numbers))
        self._looked |= numbers

    def policy(self, metric: Any) -> Any:
        return self._policies[metric.archive_policy_name]

    def made(self, metric: Any) -> Policy:
        name = metric.archive_policy_name
        return self._made.get(name) or self._made.setdefault(name, archive_policies.policy(self._policies[name]))

    def granularities(self, metric: Any) -> list[int]:
        return [granularity for granularity, _ in self._policies[metric.archive_policy_name].definition]

    def methods(self, metric: Any) -> list[str]:
        return list(self._policies[metric.archive_policy_name].aggregation_methods)

    def series(self, metric: Any, granularity: int, method: str, start: int | None, stop: int | None) -> list[Point]:
        self.budget.spend(SERIES_STEPS)
        policy = self.made(metric)
        found = self._known(metric, policy, granularity, method, start, stop)
        if found is None:
            self._look({metric.number})
            one, waiting = measures.Series(metric.number, policy, metric.counter), self._waiting.get(metric.number)
            spend = self.budget.spend
            read = measures.read(self._tx, one, [granularity], method, start, stop, waiting=waiting, spend=spend)
            found = read[granularity]
        self.points += len(found)
        if self.points > MOST_POINTS:
            raise BadRequest(f"More than {MOST_POINTS} points: ask for a shorter time or a coarser granularity.")
        return found

    def _known(
        self, metric: Any, policy: Policy, granularity: int, method: str, start: int | None, stop: int | None
    ) -> list[Point] | None:
        definition = policy.definition(granularity)
        if self._shared is None or definition is None or start is None or stop is None:
            return None
        return self._shared.series(metric, definition, method, start, stop, self.budget.spend)

    def count(self, named: int) -> None:
        """So many more series will be read. :raises BadRequest: they are too many, all together."""
        self.named += named
        if self.named > MOST_SERIES:
            raise BadRequest(f"More than {MOST_SERIES} metrics: ask for fewer of them at a time.")

    def resources(self, core: Core, ctx: Context, type_name: str, query: Any, **more: Any) -> list[Any]:
        """Those that answer to a query. :raises BadRequest: they are too many. :raises TakesLong:"""
        limit = self.budget.room(resources.ROW_STEPS) + 1
        rows = resources.search(core, ctx, self._tx, type_name, query, limit=limit, spend=self.budget.spend, **more)
        self.budget.spend(len(rows) * resources.ROW_STEPS)
        return rows

    def by_resource(self, rows: Sequence[Any]) -> dict[str, list[Any]]:
        """What resources have. :raises BadRequest: it is too much. :raises TakesLong:"""
        there = list({row.id: row for row in rows}.values())
        self.budget.spend(metric_store.count_of_resources(self._tx, [row.id for row in there]) * METRIC_STEPS)
        return resources.by_resource(self._tx, there)


def measured(reading: Reading, wanted: Sequence[Wanted], tree: Any, window: Window) -> Any:
    """What the operations make of these metrics: ``{"aggregated": …}``, or by metric, or by resource and metric."""
    keys = [one.key for one in wanted]
    reading.prepare([one.metric for one in wanted])
    results = []
    for granularity in _common(reading, wanted, window):
        columns = []
        for one in wanted:
            points = reading.series(one.metric, granularity, one.aggregation, window.start, window.stop)
            columns.append({at: value for at, _, value in points})
        grid = _grid(granularity, columns, keys, window, reading.budget)
        results.append(operations.evaluate(tree, grid, keys, reading.budget))
        reading.budget.spend(len(results[-1].times) * (1 if results[-1].flat else len(results[-1].columns)))
    if any(grid.flat for grid in results):
        return {"aggregated": [point for grid in results for point in _shown(grid, 0, window)]}
    return _by_metric(results, _columns_of(tree, wanted), window)


def _columns_of(tree: Any, wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """Which metrics the columns of the result are of: those that the operations name first."""
    while isinstance(tree, list) and tree[0] != "metric":
        tree = next(one for one in reversed(tree[1:]) if isinstance(one, list))
    named = set(tree[1:])
    return [one for one in wanted if one.key in named]


def _common(reading: Reading, wanted: Sequence[Wanted], window: Window) -> list[int]:
    """The granularities that are read, the longest first. :raises BadRequest:"""
    for one in wanted:
        if one.aggregation not in reading.methods(one.metric):
            raise ToldNotFound("Metrics with unknown aggregation", [[one.metric.id, one.aggregation]])
    if window.granularity is None:
        seen = Counter(granularity for one in wanted for granularity in reading.granularities(one.metric))
        found = [granularity for granularity, times in seen.items() if times == len(wanted)]
        if not found:
            raise Unaggregable([list(one.key) for one in wanted], "No granularity match")
        return sorted(found, reverse=True)
    missing = [one for one in wanted if window.granularity not in reading.granularities(one.metric)]
    if missing:
        seconds = window.granularity / timespans.SECOND
        raise Unaggregable([[one.name, one.aggregation, seconds] for one in missing], "Granularities are missing")
    return [window.granularity]


def _grid(
    granularity: int,
    columns: list[dict[int, float]],
    keys: Sequence[Reference],
    window: Window,
    budget: Budget,
) -> Grid:
    times = sorted(set().union(*columns))
    budget.spend(len(times) * len(columns))
    if len(times) * len(columns) > MOST_POINTS:
        raise BadRequest(f"More than {MOST_POINTS} points: ask for a shorter time or a coarser granularity.")
    filler = window.fill if isinstance(window.fill, float) else NAN
    values = [[column.get(at, filler) for at in times] for column in columns]
    if window.fill in FORWARD:
        values = [_filled(column, full=window.fill == "full_ffill") for column in values]
    elif window.fill in BACKWARD:
        values = [_filled(column[::-1], full=window.fill == "full_bfill")[::-1] for column in values]
    if window.fill is None:
        times, values = _overlapping(times, values, keys, window)
    return Grid(granularity, times, values)


def _filled(column: list[float], *, full: bool) -> list[float]:
    found, last = [], NAN
    for value in column:
        last = value if value == value else last
        found.append(last)
    if full:
        first = next((value for value in found if value == value), NAN)
        found = [value if value == value else first for value in found]
    return found


def _overlapping(
    times: list[int], values: list[list[float]], keys: Sequence[Reference], window: Window
) -> tuple[list[int], list[list[float]]]:
    """The moments between the first and the last that all have. :raises Unaggregable: too few of them all have."""
    shared = [place for place in range(len(times)) if all(column[place] == column[place] for column in values)]
    needed = window.overlap or 0.0
    named = [list(key) for key in keys]
    if not shared and needed > 0:
        raise Unaggregable(named, "No overlap")
    if not times:
        return times, values
    begin = shared[0] if shared and window.start is None else 0
    end = shared[-1] + 1 if shared and window.stop is None else len(times)
    percent = len(shared) * 100.0 / (end - begin)
    if percent < needed:
        raise Unaggregable(named, f"Less than {needed:f}% of datapoints overlap in this timespan ({percent:.2f}%)")
    return times[begin:end], [column[begin:end] for column in values]


def _shown(grid: Grid, place: int, window: Window) -> Iterator[list[Any]]:
    column = grid.columns[place] if grid.columns else []
    length = grid.granularity if isinstance(grid.granularity, str) else grid.granularity / timespans.SECOND
    for at, value in zip(grid.times, column, strict=True):
        if window.fill not in DROPPING or math.isfinite(value):
            yield [timespans.text(at), length, value]


def _by_metric(results: Sequence[Grid], wanted: Sequence[Wanted], window: Window) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for grid in results:
        for place, one in enumerate(wanted):
            if place >= len(grid.columns):
                break
            where = found if one.resource is None else found.setdefault(str(one.resource.id), {})
            series = where.setdefault(one.name, {}).setdefault(one.aggregation, [])
            series.extend(_shown(grid, place, window))
    return found


# --------------------------------------------------------------------------------------------- what a request is about


def of_metrics(core: Core, ctx: Context, tree: Any, window: Window, budget: Budget) -> tuple[Any, list[Any]]:
    """(what the operations give, metrics with their policies) where they name metrics by id."""
    with database.of(core).read() as tx:
        keys = operations.references(tree)
        try:
            ids = {key: metrics.identifier(key[0]) for key in keys}
        except NotFound as error:
            raise Told("Invalid metric references", [list(key) for key in keys], error.message) from None
        rows = {row.id: row for row in metric_store.of_ids(tx, ids.values())}
        missing = sorted({ids[key] for key in keys} - {row.id for row in rows.values() if access.sees(core, ctx, row)})
        if missing:
            raise ToldNotFound("Unknown metrics", missing, "Provided metrics don't exists")
        wanted = [Wanted(rows[ids[key]], key[1], key) for key in keys]
        reading = Reading(tx, budget)
        reading.count(len(wanted))
        found = measured(reading, wanted, tree, window)
        return found, [(row, reading.policy(row)) for row in rows.values()]


def of_resources(
    core: Core,
    ctx: Context,
    type_name: str,
    query: Any,
    tree: Any,
    window: Window,
    groups: Sequence[str],
    budget: Budget,
    *,
    history: bool = False,
) -> tuple[Any, list[list[Any]]]:
    """(what the operations give, the resources of each group of it) where they name metrics by the names that resources
    have for them. Without groups all resources are one."""
    keys = operations.references(tree)
    with database.of(core).read() as tx:
        sorts = list(groups) or ["revision_start:asc", "started_at:asc"]
        reading = Reading(tx, budget)
        rows = reading.resources(core, ctx, type_name, query, history=history, sorts=sorts)
        by_resource = reading.by_resource(rows)
        if not groups:
            wanted = named(reading, rows, by_resource, keys)
            if not wanted:
                raise _no_metrics(keys)
            return measured(reading, wanted, tree, window), [rows]
        members = grouped(rows, groups)
        if history:
            shown = _by_history(reading, rows, by_resource, tree, window, groups)
            return [told for _, told in shown], [members.get(group, []) for group, _ in shown]
        found = {group: named(reading, of_group, by_resource, keys) for group, of_group in members.items()}
        found = {group: wanted for group, wanted in found.items() if wanted}
        if not found:
            raise _no_metrics(keys)
        reading.prepare([one.metric for wanted in found.values() for one in wanted])
        return [
            {"group": dict(group), "measures": {"measures": measured(reading, wanted, tree, window)}}
            for group, wanted in found.items()
        ], [members[group] for group in found]


Group = tuple[tuple[str, Any], ...]


def grouped(rows: Sequence[Any], names: Sequence[str]) -> dict[Group, list[Any]]:
    """Resources by what they have under ``names``, in the order in which they come."""
    found: dict[Group, list[Any]] = {}
    for row in rows:
        found.setdefault(group_of(row, names), []).append(row)
    return found


def group_of(row: Any, names: Sequence[str]) -> Group:
    return tuple((name, attribute(row, name)) for name in names)


def _no_metrics(keys: Sequence[Reference]) -> NotFound:
    return no_metric(sorted({name for name, _ in keys}))


def attribute(row: Any, name: str) -> Any:
    if name in resources.COLUMNS:
        value = getattr(row, name)
        return timespans.iso(value) if name.endswith(("_at", "_start", "_end")) else value
    return row.attributes.get(name)


def named(
    reading: Reading, rows: Sequence[Any], by_resource: Mapping[str, list[Any]], keys: Sequence[Reference]
) -> list[Wanted]:
    """The metrics of resources that the operations name. :raises BadRequest: they are too many."""
    patterns = [(key, Wildcard(key[0])) for key in keys]
    found: list[Wanted] = []
    for row in rows:
        there = by_resource.get(row.id, ())
        reading.budget.spend(len(there) * len(patterns))
        for key, wildcard in patterns:
            meant = [metric for metric in there if metric.name and wildcard.matches(metric.name)]
            more = [Wanted(metric, key[1], key, row) for metric in meant]
            reading.count(len(more))
            found += more
    return found


def _by_history(
    reading: Reading,
    rows: list[Any],
    by_resource: Mapping[str, list[Any]],
    tree: Any,
    window: Window,
    groups: Sequence[str],
) -> list[tuple[Group, Any]]:
    """Groups by what resources were in each part of the time: a value counts for each in proportion to it."""
    keys = operations.references(tree)
    sums: dict[Group, dict[tuple[str, Any], float]] = {}
    last: dict[str, Any] = {}
    rows = sorted(rows, key=lambda row: (row.original_resource_id, row.revision_start))
    for row in rows:
        begin = window.start if row.id not in last else timespans.of_naive(row.revision_start)
        last[row.id] = row
        end = window.stop if row.revision_end is None else timespans.of_naive(row.revision_end)
        if window.start is not None and begin is not None:
            begin = max(begin, window.start)
        if window.stop is not None and end is not None:
            end = min(end, window.stop)
        if begin is not None and end is not None and begin >= end:
            continue
        wanted = named(reading, [row], by_resource, keys)
        if not wanted:
            continue
        part = Window(begin, end, window.granularity, window.overlap, window.fill)
        shown = measured(reading, wanted, tree, part)
        values = sums.setdefault(group_of(row, groups), {})
        for at, length, value in shown.get("aggregated", ()):
            place = (at, length)
            values[place] = values.get(place, 0.0) + value * _share(at, length, begin, end)
    return [
        (
            group,
            {
                "group": dict(group),
                "measures": {
                    "measures": {"aggregated": [[at, length, value] for (at, length), value in values.items()]}
                },
            },
        )
        for group, values in sorted(sums.items(), key=lambda one: str(one[0]))
        if values
    ]


def _share(at: str, length: Any, begin: int | None, end: int | None) -> float:
    if isinstance(length, str):
        return 1.0
    first = timespans.moment(at, 0.0)
    last = first + round(length * timespans.SECOND)
    inside = min(last, last if end is None else end) - max(first, first if begin is None else begin)
    return float(max(0, inside) / (last - first))


# ------------------------------------------------------------------------------------------------- the older address


def across(
    reading: Reading, rows: Sequence[Any], aggregation: str, again: str | None, window: Window, resample: Any
) -> list[Any]:
    """Metrics put together into one series, as ``/v1/aggregation`` does it."""
    if not rows:
        return []
    reading.count(len(rows))
    keys = [(str(row.id), aggregation) for row in rows]
    for row in rows:
        _require_aggregation(reading, row, aggregation, window)
    if len(rows) == 1:
        return list(_alone(reading, rows[0], aggregation, window, resample))
    tree: Any = ["metric", *keys]
    if resample:
        tree = ["resample", aggregation, resample, tree]
    again = again or aggregation
    if again not in operations.AGGREGATIONS:
        raise Told("Argument value error", "reaggregation", f"'{again}' aggregation does not exist")
    tree = ["aggregate", again, tree]
    wanted = [Wanted(row, aggregation, key) for row, key in zip(rows, keys, strict=True)]
    return list(measured(reading, wanted, tree, window)["aggregated"])


def values(reading: Reading, row: Any, method: str, window: Window) -> list[float]:
    """The values of a metric in a window of one granularity."""
    assert window.granularity is not None
    reading.count(1)
    _require_aggregation(reading, row, method, window)
    points = reading.series(row, window.granularity, method, window.start, window.stop)
    reading.budget.spend(len(points))
    return [value for _, _, value in points]


def _require_aggregation(reading: Reading, row: Any, method: str, window: Window) -> None:
    policy = reading.made(row)
    if window.granularity is not None and policy.definition(window.granularity) is None:
        raise no_aggregation(row, method, window.granularity)
    if method not in policy.methods:
        raise ToldNotFound(
            "Aggregation method does not exist for this metric", {"metric": row.id, "aggregation_method": method}
        )


def _alone(reading: Reading, row: Any, method: str, window: Window, resample: Any) -> Iterator[list[Any]]:
    known = reading.granularities(row)
    wanted = [window.granularity] if window.granularity is not None else sorted(known, reverse=True)
    for granularity in wanted:
        points = reading.series(row, granularity, method, window.start, window.stop)
        reading.budget.spend(len(points))
        grid = Grid(granularity, [at for at, _, _ in points], [[value for _, _, value in points]])
        if resample:
            reading.budget.spend(len(points))
            grid = operations.resample(method, resample, grid)
        yield from _shown(grid, 0, window)


def no_aggregation(row: Any, method: str, granularity: int) -> NotFound:
    seconds = granularity / timespans.SECOND
    return NotFound(f"Aggregation method '{method}' at granularity '{seconds}' for metric {row.id} does not exist")


def single(
    core: Core, ctx: Context, metric_id: str, method: str, window: Window, resample: Any, budget: Budget
) -> list[Any]:
    """The series of one metric."""
    return several(core, ctx, [metric_id], method, window, budget, lambda points: list(points), resample)[metric_id]


def meeting(
    core: Core, ctx: Context, ids: Sequence[str], method: str, window: Window, condition: Condition, budget: Budget
) -> dict[str, list[Any]]:
    """Of each metric the measures whose values meet a condition."""

    def those(points: Iterator[list[Any]]) -> list[Any]:
        found = []
        for point in points:
            budget.spend(condition.parts)
            if condition.meets(point[2]):
                found.append(point)
        return found

    return several(core, ctx, ids, method, window, budget, those)


def several(
    core: Core,
    ctx: Context,
    ids: Sequence[str],
    method: str,
    window: Window,
    budget: Budget,
    choose: Callable[[Iterator[list[Any]]], list[Any]],
    resample: Any = None,
) -> dict[str, list[Any]]:
    """What ``choose`` takes of the series of each of these metrics, each of which is read once."""
    with database.of(core).read() as tx:
        reading = Reading(tx, budget)
        return {
            metric_id: choose(_checked(reading, metrics.seen(core, ctx, tx, metric_id), method, window, resample))
            for metric_id in dict.fromkeys(ids)
        }


def _checked(reading: Reading, row: Any, method: str, window: Window, resample: Any) -> Iterator[list[Any]]:
    if method not in reading.methods(row):
        raise ToldNotFound(
            "Aggregation method does not exist for this metric",
            {"metric": row.id, "aggregation_method": method},
        )
    if window.granularity is not None and window.granularity not in reading.granularities(row):
        raise no_aggregation(row, method, window.granularity)
    return _alone(reading, row, method, window, resample)


Older = tuple[str, str | None, Window, Any]
"""(aggregation, that of all together, window, what is resampled to)."""


def older_of_metrics(core: Core, ctx: Context, ids: Sequence[str], arguments: Older, budget: Budget) -> list[Any]:
    with database.of(core).read() as tx:
        rows = [row for row in metric_store.of_ids(tx, ids) if access.sees(core, ctx, row)]
        there = {row.id for row in rows}
        missing = next((one for one in ids if one not in there), None)
        if missing is not None:
            raise no_metric(missing)
        return across(Reading(tx, budget), rows, *arguments)


def older_of_resources(
    core: Core,
    ctx: Context,
    type_name: str,
    name: str,
    query: Any,
    groups: Sequence[str],
    arguments: Older,
    budget: Budget,
) -> list[Any]:
    with database.of(core).read() as tx:
        reading = Reading(tx, budget)
        try:
            rows = reading.resources(core, ctx, type_name, query, sorts=groups)
        except BadRequest as error:
            if error.message.startswith("Invalid pagination"):
                raise BadRequest("Invalid groupby attribute") from None
            raise
        by_resource = reading.by_resource(rows)

        def of(members: Sequence[Any]) -> list[Any]:
            found = [one for row in members for one in by_resource.get(row.id, ()) if one.name == name]
            return across(reading, found, *arguments)

        if not groups:
            return of(rows)
        return [{"group": dict(group), "measures": of(members)} for group, members in grouped(rows, groups).items()]
