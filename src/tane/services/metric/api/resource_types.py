"""Types of resources."""

from __future__ import annotations

from typing import Any

from tane.services.metric.api.common import type_view
from tane.services.metric.domain import resource_types as domain
from tane.web.request import Request, Response


def index(request: Request) -> list[dict[str, Any]]:
    return [type_view(row) for row in domain.every(request.core)]


def links(request: Request) -> dict[str, str]:
    """Where the resources of each type are."""
    return {row.name: request.link(f"/v1/resource/{row.name}") for row in domain.every(request.core)}


def show(request: Request) -> dict[str, Any]:
    return type_view(domain.get(request.core, request.path["name"]))


def create(request: Request) -> Response:
    row = domain.create(request.core, request.body.name, request.body.attributes)
    return Response(type_view(row), 201, {"Location": request.link(f"/v1/resource_type/{row.name}")})


def update(request: Request) -> dict[str, Any]:
    return type_view(domain.update(request.core, request.path["name"], request.body.value))


def delete(request: Request) -> None:
    domain.delete(request.core, request.path["name"])
