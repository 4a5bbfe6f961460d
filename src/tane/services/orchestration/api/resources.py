"""Resources of stacks."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from tane.services.orchestration.api.common import links, resource_link, stack_link, stack_of
from tane.services.orchestration.domain import resources
from tane.services.orchestration.domain.resources import Shown
from tane.web import codec
from tane.web.codec import iso
from tane.web.errors import BadRequest
from tane.web.request import Request, Response

NULL = Response(b"null", content_type="application/json")
"""The client of Heat reads a document from whatever is answered with 200."""
FILTERS = ("type", "status", "name", "action", "physical_resource_id", "id")


def view(request: Request, one: Shown) -> dict[str, Any]:
    """A resource as lists show it."""
    row, stack = one.row, one.stack
    pairs = [("self", resource_link(request, stack, row.name)), ("stack", stack_link(request, stack))]
    if one.nested is not None:
        pairs.append(("nested", stack_link(request, one.nested)))
    found = {
        "resource_name": row.name,
        "logical_resource_id": row.name,
        "links": links(*pairs),
        "creation_time": iso(row.created_at),
        "updated_time": iso(row.updated_at or row.created_at),
        "resource_status": f"{row.action}_{row.status}",
        "resource_status_reason": row.reason,
        "resource_type": row.type,
        "physical_resource_id": row.physical_id or "",
        "required_by": one.required_by,
    }
    if one.parent is not None:
        found["parent_resource"] = one.parent
    return found


def index(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    filters: dict[str, list[str]] = {}
    for key, value in request.query:
        if key in FILTERS:
            filters.setdefault("physical_id" if key == "physical_resource_id" else key, []).append(value)
    depth = request.number("nested_depth", 0) or 0
    shown = resources.index(request.core, request.ctx, stack_id, name, depth, filters)
    found = []
    for one in shown:
        entry = view(request, one)
        if depth or request.flag("with_detail"):
            entry["stack_name"] = one.stack.name
        if request.flag("with_detail"):
            entry["attributes"] = resources.attributes(request.core, request.ctx, one, ())
        found.append(entry)
    return {"resources": found}


def show(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    one = resources.show(request.core, request.ctx, stack_id, name, request.path["resource_name"])
    extra = request.params("with_attr")
    return {
        "resource": {
            **view(request, one),
            "description": resources.description(request.core, one),
            "attributes": resources.attributes(request.core, request.ctx, one, extra),
        }
    }


def metadata(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    return {"metadata": resources.metadata(request.core, request.ctx, stack_id, name, request.path["resource_name"])}


def signal(request: Request) -> Any:
    """The body is the signal's own."""
    stack_id, name = stack_of(request)
    answer = resources.signal(
        request.core, request.ctx, stack_id, name, request.path["resource_name"], _details(request)
    )
    return NULL if answer is None else answer


def signal_by_address(request: Request) -> Any:
    """A signal of whoever has the address: a guest, an alarm."""
    path, details = request.path, _details(request)
    return resources.signal_by_address(
        request.core, request.ctx.request_id, path["resource_id"], path["secret"], details
    )


def _details(request: Request) -> dict[str, Any]:
    """Of a signal. The client of Heat sends ``null`` where there are none."""
    details = codec.parse(request.raw) if request.raw else None
    if details is None:
        return {}
    if not isinstance(details, dict):
        raise BadRequest("A signal's details are an object.")
    return details


def metadata_by_address(request: Request) -> dict[str, Any]:
    """What a guest is told that polls an address (``POLL_TEMP_URL``): the metadata alone."""
    path = request.path
    return resources.metadata_by_address(request.core, request.ctx, path["resource_id"], path["secret"])


def mark_unhealthy(request: Request) -> Response:
    stack_id, name = stack_of(request)
    body = request.body
    if body.mark_unhealthy is UNSET:
        raise BadRequest("Missing mandatory (mark_unhealthy) key from mark unhealthy request")
    resources.mark(
        request.core,
        request.ctx,
        stack_id,
        name,
        request.path["resource_name"],
        unhealthy=body.mark_unhealthy,
        reason=body.resource_status_reason,
    )
    return NULL
