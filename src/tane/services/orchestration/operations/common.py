"""What the steps share: the transaction in which a type acts for the stack's owner, and the ends of an operation."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.jobs import Permanent, Retry, Run
from tane.services.orchestration import resources as kinds
from tane.services.orchestration.domain import ahead, engine, rights, values
from tane.services.orchestration.domain.common import (
    COMPLETE,
    FAILED,
    IN_PROGRESS,
    record,
)
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import Plan
from tane.services.orchestration.orders import ResourceParams
from tane.services.orchestration.resources.base import Errand, Failed, Kind, Told, Wait
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import TemplateError
from tane.web import codec, inside
from tane.web.context import Context
from tane.web.errors import ApiError, Forbidden, NotImplementedHere, Unavailable


@dataclass(frozen=True)
class Away:
    """A call that is made outside of the transaction in which it was found. ``lent``: not as the stack's author."""

    ctx: Context
    errand: Errand
    lent: bool = False


REFUSED = (401, 403)
MOST_ERRANDS, MORE_SECONDS = 100, 1.0
"""In one attempt of a job, and the pause before the next one."""
A = ParamSpec("A")
T = TypeVar("T")
P = TypeVar("P", bound=ResourceParams)
FOREVER = float("inf")
CONFLICTS = 7
"""So often what something stands in the way of is tried again, with growing pauses: 25 seconds."""
MET = "conflicts"
"""How many an operation has met so far: what else it waited for does not count."""
TOLD = 3
"""After so many tries, some two seconds, it is told what stands in the way."""
LOOKS_AT_ONCE = 3
"""So often what is awaited, but has no job, is looked at again without a pause: the job may just have ended."""


async def act(
    run: Run[P],
    work: Callable[[Hand], T],
    *,
    conflicts: int = 0,
    deletes: bool = False,
    looks: Callable[[Hand], None] | None = None,
) -> T | None:
    """Run ``work`` in one write transaction, with the rights that the stack's author has now. None when the resource is
    gone. Conflicts with what others have under way are tried again so often. ``deletes``: it does nothing but delete,
    which who asked for the deletion of the stack may lend his rights to. ``looks``: finds before, in a read, the values
    that ``work`` will most likely ask for.

    :raises Permanent: the author may not, or it cannot be done; nothing was written.
    """
    try:
        return await in_turn(run, _act, run.core, run, work, deletes, looks)
    except Unavailable as error:
        raise Retry(error.message) from None
    except ApiError as error:
        word = "NotSupported" if isinstance(error, NotImplementedHere) else error.type
        text = await in_turn(run, _told, run, word, error.message)
        if error.status == 409 and (met := run.data.get(MET, 0)) < conflicts:
            run.data[MET] = met + 1
            if met == TOLD:
                await run.core.in_thread(_waits_for, run, text)
            raise Retry(text) from None
        raise Permanent(text) from None
    except Failed as error:
        raise Permanent(await in_turn(run, _told, run, "ResourceInError", str(error))) from None
    except TemplateError as error:
        raise Permanent(await in_turn(run, _told, run, "TemplateError", error.message)) from None


async def in_turn(run: Run[P], function: Callable[A, T], *args: A.args, **kwargs: A.kwargs) -> T:
    """Run what may have to look at templates; what takes long of that in turns of the stacks' projects."""
    return await ahead.in_turn(run.core, functools.partial(_project, run), function, *args, **kwargs)


def _project(run: Run[P]) -> str | None:
    with run.core.db.read() as tx:
        row = resources.get(tx, run.params.resource_id)
    return None if row is None else str(row.project_id)


def _waits_for(run: Run[P], reason: str) -> None:
    """Tell what holds up an action that is under way."""
    with run.core.db.write() as tx:
        run.guard(tx)
        row = resources.get(tx, run.params.resource_id)
        if row is not None and row.status == IN_PROGRESS:
            reason = f"It is tried again: {reason}"[:4096]
            resources.change(tx, row.id, reason=reason)
            record(tx, row.stack_id, row, row.action, IN_PROGRESS, reason)


