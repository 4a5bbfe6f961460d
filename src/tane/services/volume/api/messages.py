"""Messages to users (Block Storage API v3, from 3.3: "Messages")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.api import filters, query
from tane.services.volume.api.filters import Filters
from tane.services.volume.api.volumes import links
from tane.services.volume.domain import messages
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_message
from tane.web.codec import iso_micro
from tane.web.request import Request

SORT_KEYS = ("id", "created_at", "resource_uuid", "resource_type", "event_id", "request_id", "message_level")
COLUMNS = ("resource_uuid", "resource_type", "event_id", "request_id", "message_level")
FILTERS = Filters(
    "message",
    {name: filters.equal(volume_message.c[name]) for name in (*COLUMNS, "id", "project_id")},
    before=COLUMNS,
)
NEWEST = [("created_at", True), ("id", True)]


def view(request: Request, row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "user_message": row.user_message,
        "message_level": row.message_level,
        "created_at": iso_micro(row.created_at),
        "guaranteed_until": iso_micro(row.expires_at),
        "request_id": row.request_id,
        "links": links(request, "messages", row.id),
        "resource_type": row.resource_type,
        "resource_uuid": row.resource_uuid,
    }


def index(request: Request) -> Any:
    """Sorted, filtered and in pages from 3.5 on."""
    later = request.version >= (3, 5)
    wanted = query.page_of(request, SORT_KEYS) if later else Page(order=NEWEST, limit=query.MOST)
    found_by = query.owner_conditions(request, volume_message) + (filters.of(request, FILTERS) if later else [])
    found = messages.index(request.core, request.ctx, found_by, wanted)
    place = f"/v3/{request.path['project_id']}/messages"
    views = [view(request, row) for row in found]
    return query.answer(request, place, "messages", views, query.full(wanted, found), None)


def show(request: Request) -> dict[str, Any]:
    return {"message": view(request, messages.show(request.core, request.ctx, request.path["message_id"]))}


def delete(request: Request) -> None:
    messages.delete(request.core, request.ctx, request.path["message_id"])
