"""Reports: totals and summaries (v1, v2), dataframes, bills."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tane.services.rating.domain import bills, frames, money, months, reports
from tane.services.rating.domain.bills import Bill, BillLine
from tane.services.rating.domain.frames import Frame
from tane.services.rating.domain.kinds import BY_SERVICE
from tane.services.rating.domain.reports import Question, Wanted
from tane.shares import TakesLong
from tane.web.errors import BadRequest, Forbidden, NotFound
from tane.web.request import Request

MOST_PAGE, MOST_GROUPS, MOST_FILTERS, MOST_PROJECTS = 1000, 10, 20, 10_000
REFUSED = "Policy doesn't allow {rule} to be performed."


def long(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """A handler that may have much to add up: it is called where only such requests wait, and projects take turns."""

    @functools.wraps(handler)
    def answered(request: Request) -> Any:
        if not request.may_take_long:
            raise TakesLong
        return handler(request)

    return answered


def _period(request: Request) -> tuple[datetime, datetime]:
    """By default this month."""
    first = datetime(*request.core.clock.now().timetuple()[:2], 1)
    begin = months.parsed("begin", request.param("begin")) or first
    return begin, months.parsed("end", request.param("end")) or months.after(first)


def _project(request: Request, rule: str) -> str | None:
    """Whose: the one that is asked for, else the caller's own; None: all. :raises Forbidden: it is not the caller's."""
    project_id = request.param("tenant_id") or request.ctx.project_id or None
    if request.flag("all_tenants"):
        project_id = None
    _refuse(request, rule, project_id)
    return project_id


def _refuse(request: Request, rule: str, project_id: str | None) -> None:
    """All projects are for administrators of the cloud: a token of a domain has no project, which is not all of them.

    :raises Forbidden:
    """
    if not request.allows(rule, {"project_id": project_id}) or (project_id is None and not request.ctx.is_admin):
        raise Forbidden(REFUSED.format(rule=rule))


# --------------------------------------------------------------------------------------------------------------- v1


def tenants(request: Request) -> list[str]:
    begin, end = _period(request)
    return reports.tenants(request.core, begin, end, MOST_PROJECTS)


@long
def total(request: Request) -> str:
    begin, end = _period(request)
    wanted = Wanted(begin, end, _project(request, "report:get_total"), request.param("service"))
    return money.plain(reports.total(request.core, wanted))


@long
def summary(request: Request) -> dict[str, Any]:
    begin, end = _period(request)
    asked = (request.param("groupby") or "").split(",")
    by = tuple(
        ours for theirs, ours in (("tenant_id", "project_id"), ("res_type", "type")) if theirs in asked
    )  # What else is asked for CloudKitty ignores, too.
    wanted = Wanted(begin, end, _project(request, "report:get_summary"), request.param("service"))
    sums = reports.summed(request.core, Question(wanted, by))
    shown = [
        {
            "begin": one.begin.isoformat(),
            "end": one.end.isoformat(),
            "tenant_id": one.by.get("project_id", "ALL"),
            "res_type": one.by.get("type", "ALL"),
            "rate": money.plain(one.rate),
        }
        for one in sums
    ]
    return {"summary": shown}


@long
def storage(request: Request) -> dict[str, Any]:
    """Hours of resources, all at once: a period with too many is refused."""
    rule, ctx = "storage:list_data_frames", request.ctx
    asked = request.param("tenant_id")
    _refuse(request, rule, asked or ctx.project_id or None)
    begin, end = _period(request)
    project_id = asked if ctx.is_admin else ctx.project_id
    wanted = Wanted(begin, end, project_id or None, request.param("resource_type"))
    _, found = frames.page(request.core, wanted, None, 0, None)
    shown: dict[tuple[datetime, str], dict[str, Any]] = {}
    for frame in found:
        times = {"begin": frame.begin.isoformat(), "end": frame.end.isoformat()}
        of = {**times, "tenant_id": frame.fact.project_id, "resources": []}
        shown.setdefault((frame.begin, frame.fact.project_id), of)["resources"].append(_resource(frame))
    return {"dataframes": list(shown.values())}


def _resource(frame: Frame) -> dict[str, Any]:
    fact = frame.fact
    described = {**fact.description, "id": fact.resource_id, "project_id": fact.project_id}
    amounts = {"volume": money.plain(frame.quantity), "rating": money.plain(frame.price)}
    return {"service": fact.service, "desc": described, **amounts}


# --------------------------------------------------------------------------------------------------------------- v2


def _utc(at: datetime) -> str:
    return at.isoformat(timespec="seconds") + "+00:00"


def _listed(request: Request, name: str, most: int) -> list[str]:
    """Values that come in several parameters, or in one with commas. :raises BadRequest: too many."""
    found = [part for value in request.params(name) for part in value.split(",") if part]
    if len(found) > most:
        raise BadRequest(f"Query parameter '{name}' has more than {most} values.")
    return found


def _filters(request: Request) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in _listed(request, "filters", MOST_FILTERS):
        name, colon, value = text.partition(":")
        if not colon or ":" in value:
            raise BadRequest(f"invalid key:value association {text[:255]}")
        found[name] = (*found.get(name, ()), value)
    return found


def _asked(request: Request) -> tuple[Wanted, Mapping[str, tuple[str, ...]]]:
    """Of one's own project, or for an administrator of those that the filters name."""
    begin, end = _period(request)
    only = _filters(request)
    if not request.ctx.is_admin:
        if not request.ctx.project_id:
            raise Forbidden("The token has no project, and only an administrator of the cloud sees all.")
        only["project_id"] = (request.ctx.project_id,)
    [project_id] = only["project_id"] if len(only.get("project_id", ())) == 1 else (None,)
    [service] = only["type"] if len(only.get("type", ())) == 1 else (None,)
    return Wanted(begin, end, project_id, service), only


