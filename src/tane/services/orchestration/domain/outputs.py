"""Outputs of stacks, resolved when they are asked for, with the rights of who asks."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import engine
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


def output(tx: Tx, scope: Scope, name: str) -> Any:
    """The value of one output, evaluated once in a scope; None where there is none, or it is not known yet."""
    template = scope.plan.template
    if name not in template.outputs:
        return None
    if name not in scope.outputs:
        with scope.core.db.joining(tx):
            scope.outputs[name] = plain(evaluate(template.outputs[name].value, scope, template))
    return scope.outputs[name]


def shown(
    tx: Tx, core: Core, ctx: Context, stack: Row[Any], only: str | None = None, *, values: bool = True
) -> list[dict[str, Any]]:
    """Outputs as the API shows them; one that cannot be resolved says why. :raises NotFound: the only one asked for."""
    plan = engine.plan_of(tx, core, stack)
    scope = Scope(core, ctx, stack, plan, tx)
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
                entry |= _value(plan, scope, name)
            found.append(entry)
    return found


def _value(plan: Plan, scope: Scope, name: str) -> dict[str, Any]:
    try:
        return {"output_value": plain(evaluate(plan.template.outputs[name].value, scope, plan.template))}
    except (TemplateError, ApiError) as error:
        return {"output_value": None, "output_error": str(error)}
