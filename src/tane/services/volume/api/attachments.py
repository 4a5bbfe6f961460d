"""Attachments (Block Storage API v3, from 3.27: "Attachments")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.api import filters, query
from tane.services.volume.api.filters import Filters
from tane.services.volume.domain import attachments
from tane.services.volume.tables import volume_attachment
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request

SORT_KEYS = ("id", "status", "volume_id", "server_id", "created_at", "updated_at")
FILTERS = Filters(
    "attachment",
    {
        "volume_id": filters.equal(volume_attachment.c.volume_id),
        "instance_id": filters.equal(volume_attachment.c.server_id),
        "instance_uuid": filters.equal(volume_attachment.c.server_id),
        "status": filters.equal(volume_attachment.c.status),
        "attach_status": filters.equal(volume_attachment.c.status),
        "attached_host": filters.equal(volume_attachment.c.host_name),
        "attach_mode": filters.equal(volume_attachment.c.mode),
        "mountpoint": filters.equal(volume_attachment.c.device),
        "id": filters.equal(volume_attachment.c.id),
        "project_id": filters.equal(volume_attachment.c.project_id),
    },
    before=("volume_id", "instance_id", "status", "attach_status"),
)


def summary(row: Any) -> dict[str, Any]:
    return {"id": row.id, "status": row.status, "instance": row.server_id, "volume_id": row.volume_id}


def view(row: Any) -> dict[str, Any]:
    """``connection_info`` is empty: keys of exports are handed to compute hosts only."""
    return {
        **summary(row),
        "attached_at": iso_micro(row.attached_at) or "",
        "detached_at": "",
        "attach_mode": row.mode,
        "connection_info": {},
    }


def _list(request: Request, path: str, shape: Any) -> Any:
    wanted = query.page_of(request, SORT_KEYS)
    conditions = query.owner_conditions(request, volume_attachment) + filters.of(request, FILTERS)
    found = attachments.index(request.core, request.ctx, conditions, wanted)
    place = f"/v3/{request.path['project_id']}/{path}"
    return query.answer(request, place, "attachments", [shape(row) for row in found], query.full(wanted, found), None)


def index(request: Request) -> Any:
    return _list(request, "attachments", summary)


def detail(request: Request) -> Any:
    return _list(request, "attachments/detail", view)


def show(request: Request) -> dict[str, Any]:
    return {"attachment": view(attachments.show(request.core, request.ctx, request.path["attachment_id"]))}


def create(request: Request) -> dict[str, Any]:
    body = request.body.attachment
    if body.mode not in (None, "rw", "ro", "null"):
        raise BadRequest(f"Invalid attaching mode '{body.mode}' for volume {body.volume_uuid}.")
    if body.connector:
        raise attachments.no_connections()
    mode = body.mode if body.mode in ("rw", "ro") else "rw"
    row = attachments.reserve(request.core, request.ctx, body.volume_uuid, body.instance_uuid, mode)
    return {"attachment": view(row)}


def update(request: Request) -> None:
    attachments.show(request.core, request.ctx, request.path["attachment_id"])
    raise attachments.no_connections()


def complete(request: Request) -> None:
    attachments.finish(request.core, request.ctx, request.path["attachment_id"])


def delete(request: Request) -> dict[str, Any]:
    left = attachments.delete(request.core, request.ctx, request.path["attachment_id"])
    return {"attachments": [summary(row) for row in left]}
