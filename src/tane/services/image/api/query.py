"""Filters and sorting of the image list (API reference: "List images")."""

from __future__ import annotations

import re
from typing import Any

from tane.db.paging import once_each
from tane.services.image.domain import protections
from tane.services.image.store import images
from tane.services.image.store.images import Viewer
from tane.services.image.tables import image
from tane.web import codec
from tane.web.errors import BadRequest
from tane.web.request import Request

SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
NOT_FILTERS = ("limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "visibility", "tag", "os_hidden")
MANY = ("id", "name", "status", "disk_format", "container_format")
"""Filters that take ``in:a,b``; a value with a comma stands in double quotes."""
STRINGS = {
    "id": "id",
    "name": "name",
    "status": "status",
    "disk_format": "disk_format",
    "container_format": "container_format",
    "owner": "project_id",
    "checksum": "checksum",
    "os_hash_value": "os_hash_value",
    "os_hash_algo": "os_hash_algo",
}
"""Query parameter → column."""
NUMBERS = ("size", "min_disk", "min_ram")
TIMES = ("created_at", "updated_at")


def viewer_of(request: Request) -> Viewer:
    visibility = request.param("visibility") or ""
    if visibility not in ("", "community", "public", "private", "shared", "all"):
        raise BadRequest(f"Invalid visibility value: {visibility}")
    status = request.param("member_status") or "accepted"
    if status not in ("pending", "accepted", "rejected", "all"):
        raise BadRequest(f"Invalid status: {status}")
    ctx = request.ctx
    return Viewer(project_id=ctx.project_id, is_admin=ctx.is_admin, visibility=visibility, member_status=status)


def conditions_of(request: Request) -> list[Any]:
    """SQL conditions of every filter. What is no attribute of images is taken for a custom property."""
    found: list[Any] = [image.c.os_hidden == _flag("os_hidden", request.param("os_hidden") or "false")]
    found += [images.has_tag(tag.strip()) for tag in request.params("tag")]
    for name, value in request.query:
        if name not in NOT_FILTERS:
            found.append(_condition(request, name, value))
    return found


def _condition(request: Request, name: str, value: str) -> Any:
    if name in STRINGS:
        column = image.c[STRINGS[name]]
        if value.startswith("in:") and name in MANY:
            return column.in_(_several(name, value[3:]))
        return column == value
    if name == "protected":
        return image.c.protected == _flag(name, value)
    if name in TIMES:
        return _time(name, value)
    if name in ("size_min", "size_max"):
        number = request.number(name)
        return image.c.size >= number if name == "size_min" else image.c.size <= number
    if name in NUMBERS:
        return image.c[name] == request.number(name)
    if name == "changes-since":
        raise BadRequest('The "changes-since" filter is no longer available on v2.')
    # What one may not read one does not find out by asking for it.
    known = protections.allows(request.core, request.ctx, name, "read")
    return images.has_property(name, value) if known else images.has_none()


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise BadRequest(f"Invalid value '{value}' for '{name}' filter. Valid values are 'true' or 'false'.")
    return value.lower() == "true"


def _several(name: str, text: str) -> list[str]:
    """The values of ``in:``. :raises BadRequest: quotes that do not pair."""
    if not re.fullmatch(r'("[^"]*"|[^",]*)(,("[^"]*"|[^",]*))*', text):
        raise BadRequest(f"Invalid filter value {text}. The quote is not closed.")
    return [part.strip().strip('"') for part in re.findall(r'"[^"]*"|[^",]+', text)]


def _time(name: str, value: str) -> Any:
    operator, _, text = value.partition(":")
    if operator not in ("eq", "neq", "gt", "gte", "lt", "lte"):
        operator, text = "eq", value
    moment = codec.moment(text)
    if moment is None:
        raise BadRequest(f"Invalid value '{value}' for query parameter '{name}': an ISO 8601 time is expected.")
    return images.compare(name, operator, moment)


def order_of(request: Request) -> list[tuple[str, bool]]:
    """(column, descending) pairs, the last one unique. Both of Glance's forms, not mixed."""
    keys, directions = request.params("sort_key"), request.params("sort_dir")
    if request.param("sort") is not None:
        if keys or directions:
            raise BadRequest("Old and new sorting syntax cannot be combined")
        pairs = [part.partition(":")[::2] for part in (request.param("sort") or "").split(",")]
        keys = [key.strip() for key, _ in pairs]
        directions = [direction.strip() or "desc" for _, direction in pairs]
    keys = [key.strip() for key in keys] or ["created_at"]
    directions = [direction.strip() for direction in directions] or ["desc"]
    if len(directions) > 1 and len(directions) != len(keys):
        raise BadRequest("Number of sort dirs does not match the number of sort keys")
    if len(directions) == 1:
        directions *= len(keys)
    for key in keys:
        if key not in SORT_KEYS:
            raise BadRequest(f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}.")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid sort direction: {direction}")
    order = once_each([(key, direction == "desc") for key, direction in zip(keys, directions, strict=True)])
    for tie_breaker in ("created_at", "id"):
        if tie_breaker not in keys:
            order.append((tie_breaker, order[-1][1]))
    return order[: [key for key, _ in order].index("id") + 1]
