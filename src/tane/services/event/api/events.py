"""Events in pages (JSON), or as server-sent events (WHATWG HTML, "Server-sent events")."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from sqlalchemy.engine import Row

from tane.services.event.domain import following
from tane.services.event.domain.following import MOST, Wish
from tane.web.codec import encode, iso_micro, whole
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import Request, Response

STREAM = "text/event-stream"
TYPE = re.compile(r"[a-z_]{1,64}(\.[a-z_]{1,64}){1,2}\Z")
MOST_TYPES = 20


def view(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": iso_micro(row.at),
        "type": f"{row.type}.{row.action}",
        "resource_id": row.resource_id,
        "project_id": row.project_id,
        "user_id": row.user_id,
        "request_id": row.request_id,
        "data": row.data,
    }


async def index(request: Request) -> Any:
    """A page after ``cursor`` (by default from the oldest kept), or with ``Accept: text/event-stream`` what happens
    after ``Last-Event-ID`` or ``cursor`` (by default from now on)."""
    core, wish = request.core, _wish(request)
    if STREAM in request.headers.get("accept", ""):
        cursor = _cursor(request, request.headers.get("last-event-id") or request.param("cursor"))
        if cursor is None:
            cursor = await core.in_thread(following.newest, core)
        batches = following.follow(core, request.ctx, wish, cursor)
        # Refused before anything is sent, not in the middle of an answer.
        first = await anext(batches)
        headers = {"Cache-Control": "no-store"}
        return Response(stream=_Followed(first, batches), content_type=STREAM, headers=headers)
    cursor = _cursor(request, request.param("cursor")) or 0
    limit = min(request.number("limit", MOST, minimum=1) or MOST, MOST)
    rows, reached = await core.in_thread(following.page, core, request.ctx, wish, cursor, limit)
    return {"events": [view(row) for row in rows], "cursor": str(reached)}


class _Followed:
    """The body of a stream; what it follows by is given back when the client is gone."""

    def __init__(self, first: list[Row[Any]], batches: AsyncGenerator[list[Row[Any]]]) -> None:
        self._first, self._batches = first, batches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield _text(self._first)
        async for rows in self._batches:
            yield _text(rows)

    async def close(self) -> None:
        await self._batches.aclose()


def _text(rows: list[Row[Any]]) -> bytes:
    if not rows:
        return b": still here\n\n"
    seen = (view(row) for row in rows)
    return b"".join(b"id: %d\nevent: %s\ndata: %s\n\n" % (v["id"], v["type"].encode(), encode(v)) for v in seen)


def _wish(request: Request) -> Wish:
    types = request.params("type")
    for name in types:
        if not TYPE.match(name):
            raise BadRequest(f"Invalid value '{name}' for query parameter 'type': as compute.server, or with .update.")
    if len(types) > MOST_TYPES:
        raise BadRequest(f"Query parameter 'type' is given more than {MOST_TYPES} times.")
    everything = request.flag("all_projects")
    if everything and not request.allows("event:index:all_projects"):
        raise Forbidden("Policy doesn't allow event:index:all_projects to be performed.")
    return Wish(everything, tuple(types), request.param("resource_id") or "")


def _cursor(request: Request, text: str | None) -> int | None:
    if not text:
        return None
    number = whole(text)
    if number is None or number < 0:
        raise BadRequest(
            f"Invalid value '{text}' for query parameter 'cursor': what an earlier answer gave is expected."
        )
    return number
