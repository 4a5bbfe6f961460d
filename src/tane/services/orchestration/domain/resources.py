"""Resources of stacks as users see them: lists, attributes, signals, hooks, marks."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.identity import interface as identity
from tane.services.orchestration import resources as kinds
from tane.services.orchestration.domain import ahead, engine, guests, rights
from tane.services.orchestration.domain.common import (
    COMPLETE,
    FAILED,
    ActionInProgress,
    missing_resource,
    record,
    refuse_busy,
    require,
)
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import Plan
from tane.services.orchestration.domain.values import plain
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import TemplateError
from tane.services.orchestration.template.environments import HOOKS
from tane.web import inside
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest, NotFound
from tane.web.inside import part


@dataclass
class Shown:
    """A resource with its stack, the stack nested in it, the resource whose nested stack it is in."""

    row: Row[Any]
    stack: Row[Any]
    nested: Row[Any] | None
    required_by: list[str]
    parent: str | None = None


def index(
    core: Core, ctx: Context, stack_id: str, name: str, depth: int, filters: Mapping[str, Sequence[str]]
) -> list[Shown]:
    """Resources of a stack, and of those nested in it down to a depth."""
    with core.db.read() as tx:
        level, found, parents = [require(tx, ctx, stack_id, name)], [], dict[str, str | None]()
        for _ in range(max(0, min(depth, 20)) + 1):
            rows = resources.of_stacks(tx, [one.id for one in level])
            below = stacks.children(tx, [one.id for one in level])
            nested = {one.parent_resource_id: one for one in below}
            by_id = {one.id: one for one in level}
            needing = _needing(rows)
            for row in rows:
                if row.current:
                    stack = by_id[row.stack_id]
                    found.append(Shown(row, stack, nested.get(row.id), needing.get(row.id, []), parents.get(stack.id)))
            names = {row.id: row.name for row in rows}
            parents = {one.id: names.get(one.parent_resource_id or "") for one in below}
            level = below
            if not level:
                break
    return [one for one in found if _matches(one.row, filters)]


def _matches(row: Row[Any], filters: Mapping[str, Sequence[str]]) -> bool:
    return all(str(getattr(row, column)) in values for column, values in filters.items())


def _needing(rows: Sequence[Row[Any]]) -> dict[str, list[str]]:
    """For the ids of those that others need the names of these."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.current:
            for needed in row.requires:
                found.setdefault(needed, set()).add(row.name)
    return {needed: sorted(names) for needed, names in found.items()}


def show(core: Core, ctx: Context, stack_id: str, stack_name: str, name: str) -> Shown:
    """:raises NotFound:"""
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, stack_name)
        row = required(tx, stack, name)
        nested = next((one for one in stacks.children(tx, [stack.id]) if one.parent_resource_id == row.id), None)
        parent = resources.get(tx, stack.parent_resource_id) if stack.parent_resource_id else None
        rows = resources.of_stack(tx, stack.id)
        needing = _needing(rows).get(row.id, [])
        return Shown(row, stack, nested, needing, None if parent is None else parent.name)


def stack_of_physical(core: Core, ctx: Context, physical_id: str) -> tuple[str, str]:
    """(name, id) of the stack of the caller's project whose resource stands for a thing. :raises NotFound:"""
    with core.db.read() as tx:
        row = resources.standing_for(tx, ctx.project_id, physical_id)
        stack = None if row is None else stacks.get(tx, row.stack_id)
    if stack is None:
        raise NotFound(f"The Resource ({physical_id[:255]}) could not be found.", type="PhysicalResourceNotFound")
    return stack.name, stack.id


def required(tx: Tx, stack: Row[Any], name: str) -> Row[Any]:
    row = resources.named(tx, stack.id, name)
    if row is None:
        raise missing_resource(name, stack.name)
    return row


def attributes(core: Core, ctx: Context, one: Shown, extra: Sequence[str]) -> dict[str, Any]:
    """The values of a resource's attributes, as far as they can be told now."""
    with core.db.read() as tx:
        plan = engine.plan_of(tx, core, one.stack)
        kind = plan.kinds.get(one.row.name)
        if kind is None:
            return {}
        hand = Hand(core, tx, ctx, one.stack, one.row, plan, one.row.properties, answers={})
        names = [name for name in kind.attributes if name != "show" or "show" in extra]
        names += [name for name in extra if name not in names and kind.knows(name)]
        there = one.row.action not in ("INIT", "DELETE") and (one.row.physical_id or one.row.status == COMPLETE)
        with core.db.joining(tx):
            return {name: _value(hand, name) if there else None for name in names}


