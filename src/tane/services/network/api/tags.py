"""Tags (Networking API: "Tag extension")."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table

from tane.services.network.domain import common, tags
from tane.services.network.tables import floating_ip, network, port, router, security_group, subnet
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request, Response

TAGGED: dict[str, tuple[Table, Any]] = {
    "networks": (network, common.no_network),
    "subnets": (subnet, common.no_subnet),
    "ports": (port, common.no_port),
    "routers": (router, common.no_router),
    "floatingips": (floating_ip, common.no_floating_ip),
    "security-groups": (security_group, common.no_group),
}
"""Collection in the path → its table and what is said when the resource is not there."""


def _target(request: Request) -> tuple[Table, str, NotFound]:
    collection = request.url_path.split("/v2.0/")[1].split("/")[0]
    table, missing = TAGGED[collection]
    [row_id] = [value for name, value in request.path.items() if name != "tag"]
    return table, row_id, missing(row_id)


def index(request: Request) -> dict[str, Any]:
    return {"tags": tags.of(request.core, request.ctx, *_target(request))}


def show(request: Request) -> None:
    tags.require_tag(tags.of(request.core, request.ctx, *_target(request)), request.path["tag"])


def replace(request: Request) -> dict[str, Any]:
    return {"tags": tags.replace(request.core, request.ctx, *_target(request), request.body.tags)}


def add(request: Request) -> dict[str, Any]:
    return {"tags": tags.add(request.core, request.ctx, *_target(request), request.body.tags)}


def add_one(request: Request) -> Response:
    name = request.path["tag"]
    if not 1 <= len(name) <= 255 or "," in name:
        raise BadRequest(f"Invalid input for tag. Reason: '{name}' is not 1 to 255 characters without commas.")
    tags.add(request.core, request.ctx, *_target(request), [name])
    return Response(status=201)


def remove(request: Request) -> None:
    tags.remove(request.core, request.ctx, *_target(request), request.path["tag"])


def remove_all(request: Request) -> None:
    tags.replace(request.core, request.ctx, *_target(request), [])
