"""Shared by the handlers: links, pages, values of bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tane.db.paging import once_each
from tane.web.errors import BadRequest
from tane.web.request import Request

MAX_LIMIT = 1000


def root(request: Request) -> str:
    """The version root that the caller uses: links stay under it, also under ``/v2`` (see ``aliases``)."""
    return "/v2" if request.url_path.split("/", 3)[2:3] == ["v2"] else "/v2.1"


def links(request: Request, collection: str, resource_id: str) -> list[dict[str, str]]:
    """The ``self`` link and the version-free ``bookmark``."""
    return [
        {"rel": "self", "href": f"{request.service_url}{root(request)}/{collection}/{resource_id}"},
        {"rel": "bookmark", "href": f"{request.service_url}/{collection}/{resource_id}"},
    ]


def page_limit(request: Request) -> int:
    """:raises BadRequest: a limit that is no integer of at least 0."""
    limit = request.number("limit", MAX_LIMIT)
    return MAX_LIMIT if limit is None else min(limit, MAX_LIMIT)


def next_link(request: Request, path: str, items: Sequence[Any], limit: int, marker: str) -> list[dict[str, str]]:
    """The ``<things>_links`` of a list: empty when the page is the last one."""
    if not limit or len(items) < limit:
        return []
    return [{"rel": "next", "href": request.next_page(root(request) + path, marker)}]


def given(part: msgspec.Struct, columns: dict[str, str]) -> dict[str, Any]:
    """Column → value for the fields of a body that were present; ``columns`` maps field to column."""
    found = {column: getattr(part, name) for name, column in columns.items()}
    return {column: value for column, value in found.items() if value is not msgspec.UNSET}


def sorting(request: Request, default: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """(key, descending) pairs from ``sort_key`` and ``sort_dir``. :raises BadRequest: a direction that is none."""
    keys, directions = request.params("sort_key"), request.params("sort_dir")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Unknown sort direction, must be one of: asc, desc; got {direction}")
    if not keys:
        first = directions[0] if directions else None
        return [(key, descending if first is None else first == "desc") for key, descending in default]
    usual = directions[0] if directions else "desc"
    return once_each([(key, (directions[i] if i < len(directions) else usual) == "desc") for i, key in enumerate(keys)])
