"""The button that takes back what was just done, while nothing else has changed it.

What is known for it stays in this process for ten minutes: who restarts the cloud in between has no button, and loses
nothing else.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tane.services.dashboard.api import lists, special
from tane.services.dashboard.api.incoming import Form, read
from tane.services.dashboard.api.once import once
from tane.services.dashboard.api.visit import Visit, check_form, waiting
from tane.services.dashboard.domain import forms, undoing
from tane.services.dashboard.domain.describing import Action, Kind, Row, Values
from tane.services.dashboard.domain.forms import Input
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.domain.undoing import Done, Step, Still
from tane.services.dashboard.resources import KINDS
from tane.web import inside
from tane.web.errors import ApiError, Conflict, NotFound
from tane.web.request import Response

if TYPE_CHECKING:
    from tane.services.dashboard.api.pages import Order

MEMORY = "dashboard.undo"
LASTS = timedelta(minutes=10)
EARLY = N_("“{what}” is not done yet: try again in a moment.")
MOST, MOST_OF_USER, MOST_OF_ONE = 16 << 20, 512 << 10, 5
"""Characters remembered of all users and of one, and orders of one session, of a step or several; the oldest are
forgotten."""


class NotYet(Conflict):
    """What is to be taken back is still under way."""


@dataclass(frozen=True)
class Kept:
    """What takes an order back; ``steps``: one for each resource that it was done to."""

    owner: str
    user_id: str
    title: str
    steps: Sequence[Step]
    until: datetime
    size: int


def before(visit: Visit, order: Order, given: forms.Given, fields: Sequence[Input], values: Values) -> Done:
    """What is known of an action before it is taken; its ``answer`` comes after."""
    kind, action, row, inner = order.kind, order.action, order.row, visit.request.param("in") or ""
    seen: Row = {}
    if action.name in undoing.LOOKED_AT.get(kind.name, ()):
        with contextlib.suppress(NotFound):
            seen = _attachment(visit, order) if kind.name == "volumes" else _granted(visit, order, values)
    ctx = visit.ctx
    project = ctx.project_id or ""
    return Done(kind, action, order.id, inner, given, row, None, fields, values, seen, ctx.is_admin, project)


def _attachment(visit: Visit, order: Order) -> Row:
    """How the volume is attached, when it is to one server."""
    attachments = order.row.get("attachments") or []
    if len(attachments) != 1:
        return {}
    try:
        return lists.one(visit, KINDS["server-volumes"], order.id, str(attachments[0]["server_id"]))
    except ApiError:
        return {}


def _granted(visit: Visit, order: Order, values: Values) -> Row:
    """:raises NotFound: it is not granted yet. Who may not ask is not sure of it."""
    call = replace(order.action.target, method="GET")
    try:
        visit.call(call, id=order.id, **forms.places(order.action, values))
    except NotFound:
        raise
    except ApiError as error:
        return {"unknown": error.message}
    return {"held": True}


def remember(visit: Visit, order: Order, done: Done) -> dict[str, str]:
    """What the address of the next page says of it; nothing where it cannot be taken back."""
    return remember_all(visit, order.action, [done])


def can(kind: Kind, action: Action) -> bool:
    """Whether an action of this name may be taken back at all."""
    return action.name in undoing.REVERSES.get(kind.name, {})


def remember_all(visit: Visit, action: Action, dones: Sequence[Done]) -> dict[str, str]:
    """The same of several resources; nothing unless each of them can be taken back: half a way back is none."""
    assert visit.session is not None
    steps = [step for done in dones if (step := undoing.step(done)) is not None and _may(visit, step)]
    if not steps or len(steps) < len(dones):
        return {}
    kept: dict[str, Kept] = visit.core.memory.setdefault(MEMORY, {})
    name = secrets.token_urlsafe(12)
    now, by = visit.core.clock.now(), visit.session
    kept[name] = Kept(by.id, by.user_id, action.title, steps, now + LASTS, len(repr(steps)))
    _forget(kept, kept[name], now)
    return {"undo": name} if name in kept else {}


def _forget(kept: dict[str, Kept], newest: Kept, now: datetime) -> None:
    known = list(kept.items())
    gone = {key for key, one in known if one.until < now}
    gone |= {key for key, _ in [pair for pair in known if pair[1].owner == newest.owner][:-MOST_OF_ONE]}
    for most, user_id in ((MOST_OF_USER, newest.user_id), (MOST, None)):
        left = most
        for key, one in reversed(known):
            if key not in gone and user_id in (None, one.user_id):
                left -= one.size
                gone |= {key} if left < 0 else set()
    for key in gone:
        kept.pop(key, None)


def _may(visit: Visit, step: Step) -> bool:
    """Whether the visitor may do that, too."""
    action = _action(KINDS[step.kind], step)
    return visit.may(action.target, action.key)


def _action(kind: Kind, step: Step) -> Action:
    found = kind.create if step.action == "create" else kind.action(step.action)
    assert found is not None, (step.kind, step.action)
    return found


def offered(visit: Visit) -> tuple[str, str] | None:
    """(what to send, what was done) for the page that comes after an action."""
    return described(visit, visit.request.param("undo") or "")


def described(visit: Visit, name: str) -> tuple[str, str] | None:
    found = _of(visit, name)
    if found is None:
        return None
    what, count = visit.words(found.title), len(found.steps)
    if visit.request.param("early"):
        return name, visit.words(EARLY, what=what)
    if count == 1:
        return name, visit.words(N_("“{what}” was accepted."), what=what)
    return name, visit.words(N_("“{what}” was accepted for {count}."), what=what, count=count)


def _of(visit: Visit, name: str) -> Kept | None:
    found: Kept | None = visit.core.memory.get(MEMORY, {}).get(name)
    mine = found is not None and visit.session is not None and found.owner == visit.session.id
    return found if found is not None and mine and visit.core.clock.now() < found.until else None


@waiting
async def undo(visit: Visit) -> Response:
    """Take it back. :raises Conflict: somebody has changed it since. :raises NotFound: it is too late."""
    given = await read(visit.request)
    check_form(visit, given.values)
    return await once(visit, given, lambda: _undo(visit, given))


async def _undo(visit: Visit, given: Form) -> Response:
    core = visit.core
    name = given.one("undo")[:100]
    kept = _of(visit, name)
    if kept is None:
        raise NotFound(visit.words(N_("This can no longer be undone.")))
    left: list[tuple[Step, ApiError]] = []
    for step in kept.steps:
        try:
            await _take_back(visit, step)
        except ApiError as error:
            left.append((step, error))
    memory: dict[str, Kept] = core.memory[MEMORY]
    if left:
        # What went back is done; the rest may be tried again.
        memory[name] = replace(kept, steps=[step for step, _ in left])
        if len(kept.steps) > 1:
            return await visit.in_thread(_report, visit, kept, left, name)
        if isinstance(left[0][1], NotYet):
            return _after(visit, kept.steps, undo=name, early="1")
        raise left[0][1]
    memory.pop(name, None)
    return _after(visit, kept.steps, undone="1")


def _after(visit: Visit, steps: Sequence[Step], **said: str) -> Response:
    """Where one goes then: to the resource, or to the list of several."""
    step, kind = steps[0], KINDS[steps[0].kind]
    if kind.inner:
        return visit.go(f"/{kind.gone_to or kind.name}/{inside.part(step.inner)}", **said)
    return visit.go(f"/{kind.name}/{inside.part(step.id)}" if len(steps) == 1 else f"/{kind.name}", **said)


def _report(visit: Visit, kept: Kept, left: Sequence[tuple[Step, ApiError]], name: str) -> Response:
    failed = {id(step): visit.refusal(error) for step, error in left}
    kind = KINDS[kept.steps[0].kind]
    results = [(step.id or step.inner, failed.get(id(step), "")) for step in kept.steps]
    again = None
    if any(isinstance(error, NotYet) for _, error in left):
        again = name, visit.words(EARLY, what=visit.words(kept.title))
    inner = kept.steps[0].inner
    return visit.page(
        "report.html", kind=kind, action=_action(kind, kept.steps[0]), results=results, undo=again, inner=inner
    )


async def _take_back(visit: Visit, step: Step) -> None:
    """:raises NotYet: it is not over. :raises Conflict: somebody has changed it since."""
    kind, core = KINDS[step.kind], visit.core
    action = _action(kind, step)
    row = await visit.in_thread(_row, visit, kind, action, step)
    fields = await visit.in_thread(forms.inputs, core, action)
    values = forms.values(fields, step.given)
    sent = special.sent(visit, action, values, row, step.id, step.inner)
    await visit.ask(action.target, sent.body, action.spoken, **sent.places)


def _row(visit: Visit, kind: Kind, action: Action, step: Step) -> Row:
    """The resource as it is now. :raises NotYet: it, or what it hangs on, is still on its way there. :raises Conflict:
    it is not as the action left it."""
    seen = [(one, _seen(visit, one)) for one in step.still]
    same = all(row is not None and one.holds(row) for one, row in seen)
    if not same and any(row is not None and undoing.under_way(row) for _, row in seen):
        raise NotYet(visit.words(N_("It is not done yet: try again in a moment.")))
    try:
        row = {"in": step.inner} if action is kind.create else lists.one(visit, kind, step.id, step.inner)
    except NotFound:
        same, row = False, {}
    if not same:
        raise Conflict(visit.words(N_("It is no longer, or not yet, as this left it: nothing was undone.")))
    return row


def _seen(visit: Visit, still: Still) -> Row | None:
    """What must still be so, as it is now; None when it is gone."""
    try:
        return lists.one(visit, KINDS[still.kind], still.id, still.inner)
    except NotFound:
        return None
