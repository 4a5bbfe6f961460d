"""What a project pays: a month by service and resource, the months before, its budget; and what a server would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from tane.services.dashboard.api import lists
from tane.services.dashboard.api.visit import Visit, page
from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Call, Row
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import KINDS
from tane.web.errors import ApiError
from tane.web.request import Response

MOST_LINES = 40
"""Resources that a bill's page names, the dearest first; all are in the API's answer."""
MONTHS = 12
MOST_PROJECTS = 1000
SERVICES = {
    "instance": N_("Servers"),
    "volume.size": N_("Volumes"),
    "volume.snapshot.size": N_("Snapshots of volumes"),
    "image.size": N_("Images"),
    "ip.floating": N_("Floating IPs"),
    "router": N_("Routers"),
    "storage.objects.size": N_("Objects"),
    "correction": N_("Correction of a closed month"),
}
"""What a bill calls a service."""


@page
def bill(visit: Visit) -> Response:
    """The bill of this month, or of another one."""
    if visit.fragment:
        return _total(visit)
    now = visit.core.clock.now()
    month = visit.request.param("month") or f"{now:%Y-%m}"
    found, problem, projects = {}, "", _projects(visit)
    project = (visit.request.param("project_id") or "")[:64] if projects else ""
    asked = {"month": month, **({"project_id": project} if project else {})}
    call = Call.of("rating GET /v2/bill")
    try:
        found = visit.call(call, None, asked)["bill"]
    except ApiError as error:
        problem = visit.refusal(error)
    rows = _resources(visit, found.get("lines", ()))
    return visit.page(
        "bill.html",
        month=month,
        months=_months(now),
        projects=projects,
        project=project or visit.ctx.project_id,
        bill=found,
        problem=problem,
        services=_services(visit, found.get("lines", ())),
        rows=rows[:MOST_LINES],
        more=max(len(rows) - MOST_LINES, 0),
        budget=_budget(visit, project) if month == f"{now:%Y-%m}" else None,
        command="openstack rating summary get -g type",
        curl=forms.curl(visit.request.base_url, "/rating", call, f"{call.path}?{urlencode(asked)[:200]}", None),
    )


def _total(visit: Visit) -> Response:
    """What the month has cost until now, for the overview."""
    found, problem = {}, ""
    try:
        found = visit.call(Call.of("rating GET /v2/bill"), None, {"lines": "0"})["bill"]
    except ApiError as error:
        problem = visit.refusal(error)
    return visit.page("bill_part.html", bill=found, problem=problem, budget=_budget(visit))


def _months(now: datetime) -> list[str]:
    """This one and those before it."""
    count = now.year * 12 + now.month - 1
    return [f"{one // 12}-{one % 12 + 1:02}" for one in range(count, count - MONTHS, -1)]


def _services(visit: Visit, lines: Sequence[Row]) -> list[tuple[str, str]]:
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line["service"]] = sums.get(line["service"], Decimal(0)) + Decimal(str(line["amount"]))
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(_title(visit, name), f"{total:f}") for name, total in ordered]


def _title(visit: Visit, service: str) -> str:
    return visit.words(SERVICES[service]) if service in SERVICES else service


def _resources(visit: Visit, lines: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for each resource and way of being, the dearest first: what costs nothing has a row of its own."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for line in lines:
        service, resource, what = str(line["service"]), str(line["resource_id"]), str(line["what"])
        row = found.setdefault(
            (service, resource, what),
            {
                "service": _title(visit, service),
                "what": what,
                "hours": Decimal(0),
                "amount": Decimal(0),
            },
        )
        row["name"] = str(line["name"] or resource[:8])
        row["hours"] += Decimal(str(line["hours"]))
        row["amount"] += Decimal(str(line["amount"]))
    ordered = sorted(found.values(), key=lambda row: (-row["amount"], row["service"], row["name"]))
    return [{**row, "hours": f"{row['hours']:.1f}", "amount": f"{row['amount']:f}"} for row in ordered]


def _projects(visit: Visit) -> list[tuple[str, str]]:
    """The projects whose bills an administrator may look at; of others only their own."""
    kind = KINDS["projects"]
    if not visit.ctx.is_admin or not visit.may(kind.list_call):
        return []
    return sorted(lists.all_names(visit, "projects").items(), key=lambda pair: pair[1])[:MOST_PROJECTS]


def _budget(visit: Visit, project: str = "") -> Mapping[str, Any] | None:
    """The project's budget; None when it has none, or may not see it."""
    try:
        asked = {"project": project} if project else {}
        return dict(visit.call(Call.of("rating GET /v2/budgets/{project}"), None, (), None, **asked)["budget"])
    except ApiError as error:
        if error.status in (403, 404):
            return None
        raise
