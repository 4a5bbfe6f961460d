"""Queries of Prometheus that tenants write see the series of their project, or are refused."""

from __future__ import annotations

import random
import re

import pytest

from tane.services.alarm.domain import promql
from tane.web.errors import BadRequest

GOOD = {
    "up": 'up {project="p1"}',
    "a:b": 'a:b {project="p1"}',
    'rate(cpu{resource="x"}[5m])': 'rate ( cpu { project="p1", resource = "x" } [ 5m ] )',
    'cpu{project="p2"}': 'cpu { project="p1", project = "p2" }',
    '{__name__=~".+"}': '{ project="p1", __name__ =~ ".+" }',
    "sum by (resource) (a) / on(resource) group_left(x) b > bool 5": (
        'sum by ( resource ) ( a {project="p1"} ) / on ( resource ) group_left ( x ) b {project="p1"} > bool 5'
    ),
    "SUM(a) WITHOUT (b)": 'SUM ( a {project="p1"} ) WITHOUT ( b )',
    "a or b offset -5m unless c @ end()": (
        'a {project="p1"} or b {project="p1"} offset - 5m unless c {project="p1"} @ end ( )'
    ),
    "max_over_time(rate(a[5m])[1h:1m])": 'max_over_time ( rate ( a {project="p1"} [ 5m ] ) [ 1h : 1m ] )',
    'a{x="\\"} or b{y=\\""}': 'a { project="p1", x = "\\"} or b{y=\\"" }',
    "-(1.5e3 + inf) * topk(5, a{})": '- ( 1.5e3 + inf ) * topk ( 5 , a { project="p1", } )',
}
BAD = {
    "": "is not expected",
    "1": "names no series",
    "vector(time())": "names no series",
    "info(a)": "no function info",
    "Rate(a[5m])": "no function Rate",
    "on": "'on' is not expected",
    "sum": "'sum' is not expected",
    "bool{a='b'}": "'bool' is not expected",
    "a offset": "span is expected",
    "a b": "'b' is not expected",
    "a{}b": "'b' is not expected",
    "a # or b": "cannot be read",
    "a\u00a0or b": "cannot be read",
    'a{"b"="c"}': "is no label",
    '{"a"}': "is no label",
    'a{b="c"': "} is expected",
    "a{b=`\\`}": "cannot be read",
    "rate(a[1y])": "at most 31 days",
    f"a[{'9' * 400}ms]": "at most 31 days",
    f"a[{'9' * 400}y1ms]": "at most 31 days",
    f"max_over_time(a[1d:{'9' * 400}ms])": "at most 31 days",
    "max_over_time(a[31d:1s])": "more than 11000 steps",
    "max_over_time(max_over_time(a[1h:])[1h:])": "more than one subquery",
    "(" * 40 + "a" + ")" * 40: "more than 30 levels",
    "+".join("a" * 21): "more than 20 times",
    "a" * 4097: "more than 4096 characters",
}


@pytest.mark.parametrize(("query", "held"), GOOD.items())
def test_each_selector_is_held_to_the_project(query: str, held: str) -> None:
    assert promql.constrained(query, "p1") == held


@pytest.mark.parametrize(("query", "why"), BAD.items())
def test_what_is_not_in_the_grammar_is_refused_with_the_reason(query: str, why: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(why)):
        promql.constrained(query, "p1")


def test_no_project_can_close_the_matcher() -> None:
    with pytest.raises(BadRequest):
        promql.constrained("a", 'p1"} or b{x="')


PARTS = (
    *("a", "sum", "by", "on", "(", ")", "{", "}", "[", "]", "5m", ":", ",", "=", "=~", '"x"', "`y`", "'\\''", "1"),
    *("offset", "@", "start", "-", "or", "bool", ">", "rate", "group_left", "without", "b:c", " ", "inf"),
)


def test_of_random_queries_that_are_taken_no_selector_is_free() -> None:
    draw, taken = random.Random(19), 0
    for _ in range(20_000):
        query = " ".join(draw.choices(PARTS, k=draw.randint(1, 7)))
        try:
            held = promql.constrained(query, "p1")
        except BadRequest:
            continue
        taken += 1
        plain = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\'(?:[^\'\\]|\\.)*\'', "T", held.replace('project="p1"', "OWN"))
        assert all(inner.lstrip().startswith("OWN") for inner in re.findall(r"\{([^}]*)\}", plain))
        # A name is a selector unless it calls, groups or joins.
        plain = re.sub(r"\b(?:by|without|on|ignoring|group_left) \( [^)]*\)", "", plain)
        for name, behind in re.findall(r"\b(a|sum|by|on|rate|b:c|without|group_left|bool|start|inf)\b ?(\S?)", plain):
            assert behind in ("{", "(") or name in ("bool", "group_left", "inf"), held
    assert taken > 300
