"""Alarms, their state, their history, and looking for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tane.db.paging import once_each
from tane.services.alarm.domain import alarms as domain
from tane.services.alarm.domain import queries
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, Forbidden, Unauthorized
from tane.web.request import Request, Response

FILTERS = (
    "all_projects",
    "user_id",
    "project_id",
    "type",
    "name",
    "enabled",
    "state",
    "severity",
    "timestamp",
    "repeat_actions",
)
STAMPS = ("timestamp", "state_timestamp", "evaluate_timestamp")


def view(row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in domain.SHOWN if name != "rule"}
    shown |= {name: iso_micro(getattr(row, name)) for name in STAMPS}
    return {"alarm_id": row.id, **shown, f"{row.type}_rule": row.rule}


def index(request: Request) -> list[dict[str, Any]]:
    wanted, everywhere = _filters(request)
    sorts, marker, limit = _page(request, queries.ALARMS)
    rows = domain.listed(request.core, request.ctx, wanted, sorts, marker, limit, everywhere=everywhere)
    return [view(row) for row in rows]


def _filters(request: Request) -> tuple[dict[str, Any], bool]:
    wanted: dict[str, Any] = {}
    everywhere = False
    for field, operator, value in _conditions(request):
        if field not in FILTERS:
            raise BadRequest(f"Invalid input for field/attribute field. Value: '{field}'. only some fields are allowed")
        if operator != "eq":
            raise BadRequest(
                f"Invalid input for field/attribute op. Value: '{operator}'. only operator 'eq' is allowed"
            )
        if field == "all_projects":
            everywhere = value.lower() in ("true", "1", "t", "yes", "on", "y")
            continue
        wanted[field] = value if field == "project_id" else queries.typed(queries.ALARMS[field], value)
    allowed = request.allows("telemetry:get_alarms:all_projects")
    if everywhere and not allowed:
        raise Forbidden("RBAC Authorization Failed")
    asked = wanted.get("project_id", request.ctx.project_id)
    if asked != request.ctx.project_id and not allowed:
        raise Unauthorized(f"Not Authorized to access project {asked}")
    return wanted, everywhere


def _conditions(request: Request) -> list[tuple[str, str, str]]:
    """The parameters q.field, q.op and q.value belong together in their order."""
    fields, operators, values = (request.params(f"q.{name}") for name in ("field", "op", "value"))
    if len(values) != len(fields) or (operators and len(operators) != len(fields)):
        raise BadRequest("Invalid input: q.field, q.op and q.value come together")
    return list(zip(fields, operators or ["eq"] * len(fields), values, strict=True))


def _page(request: Request, columns: Any) -> tuple[list[tuple[str, bool]], str | None, int]:
    sorts: list[tuple[str, bool]] = []
    for text in request.params("sort"):
        name, _, way = text.partition(":")
        if name not in columns or way not in ("", "asc", "desc"):
            raise BadRequest(f"Invalid input for field/attribute sort. Value: '{text}'. the sort parameter is invalid.")
        sorts.append((name, way != "desc"))
    limit = request.number("limit", domain.MOST_PAGE, minimum=1)
    return once_each(sorts), request.param("marker"), min(limit or domain.MOST_PAGE, domain.MOST_PAGE)


def create(request: Request) -> Response:
    row = domain.create(request.core, request.ctx, request.body)
    return Response(view(row), 201, {"Location": request.link(f"/v2/alarms/{row.id}")})


def show(request: Request) -> dict[str, Any]:
    return view(domain.get(request.core, request.ctx, request.path["alarm_id"]))


def update(request: Request) -> dict[str, Any]:
    return view(domain.update(request.core, request.ctx, request.path["alarm_id"], request.body))


def delete(request: Request) -> None:
    domain.delete(request.core, request.ctx, request.path["alarm_id"])


def state(request: Request) -> str:
    return str(domain.get(request.core, request.ctx, request.path["alarm_id"]).state)


def set_state(request: Request) -> str:
    return domain.set_state(request.core, request.ctx, request.path["alarm_id"], request.body.value)


def _of_history(request: Request) -> Mapping[str, Any]:
    """By what the caller may look for changes."""
    return queries.HISTORY if request.allows("telemetry:change_alarm") else queries.HISTORY_OF_READERS


def history(request: Request) -> list[dict[str, Any]]:
    wanted, columns = [], _of_history(request)
    for field, operator, value in _conditions(request):
        if field not in columns or field in ("on_behalf_of", "alarm_id"):
            raise BadRequest(f"Invalid input for field/attribute field. Value: '{field}'. unrecognized field")
        column = columns[field]
        names = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
        if operator not in names:
            raise BadRequest(f"Invalid input for field/attribute op. Value: '{operator}'. unimplemented operator")
        wanted.append(queries.compared(names[operator], column, value))
    sorts, marker, limit = _page(request, columns)
    rows = domain.changes(request.core, request.ctx, request.path["alarm_id"], wanted, sorts, marker, limit)
    return [domain.change_view(row) for row in rows]


def query(request: Request) -> list[dict[str, Any]]:
    body = request.body
    rows = domain.queried(
        request.core,
        request.ctx,
        queries.parse(body.filter, queries.ALARMS),
        queries.order(body.orderby, queries.ALARMS),
        min(body.limit or domain.MOST_PAGE, domain.MOST_PAGE),
    )
    return [view(row) for row in rows]


def query_history(request: Request) -> list[dict[str, Any]]:
    body = request.body
    columns = _of_history(request)
    wanted = queries.parse(body.filter, columns)
    sorts = queries.order(body.orderby, columns)
    limit = min(body.limit or domain.MOST_PAGE, domain.MOST_PAGE)
    rows = domain.changes(request.core, request.ctx, None, wanted, sorts, None, limit)
    return [domain.change_view(row) for row in rows]


# ------------------------------------------------------------------------------------------------------------ quotas


def quotas(request: Request) -> dict[str, Any]:
    project = request.param("project_id") or request.path.get("project_id") or request.ctx.project_id
    if not request.ctx.sees(project):
        raise Forbidden("RBAC Authorization Failed")
    return _quotas(project, domain.quotas(request.core, project))


def _quotas(project: str, limits: dict[str, int]) -> dict[str, Any]:
    return {"project_id": project, "quotas": [{"resource": name, "limit": most} for name, most in limits.items()]}


def set_quotas(request: Request) -> dict[str, Any]:
    body = request.body
    limits = domain.set_quotas(request.core, body.project_id, {one.resource: one.limit for one in body.quotas})
    return _quotas(body.project_id, limits)


def reset_quotas(request: Request) -> None:
    domain.reset_quotas(request.core, request.path["project_id"])
