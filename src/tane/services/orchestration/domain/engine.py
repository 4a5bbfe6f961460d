"""The engine: what is to be done next with a stack follows from its rows alone, and is written with what was done last.

An action of a stack draws a new ``traversal``. Each resource of its plan is handled once in it: by a job as soon as all
that it needs was handled. What is in the plan no more, or was replaced, is deleted after that, each after what needed
it. A job that ends calls :func:`advance` in its last transaction; nothing watches over a stack.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import ahead, masking, rights, snapshotting
from tane.services.orchestration.domain.common import (
    COMPLETE,
    FAILED,
    IN_PROGRESS,
    LONGEST_MINUTES,
    MOST_RESOURCES,
    MOST_STACKS,
    SOURCES_BYTES,
    TIMEOUT_MINUTES,
    VALUES_BYTES,
    ByOwner,
    RequestLimitExceeded,
    new_id,
    record,
)
from tane.services.orchestration.domain.plans import Plan, Source, make, remembered
from tane.services.orchestration.domain.scopes import Scope
from tane.services.orchestration.orders import (
    CREATE_RESOURCE,
    DELETE_RESOURCE,
    TURN_RESOURCE,
    UPDATE_RESOURCE,
    ResourceParams,
    TurnParams,
)
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import TemplateError
from tane.web.context import Context
from tane.web.errors import ApiError

ADOPTED = "adopted"
"""What a resource is adopted from, among what its row keeps until that is done."""
OVERDUE = "Stopped: its time is over"
"""How the reason of a stack ends whose time is over."""
TURNS = ("CHECK", "SUSPEND", "RESUME", "SNAPSHOT")
APART = ("CHECK", "SNAPSHOT")
"""Turns that come to all resources at once: none changes what another needs."""
UNDOES = ("DELETE",)
GROWING = ("CREATE", "ADOPT", "UPDATE", "RESTORE", "SNAPSHOT")
MAKING = ("CREATE", "ADOPT", "UPDATE", "RESTORE", "ROLLBACK")
NOTHING = {"template": {"heat_template_version": "2013-05-23"}, "files": {}, "environment": {}}
"""The source of a stack that was deleted."""


def topic(stack_id: str) -> str:
    """What is woken when an action of the stack has ended."""
    return f"stack:{stack_id}"


def job_of(resource_id: str) -> str:
    """The jobs of one resource run one after another."""
    return f"stack_resource:{resource_id}"


def plan_of(tx: Tx, core: Core, stack: Row[Any]) -> Plan:
    """What the stack is to be now. Its source was checked when it came. In a write it was made before."""
    return remembered(core, stack, lambda: new_plan(tx, core, stack, stacks.source(tx, stack), strict=False))


def new_plan(tx: Tx, core: Core, stack: Any, source: Mapping[str, Any], *, strict: bool = True) -> Plan:
    """The plan that a source is for a stack. :raises NotKnown: in a write, where it was not made before.
    :raises StackValidationFailed:"""
    nobody = Context(stack.request_id, user_id=stack.user_id, project_id=stack.project_id)
    parent_id = getattr(stack, "parent_resource_id", None)
    # The parent's resource may have been changed in this very transaction.
    parent = resources.get(tx, parent_id) if parent_id else None

    def build(reading: Tx) -> Plan:
        def scope(plan: Plan) -> Scope:
            return Scope(core, nobody, stack, plan, reading, parent=parent)

        plan = make(msgspec.convert(source, Source), scope, strict=strict)
        plan.size = len(whole)
        return plan

    said = [source, None if parent is None else [parent.metadata, parent.declared]]
    whole = msgspec.json.encode(said, order="deterministic")
    key = ("plan", stack.id, hashlib.sha256(whole).digest())
    return ahead.known(tx, key, build)


# ----------------------------------------------------------------------------------------------------------- begin


def begin(
    tx: Tx,
    core: Core,
    stack_id: str,
    action: str,
    reason: str = "",
    *,
    adopted: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """Start an action of a stack whose source is what it is to be; ``values``: more columns that change with it.
    ``adopted``: what its resources are adopted from, by name.

    What an older action has under way goes on where this one needs it too, and is turned round where not.
    """
    before = stacks.get(tx, stack_id)
    assert before is not None
    minutes = values.get("timeout_mins", before.timeout_mins) or TIMEOUT_MINUTES
    values = {
        "action": action,
        "status": IN_PROGRESS,
        "reason": reason or f"Stack {action} started",
        "traversal": new_id(),
        "deadline": tx.now + timedelta(minutes=max(1, min(minutes, LONGEST_MINUTES))),
        "asked_by": None,
        **values,
    }
    if action not in ("CREATE", "DELETE"):
        values["updated_at"] = tx.now
    if action == "ADOPT" and before.parent_id is None:
        values["adopting"] = before.user_id
    stacks.change(tx, stack_id, **values)
    if before.status == IN_PROGRESS:
        snapshotting.ends(tx, before, FAILED, f"Stopped: {action} of the stack began")
    if action in GROWING and stacks.bytes_of(tx, before.project_id) > SOURCES_BYTES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: the templates, environments and files of a project have at most {SOURCES_BYTES} "
            "bytes together. Please delete some stacks."
        )
    record(tx, stack_id, None, action, IN_PROGRESS, values["reason"])
    stack = stacks.get(tx, stack_id)
    assert stack is not None
    if undoes(stack):
        _stop(tx, stack_id, UNDOES)
    elif action == "ROLLBACK":
        _stop(tx, stack_id, UNDOES)
        _take_back_replaced(tx, stack_id)
    if action not in TURNS and not undoes(stack):
        _add_missing(tx, core, stack, adopted or {})
    if before.status == IN_PROGRESS and action in ("UPDATE", "RESTORE"):
        _look_again(tx, core, stack)
    advance(tx, core, stack_id)


def undoes(stack: Row[Any]) -> bool:
    """Whether the action leaves nothing: a deletion, or the rollback of a creation."""
    return stack.action == "DELETE" or (stack.action == "ROLLBACK" and stack.previous is None)


def _stop(tx: Tx, stack_id: str, but: Sequence[str]) -> None:
    """Turn round what is under way with the resources of a stack, except for these actions."""
    for row in resources.light(tx, stack_id):
        if row.working and row.action not in but:
            jobs.cancel(tx, job_of(row.id))


def _look_again(tx: Tx, core: Core, stack: Row[Any]) -> None:
    """What is under way with a resource that is wanted no more ends, and what waits looks whether it still has to."""
    wanted = plan_of(tx, core, stack).resources
    for row in resources.light(tx, stack.id):
        if row.working and row.action != "DELETE":
            (jobs.wake if row.name in wanted else jobs.cancel)(tx, job_of(row.id))


def stop(tx: Tx, stack_id: str) -> None:
    """Turn round whatever is under way with a stack's resources."""
    _stop(tx, stack_id, ())


