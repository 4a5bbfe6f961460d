"""The values a resource's properties have: functions resolved, checked against the declarations of its type."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from tane.db import Tx
from tane.services.orchestration.domain import ahead
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import Check, Plan
from tane.services.orchestration.domain.scopes import Scope
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.store import resources as rows
from tane.services.orchestration.template import UNKNOWN, Template, TemplateError, evaluate
from tane.services.orchestration.template.evaluation import function_in, table_of
from tane.services.orchestration.template.properties import check_properties

T = TypeVar("T")


def resolved(hand: Hand, plan: Plan, name: str) -> dict[str, Any]:
    """The properties that the plan gives a resource now, with their defaults. :raises TemplateError:"""

    def find(scope: Scope) -> dict[str, Any]:
        # What a property names is looked up when the resource is made, by the same rules: once is enough.
        return of_declared(scope, plan, name)

    return _known(hand, plan, ("properties", name), find)


def _known(hand: Hand, plan: Plan, what: Hashable, find: Callable[[Scope], T]) -> T:
    """What is found in a scope of the stack, and holds as long as the resources that were looked at are the same. In a
    write it was found before. :raises NotKnown: :raises TemplateError:"""
    stack = hand.stack

    def look(tx: Tx) -> tuple[T, dict[str, Any]]:
        scope = Scope(hand.core, hand.ctx, stack, plan, tx, hand.row)
        return find(scope), scope.used

    def holds(found: tuple[T, dict[str, Any]]) -> bool:
        used = found[1]
        if not used:
            return True
        now = {row.name: row for row in rows.whole(hand.tx, stack.id, list(used))}
        return all(now.get(name) == row for name, row in used.items())

    return ahead.known(hand.tx, (what, stack.id, stack.traversal, id(plan)), look, holds)[0]


def of_declared(scope: Scope, plan: Plan, name: str, check: Check | None = None) -> dict[str, Any]:
    """``check``: of custom constraints, which are taken to hold without it. :raises TemplateError: in Heat's words,
    with the property's path."""
    raw, kind = plan.resources[name].properties, plan.kinds[name]
    if plan.resources[name].external_id is not None:
        # It was made by others, as they wanted it.
        return dict.fromkeys(kind.properties)
    if isinstance(raw, Mapping) and not is_function(raw, plan.template):
        values = {key: _one(scope, plan, f"resources.{name}.properties.{key}", value) for key, value in raw.items()}
    else:
        values = _one(scope, plan, f"resources.{name}.properties", raw) if raw else {}
    return checked(kind, name, values, check)


def is_function(raw: Mapping[str, Any], template: Template) -> bool:
    """Whether the whole of the properties is one function of the template's version: its name is no property."""
    return function_in(raw, table_of(template)) is not None


def _one(scope: Scope, plan: Plan, path: str, raw: Any) -> Any:
    try:
        return evaluate(raw, scope, plan.template)
    except TemplateError as error:
        raise TemplateError(f"Property error: : {path}: : {error.message}", path) from None


def checked(kind: Kind, name: str, values: Mapping[str, Any], check: Check | None) -> dict[str, Any]:
    """:raises TemplateError: in Heat's words, with the resource's name."""
    if kind.anything:
        return dict(values or {})
    try:
        return check_properties(kind.properties, values, name=name, check=check)
    except TemplateError as error:
        raise TemplateError(f"Property error: : {error.path}: {error.message}", error.path) from None


def plain(value: Any) -> Any:
    """A value as it is kept: what is not known yet is nothing."""
    if value is UNKNOWN:
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def external_id(plan: Plan, name: str) -> Any:
    """The id of the thing of others that a resource is to be, if it is one."""
    return plain(plan.resources[name].external_id)


def kept(hand: Hand, plan: Plan, name: str) -> dict[str, Any]:
    """What a row keeps of a resource's declaration: what its deletion needs when the template is another.

    :raises TemplateError: its update policy cannot be told.
    """
    declared = plan.resources[name]
    return {
        "kind": plan.kinds[name].known_as(),
        "digest": plan.kinds[name].digest(),
        "deletion_policy": (declared.deletion_policy or "Delete"),
        "update_policy": update_policy(hand, plan, name),
        "external_id": external_id(plan, name),
    }


def update_policy(hand: Hand, plan: Plan, name: str) -> dict[str, Any]:
    """What the plan says of how a resource is changed. :raises TemplateError:"""
    raw = plan.resources[name].update_policy
    if not raw:
        return {}
    found: dict[str, Any] = _known(
        hand, plan, ("update_policy", name), lambda scope: plain(evaluate(raw, scope, plan.template))
    )
    return found or {}


def metadata(hand: Hand, plan: Plan, name: str) -> dict[str, Any]:
    raw = plan.resources[name].metadata
    if not raw:
        return {}
    found: dict[str, Any] = _known(
        hand, plan, ("metadata", name), lambda scope: plain(evaluate(raw, scope, plan.template))
    )
    return found
