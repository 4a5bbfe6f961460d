"""Filters, sorting and paging that the lists share (API reference: "Filters", "Pagination")."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tane.services.volume.store import conditions
from tane.services.volume.store.volumes import Page
from tane.web.errors import BadRequest
from tane.web.request import Request

MOST = 1000
OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte")


def page_of(request: Request, sort_keys: Sequence[str], default: str = "created_at") -> Page:
    """``limit``, ``marker``, ``offset`` and both forms of sorting. :raises BadRequest:"""
    limit = request.number("limit")
    return Page(
        order=_order(request, sort_keys, default),
        marker=request.param("marker") or None,
        limit=MOST if limit is None else min(limit, MOST),
        offset=request.number("offset", 0) or 0,
    )


def _order(request: Request, sort_keys: Sequence[str], default: str) -> list[tuple[str, bool]]:
    sort = request.param("sort")
    if sort is not None:
        if request.param("sort_key") is not None or request.param("sort_dir") is not None:
            raise BadRequest("The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with 'sort'.")
        pairs = [part.strip().partition(":")[::2] for part in sort.split(",")]
    else:
        pairs = [(request.param("sort_key") or default, request.param("sort_dir") or "")]
    order: list[tuple[str, bool]] = []
    for key, direction in pairs:
        column = {"display_name": "name"}.get(key.strip(), key.strip())
        if column not in sort_keys:
            raise BadRequest(f"Invalid input received: sort key '{key}' is not one of {', '.join(sort_keys)}")
        if direction.strip() not in ("", "asc", "desc"):
            raise BadRequest(f"Invalid input received: Unknown sort direction, must be one of asc, desc: {direction}")
        order.append((column, direction.strip() != "asc"))
    keys = [key for key, _ in order]
    for tie_breaker in ("created_at", "id"):
        if tie_breaker not in keys:
            order.append((tie_breaker, order[-1][1]))
    return order[: [key for key, _ in order].index("id") + 1]


def owner_conditions(request: Request, table: Any) -> list[Any]:
    """The caller's project; with ``all_tenants`` an administrator sees every project, or the ``project_id`` asked."""
    if request.ctx.is_admin and request.flag("all_tenants"):
        wanted = request.param("project_id")
        return [table.c.project_id == wanted] if wanted else []
    return [table.c.project_id == request.ctx.project_id]


def equal(request: Request, columns: Mapping[str, Any]) -> list[Any]:
    """Conditions ``column = value`` for the filters given; from 3.34 also ``name~=part``."""
    found = []
    for name, column in columns.items():
        value = request.param(name)
        if value is not None:
            found.append(column == value)
        part = request.param(f"{name}~")
        if part is not None and request.version >= (3, 34):
            found.append(conditions.contains(column, part))
    return found


def times(request: Request, table: Any) -> list[Any]:
    """``created_at=gt:…,lt:…`` and the same of ``updated_at``, from 3.60 on. :raises BadRequest:"""
    found: list[Any] = []
    if request.version < (3, 60):
        return found
    for name in ("created_at", "updated_at"):
        for text in (request.param(name) or "").split(","):
            if text:
                found.append(_time(table.c[name], name, text))
    return found


def _time(column: Any, name: str, text: str) -> Any:
    operator, _, value = text.partition(":")
    if operator not in OPERATORS:
        operator, value = "eq", text
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise BadRequest(f"Invalid input received: {name} filter: '{text}' is no ISO 8601 time") from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return conditions.compare(column, operator, moment)


def metadata_filter(request: Request, column: Any, name: str = "metadata") -> list[Any]:
    """``metadata={'key':'value'}``: each pair must be there. :raises BadRequest: no such dictionary."""
    text = request.param(name)
    if not text:
        return []
    try:
        pairs = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pairs = None
    if not isinstance(pairs, dict):
        raise BadRequest(f"Invalid input received: the filter {name} must be a dictionary, it is {text}")
    return conditions.holds(column, pairs)


def answer(request: Request, path: str, kind: str, views: list[dict[str, Any]], more: bool, count: int | None) -> Any:
    """``{kind: […]}`` with the link to the next page and, from 3.45 when asked, the count."""
    found: dict[str, Any] = {kind: views}
    if more and views:
        found[f"{kind}_links"] = [{"rel": "next", "href": request.next_page(path, views[-1]["id"])}]
    if count is not None:
        found["count"] = count
    return found


def wants_count(request: Request) -> bool:
    return request.version >= (3, 45) and request.flag("with_count")


def full(page: Page, found: Sequence[Any]) -> bool:
    """Whether there may be a next page."""
    return page.limit is not None and page.limit > 0 and len(found) >= page.limit