def description(core: Core, one: Shown) -> str:
    """What the template says of a resource; nothing of one that it does not have any more."""
    with core.db.read() as tx:
        declared = engine.plan_of(tx, core, one.stack).resources.get(one.row.name)
    return "" if declared is None else declared.description


def _value(hand: Hand, name: str) -> Any:
    assert hand.plan is not None
    try:
        return plain(hand.plan.kinds[hand.row.name].attribute_at(hand, name, ()))
    except (ApiError, TemplateError):
        # It is gone behind the stack's back, or not there yet.
        return None


# ---------------------------------------------------------------------------------------------------------- signals


def signal(core: Core, ctx: Context, stack_id: str, stack_name: str, name: str, details: Mapping[str, Any]) -> Any:
    """Hand a signal to a resource, or clear a hook that holds it up. :raises BadRequest: it takes none."""
    if "unset_hook" in details:
        with core.db.write() as tx:
            stack = require(tx, ctx, stack_id, stack_name)
            guests.refuse(ctx)
            clear_hook(tx, stack, name, str(details["unset_hook"]))
        return None
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, stack_name)
        row = _asked(tx, ctx, stack, name)
    return _deliver(core, stack, row, ctx.request_id, details)


def _kind(plan: Plan, row: Row[Any]) -> Kind | None:
    """The type of a resource; of one that goes that which made it, as the template may not have it any more."""
    if row.action == "DELETE" or not row.current:
        return kinds.made_by(row.declared.get("kind", ""), row.type)
    return plan.kinds.get(row.name)


def _asked(tx: Tx, ctx: Context, stack: Row[Any], name: str) -> Row[Any]:
    """The resource of a name; of a guest's server which was replaced that one, as long as it is there.

    :raises Forbidden: it is none for a guest.
    """
    own = resources.get(tx, ctx.user_id) if identity.is_guest(ctx) else None
    row = own if own is not None and (own.stack_id, own.name) == (stack.id, name) else required(tx, stack, name)
    guests.check(tx, ctx, stack, row)
    return row


@ahead.writes
def _deliver(core: Core, stack: Row[Any], row: Row[Any], request_id: str, details: Mapping[str, Any]) -> Any:
    """What a signal does is what the template says, with the rights of who sent that: not of who signals."""
    author = rights.author(core, stack, request_id)
    below = f"/v1/{stack.project_id}/stacks/{part(stack.name)}/{stack.id}/resources/{part(row.name)}/signal"
    inside.check_rules(core, author, "orchestration", "POST", below)
    with core.db.write() as tx:
        now = rights.same(tx, stack)
        if now is None:
            raise ActionInProgress(f"Stack {stack.name} is being changed by another: signal again.")
        found = resources.get(tx, row.id)
        if found is None:
            raise missing_resource(row.name, stack.name)
        stack, row = now, found
        plan = engine.plan_of(tx, core, stack)
        kind = _kind(plan, row)
        if kind is None:
            raise NotFound(f"Resource {row.name} is not in the template any more.")
        # One that is not made yet would forget it, or has not what it needs.
        unmade = row.action if row.action == "INIT" or row.physical_id is None else ""
        for action in (stack.action, row.action):
            if action in (*kind.deaf, unmade):
                raise BadRequest(f"Cannot signal resource during {action}")
        with core.db.joining(tx):
            answer = kind.signal(Hand(core, tx, author, stack, row, plan, row.properties), details)
        jobs.wake(tx, engine.job_of(row.id))
        return answer


def signal_by_address(core: Core, request_id: str, resource_id: str, secret: str, details: Mapping[str, Any]) -> Any:
    """A signal whose address proves itself.

    :raises NotFound: there is no such address. :raises BadRequest: the resource takes no such signal.
    """
    with core.db.read() as tx:
        row = resources.get(tx, resource_id)
        stack = None if row is None else stacks.get(tx, row.stack_id)
    known = "" if row is None else str(row.data.get("signal") or "")
    if row is None or stack is None or not known or not hmac.compare_digest(known.encode(), secret.encode()):
        raise NotFound("The resource could not be found.")
    return _deliver(core, stack, row, request_id, details)


