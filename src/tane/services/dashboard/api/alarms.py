"""Alarms: what people mean by a threshold, in the units that are measured, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tane.services.dashboard.api.incoming import Form
from tane.services.dashboard.api.visit import Visit
from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Action, Call, Row, Values
from tane.web import codec, inside
from tane.web.errors import BadRequest
from tane.web.request import Response

if TYPE_CHECKING:
    from tane.services.dashboard.api.pages import Order

PERIOD = 300
"""Seconds of a period: what every policy of the cloud's own measures keeps."""
OF_SERVER = ("cpu", "memory.resident")
"""Metrics of a server itself; the others are of its disks and cards."""
ONE, ALL = "gnocchi_resources_threshold", "gnocchi_aggregation_by_resources_threshold"
COMPARED = ("comparison_operator", "evaluation_periods")
MOST_PARTS = 10
"""Alarms that one form puts together."""


async def send(visit: Visit, order: Order, given: Form) -> Response:
    """Make or change an alarm."""
    fields = await visit.in_thread(forms.inputs, visit.core, order.action)
    values = forms.values(fields, given.values)
    told = await visit.in_thread(document, visit, order.action, values, order.row)
    made = await visit.ask(order.action.target, told, id=order.id or "-")
    done = "change" if order.id else "create"
    return visit.go(f"/alarms/{inside.part(str(made['alarm_id']))}", done=done)


def document(visit: Visit, action: Action, values: Values, row: Row) -> Values:
    """The alarm that a form means. :raises BadRequest: the threshold is no number, a condition none, the parts many."""
    interval = visit.core.config.metric.interval
    if action.special == "alarm-change":
        return changed(values, row, interval)
    if action.special == "alarm":
        return body(values, interval, visit.ctx.project_id)
    told: Values = {"type": "event" if action.special == "event-alarm" else "composite", **_named(values)}
    if action.special == "event-alarm":
        query = [_condition(one) for one in values.get("conditions", ())]
        told["event_rule"] = {"event_type": values["event_type"], "query": query}
    else:
        if len(values["parts"]) > MOST_PARTS:
            raise BadRequest(f"parts: at most {MOST_PARTS} alarms are put together by this form.")
        told["composite_rule"] = {str(values["together"]): [_part(visit, one) for one in values["parts"]]}
    return {**told, **_called(values)}


def body(values: Values, interval: float, project_id: str) -> Values:
    """The document of a threshold's alarm. ``interval``: seconds between two measures, by which counters grow.

    :raises BadRequest: the threshold is no number.
    """
    metric = str(values["metric"])
    told: Values = {"type": ALL, **_named(values)}
    rule: Values = {
        "metric": metric,
        "aggregation_method": "mean" if metric == "memory.resident" else "rate:mean",
        "comparison_operator": values["comparison_operator"],
        "threshold": _threshold(metric, str(values["threshold"]), max(interval, 1)),
        "evaluation_periods": values.get("evaluation_periods", 1),
        "granularity": PERIOD,
    }
    server = values.get("server")
    if metric in OF_SERVER:
        rule["resource_type"] = "instance"
    else:
        rule["resource_type"] = "instance_disk" if metric.startswith("disk.") else "instance_network_interface"
    if server and metric in OF_SERVER:
        told["type"] = ONE
        rule["resource_id"] = server
    else:
        found = {"instance_id": server} if server else {"project_id": project_id}
        rule["query"] = codec.encode({"=": found}).decode()
    told[f"{told['type']}_rule"] = rule
    return {**told, **_called(values)}


def _named(values: Values) -> Values:
    return {name: values[name] for name in ("name", "severity", "description") if name in values}


def _called(values: Values) -> Values:
    address = values.get("address")
    if not address:
        return {}
    return {"alarm_actions": [address], **({"ok_actions": [address]} if values.get("back") else {})}


def changed(values: Values, row: Row, interval: float) -> Values:
    """An alarm as it was shown, with what a form changes of it: it is only changed as a whole."""
    told: Values = {**row, **_named(values)}
    name = f"{row['type']}_rule"
    rule = dict(row.get(name) or {})
    if row["type"] == "event":
        rule["event_type"] = values.get("event_type", rule.get("event_type"))
        rule["query"] = _conditions(values.get("conditions", ()), rule.get("query") or ())
    elif "threshold" in rule:
        rule |= {one: values[one] for one in COMPARED if one in values}
        if "threshold" in values:
            rule["threshold"] = _as_it_was(rule, str(values["threshold"]), max(interval, 1))
    told[name] = rule
    return told


