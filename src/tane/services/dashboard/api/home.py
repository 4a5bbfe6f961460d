"""The first page: what is there, what is used of the quota, what to do first."""

from __future__ import annotations

from collections.abc import Sequence

from tane.services.dashboard.api import lists
from tane.services.dashboard.api.visit import Visit, page
from tane.services.dashboard.domain.describing import Call
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import KINDS
from tane.web.errors import ApiError
from tane.web.request import Response

COMPUTE = (
    (N_("Servers"), "totalInstancesUsed", "maxTotalInstances"),
    (N_("vCPUs"), "totalCoresUsed", "maxTotalCores"),
    (N_("Memory (MiB)"), "totalRAMUsed", "maxTotalRAMSize"),
)
VOLUME = (
    (N_("Volumes"), "totalVolumesUsed", "maxTotalVolumes"),
    (N_("Volume space (GiB)"), "totalGigabytesUsed", "maxTotalVolumeGigabytes"),
    (N_("Snapshots"), "totalSnapshotsUsed", "maxTotalSnapshots"),
)
NETWORK = (
    (N_("Networks"), "network"),
    (N_("Routers"), "router"),
    (N_("Floating IPs"), "floatingip"),
    (N_("Security groups"), "security_group"),
)
BILL = Call.of("rating GET /v2/bill")
MOST_FINDINGS = 5
"""Of the doctor that the overview shows."""
FIRST = ("keypairs", "networks", "images", "servers")
"""What one makes first, in this order."""


def quotas(visit: Visit, wanted: Sequence[str] = ("compute", "volume", "network")) -> list[tuple[str, int, int]]:
    """(title, used, limit) of the project; -1 is without a limit. What the API refuses is left out."""
    found: list[tuple[str, int, int]] = []
    for service, path, table in (("compute", "/v2.1/limits", COMPUTE), ("volume", "/v3/{project}/limits", VOLUME)):
        if service in wanted:
            try:
                absolute = visit.call(Call(service, "GET", path))["limits"]["absolute"]
            except ApiError:
                continue
            found += [(title, int(absolute.get(used, 0)), int(absolute.get(most, -1))) for title, used, most in table]
    if "network" in wanted:
        try:
            details = visit.call(Call.of("network GET /v2.0/quotas/{project}/details"))["quota"]
            found += [(title, int(details[name]["used"]), int(details[name]["limit"])) for title, name in NETWORK]
        except ApiError:
            pass
    return found


@page
def home(visit: Visit) -> Response:
    """The overview."""
    if not visit.ctx.project_id:
        return visit.page("noproject.html")
    servers = KINDS["servers"]
    try:
        table = lists.shown(visit, servers, lists.rows(visit, servers, {"limit": "8"}))
    except ApiError as error:
        table = lists.Table(servers, [], problem=visit.refusal(error))
    found = _findings(visit)
    return visit.page(
        "overview.html",
        quotas=quotas(visit),
        table=table,
        # Who has a server needs no first steps, and each page would ask four lists for them.
        first=[] if table.rows else _first(visit),
        kind=servers,
        findings=found,
        # A sum over all that was used takes as long as it takes: the page asks for it once it is there.
        bill=visit.may(BILL),
    )


def _findings(visit: Visit) -> lists.Table | None:
    """What the doctor finds, for administrators; None where all is well."""
    kind = KINDS["findings"]
    if not visit.ctx.is_admin or not visit.may(kind.list_call):
        return None
    found = lists.rows(visit, kind)
    return lists.shown(visit, kind, found[:MOST_FINDINGS]) if found else None


def tour(visit: Visit, kind: str, *, made: bool = False) -> tuple[str, str, str] | None:
    """(sentence, title, address) of what comes next after one of the first steps, until a server runs. ``made``: it
    was taken just now; else the address of the page says it."""
    if not (made or visit.request.param("done") == "create") or kind not in FIRST:
        return None
    steps = _first(visit)
    following = next(((title, where) for title, where, there in steps if not there), None)
    if following is not None:
        count = sum(there for _, _, there in steps)
        said = visit.words(N_("{count} of {all} first steps are done. Next:"), count=count, all=len(steps))
        return said, visit.words(following[0]), following[1]
    servers = KINDS["servers"]
    if kind == "servers" and len(found := lists.rows(visit, servers, {"limit": "2"})) == 1:
        said = visit.words(N_("That was all: your first server starts now, and this page says when it runs. Then:"))
        return said, visit.words(N_("Serial console")), f"/servers/{found[0]['id']}/serial"
    return None


def _first(visit: Visit) -> list[tuple[str, str, bool]]:
    """(title of the action, its address, whether it is done) of what a new project needs; nothing once all is there."""
    found = []
    for name in FIRST:
        kind = KINDS[name]
        if kind.create is None or not visit.may(kind.create.target, kind.create.key):
            continue
        try:
            there = bool(lists.rows(visit, kind, {"limit": "1", **lists.own(visit, kind)}))
        except ApiError:
            there = True
        found.append((kind.create.title, f"/new/{name}", there))
    return found if any(not there for _, _, there in found) else []