def _told(run: Run[P], word: str, text: str) -> str:
    """Why a resource failed, in one line in which no hidden parameter stands."""
    with run.core.db.read() as tx:
        row = resources.get(tx, run.params.resource_id)
        stack = None if row is None else stacks.get(tx, row.stack_id)
        if row is None or stack is None:
            return f"{word}: {text}"
        try:
            return engine.masked(tx, run.core, stack, f"{word}: resources.{row.name}: {text}")
        except (ApiError, TemplateError):
            # Which values are hidden nothing but the plan knows.
            return f"{word}: resources.{row.name}"


@ahead.writes
def _act(
    core: Core, run: Run[P], work: Callable[[Hand], T], deletes: bool, looks: Callable[[Hand], None] | None
) -> T | None:
    author: Context | None
    why: ApiError
    with core.db.read() as tx, core.db.joining(tx):
        row = resources.get(tx, run.params.resource_id)
        stack = None if row is None else stacks.get(tx, row.stack_id)
        if row is None or stack is None:
            return None
        request_id = run.request_id or stack.request_id
        try:
            author = rights.author(core, stack, request_id)
        except rights.NoRights as error:
            author, why = None, error
        else:
            plan = _plan(tx, core, stack, deletes)
            if looks is not None:
                looks(Hand(core, tx, author, stack, row, plan, row.properties))
    try:
        if author is not None:
            return _as(run, work, stack, author, deletes)
    except Forbidden as error:
        why = error
    asker = rights.asker(core, stack, request_id) if deletes else None
    if asker is None:
        raise why
    return _as(run, work, stack, asker, deletes, lent=True)


def _plan(tx: Tx, core: Core, stack: Row[Any], deletes: bool) -> Plan | None:
    """What is deleted needs none: that goes also where none can be made any more, as a type went with a release."""
    try:
        return engine.plan_of(tx, core, stack)
    except (ApiError, TemplateError):
        if not deletes:
            raise
        return None


def _as(
    run: Run[P], work: Callable[[Hand], T], seen: Row[Any], ctx: Context, deletes: bool, *, lent: bool = False
) -> T | None:
    """``seen``: the stack as it was when it was asked who ``ctx`` is; ``lent``: not its author."""
    core = run.core
    with core.db.write() as tx:
        run.guard(tx)
        row, stack = resources.get(tx, run.params.resource_id), rights.same(tx, seen)
        if row is None:
            return None
        if stack is None:
            raise Retry("the stack has another author by now", 0.0)
        plan = _plan(tx, core, stack, deletes)
        with core.db.joining(tx):
            leaves = lent and bool(row.declared.get(engine.ADOPTED))
            return work(Hand(core, tx, ctx, stack, row, plan, row.properties, lent=lent, leaves=leaves))


def kind_of(hand: Hand) -> Kind:
    """The type that made the resource: what a template means by its type may be another by now."""
    return kinds.made_by(hand.row.declared.get("kind", ""), hand.row.type)


def is_stale(hand: Hand, params: ResourceParams) -> bool:
    """Whether the stack has something else to do by now than what the job was ordered for."""
    return bool(hand.stack.traversal != params.traversal)


def put_down(hand: Hand) -> None:
    """Leave a resource as it is to what the stack has to do now."""
    hand.change(working=False)
    engine.advance(hand.tx, hand.core, hand.stack.id)


def becomes(hand: Hand, action: str, status: str, reason: str = "state changed", **values: Any) -> None:
    """Change a resource's state and write the event."""
    hand.change(action=action, status=status, reason=reason, updated_at=hand.tx.now, **values)
    record(hand.tx, hand.stack.id, hand.row, action, status, reason)


def completes(hand: Hand, action: str, **values: Any) -> None:
    """The resource is what it is to be: the stack goes on."""
    becomes(hand, action, COMPLETE, working=False, expires_at=None, **values)
    engine.handled(hand.tx, hand.core, hand.row)


