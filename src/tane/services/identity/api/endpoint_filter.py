"""Endpoints of projects (Identity API v3 extensions: OS-EP-FILTER)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.catalog import endpoint_view
from tane.services.identity.api.common import filters, given, listing, with_self
from tane.services.identity.api.projects import project_view
from tane.services.identity.domain import endpoint_filter, plain
from tane.services.identity.domain.endpoint_filter import ENDPOINT_GROUP
from tane.web.errors import BadRequest
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {"id": row.id, "name": row.name, "description": row.description, "filters": row.filters}
    return with_self(request, "OS-EP-FILTER/endpoint_groups", body)


def index(request: Request) -> dict[str, Any]:
    found = plain.index(request.core, ENDPOINT_GROUP, filters(request, ("name",)))
    return listing(request, "endpoint_groups", (view(request, row) for row in found))


def show(request: Request) -> dict[str, Any]:
    row = plain.show(request.core, ENDPOINT_GROUP, request.path["endpoint_group_id"])
    return {"endpoint_group": view(request, row)}


def create(request: Request) -> dict[str, Any]:
    values = given(request.body.endpoint_group)
    if not values["filters"]:
        raise BadRequest("filters field is required and cannot be empty")
    row = plain.create(request.core, ENDPOINT_GROUP, values)
    return {"endpoint_group": view(request, row)}


def update(request: Request) -> dict[str, Any]:
    # The client sends null for what it leaves as it is.
    group_id, sent = request.path["endpoint_group_id"], given(request.body.endpoint_group)
    values = {name: value for name, value in sent.items() if value is not None}
    return {"endpoint_group": view(request, plain.update(request.core, ENDPOINT_GROUP, group_id, values))}


def delete(request: Request) -> None:
    plain.delete(request.core, ENDPOINT_GROUP, request.path["endpoint_group_id"])


def endpoints_in_group(request: Request) -> dict[str, Any]:
    found = endpoint_filter.endpoints_in_group(request.core, request.path["endpoint_group_id"])
    return listing(request, "endpoints", (endpoint_view(request, row) for row in found))


def endpoints_of_project(request: Request) -> dict[str, Any]:
    found = endpoint_filter.endpoints_of(request.core, request.path["project_id"])
    return listing(request, "endpoints", (endpoint_view(request, row) for row in found))


def groups_of_project(request: Request) -> dict[str, Any]:
    found = endpoint_filter.groups_of(request.core, request.path["project_id"])
    return listing(request, "endpoint_groups", (view(request, row) for row in found))


def _given(request: Request) -> tuple[str, str]:
    """Which kind of thing the path gives, and its id."""
    kind = "endpoint_group" if "endpoint_group_id" in request.path else "endpoint"
    return kind, request.path[f"{kind}_id"]


def projects_with(request: Request) -> dict[str, Any]:
    found = endpoint_filter.projects_with(request.core, *_given(request))
    return listing(request, "projects", (project_view(request, row) for row in found))


def give(request: Request) -> None:
    kind, given_id = _given(request)
    endpoint_filter.give(request.core, kind, request.path["project_id"], given_id)


def check(request: Request) -> None:
    kind, given_id = _given(request)
    endpoint_filter.check(request.core, kind, request.path["project_id"], given_id)


def check_group(request: Request) -> dict[str, Any]:
    check(request)
    ids = {name: request.path[name] for name in ("endpoint_group_id", "project_id")}
    own = f"/v3/OS-EP-FILTER/endpoint_groups/{ids['endpoint_group_id']}/projects/{ids['project_id']}"
    return {"project_endpoint_group": {**ids, "links": {"self": request.link(own)}}}


def take(request: Request) -> None:
    kind, given_id = _given(request)
    endpoint_filter.take(request.core, kind, request.path["project_id"], given_id)
