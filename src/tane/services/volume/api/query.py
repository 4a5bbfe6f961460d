"""Sorting and paging that the lists share (API reference: "Pagination")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tane.db.paging import once_each
from tane.services.volume.store.volumes import Page
from tane.web.errors import BadRequest
from tane.web.request import Request

MOST = 1000


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
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            raise BadRequest("Invalid input received: a sort key is given twice.")
    else:
        pairs = [(request.param("sort_key") or default, request.param("sort_dir") or "")]
    order: list[tuple[str, bool]] = []
    for key, direction in once_each(pairs):
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
    """The caller's project; with ``all_tenants`` an administrator sees every project."""
    if request.ctx.is_admin and request.flag("all_tenants"):
        return []
    return [table.c.project_id == request.ctx.project_id]


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