def pause_at(hand: Hand, hook: str, action: str) -> bool:
    """Whether a hook of the environment holds the resource up here; the first time it is told."""
    if not is_held(hand, hook):
        return False
    if hand.row.hook != hook:
        hand.change(hook=hook)
        reason = f"{action} paused until Hook {hook} is cleared"
        record(hand.tx, hand.stack.id, hand.row, hand.row.action, hand.row.status, reason)
    return True


def is_held(hand: Hand, hook: str) -> bool:
    plan = hand.plan
    return plan is not None and hook in plan.hooks(hand.row.name) and _cleared(hook, hand) not in hand.row.cleared


def look(hand: Hand, hook: str = "") -> None:
    """Find the values that the resource is to have; what is wrong with them is told where they are asked for."""
    plan, name = hand.plan, hand.row.name
    if plan is None or name not in plan.resources or not hand.row.working or (hook and is_held(hand, hook)):
        return
    with contextlib.suppress(ApiError, TemplateError):
        values.kept(hand, plan, name)
        values.metadata(hand, plan, name)
        if plan.resources[name].external_id is None:
            values.resolved(hand, plan, name)


def _cleared(hook: str, hand: Hand) -> str:
    return f"{hook} {hand.stack.traversal}"


def held(resource_id: str) -> Retry:
    """A pause that a cleared hook ends."""
    return Retry(
        "a hook holds it up", FOREVER, awaits=engine.job_of(resource_id), unless=lambda tx: _let_go(tx, resource_id)
    )


def _let_go(tx: Tx, resource_id: str) -> bool:
    row = resources.get(tx, resource_id)
    return row is None or row.hook is None


def is_ready(hand: Hand, kind: Kind) -> bool:
    """Whether what was begun is done; its service is not asked while a job of it is under way. :raises Failed:"""
    awaits = kind.waits(hand).awaits
    if awaits not in (None, engine.job_of(hand.row.id)) and jobs.pending(hand.tx, str(awaits)) is not None:
        return False
    return kind.ready(hand)


def later(run: Run[P], wait: Wait) -> Retry:
    """A pause until what is awaited may have come."""
    own = engine.job_of(run.params.resource_id)
    if wait.awaits is None:
        return Retry("it is not ready yet", wait.seconds)
    awaits = wait.awaits

    def came(tx: Tx) -> bool:
        if wait.unless is not None:
            return wait.unless(tx)
        if awaits == own:
            return False
        return run.attempt < LOOKS_AT_ONCE and not jobs.unfinished(tx, awaits)

    return Retry(f"it awaits {awaits}", wait.seconds, awaits=awaits, unless=came)


async def until_ready(run: Run[P], action: str) -> None:
    """Let the action be complete once what stands for the resource is ready; an empty one: whatever it is.

    :raises Retry: it is not yet.
    """

    def work(hand: Hand) -> Wait | Away | None:
        if hand.row.status != IN_PROGRESS or not hand.row.working:
            return None
        kind = kind_of(hand)
        if (away := errand_of(hand, kind)) is not None:
            return away
        if is_ready(hand, kind):
            completes(hand, action or hand.row.action)
            return None
        return kind.waits(hand)

    pause = await sent(run, work)
    if pause is not None:
        raise later(run, pause)


def errand_of(hand: Hand, kind: Kind) -> Away | None:
    """The next errand of a resource, and as whom it is made."""
    found = kind.errand(hand) if kind.away else None
    return None if found is None else Away(hand.ctx, found, hand.lent)


async def sent(
    run: Run[P], work: Callable[[Hand], Wait | Away | None], *, deletes: bool = False, conflicts: int = 0
) -> Wait | None:
    """``act`` until no errand is left; ``work`` gives the next one, or what is to be waited for."""
    for _ in range(MOST_ERRANDS):
        found = await act(run, work, conflicts=conflicts, deletes=deletes)
        if not isinstance(found, Away):
            return found
        away: Away | None = found
        while away is not None:
            told = await _answer(run, away)
            away = await act(run, functools.partial(_ran, away, told, deletes), conflicts=conflicts, deletes=deletes)
    raise Retry("it has more to ask for", MORE_SECONDS)


