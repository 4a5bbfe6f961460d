"""Tasks (Image API v2: "Tasks")."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.engine import Row

from tane.services.image.api.images import DEFAULT_LIMIT, MOST
from tane.services.image.domain import tasks
from tane.web.codec import iso
from tane.web.errors import BadRequest, MethodNotAllowed
from tane.web.request import Request, Response

STATUSES = ("pending", "processing", "success", "failure")
SORT_KEYS = ("created_at", "updated_at", "expires_at", "status", "type", "id")


def _stub(row: Row[Any]) -> dict[str, Any]:
    view = {
        "id": row.id,
        "type": row.type,
        "status": row.status,
        "owner": row.project_id,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "self": f"/v2/tasks/{row.id}",
        "schema": "/v2/schemas/task",
    }
    return {**view, "expires_at": iso(row.expires_at)} if row.expires_at else view


def _view(row: Row[Any]) -> dict[str, Any]:
    view = {**_stub(row), "input": row.input, "result": row.result, "message": row.message}
    for name in ("image_id", "request_id", "user_id"):
        if getattr(row, name):
            view[name] = getattr(row, name)
    return view


def index(request: Request) -> dict[str, Any]:
    filters = {}
    for name, allowed in (("status", STATUSES), ("type", ("import",))):
        if value := request.param(name):
            if value not in allowed:
                raise BadRequest(f"Invalid {name} value: {value}")
            filters[name] = value
    marker = request.param("marker")
    if marker and not re.fullmatch("[0-9a-fA-F-]{32,36}", marker):
        raise BadRequest("Invalid marker format")
    key, direction = request.param("sort_key", "created_at") or "", request.param("sort_dir", "desc")
    if key not in SORT_KEYS:
        raise BadRequest(f"Invalid sort key: {key}")
    if direction not in ("asc", "desc"):
        raise BadRequest(f"Invalid sort direction: {direction}")
    limit = min(request.number("limit", DEFAULT_LIMIT) or 0, MOST)
    order = [(name, direction == "desc") for name in dict.fromkeys((key, "id"))]
    found = tasks.index(request.core, request.ctx, filters, order, marker, limit)
    kept = [(name, value) for name, value in request.query if name != "marker"]
    answer: dict[str, Any] = {"tasks": [_stub(row) for row in found], "schema": "/v2/schemas/tasks"}
    answer["first"] = "/v2/tasks" + (f"?{urlencode(kept)}" if kept else "")
    if found and len(found) == limit:
        answer["next"] = f"/v2/tasks?{urlencode([*kept, ('marker', found[-1].id)])}"
    return answer


def show(request: Request) -> dict[str, Any]:
    return _view(tasks.show(request.core, request.ctx, request.path["task_id"]))


def create(request: Request) -> Response:
    row = tasks.create(request.core, request.ctx, request.body.type, request.body.input)
    return Response(_view(row), headers={"Location": f"/v2/tasks/{row.id}"})


def delete(request: Request) -> None:
    raise MethodNotAllowed(
        "This operation is currently not permitted on Glance Tasks. "
        "They are auto deleted after reaching the time based on their expires_at property."
    )


def of_image(request: Request) -> dict[str, Any]:
    return {"tasks": [_view(row) for row in tasks.of_image(request.core, request.ctx, request.path["image_id"])]}
