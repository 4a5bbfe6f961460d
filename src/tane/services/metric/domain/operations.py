"""The language of operations on series: ``(aggregate mean (resample max 3600 (metric cpu mean)))``, or lists of that.

A :class:`Grid` holds the series as columns over the moments that any of them has.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tane.services.metric.domain import calendars, series, timespans
from tane.services.metric.domain.errors import Told, invalid
from tane.shares import TakesLong
from tane.web.errors import BadRequest

NAN = math.nan
DEEPEST, MOST_NODES, MOST_TEXT, MOST_NAME = 24, 500, 16_384, 255
METRIC_STEPS = 10
"""What it costs to look up a metric that a resource has, in values that are looked at."""
MOST_STEPS, FEW_STEPS = 2_000_000, 100_000
"""Values that one request may have looked at: seconds of this machine, and what it holds meanwhile. ``FEW_STEPS`` of
them are looked at where all requests are answered; for more it is called once more when it is its project's turn."""
Reference = tuple[str, str]
"""(metric, aggregation)."""


class Budget:
    """What a request may still cost, in values that are looked at: all of its series, rows and conditions together.

    ``long``: whether this runs where such work waits for its turn.
    """

    def __init__(self, *, long: bool) -> None:
        self._left = MOST_STEPS
        self._free = MOST_STEPS if long else FEW_STEPS

    def spend(self, steps: int) -> None:
        """To be called before the work. :raises BadRequest: it is too much. :raises TakesLong: for where this runs."""
        self._left -= steps
        self._free -= steps
        if self._left < 0:
            raise BadRequest(
                f"More than {MOST_STEPS} values to look at: ask for fewer metrics or resources, a shorter time, a"
                " coarser granularity, or simpler operations."
            )
        if self._free < 0:
            raise TakesLong

    def room(self, steps: int) -> int:
        """How many things of so many steps each there is room for."""
        return max(0, min(self._left, self._free) // steps)


def _present(values: Sequence[float]) -> list[float]:
    return [value for value in values if value == value]


def _deviation(values: list[float], *, root: bool) -> float:
    middle = sum(values) / len(values)
    found = sum((value - middle) * (value - middle) for value in values) / len(values)
    return math.sqrt(found) if root else found


def _over(function: Callable[[list[float]], float], empty: float = NAN) -> Callable[[Sequence[float]], float]:
    def of(values: Sequence[float]) -> float:
        present = _present(values)
        return function(present) if present else empty

    return of


REDUCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": _over(lambda values: sum(values) / len(values)),
    "median": _over(lambda values: series.percentile(values, 50)),
    "std": _over(lambda values: _deviation(values, root=True)),
    "var": _over(lambda values: _deviation(values, root=False)),
    "min": _over(min),
    "max": _over(max),
    "sum": _over(sum, 0.0),
    "count": _over(lambda values: float(len(values)), 0.0),
}
AGGREGATIONS = (*REDUCTIONS, *(f"rate:{name}" for name in REDUCTIONS))


def safe(function: Callable[..., float]) -> Callable[..., float]:
    """As a processor does it: what cannot be counted is no number."""

    def of(*values: float) -> float:
        try:
            return float(function(*values))
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):
            return NAN

    return of


def _divide(a: float, b: float) -> float:
    if b == 0:
        return NAN if a == 0 or a != a else math.copysign(math.inf, a)
    return a / b


def _power(a: float, b: float) -> float:
    found = float(a) ** float(b)
    return NAN if isinstance(found, complex) else found


def _larger(a: float, b: float) -> float:
    return b if a != a else a if b != b else max(a, b)


