"""Outputs of stacks, resolved when they are asked for, with the rights of who asks."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import engine
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import Plan
from tane.services.orchestration.domain.scopes import Scope
from tane.services.orchestration.domain.values import plain
from tane.services.orchestration.template import TemplateError, evaluate
from tane.web.context import Context
from tane.web.errors import ApiError, NotFound


def names(plan: Plan, scope: Scope) -> dict[str, str]:
    """The outputs whose condition holds, with their descriptions."""
    return {
        name: (one.description or "No description given")
        for name, one in plan.template.outputs.items()
        if not isinstance(one.condition, str) or scope.condition(one.condition)
    }


def scope_below(hand: Hand, stack: Row[Any]) -> Scope:
    """The scope of a nested stack, the same throughout an evaluation."""
    key = (stack.id, "")
    if key not in hand.below:
        plan = engine.plan_of(hand.tx, hand.core, stack)
        hand.below[key] = Scope(hand.core, hand.ctx, stack, plan, hand.tx, below=hand.below)
    found: Scope = hand.below[key]
    return found


def output(hand: Hand, stack: Row[Any], name: str) -> Any:
    """The value of one output of a nested stack; None where there is none, or it is not known yet. However often it is
    asked for in an evaluation, it is resolved once."""
    key = (stack.id, f"output {name}")
    if key not in hand.below:
        scope = scope_below(hand, stack)
        declared = scope.plan.template.outputs.get(name)
        with hand.core.db.joining(hand.tx):
            hand.below[key] = None if declared is None else plain(evaluate(declared.value, scope, scope.plan.template))
    return hand.below[key]


def all_of(hand: Hand, stack: Row[Any]) -> dict[str, Any]:
    """The values of all outputs of a nested stack, as far as they can be resolved."""
    key = (stack.id, "outputs")
    if key not in hand.below:
        listed = shown(hand.tx, hand.core, hand.ctx, stack, below=hand.below)
        hand.below[key] = {one["output_key"]: one.get("output_value") for one in listed}
    found: dict[str, Any] = hand.below[key]
    return found


def shown(
    tx: Tx,
    core: Core,
    ctx: Context,
    stack: Row[Any],
    only: str | None = None,
    *,
    values: bool = True,
    below: dict[tuple[str, str], Any] | None = None,
) -> list[dict[str, Any]]:
    """Outputs as the API shows them; one that cannot be resolved says why. :raises NotFound: the only one asked for."""
    plan = engine.plan_of(tx, core, stack)
    scope = Scope(core, ctx, stack, plan, tx, below=below)
    known = names(plan, scope)
    if only is not None and only not in known:
        raise NotFound(f"Specified output key {only} not found.")
    found = []
    with core.db.joining(tx):
        for name, description in known.items():
            if only not in (None, name):
                continue
            entry: dict[str, Any] = {"output_key": name, "description": description}
            if values:
                entry |= _value(scope, name)
            found.append(entry)
    return found


def _value(scope: Scope, name: str) -> dict[str, Any]:
    template = scope.plan.template
    try:
        return {"output_value": plain(evaluate(template.outputs[name].value, scope, template))}
    except (TemplateError, ApiError) as error:
        assert scope.tx is not None
        return {"output_value": None, "output_error": engine.masked(scope.tx, scope.core, scope.stack, str(error))}
