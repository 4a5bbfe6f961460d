"""Series put together by operations."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.metric.api import common
from tane.services.metric.api.metrics import older_arguments
from tane.services.metric.domain import aggregates, operations, queries, resource_types
from tane.services.metric.domain.errors import Told, invalid
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request


def create(request: Request) -> Any:
    body, core, ctx = request.body, request.core, request.ctx
    details, history = common.flag(request, "details"), common.flag(request, "use_history")
    window, budget = common.window(request, fill="dropna"), common.budget(request)
    tree = operations.parse(body.operations)
    if not operations.references(tree):
        raise Told("Operations is invalid", body.operations, "At least one 'metric' is required")
    if body.resource_type is None:
        if body.search is not msgspec.UNSET:
            raise invalid("required key not provided", "resource_type")
        measured, rows = aggregates.of_metrics(core, ctx, tree, window, budget)
        answer = {"measures": measured}
        return {**answer, "references": [common.metric_view(*pair) for pair in rows]} if details else answer
    if body.search is msgspec.UNSET:
        raise invalid("required key not provided", "search")
    try:
        resource_types.get(core, body.resource_type)
    except NotFound as error:
        raise BadRequest(error.message) from None
    query = queries.parse(body.search) if isinstance(body.search, str) else body.search
    groups = sorted(set(request.params("groupby")))
    measured, members = aggregates.of_resources(
        core, ctx, body.resource_type, query, tree, window, groups, budget, history=history and bool(groups)
    )
    answers = [group["measures"] for group in measured] if groups else [{"measures": measured}]
    if details:
        for answer, rows in zip(answers, members, strict=True):
            answer["references"] = [common.resource_view(row, None, details=True) for row in rows]
    return measured if groups else answers[0]


def of_resources(request: Request) -> Any:
    """``/v1/aggregation/resource/TYPE/metric/NAME``."""
    groups = sorted(set(request.params("groupby")))
    return aggregates.older_of_resources(
        request.core,
        request.ctx,
        request.path["type"],
        request.path["metric_name"],
        common.query_of(request),
        groups,
        older_arguments(request),
        common.budget(request),
    )