BINARY: dict[str, Callable[[float, float], float]] = {
    **dict.fromkeys(("=", "==", "eq"), lambda a, b: a == b),
    **dict.fromkeys(("<", "lt"), lambda a, b: a < b),
    **dict.fromkeys((">", "gt"), lambda a, b: a > b),
    **dict.fromkeys(("<=", "≤", "le"), lambda a, b: a <= b),
    **dict.fromkeys((">=", "≥", "ge"), lambda a, b: a >= b),
    **dict.fromkeys(("!=", "≠", "ne"), lambda a, b: a != b),
    **dict.fromkeys(("%", "mod"), lambda a, b: a % b),
    **dict.fromkeys(("+", "add"), lambda a, b: a + b),
    **dict.fromkeys(("-", "sub"), lambda a, b: a - b),
    **dict.fromkeys(("*", "×", "mul"), lambda a, b: a * b),
    **dict.fromkeys(("/", "÷", "div"), _divide),
    **dict.fromkeys(("**", "^", "pow"), _power),
    "clip_min": lambda a, b: a if a != a else max(a, b),
    "clip_max": lambda a, b: a if a != a else min(a, b),
    "max": _larger,
}
UNARY: dict[str, Callable[[float], float]] = {
    **dict.fromkeys(("abs", "absolute"), abs),
    **dict.fromkeys(("neg", "negative"), lambda a: -a),
    "cos": math.cos,
    "sin": math.sin,
    "tan": math.tan,
    "floor": lambda a: a if math.isinf(a) else math.floor(a),
    "ceil": lambda a: a if math.isinf(a) else math.ceil(a),
}
OVER_TIME = ("rateofchange", "rateofchangesec")


@dataclass
class Grid:
    """``columns``: a series each, of the same moments; ``flat``: they were put together into what has no metric.
    ``granularity``: ns, or a period of the calendar."""

    granularity: int | str
    times: list[int]
    columns: list[list[float]]
    flat: bool = False


class Unaggregable(Told):
    """The series do not fit together."""

    def __init__(self, references: Any, reason: str) -> None:
        super().__init__("Metrics cannot be aggregated", references, reason)


def parse(told: Any) -> Any:
    """The tree of an operation, checked. :raises Told:"""
    if isinstance(told, str):
        told = _of_text(told)
    return _Checking().node(told, 0, top=True)


_WORD = re.compile(r"\s*(?:(\()|(\))|(\"[^\"]*\"|'[^']*'|[^\s()]+))")


def _of_text(text: str) -> Any:
    def wrong(reason: str) -> Told:
        return Told("Invalid operations", reason, "Fail to parse the operations string")

    if len(text) > MOST_TEXT:
        raise wrong(f"it is longer than {MOST_TEXT} characters")
    stack: list[list[Any]] = [[]]
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _WORD.match(text, place)
        if match is None:
            raise wrong(f"unexpected character at {place}")
        place = match.end()
        if match.group(1):
            stack.append([])
            if len(stack) > DEEPEST:
                raise wrong(f"it is nested deeper than {DEEPEST} levels")
        elif match.group(2):
            if len(stack) < 2:
                raise wrong("a parenthesis too many is closed")
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            word = match.group(3)
            if len(stack) < 2:
                raise wrong('Expected "("')
            stack[-1].append(word[1:-1] if word[:1] in "\"'" else word)
    if len(stack) != 1 or not stack[0]:
        raise wrong('Expected ")"' if len(stack) > 1 else 'Expected "("')
    return stack[0][0]


