"""Stacks in stacks: what a resource whose type is a template makes, changes and deletes in its own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.domain import engine
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
from tane.services.orchestration.domain.plans import NOT_KNOWN, Plan, Source, make
from tane.services.orchestration.domain.scopes import scope_of
from tane.services.orchestration.store import stacks
from tane.services.orchestration.template import UNKNOWN


def source_of(
    template: Mapping[str, Any], files: Mapping[str, str], environment: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Source:
    """A nested source: the parent's registry and defaults hold in it, and of parameters only what it is given."""
    inner = {**environment, "parameters": _said(parameters)}
    return Source(template=_said(template), files=dict(files), environment=inner)


def _said(value: Any) -> Any:
    """A template says nothing but what JSON has: what is not known yet is a parameter that is not."""
    if value is UNKNOWN:
        return {"get_param": NOT_KNOWN}
    if isinstance(value, Mapping):
        return {key: _said(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_said(item) for item in value]
    return value


def create(hand: Hand, source: Source, *, timeout_mins: int | None = None) -> str:
    """:raises StackValidationFailed: :raises RequestLimitExceeded: too deep, or too many resources."""
    parent = hand.stack
    if parent.depth + 1 > MOST_DEPTH:
        raise RequestLimitExceeded(f"Request limit exceeded: Recursion depth exceeds {MOST_DEPTH}.")
    stack_id, name = new_id(), hand.physical_name()
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
            "user_id": parent.user_id,
            "owner_name": parent.owner_name,
            "delegation": parent.delegation,
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
    row = _row(hand, stack_id)
    plan = check(hand, row, source)
    stacks.change(hand.tx, stack_id, description=plan.template.description or "No description")
    engine.begin(hand.tx, hand.core, stack_id, "CREATE")
    return stack_id


def check(hand: Hand, stack: Any, source: Source) -> Plan:
    """:raises StackValidationFailed:"""
    return make(source, scope_of(hand.core, hand.ctx, stack, hand.tx))


def update(hand: Hand, source: Source) -> None:
    child = _row(hand, str(hand.row.physical_id))
    check(hand, child, source)
    owner = {name: getattr(hand.stack, name) for name in ("user_id", "owner_name", "delegation")}
    # It may be a signal that changes it: what follows is caused by that, not by who changed the stack last.
    owner["request_id"] = hand.ctx.request_id
    before = child.previous or child.source
    engine.begin(hand.tx, hand.core, child.id, "UPDATE", source=msgspec.to_builtins(source), previous=before, **owner)


def turn(hand: Hand, action: str) -> None:
    """Begin to delete, check, suspend or resume the nested stack; nothing when it is gone or does so already."""
    child = stacks.get(hand.tx, str(hand.row.physical_id)) if hand.row.physical_id else None
    if child is None or child.deleted or (child.action == action and child.status == "IN_PROGRESS"):
        return
    owner = {name: getattr(hand.stack, name) for name in ("user_id", "owner_name", "delegation", "request_id")}
    engine.begin(hand.tx, hand.core, child.id, action, **owner)


def is_done(hand: Hand) -> bool:
    """Whether the nested stack's action has ended well. :raises Failed: it has not."""
    from tane.services.orchestration.resources.base import Failed

    child = _row(hand, str(hand.row.physical_id))
    if child.status == FAILED:
        raise Failed(child.reason)
    return bool(child.status == COMPLETE)


def is_busy(tx: Tx, stack_id: str) -> bool:
    """Whether something is done with a nested stack."""
    child = stacks.get(tx, stack_id)
    return child is not None and not child.deleted and bool(child.status == IN_PROGRESS)


def is_gone(hand: Hand) -> bool:
    from tane.services.orchestration.resources.base import Failed

    child = stacks.get(hand.tx, str(hand.row.physical_id)) if hand.row.physical_id else None
    if child is None or child.deleted:
        return True
    if child.action == "DELETE" and child.status == FAILED:
        raise Failed(child.reason)
    return False


def child_of(hand: Hand) -> Row[Any] | None:
    """The nested stack of a resource."""
    return stacks.get(hand.tx, str(hand.row.physical_id)) if hand.row.physical_id else None


def output_of(hand: Hand, name: str) -> Any:
    """An output of the nested stack; None when it has none of that name."""
    child = child_of(hand)
    if child is None:
        return None
    return output(hand.tx, hand.core, hand.ctx, child, name)


def _row(hand: Hand, stack_id: str) -> Row[Any]:
    row = stacks.get(hand.tx, stack_id)
    assert row is not None
    return row