def _take_back_replaced(tx: Tx, stack_id: str) -> None:
    """A rollback goes back to those that were replaced, as long as they are there."""
    rows = {row.id: row for row in resources.of_stack(tx, stack_id)}
    for row in rows.values():
        old = next(replaced(row, rows), None) if row.current else None
        if old is not None:
            resources.change(tx, row.id, current=False)
            resources.change(tx, old.id, current=True)


def replaced(row: Row[Any], by_id: Mapping[str, Row[Any]]) -> Iterator[Row[Any]]:
    """Those in whose place a resource came, the last one first, that are well, or could not be deleted, and not about
    to go; ``by_id`` has all of its name."""
    old = by_id.get(row.replaces or "")
    while old is not None:
        kept = old.status == FAILED if old.action == "DELETE" else old.status == COMPLETE and old.action != "INIT"
        if kept and not old.working:
            yield old
        old = by_id.get(old.replaces or "")


def _add_missing(tx: Tx, core: Core, stack: Row[Any], adopted: Mapping[str, Any]) -> None:
    """Rows of what the plan has and the stack has not. :raises RequestLimitExceeded:"""
    plan = plan_of(tx, core, stack)
    there = {row.name for row in resources.light(tx, stack.id) if row.current}
    new = [name for name in plan.resources if name not in there]
    if new and stack.action != "ROLLBACK" and resources.count(tx, stack.root_id) + len(new) > MOST_RESOURCES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: Maximum resources per stack exceeded. At most {MOST_RESOURCES} are possible."
        )
    rows = [fresh(tx, stack, name, plan.resources[name].type) for name in new]
    if stack.action == "ADOPT":
        for row in rows:
            row["data"] = {ADOPTED: adopted.get(row["name"], {})}
            row["bytes"] = len(msgspec.json.encode(row["data"]))
    resources.add(tx, rows)
    if stack.action == "ADOPT" and resources.bytes_of(tx, stack.project_id) > VALUES_BYTES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: the values of all resources of a project have at most {VALUES_BYTES} bytes."
        )


