"""Resources, their history, and looking for them."""

from __future__ import annotations

from typing import Any

from tane.services.metric.api import common
from tane.services.metric.api.common import BY_TIME, resource_view
from tane.services.metric.domain import resources as domain
from tane.web.request import Request, Response


def _list(request: Request, query: Any) -> Response:
    type_name, history = request.path["type"], common.flag(request, "history")
    details = common.detailed(request, type_name)
    sorts, marker, limit = common.page(request, BY_TIME)
    rows, metrics = domain.listed(
        request.core,
        request.ctx,
        type_name,
        query,
        history=history,
        sorts=sorts,
        marker=marker,
        limit=limit,
        budget=common.budget(request),
    )

    def mark(row: Any) -> str:
        return f"{row.id}@{row.revision}" if history else row.id

    attrs = request.params("attrs")
    shown = [resource_view(row, metrics.get(row.id, ()), details=details, attrs=attrs) for row in rows]
    return Response(shown, 200, common.pages(request, rows, limit, sorts, mark))


def index(request: Request) -> Response:
    return _list(request, None)


def search(request: Request) -> Response:
    return _list(request, common.query_of(request))


def create(request: Request) -> Response:
    type_name = request.path["type"]
    row, metrics = domain.create(request.core, request.ctx, type_name, request.body.value)
    shown = resource_view(row, metrics, details=common.detailed(request, type_name))
    return common.tagged(row, shown, 201, {"Location": request.link(f"/v1/resource/{type_name}/{row.id}")})


def show(request: Request) -> Response:
    type_name = request.path["type"]
    row, metrics = domain.get(request.core, request.ctx, type_name, request.path["resource_id"])
    if common.unchanged(request, row):
        return common.tagged(row, None, 304)
    return common.tagged(row, resource_view(row, metrics, details=common.detailed(request, type_name)))


def update(request: Request) -> Response:
    type_name = request.path["type"]
    row, metrics = domain.update(
        request.core,
        request.ctx,
        type_name,
        request.path["resource_id"],
        request.body.value,
        lambda row: common.unchanged(request, row),
    )
    return common.tagged(row, resource_view(row, metrics, details=common.detailed(request, type_name)))


def delete(request: Request) -> None:
    domain.delete(
        request.core,
        request.ctx,
        request.path["type"],
        request.path["resource_id"],
        lambda row: common.unchanged(request, row),
    )


def delete_found(request: Request) -> dict[str, int]:
    """Those that answer to a query."""
    query = common.query_of(request)
    deleted = domain.delete_found(request.core, request.ctx, request.path["type"], query, common.budget(request))
    return {"deleted": deleted}


def history(request: Request) -> Response:
    type_name = request.path["type"]
    details = common.detailed(request, type_name)
    sorts, marker, limit = common.page(request, BY_TIME)
    rows, metrics = domain.history(
        request.core, request.ctx, type_name, request.path["resource_id"], sorts, marker, limit
    )
    shown = [resource_view(row, metrics.get(row.id, ()), details=details) for row in rows]
    links = common.pages(request, rows, limit, sorts, lambda row: f"{row.id}@{row.revision}")
    return Response(shown, 200, links)