def metadata(core: Core, ctx: Context, stack_id: str, stack_name: str, name: str) -> dict[str, Any]:
    """What a guest, or whoever configures it, reads of a resource."""
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, stack_name)
        row = _asked(tx, ctx, stack, name)
        return _metadata(core, tx, ctx, stack, row)


def _metadata(core: Core, tx: Tx, ctx: Context, stack: Row[Any], row: Row[Any]) -> dict[str, Any]:
    plan = engine.plan_of(tx, core, stack)
    kind = _kind(plan, row) or kinds.made_by(row.declared.get("kind", ""), row.type)
    with core.db.joining(tx):
        return dict(kind.metadata(Hand(core, tx, ctx, stack, row, plan, row.properties)))


def metadata_by_address(core: Core, ctx: Context, resource_id: str, secret: str) -> dict[str, Any]:
    """The same for a guest that has the address. :raises NotFound: there is no such address."""
    with core.db.read() as tx:
        row = resources.get(tx, resource_id)
        stack = None if row is None else stacks.get(tx, row.stack_id)
        known = "" if row is None else str(row.data.get("told_at") or "")
    if row is None or stack is None or not known or not hmac.compare_digest(known.encode(), secret.encode()):
        raise NotFound("The resource could not be found.")
    if not identity.is_open(core, stack.project_id):
        raise NotFound("The resource could not be found.")
    with core.db.read() as tx:
        return _metadata(core, tx, ctx, stack, row)


def of_guest(core: Core, ctx: Context, given: str, name: str) -> tuple[Row[Any], Row[Any], dict[str, Any]]:
    """(stack, resource, metadata) for a guest that has keys; ``given``: the name or id of its stack.

    :raises NotFound: it is in no such stack, or there is no such resource. :raises Forbidden: not for this guest.
    """
    with core.db.read() as tx:
        own = resources.get(tx, ctx.user_id)
        stack = None if own is None else stacks.get(tx, own.stack_id)
        if stack is None or given not in (stack.name, stack.id) or stack.project_id != ctx.project_id:
            raise NotFound(f"The Stack ({given[:255]}) could not be found.", type="EntityNotFound")
        row = _asked(tx, ctx, stack, name)
        return stack, row, _metadata(core, tx, ctx, stack, row)


def clear_hook(tx: Tx, stack: Row[Any], name: str, hook: str) -> None:
    """Of the resource of a name, or of one that it has replaced. :raises BadRequest: no such hook holds it up."""
    if hook not in HOOKS:
        raise BadRequest(f'Invalid hook type "{hook}"')
    present = required(tx, stack, name)
    row = next((one for one in resources.all_named(tx, stack.id, present.name) if one.hook == hook), present)
    if row.hook != hook:
        raise BadRequest(f'The "{hook}" hook is not defined on Resource "{row.name}"', type="InvalidBreakPointHook")
    resources.change(tx, row.id, hook=None, cleared=[*row.cleared, f"{hook} {stack.traversal}"])
    record(tx, stack.id, row, row.action, row.status, f"Hook {hook} is cleared", asked=True)
    jobs.wake(tx, engine.job_of(row.id))


def mark(core: Core, ctx: Context, stack_id: str, stack_name: str, name: str, *, unhealthy: bool, reason: str) -> None:
    """Mark a resource as not well, so that the next update replaces it, or take that back.

    :raises ActionInProgress: something is done with its stack.
    """
    with core.db.write() as tx:
        stack = require(tx, ctx, stack_id, stack_name)
        row = resources.named(tx, stack.id, name) or resources.by_physical_id(tx, stack.id, name)
        if row is None:
            raise missing_resource(name, stack.name)
        if row.action == "DELETE" or row.working:
            raise BadRequest(f"Resource {row.name} has an action in progress.", type="ActionNotComplete")
        # What was handled would be handled no more, and the stack would wait for it.
        refuse_busy(stack)
        if not unhealthy and not (row.action == "CHECK" and row.status == FAILED):
            return
        reason = reason or ("marked unhealthy by user" if unhealthy else "marked healthy by user")
        status = FAILED if unhealthy else COMPLETE
        resources.change(tx, row.id, action="CHECK", status=status, reason=reason, updated_at=tx.now)
        found = resources.get(tx, row.id)
        assert found is not None
        record(tx, stack.id, found, "CHECK", status, reason, asked=True)