def fresh(tx: Tx, stack: Row[Any], name: str, kind: str, **values: Any) -> dict[str, Any]:
    """The row of a resource of which there is nothing yet."""
    return {
        "id": new_id(),
        "stack_id": stack.id,
        "project_id": stack.project_id,
        "name": name,
        "type": kind,
        "physical_id": None,
        "current": True,
        "action": "INIT",
        "status": COMPLETE,
        "reason": "",
        "traversal": "",
        "working": False,
        "requires": [],
        "declared": {},
        "properties": {},
        "data": {},
        "metadata": {},
        "replaces": None,
        "cleared": [],
        "created_at": tx.now,
        **values,
    }


# --------------------------------------------------------------------------------------------------------- advance


def advance(tx: Tx, core: Core, stack_id: str) -> None:
    """Order whatever can be done next with a stack; end its action when nothing is left to do."""
    stack = stacks.get(tx, stack_id)
    if stack is None or stack.status != IN_PROGRESS:
        return
    rows = resources.light(tx, stack_id)
    if stack.action in TURNS:
        _turn(tx, core, stack, rows)
        return
    wanted: Mapping[str, set[str]] = {} if undoes(stack) else plan_of(tx, core, stack).graph
    current = {row.name: row for row in rows if row.current and row.name in wanted}
    if len(current) < len(wanted):
        # Its deletion was under way when it was wanted again, and has ended.
        _add_missing(tx, core, stack, {})
        rows = resources.light(tx, stack_id)
        current = {row.name: row for row in rows if row.current and row.name in wanted}
    done = {name for name, row in current.items() if _is_done(stack, row)}
    by = ByOwner(stack.request_id, stack.user_id, stack.project_id)
    if len(done) < len(wanted):
        for name, needs in wanted.items():
            row = current[name]
            if row.traversal != stack.traversal and not row.working and needs <= done:
                _order(tx, stack, row)
        return
    left = [row for row in rows if current.get(row.name) is not row]
    if not left:
        if stack.action == "DELETE" and (kept := snapshotting.left(tx, stack)) is not None:
            if kept:
                conclude(tx, core, stack, FAILED, kept)
            return
        conclude(tx, core, stack, COMPLETE, f"Stack {stack.action} completed successfully")
        return
    _clean(tx, core, stack, left, rows, by)


def _is_done(stack: Row[Any], row: Row[Any]) -> bool:
    return bool(row.traversal == stack.traversal and not row.working and row.status == COMPLETE)


