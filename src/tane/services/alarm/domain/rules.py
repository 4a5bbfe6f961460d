"""Rules of alarms: what each type's rule may hold. A rule is kept as it is shown again."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tane.services.alarm.domain import inner, promql
from tane.services.metric import interface as metric
from tane.web import codec
from tane.web.errors import BadRequest, NotImplementedHere

RESOURCE = "gnocchi_resources_threshold"
METRICS = "gnocchi_aggregation_by_metrics_threshold"
RESOURCES = "gnocchi_aggregation_by_resources_threshold"
EVENT, COMPOSITE, PROMETHEUS = "event", "composite", "prometheus"
THRESHOLDS = (RESOURCE, METRICS, RESOURCES)
TYPES = (*THRESHOLDS, EVENT, COMPOSITE, PROMETHEUS)
NOT_BUILT = ("loadbalancer_member_health",)
COMPARISONS = ("lt", "le", "eq", "ne", "ge", "gt")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {name: getattr(operator, name) for name in COMPARISONS}
KINDS: dict[str, Callable[[Any], Any]] = {"string": str, "integer": int, "float": float, "boolean": bool, "": str}
MOST_BYTES = 64 << 10
"""Of a rule as JSON: it is written anew into the alarm's history with each change."""
MOST_METRICS, MOST_RULES, DEEPEST, MOST_QUERY = 200, 50, 8, 20
_FIELD = re.compile(r"[a-zA-Z.',0-9_-]{0,255}\Z", re.A)

TEXTS = {"metric": 255, "resource_id": 300, "resource_type": 255, "query": 4096}
"""Characters of each, at most; the metric's name is a pattern."""
USUAL: dict[str, Any] = {"comparison_operator": "eq", "evaluation_periods": 1, "granularity": 60}
NEEDED = {
    RESOURCE: ("metric", "resource_id", "resource_type"),
    METRICS: ("metrics",),
    RESOURCES: ("metric", "query", "resource_type"),
}


def checked(kind: str, told: Any, owner: metric.Owner) -> dict[str, Any]:
    """The rule of an alarm of that type. :raises BadRequest: it is none. :raises NotImplementedHere:"""
    if kind in NOT_BUILT:
        raise NotImplementedHere(f"Alarms of the type {kind} are not done yet.")
    if kind not in TYPES:
        raise BadRequest(
            f"Invalid input for field/attribute type. Value: '{kind}'. type must be one of {', '.join(TYPES)}"
        )
    if kind in THRESHOLDS:
        rule = threshold(kind, told, owner)
    elif kind == PROMETHEUS:
        rule = _prometheus(told, owner)
    else:
        rule = _event(told) if kind == EVENT else _composite(told, owner)
    if len(codec.encode(rule)) > MOST_BYTES:
        raise BadRequest(f"Invalid input for field/attribute {kind}_rule. It is longer than {MOST_BYTES} bytes.")
    return rule


def threshold(kind: str, told: Mapping[str, Any], owner: metric.Owner) -> dict[str, Any]:
    names = ("threshold", "aggregation_method", *USUAL, *NEEDED[kind])
    for name in told:
        if name not in names:
            raise BadRequest(f"Unknown attribute for argument data.{kind}_rule: {name}")
    rule = {**USUAL, **{name: value for name, value in told.items() if value is not None}}
    for name in names:
        if name not in rule:
            raise BadRequest(f"Invalid input for field/attribute {name}. Value: 'None'. Mandatory field missing.")
    rule["threshold"] = _number("threshold", rule["threshold"])
    rule["evaluation_periods"] = _whole("evaluation_periods", rule["evaluation_periods"], 100)
    rule["granularity"] = _whole("granularity", rule["granularity"], 3600 * 24 * 365)
    if rule["comparison_operator"] not in COMPARISONS:
        raise BadRequest(f"comparison_operator should be one of {', '.join(COMPARISONS)}")
    if rule["aggregation_method"] not in metric.METHODS:
        raise BadRequest(f"aggregation_method should be one of mean, min, max, …, not {rule['aggregation_method']}")
    for name, most in TEXTS.items():
        if name in rule and (not isinstance(rule[name], str) or len(rule[name]) > most):
            raise BadRequest(
                f"Invalid input for field/attribute {name}. A text of at most {most} characters is expected."
            )
    if kind == METRICS:
        metrics = rule["metrics"]
        if not isinstance(metrics, list) or not 1 <= len(metrics) <= MOST_METRICS:
            raise BadRequest(f"Invalid input for field/attribute metrics. 1 to {MOST_METRICS} ids are expected.")
        if not all(isinstance(one, str) and len(one) <= 64 for one in metrics):
            raise BadRequest("Invalid input for field/attribute metrics. Ids are expected.")
    if kind == RESOURCES:
        metric.check_query(owner, rule["resource_type"], query_of(rule))
    return rule


