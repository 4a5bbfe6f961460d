"""Rules of stacks as users ask for them: create, update, preview, delete, cancel, turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import adoption, ahead, drift, engine, guests, masking, rights, validation
from tane.services.orchestration.domain.adoption import Entry
from tane.services.orchestration.domain.common import (
    COMPLETE,
    IN_PROGRESS,
    MOST_STACKS,
    ActionInProgress,
    RequestLimitExceeded,
    StackExists,
    missing_stack,
    new_id,
    refuse_busy,
    require,
)
from tane.services.orchestration.domain.plans import Plan, Source
from tane.services.orchestration.domain.validation import Looked, Named
from tane.services.orchestration.store import resources, snapshots, stacks
from tane.services.orchestration.template import TemplateError
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest

NO_DESCRIPTION = "No description"


class Wanted(msgspec.Struct, kw_only=True):
    """A stack as it is asked for; what is None in an update stays as it is. ``converge``: an update mends what has
    become of its resources behind its back, too. ``delete_on_failure``: a creation that fails leaves no stack."""

    source: Source
    tags: Sequence[str] | None = None
    disable_rollback: bool | None = None
    delete_on_failure: bool = False
    timeout_mins: int | None = None
    converge: bool = False


def create(core: Core, ctx: Context, name: str, wanted: Wanted, adopted: Mapping[str, Entry] | None = None) -> Row[Any]:
    """Validate, then write the stack and the first of its jobs. ``adopted``: the resources that are there already.

    :raises StackExists: :raises RequestLimitExceeded:
    """
    named = Named(name, ctx.project_id, source=wanted.source.given(), user_id=ctx.user_id)
    plan = validation.plan_for(core, ctx, named, wanted.source)
    validation.look(core, ctx, named, plan)
    return _created(core, ctx, name, wanted, plan.template.description, adopted)


@ahead.writes
def _created(
    core: Core,
    ctx: Context,
    name: str,
    wanted: Wanted,
    description: str | None,
    adopted: Mapping[str, Entry] | None,
) -> Row[Any]:
    stack_id = ahead.drawn("stack", new_id)
    with core.db.write() as tx:
        if stacks.named(tx, ctx.project_id, name) is not None:
            raise StackExists(f"The Stack ({name}) already exists.")
        if stacks.roots(tx, ctx.project_id) >= MOST_STACKS:
            raise RequestLimitExceeded(
                f"You have reached the maximum stacks per tenant, {MOST_STACKS}. Please delete some stacks."
            )
        stacks.add(
            tx,
            {
                "id": stack_id,
                "project_id": ctx.project_id,
                "name": name,
                "description": description or NO_DESCRIPTION,
                "root_id": stack_id,
                "depth": 0,
                **rights.of_sender(tx, ctx),
                "request_id": ctx.request_id,
                "action": "INIT",
                "status": COMPLETE,
                "reason": "",
                "traversal": "",
                "source": msgspec.to_builtins(wanted.source),
                "disable_rollback": True if wanted.disable_rollback is None else wanted.disable_rollback,
                "delete_on_failure": wanted.delete_on_failure,
                "timeout_mins": wanted.timeout_mins,
                "created_at": tx.now,
                "deleted": False,
            },
        )
        stacks.set_tags(tx, stack_id, wanted.tags or ())
        if adopted is None:
            engine.begin(tx, core, stack_id, "CREATE")
        else:
            engine.begin(tx, core, stack_id, "ADOPT", adopted=adoption.kept(adopted))
        row = stacks.get(tx, stack_id)
        assert row is not None
        return row


def preview(core: Core, ctx: Context, name: str, source: Source) -> tuple[Named, Any, list[Looked]]:
    """What would be made. :raises StackExists: there is one of that name."""
    with core.db.read() as tx:
        if stacks.named(tx, ctx.project_id, name) is not None:
            raise StackExists(f"The Stack ({name}) already exists.")
    named = Named(name, ctx.project_id, source=source.given(), user_id=ctx.user_id)
    plan = validation.plan_for(core, ctx, named, source)
    return named, plan, validation.look(core, ctx, named, plan)


def lookup(core: Core, ctx: Context, name: str) -> Row[Any]:
    """A stack by its name or id, also a deleted one by id. :raises NotFound:"""
    with core.db.read() as tx:
        row = stacks.named(tx, ctx.project_id, name) or stacks.get(tx, name)
    if row is None or not ctx.sees(row.project_id):
        raise missing_stack(name)
    return row


def look_for(core: Core, ctx: Context, stack_id: str, name: str) -> None:
    """:raises NotFound: the caller sees no such stack, whatever else is wrong with the request."""
    with core.db.read() as tx:
        require(tx, ctx, stack_id, name)


def environment_now(core: Core, ctx: Context, stack_id: str, name: str, *, whole: bool) -> dict[str, Any]:
    """The environment of a stack; where not the ``whole`` of it is to be seen, without what is hidden."""
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name)
        source = msgspec.convert(stacks.source(tx, row), Source)
    if whole:
        return source.environment
    return masking.open_part(source.template, source.environment, nested=row.parent_id is not None)


def source_to_keep(core: Core, ctx: Context, stack_id: str, name: str) -> Source:
    """What a stack is made of, for its author, who sends but a part of it anew. :raises Forbidden: another sent it."""
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name)
        rights.check_author(tx, ctx, row)
        return msgspec.convert(stacks.source(tx, row), Source)


def update(core: Core, ctx: Context, stack_id: str, name: str, wanted: Wanted) -> None:
    """:raises ActionInProgress: it is being deleted, suspended or the like. One update in another wins."""
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name)
        may_update(row)
        plan = validation.plan_for(core, ctx, row, wanted.source)
        refuse_immutable(tx, core, row, plan)
        validation.look(core, ctx, like(row, wanted.source), plan)
    values: dict[str, Any] = {"source": msgspec.to_builtins(wanted.source)}
    if wanted.disable_rollback is not None:
        values["disable_rollback"] = wanted.disable_rollback
    if wanted.timeout_mins is not None:
        values["timeout_mins"] = wanted.timeout_mins
    values["description"] = plan.template.description or NO_DESCRIPTION
    found = drift.compare(core, ctx, stack_id, name)[1] if wanted.converge else ()
    _updated(core, ctx, stack_id, name, wanted, values, found)


@ahead.writes
def _updated(
    core: Core,
    ctx: Context,
    stack_id: str,
    name: str,
    wanted: Wanted,
    values: Mapping[str, Any],
    drifted: Sequence[drift.Seen],
) -> None:
    with core.db.write() as tx:
        row = require(tx, ctx, stack_id, name)
        may_update(row)
        if wanted.tags is not None:
            stacks.set_tags(tx, stack_id, wanted.tags)
        drift.note(tx, core, ctx, drifted)
        given = rights.before(row) | rights.of_sender(tx, ctx)
        engine.begin(tx, core, stack_id, "UPDATE", **values, **given, request_id=ctx.request_id)


def may_update(row: Row[Any]) -> None:
    """:raises ActionInProgress: it is being deleted, suspended or the like. :raises BadRequest: it was."""
    if row.status == IN_PROGRESS and row.action not in ("CREATE", "UPDATE", "RESTORE", "ROLLBACK"):
        raise ActionInProgress(f"Stack {row.name} already has an action ({row.action}) in progress.")
    if row.action == "SUSPEND":
        raise BadRequest("Updating a stack when it is suspended is not supported.", type="NotSupported")
    if row.action == "DELETE":
        raise BadRequest("Updating a stack when it is deleting is not supported.", type="NotSupported")


def refuse_immutable(tx: Tx, core: Core, row: Row[Any], plan: Plan) -> None:
    """:raises BadRequest: parameters get other values that are declared not to."""
    try:
        before = engine.plan_of(tx, core, row).parameters
    except (ApiError, TemplateError):
        # Of what was before nobody can tell any more what it was.
        return
    declared = plan.template.parameters
    now = plan.parameters.items()
    names = [name for name, value in now if declared[name].immutable and name in before and before[name] != value]
    if names:
        words = f"The following parameters are immutable and may not be updated: {', '.join(names)}"
        raise BadRequest(words, type="ImmutableParameterModified")


def like(row: Row[Any], source: Source) -> Named:
    """A stack as it would be by another source."""
    environment = source.given()
    return Named(
        row.name, row.project_id, row.id, row.depth, row.parent_resource_id, environment, row.user_id, fresh=False
    )


@ahead.writes
def delete(core: Core, ctx: Context, stack_id: str, name: str) -> None:
    """A deletion is always possible, whatever else is done with the stack; one that is under way goes on."""
    with core.db.write() as tx:
        row = require(tx, ctx, stack_id, name)
        if row.action == "DELETE" and row.status == IN_PROGRESS:
            return
        asked = rights.given(tx, ctx)
        engine.begin(tx, core, stack_id, "DELETE", asked_by=asked, request_id=ctx.request_id)


@ahead.writes
def turn(core: Core, ctx: Context, stack_id: str, name: str, action: str) -> None:
    """Check, suspend or resume. :raises ActionInProgress:"""
    with core.db.write() as tx:
        row = require(tx, ctx, stack_id, name)
        refuse_busy(row)
        engine.begin(tx, core, stack_id, action, request_id=ctx.request_id)


@ahead.writes
def cancel(core: Core, ctx: Context, stack_id: str, name: str, *, roll_back: bool) -> None:
    """Cancel an update, and with it what was made so far; or a creation too, and leave all as it is.

    :raises BadRequest: there is nothing to cancel.
    """
    with core.db.write() as tx:
        row = require(tx, ctx, stack_id, name)
        allowed = ("UPDATE", "RESTORE") if roll_back else ("CREATE", "ADOPT", "UPDATE", "RESTORE", "ROLLBACK")
        if row.status != IN_PROGRESS or row.action not in allowed:
            state = f"{row.action}_{row.status}"
            what = "update" if roll_back else "create or update"
            raise BadRequest(
                f"Cancelling {what} when stack is ({row.action!r}, {row.status!r}) is not supported.", type=state
            )
        stacks.change(tx, stack_id, request_id=ctx.request_id)
        found = stacks.get(tx, stack_id)
        assert found is not None
        if roll_back:
            engine.roll_back(tx, core, found, "the update was cancelled")
            return
        engine.halt(tx, core, stack_id, f"User cancelled stack {row.action}")


@ahead.writes
def abandon(core: Core, ctx: Context, stack_id: str, name: str) -> Mapping[str, Any]:
    """Forget a stack, with those nested in it, and leave what it made. Returns what is needed to adopt it again.

    :raises BadRequest: it is nested in another. :raises ActionInProgress: something is done with it or below.
    """
    with core.db.read() as tx:
        row = require(tx, ctx, stack_id, name)
        if row.parent_id is not None:
            raise BadRequest("Abandoning a stack that is nested in another is not supported.", type="NotSupported")
        seen = {one.id: one.traversal for one in stacks.of_root(tx, row.id)}
        # All of it is read before the cloud's one writer is held.
        found = adoption.left(tx, row)
    with core.db.write() as tx:
        row = require(tx, ctx, stack_id, name)
        whole = stacks.of_root(tx, row.id)
        for one in whole:
            refuse_busy(one)
        if {one.id: one.traversal for one in whole} != seen:
            raise ActionInProgress(f"Stack {row.name} was changed meanwhile.")
        for one in whole:
            left = resources.of_stack(tx, one.id)
            guests.gone(tx, core, left)
            for resource in left:
                resources.remove(tx, resource.id)
            snapshots.remove_all(tx, one.id)
            engine.forget(tx, one, action="ABANDON")
        return found


def export(core: Core, ctx: Context, stack_id: str, name: str) -> dict[str, Any]:
    with core.db.read() as tx:
        return adoption.left(tx, require(tx, ctx, stack_id, name))