def _clean(
    tx: Tx, core: Core, stack: Row[Any], left: Sequence[Row[Any]], rows: Sequence[Row[Any]], by: ByOwner
) -> None:
    """Delete what is left of what is not wanted, each after what needs it."""
    needed = {other for row in rows for other in row.requires}
    ready = [row for row in left if row.id not in needed]
    working = any(row.working for row in rows)
    if not ready and not working:
        ready = list(left)
    removed = False
    for row in ready:
        if row.working or (row.traversal == stack.traversal and row.action == "DELETE"):
            continue
        if row.action == "INIT" and row.physical_id is None:
            resources.remove(tx, row.id)
            removed = True
            continue
        resources.change(tx, row.id, traversal=stack.traversal, working=True)
        params = ResourceParams(row.id, stack.traversal)
        jobs.enqueue(tx, DELETE_RESOURCE, params, resource=job_of(row.id), by=by)
        working = True
    if removed:
        advance(tx, core, stack.id)
    elif not working:
        # What can be deleted is; now it is told what could not.
        stuck = [found for row in ready if (found := resources.get(tx, row.id)) is not None]
        reasons = "; ".join(f"{row.reason}" for row in stuck if row.status == FAILED)
        conclude(tx, core, stack, FAILED, f"Resource DELETE failed: {reasons}"[:4096])


def _turn(tx: Tx, core: Core, stack: Row[Any], rows: Sequence[Row[Any]]) -> None:
    """Check, suspend, resume or keep for a snapshot: every resource once, all at a time but in the order of need when
    one is suspended or resumed."""
    by = ByOwner(stack.request_id, stack.user_id, stack.project_id)
    waiting = [row for row in rows if row.current and row.action != "INIT" and not _was_turned(stack, row)]
    if not waiting:
        failed = [row for row in rows if row.current and row.status == FAILED and row.traversal == stack.traversal]
        if failed:
            names = ", ".join(sorted(row.name for row in failed))
            conclude(tx, core, stack, FAILED, f"Resource {stack.action} failed: {names}")
        else:
            conclude(tx, core, stack, COMPLETE, f"Stack {stack.action} completed successfully")
        return
    open_ids = {row.id for row in waiting}
    needed_by = {other for row in waiting for other in row.requires}
    for row in waiting:
        held = row.id in needed_by if stack.action == "SUSPEND" else bool(open_ids & set(row.requires))
        if row.working or row.traversal == stack.traversal or (held and stack.action not in APART):
            continue
        resources.change(tx, row.id, traversal=stack.traversal, working=True)
        params = TurnParams(row.id, stack.traversal, action=stack.action)
        jobs.enqueue(tx, TURN_RESOURCE, params, resource=job_of(row.id), by=by)


def _was_turned(stack: Row[Any], row: Row[Any]) -> bool:
    return bool(row.traversal == stack.traversal and not row.working)


# ------------------------------------------------------------------------------------------------------------- end


def failed(tx: Tx, core: Core, stack_id: str, traversal: str, reason: str) -> None:
    """A resource could not be handled. The action of the stack ends, and a rollback begins where that is wished; what
    other resources have under way goes on to its end. A failure in an action that is over changes nothing."""
    stack = stacks.get(tx, stack_id)
    if stack is None or stack.status != IN_PROGRESS:
        return
    if stack.traversal != traversal or stack.action == "CHECK":
        advance(tx, core, stack_id)
        return
    conclude(tx, core, stack, FAILED, f"Resource {stack.action} failed: {reason}")


def conclude(tx: Tx, core: Core, stack: Row[Any], status: str, reason: str) -> None:
    """End the action of a stack; a failed creation or update is rolled back where that is wished."""
    values: dict[str, Any] = {"status": status, "reason": reason, "deadline": None}
    if status == COMPLETE and stack.action in MAKING and not undoes(stack):
        values |= dict.fromkeys(rights.PREVIOUS)
        if stack.adopting == stack.user_id:
            values["adopting"] = None
    stacks.change(tx, stack.id, **values)
    record(tx, stack.id, None, stack.action, status, reason)
    snapshotting.ends(tx, stack, status, reason)
    goes_back = status == FAILED and stack.action in ("CREATE", "UPDATE", "RESTORE") and not stack.disable_rollback
    if status == FAILED and stack.action == "CREATE" and stack.delete_on_failure:
        begin(tx, core, stack.id, "DELETE", f"Stack DELETE started: {reason}"[: stacks.REASON])
    elif goes_back and _can_go_back(tx, core, stack, reason):
        roll_back(tx, core, stack, reason)
    elif status == COMPLETE and stack.action == "DELETE":
        forget(tx, stack)
    jobs.wake(tx, topic(stack.id))
    tx.notify(topic(stack.id))


