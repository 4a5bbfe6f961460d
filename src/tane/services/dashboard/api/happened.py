"""What has happened in the project, or for administrators in the cloud, newest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from tane.services.dashboard.api import lists
from tane.services.dashboard.api.visit import Visit, waiting
from tane.services.dashboard.domain import forms, showing
from tane.services.dashboard.domain.describing import Call, Column, Row
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import ALL
from tane.web.codec import whole
from tane.web.request import Response

CALL = Call.of("event GET ")
SHOWN = 20
MOST = 1000
"""Events of one's own that an answer looks at."""
NARROW, WIDER = 200, 8
MOST_LOOKS = 24
"""Answers that a page is put together from at most; the next one goes on where it ended."""
PAGES = {kind.event: kind for kind in reversed(ALL) if kind.event and kind.showing and kind.id == "id"}
"""By the type of an event: the kind whose page shows what it happened to."""
OTHERS = {
    "orchestration.resource": N_("Resource of a stack"),
    "orchestration.snapshot": N_("Stack snapshot"),
    "identity.role_assignment": N_("Assignment of a role"),
    "identity.credential": N_("Credential"),
    "identity.trust": N_("Trust"),
    "rating.service": N_("Priced service"),
    "rating.field": N_("Priced field"),
    "rating.group": N_("Group of prices"),
    "rating.rule": N_("Price"),
    "rating.budget": N_("Budget"),
    "rating.closing": N_("Closed month"),
    "image.task": N_("Task of an image"),
    "volume.attachment": N_("Attachment of a volume"),
    "volume.message": N_("Message"),
    "volume.group": N_("Group of volumes"),
    "network.agent": N_("Network agent"),
    "cloud.quota": N_("Quota"),
}
"""What events without a page of their own happen to."""
DONE = {"create": N_("made"), "update": N_("changed"), "delete": N_("deleted")}


@waiting
async def show(visit: Visit) -> Response:
    """The newest events, or those before one."""
    everything = visit.ctx.is_admin and visit.request.flag("all")
    asked = {"all_projects": "1"} if everything else {}
    kind = visit.request.param("type") or ""
    wanted = kind if kind in visit.followed() else ""
    newest = visit.cursor + 1
    before = min(whole(visit.request.param("before") or "") or newest, newest)
    found, reached = await _before(visit, before, asked, wanted)
    return await visit.in_thread(_page, visit, found, reached, wanted, everything)


async def _before(visit: Visit, before: int, asked: dict[str, str], kind: str) -> tuple[list[Row], int]:
    """The last events before this one, newest first, and before which the next page looks; 1 is the end. The API tells
    them from a cursor on, oldest first: so windows before it are asked for, wider where little has happened."""
    asked = {**asked, "type": kind} if kind else asked
    found: list[Row] = []
    window = NARROW
    for _ in range(MOST_LOOKS):
        window = min(window, before - 1)
        start = before - 1 - window
        events = await _between(visit, asked, start, before) if window > 0 else []
        if events is None:
            window = max(window // 2, MOST)
            continue
        found += reversed(events)
        before = start + 1
        if len(found) >= SHOWN or before <= 1:
            break
        window *= WIDER
    if len(found) > SHOWN:
        return found[:SHOWN], int(found[SHOWN - 1]["id"])
    return found, before


async def _between(visit: Visit, asked: dict[str, str], start: int, before: int) -> list[Row] | None:
    """The events after one and before another; None where an answer does not look at so many."""
    answer = await visit.ask(CALL, query={**asked, "cursor": str(start)})
    reached = int(answer["cursor"])
    # An answer that ends with what it found may have looked at all there is: then there is nothing behind it.
    if start < reached < before - 1 > start + MOST:
        behind = await visit.ask(CALL, query={**asked, "cursor": str(reached), "limit": "1"})
        if reached < (int(behind["cursor"])) < before:
            return None
    return [one for one in answer["events"] if int(one["id"]) < before]


def _page(visit: Visit, found: list[Row], reached: int, kind: str, everything: bool) -> Response:
    followed = visit.followed()
    asked = {**({"all": "1"} if everything else {}), **({"type": kind} if kind else {})}
    users = lists.all_names(visit, "users") if visit.ctx.is_admin else {}
    projects = lists.all_names(visit, "projects") if everything else {}
    told = {"all_projects": "1"} if everything else {}
    gone = {str(one["resource_id"]) for one in found if str(one["type"]).endswith(".delete")}
    path = f"{CALL.path}?{urlencode(told)}" if told else CALL.path
    return visit.page(
        "happened.html",
        rows=[_row(visit, one, followed, users, projects, gone) for one in found],
        kinds=sorted(followed.items(), key=lambda pair: pair[1]),
        kind=kind,
        everything=everything,
        next=urlencode({**asked, "before": reached}) if reached > 1 else "",
        curl=forms.curl(visit.request.base_url, "/events", CALL, path, None),
    )


def _row(
    visit: Visit,
    one: Row,
    followed: Mapping[str, str],
    users: Mapping[str, str],
    projects: Mapping[str, str],
    gone: Collection[str],
) -> dict[str, Any]:
    thing, _, what = str(one["type"]).rpartition(".")
    title = followed.get(thing) or (visit.words(OTHERS[thing]) if thing in OTHERS else thing)
    data, of = one["data"] or {}, PAGES.get(thing)
    seen = of is not None and str(one["resource_id"]) not in gone and (visit.ctx.is_admin or not of.admin)
    label = str(data.get("name") or one["resource_id"])
    user, project = str(one["user_id"] or ""), str(one["project_id"] or "")
    state = Column("status", "", "state")
    return {
        "at": showing.cell(visit.words, Column("at", "", "time"), one, {}, lists.link),
        "what": f"{title} · {visit.words(DONE[what]) if what in DONE else what}",
        "label": label,
        "href": lists.link(of.name, str(one["resource_id"])) if of is not None and seen else "",
        "state": showing.cell(visit.words, state, data, {}, lists.link),
        "user": visit.ctx.user_name if user == visit.ctx.user_id else users.get(user, user[:8]),
        "project": projects.get(project, project[:8]),
    }