def _conditions(texts: Iterable[str], had: Iterable[Values]) -> list[Values]:
    """What a form says of the conditions of an event; those that it says as they were stay so, with their types.

    :raises BadRequest: one is none.
    """
    kept: dict[str, list[Values]] = {}
    for one in had:
        kept.setdefault(_line(one), []).append(one)
    found = []
    for text in texts:
        same = kept.get(" ".join(text.split()))
        found.append(same.pop(0) if same else _condition(text))
    return found


def _line(one: Values) -> str:
    """A condition as a line of a form, whatever spaces and line breaks its value has."""
    return " ".join(f"{one['field']} {one['op']} {one['value']}".split())


def _as_it_was(rule: Values, text: str, interval: float) -> float:
    """A threshold that was not edited is not rounded either. :raises BadRequest: it is no number."""
    metric, had = str(rule.get("metric", "")), float(rule["threshold"])
    return had if text == shown(metric, had, interval) else _threshold(metric, text, interval)


def filled(row: Row, interval: float) -> dict[str, str]:
    """What the form of a change begins with, in the units of people."""
    rule = row.get(f"{row.get('type')}_rule") or {}
    found = {name: str(row.get(name) or "") for name in ("name", "severity", "description")}
    found |= {name: str(rule[name]) for name in (*COMPARED, "event_type") if name in rule}
    if "threshold" in rule:
        found["threshold"] = shown(str(rule.get("metric", "")), float(rule["threshold"]), max(interval, 1))
    if rule.get("query") and isinstance(rule["query"], list):
        found["conditions"] = "\n".join(map(_line, rule["query"]))
    return found


def _factor(metric: str, interval: float) -> float:
    """What one unit of people (percent of a processor, MiB, bytes a second) is of what is measured."""
    if metric == "cpu":
        return 1e7 * interval
    return interval if metric.startswith(("disk.device", "network.")) else 1.0


def shown(metric: str, threshold: float, interval: float) -> str:
    """A threshold as its form takes it."""
    return f"{threshold / _factor(metric, interval):.12g}"


def _threshold(metric: str, text: str, interval: float) -> float:
    """Per second, or percent of a processor, as what a counter grows by between two measures."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadRequest(f"threshold: '{text[:100]}' is not a number.")
    return number * _factor(metric, interval)


def _condition(text: str) -> Values:
    """``FIELD OPERATOR VALUE``. :raises BadRequest: it is not of this form, or there is no such operator."""
    field, _, rest = text.strip().partition(" ")
    operator, _, value = rest.strip().partition(" ")
    if not operator:
        raise BadRequest(f"conditions: '{text[:100]}' is not of the form: field operator value.")
    if operator not in SIGNS:
        raise BadRequest(f"conditions: the operator '{operator[:100]}' is none of {', '.join(SIGNS)}.")
    return {"field": field, "op": operator, "type": "string", "value": value.strip()}


def _part(visit: Visit, alarm_id: str) -> Values:
    """The rule of another alarm, as a part. :raises BadRequest: it has no threshold."""
    found = visit.call(Call.of("alarm GET /v2/alarms/{id}"), id=alarm_id)
    if not str(found["type"]).startswith("gnocchi_"):
        raise BadRequest(f"parts: the alarm {found['name'][:100]} has no threshold.")
    return {**found[f"{found['type']}_rule"], "type": found["type"]}


def command(told: Mapping[str, Any], alarm_id: str = "") -> str | None:
    """The line of ``openstack`` that makes this very alarm, or changes the one with this id to it; None where there is
    none: its language of conditions has no quotes.
    """
    kind = str(told["type"])
    parts = ["openstack alarm update", forms.operand(alarm_id)] if alarm_id else ["openstack alarm create"]
    parts.append(f"--type {kind}")
    named = (name for name in ("name", "severity", "description") if told.get(name) is not None)
    parts += [forms.option(f"--{name}", told[name]) for name in named]
    rule = told[f"{kind}_rule"]
    if kind == "composite":
        parts.append(forms.option("--composite-rule", json.dumps(rule)))
    elif kind == "event":
        parts.append(forms.option("--event-type", rule["event_type"]))
        query = [f"{one['field']}{SIGNS[one['op']]}{one['type'] or 'string'}::{one['value']}" for one in rule["query"]]
        if any(";" in one for one in query):
            return None
        parts += [forms.option("--query", ";".join(query))] if query or alarm_id else []
    else:
        shown = {name: rule[name] for name in (*COMPARED, "threshold")} if alarm_id else rule
        parts += [forms.option(f"--{name.replace('_', '-')}", value) for name, value in shown.items()]
    if alarm_id:
        return forms.line(parts)
    for name in ("alarm_actions", "ok_actions"):
        parts += [forms.option(f"--{name[:-1].replace('_', '-')}", one) for one in told.get(name, ())]
    return forms.line(parts)


SIGNS = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