def forget(tx: Tx, stack: Row[Any], **values: Any) -> None:
    """A stack is gone. Of one that a user made it is told for a while that there was one; nobody asks for more."""
    if stack.parent_id is not None:
        stacks.remove(tx, stack)
        return
    values |= {"source": NOTHING, "deleted": True, "deleted_at": tx.now, **dict.fromkeys(rights.PREVIOUS)}
    stacks.change(tx, stack.id, **values)
    stacks.forget_oldest(tx, stack.project_id, MOST_STACKS)


def _can_go_back(tx: Tx, core: Core, stack: Row[Any], reason: str) -> bool:
    """Whether what a stack was before is a plan still: one that is not leaves the stack as it is, failed."""
    if stack.action == "CREATE" or stack.previous is None:
        return True
    try:
        new_plan(tx, core, stack, stacks.previous(tx, stack), strict=False)
    except (ApiError, TemplateError):
        # What is wrong might tell hidden values, which nothing but that plan knows.
        words = "; it cannot be rolled back: what was before cannot be made any more"
        stacks.change(tx, stack.id, reason=reason[: stacks.REASON - len(words)] + words)
        return False
    return True


def is_brought(tx: Tx, stack: Row[Any], row: Row[Any]) -> bool:
    """Whether a resource is no more than somebody's word: it was adopted, and who said what from has no whole stack of
    it yet, or another has made it whole."""
    if not row.declared.get(ADOPTED):
        return False
    root = stack if stack.parent_id is None else stacks.get(tx, stack.root_id)
    return root is not None and root.adopting is not None


def roll_back(tx: Tx, core: Core, stack: Row[Any], reason: str) -> None:
    """Go back to what the stack was before the action that failed or is to end."""
    values: dict[str, Any] = {}
    if stack.action == "CREATE":
        values |= dict.fromkeys(rights.PREVIOUS)
    elif stack.previous is not None:
        owner = stack.previous_owner or {}
        values |= {"source": stack.previous, "files_id": stack.previous_files_id, **owner}
    begin(tx, core, stack.id, "ROLLBACK", f"Stack ROLLBACK started: {reason}"[:4096], **values)


def _goes_on(tx: Tx, core: Core, stack: Row[Any], row: Row[Any]) -> bool:
    """Order what waited for this one resource alone, where that is all there is to do: no look at all the others.

    False: all of them have to be looked at.
    """
    if stack.status != IN_PROGRESS or stack.action in TURNS or undoes(stack) or row.traversal != stack.traversal:
        return False
    plan = plan_of(tx, core, stack)
    if resources.done(tx, stack.id, stack.traversal) >= len(plan.graph):
        return False
    waiting = plan.needed_by.get(row.name, set())
    asked = waiting.union(*(plan.graph[name] for name in waiting))
    found = {one.name: one for one in resources.of_names(tx, stack.id, asked)}
    done = {name for name, one in found.items() if _is_done(stack, one)}
    for name in waiting:
        waits = found[name]
        if plan.graph[name] <= done and waits.traversal != stack.traversal and not waits.working:
            _order(tx, stack, waits)
    return True