def _prometheus(told: Mapping[str, Any], owner: metric.Owner) -> dict[str, Any]:
    if not owner.core.config.prometheus.query_url:
        raise NotImplementedHere("Alarms of the type prometheus are not done here: this cloud knows no Prometheus.")
    names = ("query", "threshold", "comparison_operator", "evaluation_periods")
    for name in told:
        if name not in names:
            raise BadRequest(f"Unknown attribute for argument data.prometheus_rule: {name}")
    usual = {name: USUAL[name] for name in ("comparison_operator", "evaluation_periods")}
    rule = {**usual, **{name: value for name, value in told.items() if value is not None}}
    for name in names:
        if name not in rule:
            raise BadRequest(f"Invalid input for field/attribute {name}. Value: 'None'. Mandatory field missing.")
    if not isinstance(rule["query"], str):
        raise BadRequest("Invalid input for field/attribute query. A text is expected.")
    promql.constrained(rule["query"], owner.project_id)
    rule["threshold"] = _number("threshold", rule["threshold"])
    rule["evaluation_periods"] = _whole("evaluation_periods", rule["evaluation_periods"], 100)
    if rule["comparison_operator"] not in COMPARISONS:
        raise BadRequest(f"comparison_operator should be one of {', '.join(COMPARISONS)}")
    return rule


def query_of(rule: Mapping[str, Any]) -> Any:
    """:raises BadRequest: the query is no JSON."""
    return inner.value_of(rule["query"], "query")


def _number(name: str, value: Any) -> float:
    try:
        found = float(value)
        if math.isfinite(found) and not isinstance(value, bool):
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadRequest(f"Invalid input for field/attribute {name}. Value: '{value}'. A number is expected.")


def _whole(name: str, value: Any, most: int) -> int:
    try:
        found = int(value)
        if not isinstance(value, bool) and 1 <= found <= most:
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadRequest(f"Invalid input for field/attribute {name}. Value: '{value}'. Value should be 1 to {most}.")


def _event(told: Mapping[str, Any]) -> dict[str, Any]:
    for name in told:
        if name not in ("event_type", "query"):
            raise BadRequest(f"Unknown attribute for argument data.event_rule: {name}")
    kind = told.get("event_type") or "*"
    query = told.get("query") or []
    if not isinstance(kind, str) or len(kind) > 255:
        raise BadRequest("Invalid input for field/attribute event_type. A text is expected.")
    if not isinstance(query, list) or len(query) > MOST_QUERY:
        raise BadRequest(f"Invalid input for field/attribute query. A list of at most {MOST_QUERY} is expected.")
    return {"event_type": kind, "query": [_condition(one) for one in query]}


def _condition(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict) or not set(told) <= {"field", "op", "value", "type"}:
        raise BadRequest("Query value or traits invalid: field, op, value and type are expected")
    found = {"field": told.get("field", ""), "op": told.get("op") or "eq", "type": told.get("type") or ""}
    if not isinstance(found["field"], str) or not _FIELD.match(found["field"]):
        raise BadRequest("Query value or traits invalid: not a valid field")
    if found["op"] not in COMPARISONS or found["type"] not in KINDS:
        raise BadRequest("Query value or traits invalid: not a valid operator or type")
    value = str(told.get("value", ""))
    if len(value) > 1024:
        raise BadRequest("Query value or traits invalid: the value is too long")
    converted(found["type"], value)
    return {**found, "value": value}


def converted(kind: str, value: Any) -> Any:
    """A value of a condition in its type. :raises BadRequest: it is not of it."""
    try:
        if kind == "boolean":
            if str(value).lower() not in ("true", "false", "1", "0"):
                raise ValueError
            return str(value).lower() in ("true", "1")
        return KINDS[kind](value)
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(f"Unable to convert the value {value} to the expected data type {kind}.") from None


def _composite(given: Any, owner: metric.Owner) -> dict[str, Any]:
    count = 0

    def node(one: Any, depth: int) -> dict[str, Any]:
        nonlocal count
        count += 1
        if count > MOST_RULES or depth > DEEPEST:
            raise BadRequest(f"A composite rule has at most {MOST_RULES} parts and {DEEPEST} levels")
        if not isinstance(one, dict):
            raise BadRequest(f"Invalid input composite rule: {str(one)[:200]}, it should be a dict")
        if len(one) == 1:
            [(word, inner)] = one.items()
            if word not in ("and", "or"):
                raise BadRequest('Threshold rules should be combined with "and" or "or"')
            if not isinstance(inner, list) or not inner:
                raise BadRequest(f"Invalid input composite rule: {str(one)[:200]}, a list of rules is expected")
            return {word: [node(each, depth + 1) for each in inner]}
        kind = one.get("type")
        if not kind:
            raise BadRequest("type must be set in every rule")
        if kind not in THRESHOLDS:
            raise BadRequest(
                f"Unsupported sub-rule type :{kind} in composite rule, should be one of: {', '.join(THRESHOLDS)}"
            )
        told = {name: value for name, value in one.items() if name != "type"}
        return {**threshold(kind, told, owner), "type": kind}

    return node(given, 0)


def leaves(rule: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The threshold rules of a composite one."""
    if len(rule) == 1:
        [inner] = rule.values()
        for one in inner:
            yield from leaves(one)
    else:
        yield dict(rule)
