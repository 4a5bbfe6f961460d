"""Events of stacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.services.orchestration.api.common import links, resource_link, stack_link, stack_of
from tane.services.orchestration.domain import happenings
from tane.web.codec import iso
from tane.web.errors import BadRequest
from tane.web.request import Request

FILTERS = {
    "resource_action": "action",
    "resource_status": "status",
    "resource_name": "resource_name",
    "resource_type": "resource_type",
}


def _view(request: Request, row: Row[Any], known: Mapping[str, Row[Any]], *, whole: bool) -> dict[str, Any]:
    stack = known[row.stack_id]
    where = resource_link(request, stack, row.resource_name)
    pairs = [("self", f"{where}/events/{row.id}"), ("resource", where), ("stack", stack_link(request, stack))]
    root = known.get(stack.root_id)
    if root is not None:
        pairs.append(("root_stack", stack_link(request, root)))
    found = {
        "id": row.id,
        "event_time": iso(row.created_at),
        "links": links(*pairs),
        "logical_resource_id": row.resource_name,
        "physical_resource_id": row.physical_id,
        "resource_name": row.resource_name,
        "resource_status": f"{row.action}_{row.status}",
        "resource_status_reason": row.reason,
    }
    if whole:
        found |= {"resource_type": row.resource_type, "resource_properties": {}}
    return found


def index(request: Request) -> dict[str, Any]:
    return _list(request, None)


def of_resource(request: Request) -> dict[str, Any]:
    return _list(request, request.path["resource_name"])


def _list(request: Request, resource_name: str | None) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    filters: dict[str, list[str]] = {}
    for key, value in request.query:
        if key in FILTERS:
            filters.setdefault(FILTERS[key], []).append(value)
    down = (request.param("sort_dir") or "asc").lower()
    if down not in ("asc", "desc"):
        raise BadRequest(f"Unknown sort direction {down}: asc or desc is expected.")
    keys = [key for text in request.params("sort_keys") for key in text.split(",") if key]
    rows, known = happenings.index(
        request.core,
        request.ctx,
        stack_id,
        name,
        resource_name,
        happenings.Page(
            depth=request.number("nested_depth", 0) or 0,
            filters=filters,
            sort=keys[0] if keys else None,
            down=down == "desc",
            marker=request.param("marker") or None,
            limit=request.number("limit") or None,
        ),
    )
    return {"events": [_view(request, row, known, whole=False) for row in rows]}


def show(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    row, known = happenings.show(
        request.core, request.ctx, stack_id, name, request.path["resource_name"], request.path["event_id"]
    )
    return {"event": _view(request, row, known, whole=True)}
