"""Stacks in stacks: what a resource whose type is a template makes, changes and deletes in its own transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import ahead, engine, rights
from tane.services.orchestration.domain.common import (
    COMPLETE,
    FAILED,
    IN_PROGRESS,
    MOST_DEPTH,
    RequestLimitExceeded,
    new_id,
)
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.outputs import output
from tane.services.orchestration.domain.plans import NOT_KNOWN, Plan, Source
from tane.services.orchestration.store import health, resources, stacks
from tane.services.orchestration.template import UNKNOWN, effort, parse


def source_of(
    template: Mapping[str, Any], files: Mapping[str, str], environment: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Source:
    """A nested source: the parent's registry and defaults hold in it, and of parameters only what it is given."""
    inner = {**environment, "parameters": said(parameters)}
    return Source(template=said(template), files=dict(files), environment=inner)


def document_of(hand: Hand, text: str) -> Mapping[str, Any]:
    """What a template's text says. In a write it was parsed before. :raises NotKnown: :raises TemplateError:"""
    whole = text.encode("utf-8", "surrogatepass")
    key = ("document", hashlib.sha256(whole).digest())
    return ahead.known(hand.tx, key, lambda _: effort.once("text", whole, lambda: parse(text))).document


def said(value: Any) -> Any:
    """A template says nothing but what JSON has: what is not known yet is a parameter that is not."""
    if value is UNKNOWN:
        return {"get_param": NOT_KNOWN}
    if isinstance(value, Mapping):
        return {key: said(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [said(item) for item in value]
    return value


def create(hand: Hand, source: Source, *, timeout_mins: int | None = None) -> str:
    """:raises StackValidationFailed: :raises RequestLimitExceeded: too deep, or too many resources."""
    parent = hand.stack
    if parent.depth + 1 > MOST_DEPTH:
        raise RequestLimitExceeded(f"Request limit exceeded: Recursion depth exceeds {MOST_DEPTH}.")
    stack_id, name = ahead.drawn(("nested", hand.row.id), new_id), hand.physical_name()
    stacks.add(
        hand.tx,
        {
            "id": stack_id,
            "project_id": parent.project_id,
            "name": name,
            "description": "",
            "parent_id": parent.id,
            "parent_resource_id": hand.row.id,
            "root_id": parent.root_id,
            "depth": parent.depth + 1,
            **rights.of_stack(parent),
            "request_id": parent.request_id,
            "action": "INIT",
            "status": COMPLETE,
            "reason": "",
            "traversal": "",
            "source": msgspec.to_builtins(source),
            "previous": None,
            "disable_rollback": True,
            "timeout_mins": timeout_mins or parent.timeout_mins,
            "created_at": hand.tx.now,
            "deleted": False,
        },
    )
    row = stacks.get(hand.tx, stack_id)
    plan = check(hand, row, source)
    stacks.change(hand.tx, stack_id, description=plan.template.description or "No description")
    if hand.adopted is None:
        engine.begin(hand.tx, hand.core, stack_id, "CREATE")
    else:
        engine.begin(hand.tx, hand.core, stack_id, "ADOPT", adopted=hand.adopted.get("resources") or {})
    return stack_id


def check(hand: Hand, stack: Any, source: Source) -> Plan:
    """:raises StackValidationFailed:"""
    plan = engine.new_plan(hand.tx, hand.core, stack, msgspec.to_builtins(source))
    plan.check_external()
    return plan


def update(hand: Hand, source: Source, *, timeout_mins: int | None = None) -> None:
    """The source comes from the parent's template, and with it the parent's author. ``timeout_mins``: another time than
    it had."""
    child = _child(hand)
    check(hand, child, source)
    hand.drop("turns")
    # It may be a signal that changes it: what follows is caused by that, not by who changed the stack last.
    caused = {"request_id": hand.ctx.request_id}
    values = {**rights.before(child), **rights.of_stack(hand.stack), **caused}
    if timeout_mins is not None:
        values["timeout_mins"] = timeout_mins
    engine.begin(hand.tx, hand.core, child.id, "UPDATE", source=msgspec.to_builtins(source), **values)


def turn(hand: Hand, action: str) -> None:
    """Begin to delete, check, suspend or resume the nested stack; nothing when it is gone or does so already. What it
    has under way is not thrown away by that, but by a deletion: it is turned when it is at rest (:func:`turned`).

    Its author stays who he is: users may have sent it another source. What he can not delete is deleted with the rights
    of who deletes here.
    """
    child = child_of(hand)
    # What an action that ran out of time had still to do is not done after it.
    hand.drop("turns")
    if child is None or child.deleted or (child.action == action and child.status == "IN_PROGRESS"):
        return
    if action != "DELETE" and child.status == IN_PROGRESS:
        hand.keep(turns=action)
        return
    values = {"request_id": hand.stack.request_id}
    if action == "DELETE":
        values["asked_by"] = hand.stack.asked_by or hand.stack.delegation
    engine.begin(hand.tx, hand.core, child.id, action, **values)


def turned(hand: Hand) -> bool:
    """Whether the nested stack is turned; begins that where it was busy till now. :raises Failed: it is not."""
    if "turns" not in hand.row.data:
        return is_done(hand)
    if not is_busy(hand.tx, hand.row):
        turn(hand, hand.row.data["turns"])
    return False


def is_done(hand: Hand) -> bool:
    """Whether the nested stack's action has ended well. :raises Failed: it has not."""
    from tane.services.orchestration.resources.base import Failed

    child = _child(hand)
    if child.status == FAILED:
        raise Failed(child.reason)
    return bool(child.status == COMPLETE)


def is_busy(tx: Tx, row: Any) -> bool:
    """Whether something is done with the nested stack of a resource."""
    child = of_resource(tx, row)
    return child is not None and not child.deleted and bool(child.status == IN_PROGRESS)


def can_mend(tx: Tx, row: Any) -> bool:
    """Whether an update of its nested stack can mend a resource that failed: one that is there and not to be deleted.
    What a user marked as unhealthy is as bad as it says, however well the nested stack is."""
    child = of_resource(tx, row)
    if child is None or child.deleted or child.action == "DELETE":
        return False
    return bool(row.action != "CHECK" or (child.action, child.status) == ("CHECK", FAILED))


def ails(tx: Tx, row: Any) -> bool:
    """Whether something in the nested stack of a resource, or deeper, was marked as unhealthy, or never made: an update
    goes down to that, though its template says nothing else."""
    child, level = of_resource(tx, row), list[str]()
    if child is not None and not child.deleted and child.action != "DELETE":
        level = [child.id]
    for _ in range(MOST_DEPTH):
        if not level:
            break
        if resources.any_lacking(tx, level):
            return True
        level = [one.id for one in health.below(tx, level)]
    return False


def is_gone(hand: Hand) -> bool:
    from tane.services.orchestration.resources.base import Failed

    child = child_of(hand)
    if child is None or child.deleted:
        return True
    if child.action == "DELETE" and child.status == FAILED:
        raise Failed(child.reason)
    return False


def halt(tx: Tx, core: Core, row: Any, reason: str) -> None:
    """End whatever is done with the nested stack of a resource, as failed."""
    child = of_resource(tx, row)
    if child is not None:
        engine.halt(tx, core, child.id, reason)


def of_resource(tx: Tx, row: Any) -> Row[Any] | None:
    """The nested stack of a resource: never one that is another's, whatever the row says that it is."""
    if row.physical_id is None:
        return None
    return stacks.nested(tx, str(row.physical_id), str(row.id))


def child_of(hand: Hand) -> Row[Any] | None:
    return of_resource(hand.tx, hand.row)


def output_of(hand: Hand, name: str) -> Any:
    """An output of the nested stack; None when it has none of that name."""
    child = child_of(hand)
    if child is None:
        return None
    return output(hand, child, name)


def _child(hand: Hand) -> Row[Any]:
    """:raises Failed: there is none any more."""
    from tane.services.orchestration.resources.base import Failed

    child = child_of(hand)
    if child is None:
        raise Failed(f"The nested stack of {hand.row.name} is gone.")
    return child
