"""A new alarm: what people mean by a threshold, in the units that are measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tane.services.dashboard.api.incoming import Form
from tane.services.dashboard.api.visit import Visit
from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Values
from tane.web import codec, inside
from tane.web.errors import BadRequest
from tane.web.request import Response

if TYPE_CHECKING:
    from tane.services.dashboard.api.pages import Order

PERIOD = 300
"""Seconds of a period: what every policy of the cloud's own measures keeps."""
OF_SERVER = ("cpu", "memory.resident")
"""Metrics of a server itself; the others are of its disks and cards."""


async def create(visit: Visit, order: Order, given: Form) -> Response:
    """Make it."""
    fields = await visit.core.in_thread(forms.inputs, visit.core, order.action)
    values = forms.values(fields, given.values)
    made = await visit.ask(order.action.target, body(values, visit.core.config.metric.interval, visit.ctx.project_id))
    return visit.go(f"/alarms/{inside.part(str(made['alarm_id']))}", done="create")


def body(values: Values, interval: float, project_id: str) -> Values:
    """The alarm's document. ``interval``: seconds between two measures, by which counters grow.

    :raises BadRequest: the threshold is no number.
    """
    metric = str(values["metric"])
    named = [name for name in ("name", "severity", "description") if name in values]
    told: Values = {"type": "gnocchi_aggregation_by_resources_threshold", **{name: values[name] for name in named}}
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
        told["type"] = "gnocchi_resources_threshold"
        rule["resource_id"] = server
    else:
        found = {"instance_id": server} if server else {"project_id": project_id}
        rule["query"] = codec.encode({"=": found}).decode()
    told[f"{told['type']}_rule"] = rule
    if address := values.get("address"):
        told["alarm_actions"] = [address]
        if values.get("back"):
            told["ok_actions"] = [address]
    return told


def _threshold(metric: str, text: str, interval: float) -> float:
    """Per second, or percent of a processor, as what a counter grows by between two measures."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadRequest(f"threshold: '{text[:100]}' is not a number.")
    if metric == "cpu":
        return number * 1e7 * interval
    return number if metric == "memory.resident" else number * interval
