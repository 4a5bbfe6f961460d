"""Snapshots of stacks. Reference: https://docs.openstack.org/api-ref/orchestration/v1/ (Stack snapshots)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.orchestration.api.common import stack_of
from tane.services.orchestration.domain import snapshots, stacks
from tane.web.codec import iso
from tane.web.request import Request, Response


def _view(row: Row[Any], data: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "action": row.action,
        "status": row.status,
        "status_reason": row.reason,
        "data": data,
        "creation_time": iso(row.created_at),
    }


def create(request: Request) -> dict[str, Any]:
    """Take a snapshot of a stack

    The volumes of the stack are backed up, of servers an image is made; the rest is made again from what the template
    says.
    """
    stack_id, name = stack_of(request)
    return _view(snapshots.create(request.core, request.ctx, stack_id, name, request.body.name), None)


def index(request: Request) -> dict[str, Any]:
    """List the snapshots of a stack

    ``data`` is told by the call that shows one.
    """
    stack_id, name = stack_of(request)
    return {"snapshots": [_view(row, None) for row in snapshots.index(request.core, request.ctx, stack_id, name)]}


def show(request: Request) -> dict[str, Any]:
    stack_id, name = stack_of(request)
    whole, snapshot_id = request.allows("stacks:update"), request.path["snapshot_id"]
    row, data = snapshots.show(request.core, request.ctx, stack_id, name, snapshot_id, whole=whole)
    return {"snapshot": _view(row, data)}


def delete(request: Request) -> None:
    stack_id, name = stack_of(request)
    snapshots.delete(request.core, request.ctx, stack_id, name, request.path["snapshot_id"])


def restore(request: Request) -> Response:
    """Restore a snapshot of a stack

    An update to what the stack was: volumes get back what they held, servers are rebuilt from their images.
    """
    stack_id, name = stack_of(request)
    stacks.look_for(request.core, request.ctx, stack_id, name)
    snapshots.restore(request.core, request.ctx, stack_id, name, request.path["snapshot_id"])
    # Clients read an answer that calls itself JSON, and find none in this.
    return Response(status=202, content_type="text/plain")
