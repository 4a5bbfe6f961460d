"""The rule of an alarm in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tane.services.dashboard.api import alarms, lists
from tane.services.dashboard.api.visit import Visit
from tane.services.dashboard.domain.describing import Row, Values
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources.alarms import METRICS, OPERATORS

MOST = 20
"""Parts of a rule that are told."""
DEEPEST = 5
"""Rules within rules that are told."""


def in_words(visit: Visit, row: Row) -> list[str]:
    """A line for each threshold, event and condition; nothing of a rule that is none of these."""
    kind = str(row.get("type"))
    rule = row.get(f"{kind}_rule") or {}
    if kind == "composite":
        return list(_together(visit, rule, 0))[:MOST]
    if kind == "event":
        return [visit.words(N_("Event {type}"), type=rule.get("event_type") or "*"), *_conditions(visit, rule)]
    return [_threshold(visit, rule)] if "threshold" in rule else []


def _together(visit: Visit, rule: Values, depth: int) -> Iterator[str]:
    for word, title in (("and", N_("all of them hold")), ("or", N_("one of them holds"))):
        if isinstance(rule.get(word), list) and depth < DEEPEST:
            yield f"{visit.words(title)}:"
            for part in rule[word][:MOST]:
                yield from (f"· {one}" for one in _together(visit, part, depth + 1))
    if "threshold" in rule:
        yield _threshold(visit, rule)


def _conditions(visit: Visit, rule: Values) -> Iterator[str]:
    signs = dict(OPERATORS)
    for one in (rule.get("query") or ())[:MOST]:
        how = visit.words(signs[one["op"]]) if one.get("op") in signs else str(one.get("op"))
        yield visit.words(N_("{what} is {how} {value}"), what=one.get("field"), how=how, value=one.get("value"))


def _threshold(visit: Visit, rule: Values) -> str:
    metrics, metric = dict(METRICS), str(rule.get("metric") or ", ".join(rule.get("metrics") or ()))
    of_people = metric in metrics and str(rule.get("aggregation_method")) in ("mean", "rate:mean")
    interval = max(visit.core.config.metric.interval, 1)
    value = alarms.shown(metric, float(rule["threshold"]), interval) if of_people else f"{rule['threshold']:g}"
    what = visit.words(metrics[metric]) if of_people else f"{metric} ({rule.get('aggregation_method')})"
    how = visit.words(dict(OPERATORS).get(str(rule.get("comparison_operator")), "")) or "?"
    told = visit.words(N_("{what} is {how} {value}"), what=what, how=how, value=value)
    minutes, times = int(rule.get("granularity") or alarms.PERIOD) / 60, rule.get("evaluation_periods") or 1
    lasting = visit.words(N_("for {times} × {minutes} minutes"), times=times, minutes=f"{minutes:g}")
    return f"{_server(visit, rule)}{told}, {lasting}"


def _server(visit: Visit, rule: Values) -> str:
    """The server that is watched, by its name; "" for all of the project."""
    server = str(rule.get("resource_id") or _asked(rule.get("query")) or "")
    if not server:
        return ""
    return f"{lists.all_names(visit, 'servers').get(server) or server}: "


def _asked(query: Any) -> str:
    """The server that a query asks for alone."""
    try:
        found = json.loads(query) if isinstance(query, str) else query
        return str(found["="]["instance_id"])
    except (ValueError, KeyError, TypeError):
        return ""
