"""Samples in any order make the same series; what falls began anew; what is old goes."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from tane.services.metric.domain import operations, series, timespans
from tane.services.metric.domain.series import Definition, Policy, Raw
from tane.web.errors import BadRequest

SECOND = timespans.SECOND
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
METHODS = ("count", "first", "last", "max", "mean", "median", "min", "rate:mean", "rate:sum", "std", "sum")
POLICY = Policy("p", 0, (Definition(MINUTE, 120), Definition(HOUR, 48)), METHODS)


def folded(samples: list[list[tuple[int, float]]], policy: Policy = POLICY, *, counter: bool = False) -> series.Columns:
    """The finest series after these samples, which come in as many batches."""
    raw, columns = Raw.empty(), {}
    for batch in samples:
        found = series.fold(policy, counter, raw, [at * SECOND for at, _ in batch], [value for _, value in batch])
        if found is not None:
            raw = found.raw
            columns |= found.changed[policy.definitions[0].granularity]
    return columns


def value(columns: series.Columns, minute: int, method: str) -> float:
    return columns[minute][METHODS.index(method)]


def test_a_period_has_all_values_of_its_samples() -> None:
    columns = folded([[(0, 1.0), (20, 4.0), (59, 1.0), (60, 8.0)]])
    wanted = {
        "count": 3,
        "first": 1,
        "last": 1,
        "max": 4,
        "min": 1,
        "mean": 2,
        "median": 1,
        "sum": 6,
        "std": math.sqrt(3),
    }
    assert {name: value(columns, 0, name) for name in wanted} == pytest.approx(wanted)
    assert value(columns, 0, "rate:sum") == 0
    assert value(columns, 1, "rate:mean") == 7
    assert math.isnan(value(columns, 1, "std"))


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_the_same_samples_gives_the_same_series(seed: int) -> None:
    draw = random.Random(seed)
    samples = [(at, float(draw.randrange(1000))) for at in draw.sample(range(3600), 200)]
    wanted = folded([sorted(samples)])
    draw.shuffle(samples)
    places = sorted(draw.sample(range(200), 5))
    batches = [samples[a:b] for a, b in itertools.pairwise([0, *places, 200])]
    assert repr(sorted(folded(batches).items())) == repr(sorted(wanted.items()))


def test_a_sample_that_comes_twice_counts_once_and_the_later_word_holds() -> None:
    columns = folded([[(0, 1.0), (30, 5.0)], [(30, 5.0)], [(30, 7.0)]])
    assert value(columns, 0, "count") == 2
    assert value(columns, 0, "sum") == 8


def test_what_is_older_than_the_window_is_dropped_and_what_is_in_it_is_taken() -> None:
    closed = Policy("p", 0, (Definition(MINUTE, None),), METHODS)
    open_ = Policy("p", 2, (Definition(MINUTE, None),), METHODS)
    late = [[(300, 1.0)], [(190, 9.0)]]
    assert 3 not in folded(late, closed)
    assert value(folded(late, open_), 3, "sum") == 9


def test_a_counter_that_falls_began_anew_and_nothing_is_lost_or_negative() -> None:
    samples = [[(0, 100.0), (60, 160.0), (120, 20.0), (180, 50.0)]]
    rates = [value(folded(samples, counter=True), minute, "rate:mean") for minute in (1, 2, 3)]
    assert rates == [60, 20, 30]
    gauge = [value(folded(samples), minute, "rate:mean") for minute in (1, 2, 3)]
    assert gauge == [60, -140, 30]


def test_chunks_keep_what_they_are_given() -> None:
    columns = {128 + place: [place * 1.5, math.nan] for place in (0, 5, 127)}
    for pack in (True, False):
        assert repr(series.decode(128, series.encode(columns, 2, pack=pack))) == repr(columns)


def test_only_as_many_points_are_shown_as_the_policy_keeps() -> None:
    columns = folded([[(at, 1.0) for at in range(0, 60 * 200, 60)]])
    points = series.points(columns, METHODS.index("mean"), POLICY.definitions[0])
    assert len(points) == 120 and points[-1][0] == 199 * MINUTE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5 minutes", 300),
        ("1h 30m", 5400),
        ("0:05:00", 300),
        ("90", 90),
        (60.5, 60.5),
        ("1 day, 0:00:00", 86400),
        ("2w", 1209600),
    ],
)
def test_spans_are_read_as_clients_write_them(text: str | float, seconds: float) -> None:
    assert timespans.span(text) == seconds * SECOND


@pytest.mark.parametrize("text", ["", "soon", "5 fortnights", "-1", 0, True, None, "nan", "inf", 1e300, "9" * 60])
def test_what_is_no_span_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        timespans.span(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2015-03-06T14:33:57", 1425652437),
        ("2015-03-06 14:33:57+00:00", 1425652437),
        ("2015-03-06T16:33:57+02:00", 1425652437),
        ("1970-01-01", 0),
        ("-10 minutes", 99400),
        ("now", 100000),
        (12.5, 12.5),
    ],
)
def test_moments_are_read_as_clients_write_them(text: str | float, seconds: float) -> None:
    assert timespans.moment(text, 100_000.0) == seconds * SECOND


@pytest.mark.parametrize(
    "text", ["2015-13-01", "yesterday", -1, "1969-12-31", True, 1e300, "nan", "2015-03-06T14:33:57+99:99", "9999-01-01"]
)
def test_what_is_no_moment_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        timespans.moment(text, 0.0)


GRID = operations.Grid(60, [0, 60, 120, 180], [[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, math.nan, 40.0]])
KEYS = [("a", "mean"), ("b", "mean")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(aggregate sum (metric (a mean) (b mean)))", [[11, 22, 3, 44]]),
        ("(aggregate rate:max (metric a mean))", [[1, 1, 1]]),
        ("(+ (metric a mean) 1)", [[2, 3, 4, 5]]),
        ("(* (metric a mean) (metric a mean))", [[1, 4, 9, 16]]),
        ("(/ (metric a mean) 0)", [[math.inf] * 4]),
        ("(rolling mean 2 (metric a mean))", [[1.5, 2.5, 3.5]]),
        ("(clip_min (metric a mean) 2)", [[2, 2, 3, 4]]),
        ("(clip (metric a mean) 2 3)", [[2, 2, 3, 3]]),
        ("(neg (metric a mean))", [[-1, -2, -3, -4]]),
        ("(rateofchange (metric a mean))", [[1, 1, 1]]),
        ("(>= (metric a mean) 3)", [[0, 0, 1, 1]]),
        ("(resample max 0.00000012 (metric a mean))", [[2, 4]]),
        ("(pow -8 (metric a mean))", [[-8, 64, -512, 4096]]),
    ],
)
def test_operations_count_as_they_say(text: str, wanted: list[list[float]]) -> None:
    assert operations.evaluate(operations.parse(text), GRID, KEYS, operations.Budget(long=True)).columns == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "metric",
        "(",
        ")",
        "(metric a)",
        "(wrong (metric a mean))",
        "((((((",
        "5",
        [],
        [[]],
        ["+", 1],
        {},
        None,
        7,
        ["aggregate", "mean", 5],
        ["rolling", "mean", 0, ["metric", "a", "mean"]],
        "(" * 5000,
        ["resample", "x", 60, ["metric", "a", "mean"]],
        [["metric"]],
        ["metric", ["a"]],
        "(+ (metric a mean) true)",
        ["rolling", "mean", 1e999, ["metric", "a", "mean"]],
    ],
)
def test_what_is_no_operation_is_refused(text: object) -> None:
    with pytest.raises(BadRequest):
        operations.evaluate(operations.parse(text), GRID, KEYS, operations.Budget(long=True))


@pytest.mark.parametrize(
    "text",
    [
        "(rolling median 5000 (metric a mean))",
        "(rolling mean 5000 (metric a mean))",
        "(+ (resample max 60 (metric a mean)) " * 20 + "1" + ")" * 20,
        "(abs " * 20 + "(metric a mean)" + ")" * 20,
    ],
)
def test_a_request_is_refused_before_it_costs_too_much(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MOST_STEPS", 100_000)
    size = 10_000
    grid = operations.Grid(60, [60 * at for at in range(size)], [[1.0] * size])
    looked_at = 0

    def counted(values: Any) -> float:
        nonlocal looked_at
        looked_at += len(values)
        return 1.0

    for name in ("median", "mean", "max"):
        monkeypatch.setitem(operations.REDUCTIONS, name, counted)
    with pytest.raises(BadRequest, match="values to look at"):
        operations.evaluate(operations.parse(text), grid, [("a", "mean")], operations.Budget(long=True))
    assert looked_at <= 100_000


def test_a_usual_request_costs_far_less_than_it_may() -> None:
    # A week of minutes of three metrics, an hour's mean of each, and their sum.
    size = 10_080
    grid = operations.Grid(60, [60 * at for at in range(size)], [[1.0] * size for _ in range(3)])
    tree = operations.parse("(aggregate sum (* 100 (rolling mean 60 (metric a mean))))")
    found = operations.evaluate(tree, grid, [("a", "mean")] * 3, operations.Budget(long=True))
    assert found.columns[0][0] == 300.0 and len(found.times) == size - 59
