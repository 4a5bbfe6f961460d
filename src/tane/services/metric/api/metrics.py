"""Metrics and their measures."""

from __future__ import annotations

from typing import Any

from tane.services.metric.api import common
from tane.services.metric.api.common import metric_view
from tane.services.metric.domain import aggregates, batches, conditions, metrics, resources
from tane.services.metric.domain.errors import no_metric
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request, Response


def index(request: Request) -> Response:
    sorts, marker, limit = common.page(request, ("id:asc",))
    wanted = {name: value for name in metrics.FILTERS if (value := request.param(name)) is not None}
    user, project = request.param("user_id"), request.param("project_id")
    if user is not None or project is not None:
        wanted["creator"] = f"{user or ''}:{project or ''}"
    if wanted.get("status", "active") not in ("active", "delete"):
        raise BadRequest("Invalid input: not a valid value for dictionary value @ data['status']")
    rows, policies = metrics.listed(request.core, request.ctx, wanted, sorts, marker, limit)
    links = common.pages(request, rows, limit, sorts, lambda row: row.id)
    return Response([metric_view(row, policies[row.archive_policy_name]) for row in rows], 200, links)


def create(request: Request) -> Response:
    body = request.body
    row = metrics.create(request.core, request.ctx, body.name, body.archive_policy_name, body.unit, body.resource_id)
    return Response(metric_view(row), 201, {"Location": request.link(f"/v1/metric/{row.id}")})


def _shown(request: Request, metric_id: str) -> dict[str, Any]:
    row, policy, resource = metrics.get(request.core, request.ctx, metric_id)
    shown = metric_view(row, policy)
    del shown["resource_id"]
    shown["resource"] = None if resource is None else common.resource_view(resource, None, details=False)
    return shown


def show(request: Request) -> dict[str, Any]:
    return _shown(request, request.path["metric_id"])


def delete(request: Request) -> None:
    metrics.delete(request.core, request.ctx, request.path["metric_id"])


def measures(request: Request) -> list[Any]:
    return _measures(request, request.path["metric_id"])


def _measures(request: Request, metric_id: str) -> list[Any]:
    resample, window = common.resampling(request), common.window(request)
    # They are always up to date.
    common.flag(request, "refresh")
    method = request.param("aggregation") or "mean"
    return aggregates.single(request.core, request.ctx, metric_id, method, window, resample, common.budget(request))


def add_measures(request: Request) -> Response:
    batches.to_metric(request.core, request.ctx, request.path["metric_id"], request.body.value)
    return Response(status=202)


def add_to_metrics(request: Request) -> Response:
    batches.to_metrics(request.core, request.ctx, request.body.value)
    return Response(status=202)


def add_to_resources(request: Request) -> Response:
    create = common.flag(request, "create_metrics")
    batches.to_resources(request.core, request.ctx, request.body.value, create=create)
    return Response(status=202)


def search(request: Request) -> dict[str, Any]:
    """The measures of metrics whose values meet a condition."""
    condition = conditions.parse(request.body.value)
    window = common.window(request)
    method = request.param("aggregation") or "mean"
    ids, budget = request.params("metric_id"), common.budget(request)
    try:
        return aggregates.meeting(request.core, request.ctx, ids, method, window, condition, budget)
    except NotFound as error:
        raise BadRequest(error.message) from None


# -------------------------------------------------------------------------------------------------- of a resource


def _named(request: Request) -> str:
    path = request.path
    return resources.metric_named(request.core, request.ctx, path["type"], path["resource_id"], path["metric_name"])


def of_resource(request: Request) -> list[Any]:
    _, found = resources.get(request.core, request.ctx, request.path["type"], request.path["resource_id"])
    return [metric_view(row) for row in found]


def add_to_resource(request: Request) -> list[Any]:
    path = request.path
    found = resources.add_metrics(request.core, request.ctx, path["type"], path["resource_id"], request.body.value)
    return [metric_view(row) for row in found]


def show_named(request: Request) -> dict[str, Any]:
    return _shown(request, _named(request))


def delete_named(request: Request) -> None:
    metrics.delete(request.core, request.ctx, _named(request))


def measures_named(request: Request) -> list[Any]:
    return _measures(request, _named(request))


def add_measures_named(request: Request) -> Response:
    batches.to_metric(request.core, request.ctx, _named(request), request.body.value)
    return Response(status=202)


# ----------------------------------------------------------------------------------------------------- put together


def aggregation(request: Request) -> list[Any]:
    """Metrics that are named by their ids, in the query or (POST) in the body."""
    told = request.params("metric") if request.body is None else request.body.value
    try:
        ids = [metrics.identifier(text) for text in told]
    except NotFound as error:
        raise BadRequest(f"Invalid input: {error.message}") from None
    if not ids and request.body is None:
        raise no_metric("")
    return aggregates.older_of_metrics(request.core, request.ctx, ids, older_arguments(request), common.budget(request))


def older_arguments(request: Request) -> aggregates.Older:
    common.flag(request, "refresh")
    method = request.param("aggregation") or "mean"
    return method, request.param("reaggregation"), common.window(request), common.resampling(request)
