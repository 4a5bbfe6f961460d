"""What a new stack, or an update of one, would do, before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tane.services.dashboard.api import graphs
from tane.services.dashboard.api.incoming import Form
from tane.services.dashboard.api.visit import PREFIX, Visit
from tane.services.dashboard.domain import commands, forms
from tane.services.dashboard.domain.describing import Call, Values, part_of
from tane.services.dashboard.domain.messages import N_
from tane.web import inside
from tane.web.errors import PreconditionFailed
from tane.web.request import Response

if TYPE_CHECKING:
    from tane.services.dashboard.api.pages import Order

KINDS = (
    ("deleted", N_("Deleted"), "bad"),
    ("replaced", N_("Replaced: made anew, the old one is deleted"), "bad"),
    ("added", N_("Added"), "good"),
    ("updated", N_("Updated in place"), "busy"),
    ("unchanged", N_("Unchanged"), "quiet"),
)
"""What happens to a resource, what may lose data first: name in the API's answer, title, tone."""
MOST_ROWS, MOST_NAMES = 100, 8


PLANNED = "planned"
"""The field of the button that says what the stack was when its update was planned."""


def mark(row: Mapping[str, Any]) -> str:
    """What a stack is, as far as an update of it changes that."""
    return f"{row.get('updated_time') or row.get('creation_time')} {row.get('stack_status')}"


def check(visit: Visit, order: Order, given: Form) -> None:
    """:raises PreconditionFailed: the stack is another than when this was planned."""
    planned = given.one(PLANNED).strip()
    if planned and order.action.name == "update" and planned != mark(order.row):
        raise PreconditionFailed(
            visit.words(N_("The stack was changed after this was planned. Plan the update again."))
        )


class Step(NamedTuple):
    """A resource, what happens to it, and why."""

    title: str
    tone: str
    name: str
    type: str
    why: str


async def show(visit: Visit, order: Order, given: Form) -> Response:
    """The plan of an update, with the button that does it."""
    fields = await visit.in_thread(forms.inputs, visit.core, order.action)
    values = forms.values(fields, given.values)
    return await visit.in_thread(lambda: _page(visit, order, values, given))


def _page(visit: Visit, order: Order, values: Values, given: Form) -> Response:
    body = forms.body(order.action, values, order.row)
    if order.id:
        told = visit.call(order.action.target, body, id=order.id)["resource_changes"]
        picture = graphs.planned(visit, order.id, told, {name: (title, tone) for name, title, tone in KINDS})
        sent = [(PLANNED, mark(order.row))]
    else:
        made = visit.call(PREVIEW, body)["stack"]["resources"]
        needs = graphs.needs_of([one for one in made if isinstance(one, dict)])
        told = {"added": [{**one, "requires": needs.get(one["resource_name"], ())} for one in map(_of_new, made)]}
        picture = graphs.planned(visit, "", told, {name: (title, tone) for name, title, tone in KINDS})
        sent = []
    steps = _steps(visit, told, new=not order.id)
    names = [field.name for field in order.action.fields if field.kind != "file"]
    sent += [(name, text) for name in names for text in given.values.get(name, ())[:1]]
    counts = [(visit.words(title), tone, len(told.get(name, ()))) for name, title, tone in KINDS]
    return visit.page(
        "plan.html",
        kind=order.kind,
        id=order.id,
        label=order.label or str(values.get("stack_name", "")),
        steps=steps[:MOST_ROWS],
        more=max(len(steps) - MOST_ROWS, 0),
        picture=picture,
        counts=[one for one in counts if one[2]],
        sent=sent,
        title=N_("Update") if order.id else order.action.title,
        post=f"{PREFIX}/{order.kind.name}/{inside.part(order.id)}/update" if order.id else f"{PREFIX}/new/stacks",
        command=commands.command(order.action, values, {"id": part_of(order.id, 1)}, order.row, typed=True),
    )


PREVIEW = Call.of("orchestration POST /v1/{project}/stacks/preview")


def _of_new(made: Any) -> dict[str, Any]:
    """A resource of a preview; a nested stack is told there as the list of what is in it, which all name it."""
    if isinstance(made, dict):
        return made
    within = made
    while isinstance(within, list):
        within = within[0]
    return {"resource_name": within["parent_resource"], "resource_type": "OS::Heat::Stack"}


def _steps(visit: Visit, told: Mapping[str, Any], *, new: bool) -> list[Step]:
    return [
        Step(
            visit.words(title),
            tone,
            row["resource_name"],
            row["resource_type"],
            "" if new else _why(visit, name, row),
        )
        for name, title, tone in KINDS
        if name != "unchanged"
        for row in told.get(name, ())
    ]


def _why(visit: Visit, what: str, row: Mapping[str, Any]) -> str:
    if what == "deleted":
        return visit.words(N_("The template has it no more."))
    if what == "added":
        return visit.words(N_("The template has it anew."))
    if row["refused_reason"]:
        return visit.words(N_("The update refuses it: {why}"), why=row["refused_reason"])
    if what == "replaced" and row["resource_status"] == "FAILED":
        return visit.words(N_("It failed before."))
    if row["previous_type"]:
        return visit.words(N_("Its type was {type}."), type=row["previous_type"])
    names = row["replacing_properties"] if what == "replaced" else row["changed_properties"]
    shown = ", ".join(names[:MOST_NAMES])
    return visit.words(N_("Changed: {names}"), names=shown) if names else ""
