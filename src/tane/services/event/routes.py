"""Route table of events."""

from __future__ import annotations

from tane.services.event.api import events
from tane.web.routes import Route

ROUTES = (
    Route(
        "GET",
        "",
        events.index,
        "event:index",
        summary="List events after a cursor; as text/event-stream, follow them as they happen",
    ),
)