class _Checking:
    def __init__(self) -> None:
        self.count = 0

    def node(self, told: Any, depth: int, *, top: bool = False) -> Any:
        self.count += 1
        if self.count > MOST_NODES or depth > DEEPEST:
            raise Told("Invalid operations", None, f"more than {MOST_NODES} parts, or nested deeper than {DEEPEST}")
        if not isinstance(told, list):
            return self._number(told, top)
        if not told:
            raise invalid("Operation must not be empty", "operations")
        name, *rest = told
        if len(told) < 2 or not isinstance(name, str):
            raise invalid("Operation need at least one argument", "operations")
        if name == "metric":
            return ["metric", *self._references(rest)]
        if name in ("aggregate", "resample", "rolling"):
            return self._aggregation(name, rest, depth)
        arity = {1: name in UNARY or name in OVER_TIME, 2: name in BINARY or name == "clip", 3: name == "clip"}
        if not arity.get(len(rest), False):
            raise invalid(f"'{name}' operation invalid", "operations")
        return [name, *(self.node(one, depth + 1) for one in rest)]

    def _number(self, told: Any, top: bool) -> float:
        try:
            if top or isinstance(told, bool):
                raise ValueError
            return float(told)
        except (TypeError, ValueError, OverflowError):
            raise invalid(f"Expected a tuple/list, got a {type(told)}", "operations") from None

    def _references(self, rest: list[Any]) -> list[Reference]:
        if all(isinstance(one, str) for one in rest):
            rest = [rest]
        found: list[Reference] = []
        for one in rest:
            if not isinstance(one, list) or len(one) != 2 or not all(isinstance(part, str) for part in one):
                raise invalid("not a valid value", "operations")
            # They are patterns, and no metric has a longer name.
            if max(map(len, one)) > MOST_NAME:
                raise invalid(f"length of value must be at most {MOST_NAME}", "operations")
            found.append((one[0], one[1]))
        self.count += len(found)
        return found

    def _aggregation(self, name: str, rest: list[Any], depth: int) -> list[Any]:
        wanted = 2 if name == "aggregate" else 3
        if len(rest) != wanted or rest[0] not in AGGREGATIONS:
            raise invalid(f"'{name}' operation invalid", "operations")
        if name == "aggregate":
            return [name, rest[0], self.node(rest[1], depth + 1, top=True)]
        try:
            if name == "resample":
                sampling: Any = rest[1] if rest[1] in calendars.GROUPS else timespans.span(rest[1])
            else:
                sampling = int(rest[1])
                if not 1 <= sampling <= 100_000:
                    raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise invalid(f"'{name}' operation invalid", "operations") from None
        return [name, rest[0], sampling, self.node(rest[2], depth + 1, top=True)]


def references(node: Any) -> list[Reference]:
    """The metrics that an operation is about, each once."""
    if not isinstance(node, list):
        return []
    if node[0] == "metric":
        return list(dict.fromkeys(node[1:]))
    found: dict[Reference, None] = {}
    for one in node[1:]:
        found |= dict.fromkeys(references(one))
    return list(found)


Value = Grid | float


def evaluate(node: Any, grid: Grid, keys: Sequence[Reference], budget: Budget) -> Grid:
    """``keys``: which metric the columns of ``grid`` are of.

    :raises Unaggregable: :raises BadRequest: :raises TakesLong: it is more than ``budget``.
    """
    found = _Evaluating(grid, keys, budget).node(node)
    assert isinstance(found, Grid)  # The top is no number.
    return found


class _Evaluating:
    def __init__(self, grid: Grid, keys: Sequence[Reference], budget: Budget) -> None:
        self._read, self._keys, self._budget = grid, keys, budget

    def node(self, node: Any) -> Value:
        if not isinstance(node, list):
            return float(node)
        name = node[0]
        if name == "metric":
            self._budget.spend(len(self._keys))
            wanted = set(node[1:])
            columns = [column for column, key in zip(self._read.columns, self._keys, strict=True) if key in wanted]
            return Grid(self._read.granularity, self._read.times, columns)
        if name == "aggregate":
            return _aggregate(node[1], self._series(node[2]))
        if name == "resample":
            return resample(node[1], node[2], self._series(node[3]))
        if name == "rolling":
            grid = self._series(node[3])
            # Each value is looked at once for each place of the window that it is in.
            self._budget.spend(_size(grid) * (node[2] - 1))
            return _rolling(node[1], node[2], grid, self._keys)
        if name in OVER_TIME:
            return _over_time(name, self._series(node[1]))
        return self._each(name, node)

    def _series(self, node: Any) -> Grid:
        """What an operation on series is done to, paid for."""
        grid = _grid(self.node(node))
        # They are looked at, and others are made of them.
        self._budget.spend(2 * _size(grid))
        return grid

    def _each(self, name: str, node: Any) -> Value:
        values = [self.node(one) for one in node[1:]]
        sizes = [_size(value) for value in values if isinstance(value, Grid)]
        self._budget.spend(max(sizes, default=1) * (len(values) + 1))
        if name in UNARY:
            return _each(safe(UNARY[name]), values, self._keys)
        if name == "clip":
            low, high = values[1], values[2] if len(values) > 2 else math.inf
            return _each(safe(lambda a, b, c: a if a != a else min(max(a, b), c)), [values[0], low, high], self._keys)
        return _each(safe(BINARY[name]), values, self._keys)


