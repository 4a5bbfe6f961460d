"""What has become of a stack's resources behind its back, and the button that mends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tane.services.dashboard.api.visit import Visit
from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Call, Row
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import KINDS
from tane.web import codec
from tane.web.request import Response

STATES = (
    ("DELETED", N_("Gone"), "bad"),
    ("MODIFIED", N_("Changed by others"), "busy"),
    ("NOT_CHECKED", N_("Not checked"), "quiet"),
    ("IN_SYNC", N_("As it was set"), "good"),
)
"""A resource's state in the API's answer, what worries first: word, title, tone."""
MENDS = {
    "create": N_("It is made again."),
    "replace": N_("Another takes its place."),
    "update": N_("It is changed in place."),
    "none": N_("No update mends it."),
}
MOST_ROWS, MOST_TEXT = 100, 200


class Line(NamedTuple):
    """A resource, how it is found, and what an update that mends would do with it."""

    title: str
    tone: str
    name: str
    type: str
    why: tuple[str, ...]
    mend: str


async def show(visit: Visit, stack_id: str, row: Row) -> Response:
    """Each resource compared with what the template set."""
    call = Call.of("orchestration GET /v1/{project}/stacks/{id:0}/{id:1}/drift")
    answer = await visit.ask(call, id=stack_id)
    return await visit.in_thread(_page, visit, stack_id, row, answer["drift"])


def _page(visit: Visit, stack_id: str, row: Row, told: Mapping[str, Any]) -> Response:
    by_state = {state: [one for one in told["resources"] if one["drift_status"] == state] for state, _, _ in STATES}
    shown = [(one, title, tone) for state, title, tone in STATES for one in by_state[state] if state != "IN_SYNC"]
    name = str(row.get("stack_name", ""))
    return visit.page(
        "drift.html",
        kind=KINDS["stacks"],
        id=stack_id,
        label=name,
        lines=[_line(visit, *one) for one in shown[:MOST_ROWS]],
        more=max(len(shown) - MOST_ROWS, 0),
        counts=[(visit.words(title), tone, len(by_state[state])) for state, title, tone in STATES if by_state[state]],
        drifted=told["stack_drift_status"] == "DRIFTED",
        command=forms.line(["./tane stack drift", forms.operand(name)]),
        mending=forms.line(["openstack stack update --existing --converge", forms.operand(name)]),
    )


def _line(visit: Visit, one: Mapping[str, Any], title: str, tone: str) -> Line:
    name = f"{one['parent_resource']}/{one['resource_name']}" if "parent_resource" in one else one["resource_name"]
    why = tuple(
        visit.words(
            N_("{name}: set to {expected}, is {actual}"),
            name=found["property"],
            expected=_text(found["expected"]),
            actual=_text(found["actual"]),
        )
        for found in one["differences"]
    )
    mend = visit.words(MENDS[one["mend"]["action"]]) if one["mend"]["action"] else ""
    reasons = [*why, *(found["unmended"] for found in one["differences"] if found["unmended"])]
    if one["drift_status_reason"]:
        reasons.append(one["drift_status_reason"])
    return Line(visit.words(title), tone, name, one["resource_type"], tuple(reasons), mend)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else codec.encode(value).decode()
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"
