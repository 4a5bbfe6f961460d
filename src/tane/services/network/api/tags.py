"""Tags (Networking API: "Tag extension")."""

from __future__ import annotations

from typing import Any

from tane.services.network.domain import tags
from tane.web.errors import BadRequest
from tane.web.request import Request, Response


def _target(request: Request) -> tuple[str, str]:
    """Collection and id, as the path names them."""
    [row_id] = [value for name, value in request.path.items() if name != "tag"]
    return request.url_path.split("/v2.0/")[1].split("/")[0], row_id


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