def _size(grid: Grid) -> int:
    """Values in it."""
    return len(grid.times) * len(grid.columns)


def _grid(value: Value) -> Grid:
    if not isinstance(value, Grid):
        raise invalid("a number is no series", "operations")
    return value


def _each(function: Callable[..., float], values: list[Value], keys: Any) -> Value:
    grids = [value for value in values if isinstance(value, Grid)]
    if not grids:
        return function(*values)
    first = grids[0]
    for other in grids[1:]:
        if other.times != first.times or other.granularity != first.granularity:
            raise Unaggregable([list(key) for key in keys], "Can't compute timeseries with different granularity")
    width = max(len(one.columns) for one in grids)
    if any(len(one.columns) not in (1, width) for one in grids):
        raise Unaggregable([list(key) for key in keys], "Can't compute different numbers of timeseries")
    columns = []
    for place in range(width):
        parts: list[Any] = [
            value.columns[place if len(value.columns) > 1 else 0]
            if isinstance(value, Grid)
            else [value] * len(first.times)
            for value in values
        ]
        columns.append([function(*row) for row in zip(*parts, strict=True)])
    flat = len(grids) > 1 or any(one.flat for one in grids)
    return Grid(first.granularity, first.times, columns, flat)


def _aggregate(name: str, grid: Grid) -> Grid:
    rated, plain = name.startswith("rate:"), name.removeprefix("rate:")
    reduce = safe(REDUCTIONS[plain])
    values = [reduce(row) for row in zip(*grid.columns, strict=True)] if grid.columns else []
    times = grid.times
    if rated:
        times, values = times[1:], _rises(values)
    return Grid(grid.granularity, times, [values], True)


def _rises(values: Sequence[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(values)]


def _rolling(name: str, window: int, grid: Grid, keys: Any) -> Grid:
    if window > len(grid.times):
        raise Unaggregable(
            [list(key) for key in keys],
            f"Rolling window '{window}' is greater than serie length '{len(grid.times)}'",
        )
    reduce = safe(REDUCTIONS[name.removeprefix("rate:")])
    columns, times = [], grid.times[window - 1 :]
    for column in grid.columns:
        found = [reduce(column[i : i + window]) for i in range(len(column) - window + 1)]
        columns.append(_rises(found) if name.startswith("rate:") else found)
    if name.startswith("rate:"):
        times = times[1:]
    return Grid(grid.granularity, times, columns, grid.flat)


def resample(name: str, sampling: Any, grid: Grid) -> Grid:
    """The values of longer periods, or of those of the calendar (``sampling`` is a word then)."""
    reduce = safe(REDUCTIONS.get(name.removeprefix("rate:")) or _over(series.AGGREGATES[name.removeprefix("rate:")]))
    begins = [
        calendars.begin(at, sampling) if isinstance(sampling, str) else at // sampling * sampling for at in grid.times
    ]
    times = list(dict.fromkeys(begins))
    columns = []
    for column in grid.columns:
        groups: dict[int, list[float]] = {}
        for at, value in zip(begins, column, strict=True):
            groups.setdefault(at, []).append(value)
        columns.append([reduce(groups[at]) for at in times])
    return Grid(sampling, times, columns, grid.flat)


def _over_time(name: str, grid: Grid) -> Grid:
    if name == "rateofchange":
        return Grid(grid.granularity, grid.times[1:], [_rises(column) for column in grid.columns], grid.flat)
    divide = safe(_divide)
    columns = []
    for column in grid.columns:
        rises = [
            divide(rise, (after - before) / timespans.SECOND)
            for rise, before, after in zip(_rises(column), grid.times, grid.times[1:], strict=False)
        ]
        columns.append([NAN, *rises] if column else [])
    return Grid(grid.granularity, grid.times, columns, grid.flat)
