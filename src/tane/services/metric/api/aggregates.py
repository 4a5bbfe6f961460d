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
    window = common.window(request, fill="dropna")
    tree = operations.parse(body.operations)
    if not operations.references(tree):
        raise Told("Operations is invalid", body.operations, "At least one 'metric' is required")
    if body.resource_type is None:
        if body.search is not msgspec.UNSET:
            raise invalid("required key not provided", "resource_type")
        measured, rows = aggregates.of_metrics(core, ctx, tree, window)
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
    measured, rows = aggregates.of_resources(
        core, ctx, body.resource_type, query, tree, window, groups, history=history and bool(groups)
    )
    if groups:
        if details:
            for group in measured:
                members = [row for row in rows if _in(row, group["group"])]
                group["measures"]["references"] = [common.resource_view(row, None, details=True) for row in members]
        return measured
    answer = {"measures": measured}
    return (
        {**answer, "references": [common.resource_view(row, None, details=True) for row in rows]} if details else answer
    )


def _in(row: Any, group: dict[str, Any]) -> bool:
    return all(aggregates.attribute(row, name) == value for name, value in group.items())


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
    )
