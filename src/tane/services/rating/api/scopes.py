"""Scopes, reprocessing, months that are closed, budgets: what an administrator does with rating as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tane.services.rating.domain import bills, budgets, months, switches
from tane.services.rating.domain.switches import COLLECTOR, FETCHER, KEY, Selected
from tane.web.errors import BadRequest, Forbidden, NotImplementedHere
from tane.web.request import Request, Response

MOST_PAGE, MOST_VALUES = 1000, 1000
FROM_FACTS = (
    "Nothing is stored that would have to be processed again: each report computes what was used by the prices that "
    "are valid for its time. A closed month does not change; what becomes known later is a line of the next bill."
)
OWN_FACTS = "What was used is known from the cloud's own events: what others measured cannot be added."


def _view(row: Any, told: datetime) -> dict[str, Any]:
    toggled = row.toggled_at.isoformat(timespec="seconds") if row.toggled_at else None
    at = told.isoformat(timespec="seconds")
    named = {"scope_id": row.project_id, "scope_key": KEY, "fetcher": FETCHER, "collector": COLLECTOR}
    times = {"last_processed_timestamp": at, "state": at, "scope_activation_toggle_date": toggled}
    return {**named, **times, "active": row.active}


def _several(given: Any, field: str) -> Sequence[str]:
    """A text with commas, or a list of texts. :raises BadRequest: neither, or too many."""
    if given is None:
        return ()
    listed = given if isinstance(given, list) else [given]
    if not all(isinstance(one, str) for one in listed):
        raise BadRequest(f"Invalid input for field/attribute {field}. a text or a list of texts is expected")
    found = [part for one in listed for part in one.split(",") if part]
    if len(found) > MOST_VALUES or any(len(one) > 255 for one in found):
        raise BadRequest(f"Invalid input for field/attribute {field}. at most {MOST_VALUES} values of 255 characters")
    return found


def index(request: Request) -> dict[str, Any]:
    given = {name: _several(request.params(name), name) for name in ("scope_id", "scope_key", "fetcher", "collector")}
    active = [one.lower() not in ("0", "false") for one in _several(request.params("active"), "active")]
    selected = Selected(given["scope_id"], given["scope_key"], given["fetcher"], given["collector"], active)
    limit = min(request.number("limit", 100, minimum=1) or 100, MOST_PAGE)
    rows, told = switches.scopes(request.core, selected, request.number("offset", 0) or 0, limit)
    return {"results": [_view(row, told) for row in rows]}


def reset(request: Request) -> Response:
    """Have what follows a moment rated anew: it is, whenever it is asked for. Nothing is kept of the call."""
    body = request.body
    ids = _several(body.scope_id, "scope_id")
    if not ids and not body.all_scopes:
        raise BadRequest("Either all_scopes or a scope_id should be specified.")
    if ids and body.all_scopes:
        raise BadRequest("all_scopes and scope_id are mutually exclusive.")
    at = months.parsed("last_processed_timestamp", body.last_processed_timestamp or body.state)
    if at is None:
        raise BadRequest("Variable 'last_processed_timestamp' cannot be empty/None.")
    key, fetcher, collector = (_several(getattr(body, name), name) for name in ("scope_key", "fetcher", "collector"))
    switches.scopes(request.core, Selected(ids, key, fetcher, collector), 0, 1)
    switches.refuse_reset(request.core, at)
    return Response({}, 202)


def patch(request: Request) -> dict[str, Any]:
    body = request.body
    for name, ours in (("scope_key", KEY), ("fetcher", FETCHER), ("collector", COLLECTOR)):
        if getattr(body, name) not in (None, ours):
            raise NotImplementedHere(f"{name} is '{ours}' for each scope of this cloud, and no other.")
    row, told = switches.set_scope(request.core, body.scope_id, body.active)
    return _view(row, told)


def reprocesses(request: Request) -> dict[str, Any]:
    """What is being processed again: nothing ever is."""
    order = (request.param("order") or "desc").lower()
    if order not in ("asc", "desc"):
        raise BadRequest(f"The order [{order[:64]}] is not valid. Accepted values are ['asc', 'desc'].")
    return {"results": []}


def reprocess(request: Request) -> Response:
    raise NotImplementedHere(FROM_FACTS)


def add_dataframes(request: Request) -> Response:
    raise NotImplementedHere(OWN_FACTS)


# --------------------------------------------------------------------------------------------- closed months, budgets


def closings(request: Request) -> dict[str, Any]:
    rows = bills.closings(request.core)
    return {"closings": [_closing(row) for row in rows]}


def _closing(row: Any) -> dict[str, Any]:
    return {"month": row.month, "closed_at": row.closed_at.isoformat(timespec="seconds"), "user_id": row.user_id}


def close(request: Request) -> dict[str, Any]:
    bills.close(request.core, request.ctx, request.body.month)
    [row] = [row for row in bills.closings(request.core) if row.month == request.body.month]
    return {"closing": _closing(row)}


def _budget(request: Request, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("project_id", "amount", "action", "state", "spent", "month")}
    return {**shown, "currency": request.core.config.rating.currency}


def all_budgets(request: Request) -> dict[str, Any]:
    return {"budgets": [_budget(request, row) for row in budgets.every(request.core)]}


def budget(request: Request) -> dict[str, Any]:
    project_id = request.path["project_id"]
    if not request.allows("budget:get", {"project_id": project_id}):
        raise Forbidden("Policy doesn't allow budget:get to be performed.")
    return {"budget": _budget(request, budgets.get(request.core, project_id))}


def set_budget(request: Request) -> dict[str, Any]:
    body = request.body
    row = budgets.put(request.core, request.path["project_id"], body.amount, body.action)
    return {"budget": _budget(request, row)}


def delete_budget(request: Request) -> None:
    budgets.remove(request.core, request.path["project_id"])