def _paged(request: Request) -> tuple[int, int]:
    limit = request.number("limit", 100, minimum=1) or 100
    return request.number("offset", 0) or 0, min(limit, MOST_PAGE)


@long
def summary_v2(request: Request) -> dict[str, Any]:
    form = request.param("response_format") or "table"
    if form not in ("table", "object"):
        raise BadRequest(f"Invalid response format [{form[:64]}]. Valid format are [['table', 'object']].")
    if request.param("custom_fields"):
        raise BadRequest("custom_fields are parts of a query to CloudKitty's own storage: there is none here.")
    offset, limit = _paged(request)
    by = tuple(dict.fromkeys(_listed(request, "groupby", MOST_GROUPS)))
    wanted, only = _asked(request)
    sums = reports.summed(request.core, Question(wanted, by, only))
    results = [
        {
            "begin": _utc(one.begin),
            "end": _utc(one.end),
            "qty": float(one.quantity),
            "rate": float(one.rate),
            **one.by,
        }
        for one in sums[offset : offset + limit]
    ]
    answer: dict[str, Any] = {"total": len(sums), "format": form}
    if form == "object":
        return {**answer, "results": results}
    columns = list(results[0]) if results else []
    return {**answer, "columns": columns, "results": [list(one.values()) for one in results]}


@long
def dataframes(request: Request) -> dict[str, Any]:
    offset, limit = _paged(request)
    wanted, only = _asked(request)
    total_, found = frames.page(request.core, wanted, only, offset, limit)
    if not total_:
        raise NotFound("No resource found for provided filters.")
    shown: dict[datetime, dict[str, Any]] = {}
    for frame in found:
        period = {"begin": _utc(frame.begin), "end": _utc(frame.end)}
        usage = shown.setdefault(frame.begin, {"period": period, "usage": {}})["usage"]
        usage.setdefault(frame.fact.service, []).append(_point(frame))
    return {"total": total_, "dataframes": list(shown.values())}


def _point(frame: Frame) -> dict[str, Any]:
    fact = frame.fact
    user = {"user_id": fact.description["user_id"]} if "user_id" in fact.description else {}
    return {
        "vol": {"unit": BY_SERVICE[fact.service].unit, "qty": float(frame.quantity)},
        "rating": {"price": float(frame.price)},
        "groupby": {"id": fact.resource_id, "project_id": fact.project_id, **user},
        "metadata": {name: value for name, value in fact.description.items() if name != "user_id"},
    }


# ------------------------------------------------------------------------------------------------------------ bills


@long
def bill(request: Request) -> dict[str, Any]:
    """Tane's own: a month, explained line by line; with ``lines=0`` what it comes to."""
    project_id = request.param("project_id") or request.ctx.project_id
    _refuse(request, "bill:get", project_id or None)
    month = request.param("month") or months.of(request.core.clock.now())
    return {"bill": _bill(request, bills.bill(request.core, project_id, month))}


def _bill(request: Request, found: Bill) -> dict[str, Any]:
    settings = request.core.config.rating
    return {
        "project_id": found.project_id,
        "month": found.month,
        "begin": _utc(found.begin),
        "end": _utc(found.end),
        "until": _utc(found.until),
        "closed_at": _utc(found.closed_at) if found.closed_at else None,
        "currency": settings.currency,
        "lines": [_line(line) for line in found.lines] if request.flag("lines", True) else [],
        "total_exact": money.plain(found.total),
        "total": money.coins(found.total, settings.digits),
    }


def _line(line: BillLine) -> dict[str, Any]:
    return {
        "service": line.service,
        "resource_id": line.resource_id,
        "name": line.name,
        "what": line.what,
        "begin": _utc(line.begin),
        "end": _utc(line.end),
        "seconds": line.seconds,
        "hours": money.plain((Decimal(line.seconds) / money.PERIOD).quantize(money.DIGITS)),
        "quantity": money.plain(line.quantity),
        "unit": line.unit,
        "price": money.plain(line.price),
        "amount": money.plain(line.amount),
    }