def _turns_on(tx: Tx, core: Core, stack: Row[Any], row: Row[Any]) -> bool:
    """Whether nothing waited for this one, which was turned, while others are under way: the last of these looks at
    all."""
    if stack.status != IN_PROGRESS or stack.action not in TURNS or row.traversal != stack.traversal:
        return False
    if stack.action == "SUSPEND" and row.requires:
        return False
    if stack.action == "RESUME" and plan_of(tx, core, stack).needed_by.get(row.name):
        return False
    return resources.is_working(tx, stack.id)


def deleted(tx: Tx, core: Core, row: Row[Any]) -> None:
    """A resource is gone. What it needed may go now; one that needed nothing leaves all as it was, but for the last."""
    if not row.requires and resources.is_working(tx, row.stack_id) and not _is_wanted_again(tx, core, row):
        return
    advance(tx, core, row.stack_id)


def _is_wanted_again(tx: Tx, core: Core, row: Row[Any]) -> bool:
    stack = stacks.get(tx, row.stack_id)
    if stack is None or not row.current or stack.status != IN_PROGRESS or stack.action in TURNS or undoes(stack):
        return False
    return row.name in plan_of(tx, core, stack).graph


def _order(tx: Tx, stack: Row[Any], row: Row[Any]) -> None:
    """Let a job handle a resource of the plan."""
    by = ByOwner(stack.request_id, stack.user_id, stack.project_id)
    # One that is to come in the place of another may not be needed any more: that may be what is wanted again.
    order = CREATE_RESOURCE if row.action == "INIT" and row.replaces is None else UPDATE_RESOURCE
    resources.change(tx, row.id, traversal=stack.traversal, working=True)
    jobs.enqueue(tx, order, ResourceParams(row.id, stack.traversal), resource=job_of(row.id), by=by)


def secrets(tx: Tx, core: Core, stack: Row[Any]) -> set[str]:
    """The values of hidden parameters, of the stack and of those it is nested in."""
    found: Row[Any] | None = stack
    hidden: set[str] = set()
    while found is not None:
        hidden |= plan_of(tx, core, found).secrets()
        found = stacks.get(tx, found.parent_id) if found.parent_id else None
    return hidden


def masked(tx: Tx, core: Core, stack: Row[Any], text: str) -> str:
    """A text without the values of hidden parameters, of the stack and of those it is nested in."""
    return masking.masked(text, secrets(tx, core, stack))[: stacks.REASON]


def handled(tx: Tx, core: Core, row: Row[Any], reason: str | None = None) -> None:
    """A job is done with a resource, or, with a reason, could not do it."""
    stack = stacks.get(tx, row.stack_id)
    if stack is None:
        return
    if reason is None and (_goes_on(tx, core, stack, row) or _turns_on(tx, core, stack, row)):
        return
    if reason is None or row.action == "DELETE":
        advance(tx, core, stack.id)
    else:
        failed(tx, core, stack.id, row.traversal, reason)


def halt(tx: Tx, core: Core, stack_id: str, reason: str) -> None:
    """End whatever is done with a stack, as failed and without a rollback."""
    stack = stacks.get(tx, stack_id)
    if stack is None or stack.deleted or stack.status != IN_PROGRESS:
        return
    stop(tx, stack_id)
    stacks.change(tx, stack_id, disable_rollback=True, delete_on_failure=False)
    found = stacks.get(tx, stack_id)
    assert found is not None
    conclude(tx, core, found, FAILED, reason)
    stacks.change(tx, stack_id, disable_rollback=stack.disable_rollback)


def expire(tx: Tx, core: Core, stack_id: str) -> None:
    """The time of a stack's action is over."""
    stack = stacks.get(tx, stack_id)
    if stack is None or stack.status != IN_PROGRESS or stack.deadline is None or stack.deadline > tx.now:
        return
    word = stack.action.capitalize()
    for row in resources.light(tx, stack_id):
        if row.working:
            if row.status == IN_PROGRESS or row.physical_id is None:
                resources.change(tx, row.id, reason=OVERDUE)
            jobs.cancel(tx, job_of(row.id))
    conclude(tx, core, stack, FAILED, f"{word} timed out")