def _ran(away: Away, told: Told, deletes: bool, hand: Hand) -> Away | None:
    """What is to be asked for after that. What the author may not delete is asked for again as who lends his rights.

    :raises Forbidden: it is the author who is told so.
    """
    if deletes and told.status in REFUSED and not away.lent:
        if not hand.lent:
            raise Forbidden(told.message)
        if hand.leaves:
            hand.keep(left=True)
            return None
        return Away(hand.ctx, away.errand, lent=True)
    found = kind_of(hand).ran(hand, told)
    return None if found is None else Away(away.ctx, found, away.lent)


class _Content:
    """The body of an errand."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    async def readinto(self, buffer: memoryview) -> int:
        return self._file.readinto(buffer)


async def _answer(run: Run[P], away: Away) -> Told:
    """:raises Retry: the service cannot answer now."""
    asked = away.errand
    headers = {"accept": "application/json", "content-length": str(len(asked.content)), **asked.headers}
    stream = _Content(asked.content) if asked.content else None
    try:
        answer = await inside.ask(
            run.core,
            away.ctx,
            asked.service,
            asked.method,
            asked.path,
            asked.body,
            query=asked.query,
            headers=headers,
            stream=stream,
        )
    except Unavailable as error:
        raise Retry(error.message) from None
    except ApiError as error:
        return Told(error.status, message=error.message)
    if answer.stream is not None or answer.file is not None:
        await answer.close()
    body = (
        codec.parse(answer.body) if isinstance(answer.body, bytes) and answer.body[:1] in (b"[", b"{") else answer.body
    )
    if isinstance(body, Mapping) and body.get("Errors"):
        # A bulk call answers 200 whatever comes of it.
        name, status = body["Errors"][0]
        return Told(int(status[:3]), message=f"{name}: {status}")
    return Told(answer.status or 200, body)


def gives_up(action: str) -> Callable[[Run[Any], str], Awaitable[None]]:
    """The end of an operation that failed: the resource and the stack tell why. An empty ``action``: that of the
    order."""

    async def failed(run: Run[Any], reason: str) -> None:
        await in_turn(run, _given_up, run.core, run, action or run.params.action, reason)

    return failed


@ahead.writes
def _given_up(core: Core, run: Run[Any], action: str, reason: str) -> None:
    with core.db.write() as tx:
        run.guard(tx)
        _give_up(tx, run, action, reason)


def _give_up(tx: Tx, run: Run[Any], action: str, reason: str) -> None:
    row = resources.get(tx, run.params.resource_id)
    if row is None or not row.working:
        return
    if action == "CREATE" and (row.action == "ADOPT" or engine.ADOPTED in row.data):
        action = "ADOPT"
    if reason == "cancelled":
        if row.physical_id is not None and action != "DELETE" and (row.action, row.status) != (action, IN_PROGRESS):
            # Nothing was begun: it is what it was.
            resources.change(tx, row.id, working=False, hook=None, expires_at=None)
            engine.advance(tx, run.core, row.stack_id)
            return
        reason = engine.OVERDUE if row.reason == engine.OVERDUE else "Stopped: the stack has something else to do"
    values = {"action": action, "status": FAILED, "reason": reason[:4096], "working": False, "expires_at": None}
    if (row.action, row.status) != (action, IN_PROGRESS):
        # What was begun in a transaction that came to nothing is told all the same.
        record(tx, row.stack_id, row, action, IN_PROGRESS, "state changed")
    resources.change(tx, row.id, **values, hook=None, updated_at=tx.now)
    row = resources.get(tx, row.id)
    assert row is not None
    record(tx, row.stack_id, row, action, FAILED, row.reason)
    kinds.made_by(row.declared.get("kind", ""), row.type).stopped(tx, run.core, row)
    engine.handled(tx, run.core, row, row.reason)
