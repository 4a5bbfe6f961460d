"""Validation before anything is made: every property of every resource, in nested templates too."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain import lookups, masking
from tane.services.orchestration.domain.common import (
    MOST_DEPTH,
    MOST_RESOURCES,
    RequestLimitExceeded,
    StackValidationFailed,
)
from tane.services.orchestration.domain.foreseeing import Foreseen, NotKnownYet
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.domain.plans import Check, Plan, Source, make, placed, refused
from tane.services.orchestration.domain.scopes import Scope, scope_of
from tane.services.orchestration.domain.values import external_id, of_declared, plain
from tane.services.orchestration.resources.base import Failed
from tane.services.orchestration.resources.heat_stack import Stack
from tane.services.orchestration.resources.nested import NestedTemplate, OfStack
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import TemplateError, effort, evaluate, holds
from tane.web.context import Context
from tane.web.errors import ApiError, Unavailable

NEW = "None"
"""The id of a stack that is not there yet, as Heat shows it."""


@dataclass
class Named:
    """A stack that is not there yet, or one whose next form is looked at."""

    name: str
    project_id: str
    id: str = NEW
    depth: int = 0
    parent_resource_id: str | None = None
    source: Mapping[str, Any] | None = None
    user_id: str = ""
    """Who sends the template."""
    fresh: bool = True
    """Whether nothing of it is there yet, nor of the stack around it."""


@dataclass
class Looked:
    """A resource as it would be; ``inner``: those of its nested stack, None where they cannot be told."""

    name: str
    stack: Any
    plan: Plan
    properties: dict[str, Any]
    inner: list[Looked] | None
    secrets: Collection[str] = ()
    """The values of hidden parameters, of its stack and of those that is nested in."""

    @property
    def type(self) -> str:
        return self.plan.resources[self.name].type

    def all(self) -> Iterator[Looked]:
        yield self
        for one in self.inner or ():
            yield from one.all()


def checker(core: Core, ctx: Context) -> Check:
    """Custom constraints as the user would find what they name; each is asked for once."""
    known: dict[tuple[str, str], str | None] = {}

    def check(kind: str, value: Any) -> str | None:
        key = (kind, str(value))
        if key not in known:
            effort.look()
            known[key] = lookups.check(core, ctx, kind, value)
        return known[key]

    return check


def plan_for(core: Core, ctx: Context, stack: Any, source: Source, tx: Tx | None = None) -> Plan:
    """The plan of a request. :raises StackValidationFailed:"""
    check = checker(core, ctx)
    plan = make(source, scope_of(core, ctx, stack, tx), check)
    plan.check = check
    return plan


def try_outputs(scope: Scope) -> None:
    """:raises TemplateError: one refers to what there is not."""
    template = scope.plan.template
    section, key = ("Outputs", "Value") if template.kind == "cfn" else ("outputs", "value")
    for output in template.outputs.values():
        if holds(output.condition, scope, template) is True:
            evaluate(output.value, scope, template, f"{section}.{output.name}.{key}")


def _try_metadata(scope: Scope, name: str) -> None:
    """:raises TemplateError: they cannot be told."""
    template, raw = scope.plan.template, scope.plan.resources[name].metadata
    if raw:
        section, key = ("Resources", "Metadata") if template.kind == "cfn" else ("resources", "metadata")
        evaluate(raw, scope, template, f"{section}.{name}.{key}")


def try_rules(scope: Scope, name: str, values: Mapping[str, Any]) -> None:
    """What the type itself says of properties that go together, as far as they are known.

    :raises TemplateError: they do not.
    """
    plan, kind = scope.plan, scope.plan.kinds[name]
    if plan.resources[name].external_id is not None or isinstance(kind, Stack):
        return
    with _refusing(name), contextlib.suppress(NotKnownYet):
        kind.validate(_hand(scope, _Row(name, kind.name)), Foreseen(kind.properties, values))


@contextlib.contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What a type or a service says against a resource is a mistake of the template; that a service cannot answer now
    is none. :raises TemplateError:"""
    try:
        yield
    except Unavailable:
        raise
    except (ApiError, Failed) as error:
        raise TemplateError(str(error), f"resources.{name}") from None


def _try_external(scope: Scope, name: str, walk: Walk) -> None:
    """Whether the thing of others that a new stack is to have is there. What a stack names already may be gone: that is
    no reason to refuse all of its updates.

    :raises TemplateError: it is not.
    """
    outside = external_id(scope.plan, name)
    if not outside or not scope.stack.fresh:
        return
    row = _Row(name, scope.plan.kinds[name].name, physical_id=str(outside), declared={"external_id": outside})
    hand = _hand(scope, row)
    hand.answers = walk.answers
    with _refusing(name):
        scope.plan.kinds[name].check(hand)


def _hand(scope: Scope, row: _Row) -> Hand:
    return Hand(scope.core, None, scope.ctx, scope.stack, row, scope.plan)  # type: ignore[arg-type]


class Walk:
    """A walk over a stack and all that is nested in it, whose resources count together; ``check``: of their custom
    constraints. ``deep``: nested stacks that are there are looked at with what they hold. ``answers``: what services
    said of things of others, each asked for once."""

    def __init__(self, check: Check | None = None, *, deep: bool = False) -> None:
        self.resources, self.check, self.deep = 0, check, deep
        self.answers: dict[tuple[str, str, str, str], Any] = {}

    def enter(self, plan: Plan, depth: int) -> None:
        """:raises RequestLimitExceeded: too many, or too deep."""
        self.resources += len(plan.resources)
        if self.resources > MOST_RESOURCES:
            raise RequestLimitExceeded(
                f"Request limit exceeded: Maximum resources per stack exceeded. At most {MOST_RESOURCES} are possible."
            )
        if depth > MOST_DEPTH:
            raise RequestLimitExceeded(f"Request limit exceeded: Recursion depth exceeds {MOST_DEPTH}.")


def look(
    core: Core,
    ctx: Context,
    stack: Any,
    plan: Plan,
    tx: Tx | None = None,
    walk: Walk | None = None,
    lost: Collection[str] = (),
    secrets: Collection[str] = (),
) -> list[Looked]:
    """Every resource with the properties it would have; what is not known yet is None in them. ``lost``: those that
    are there by their rows alone. ``secrets``: the hidden values of the stacks that this one is nested in.

    :raises StackValidationFailed: the first mistake found. :raises RequestLimitExceeded:
    """
    walk = walk or Walk(plan.check or checker(core, ctx))
    walk.enter(plan, stack.depth)
    plan.check_external()
    scope = Scope(core, ctx, stack, plan, tx)
    scope.lost = lost
    hidden = {*secrets, *plan.secrets()}
    found = []
    try:
        for name in plan.resources:
            effort.look()
            values = of_declared(scope, plan, name, walk.check)
            effort.weigh(values)
            _try_metadata(scope, name)
            try_rules(scope, name, values)
            _try_external(scope, name, walk)
            inner = _inner(scope, name, values, walk, hidden)
            found.append(Looked(name, stack, plan, plain(values), inner, hidden))
        # What is wrong with an output of a nested stack is told where it is asked for.
        if stack.depth == 0:
            try_outputs(scope)
    except TemplateError as error:
        found_wrong = refused(error)
        raise StackValidationFailed(masking.masked(found_wrong.message, hidden), path=found_wrong.path) from None
    return found


def _inner(
    scope: Scope, name: str, values: Mapping[str, Any], walk: Walk, secrets: Collection[str]
) -> list[Looked] | None:
    core, ctx, stack, plan = scope.core, scope.ctx, scope.stack, scope.plan
    kind = plan.kinds[name]
    if not isinstance(kind, OfStack):
        return []
    row: Any = _Row(name, plan.resources[name].type)
    child = Named(f"{stack.name}-{name}", stack.project_id, depth=stack.depth + 1, user_id=stack.user_id)
    child.fresh = stack.fresh
    tx = scope.tx if walk.deep else None
    if tx is not None and (there := resources.named(tx, stack.id, name)) is not None:
        row, now = there, stacks.nested(tx, str(there.physical_id), there.id)
        if now is not None:
            child.name, child.id = now.name, now.id
    # Of one that is not there yet nothing can be found by its rows.
    tx = tx if child.id != NEW else None
    hand = Hand(core, tx, ctx, stack, row, plan, values)  # type: ignore[arg-type]
    if isinstance(kind, Stack):
        kind.validate(hand, values)
    try:
        source = kind.source(hand)
    except NotKnownYet:
        return None
    child.source = source.given()
    with _inside(kind, name, values):
        inner = make(source, scope_of(core, ctx, child, tx), strict=False, guessed=True)
        return look(core, ctx, child, inner, tx, walk, secrets=secrets)


def _inside(kind: OfStack, name: str, values: Mapping[str, Any]) -> AbstractContextManager[None]:
    """What is wrong in a nested template has its place in that: in a file, in a text, or in what a type makes."""
    if isinstance(kind, NestedTemplate):
        return placed(kind.files.get(kind.file), within=kind.file)
    if isinstance(kind, Stack):
        return placed(values.get("template"), within=f"resources.{name}.properties.template")
    return placed(None, within=f"resources.{name}", path=f"resources.{name}")


@dataclass
class _Row:
    """A resource that is not there yet."""

    name: str
    type: str
    id: str = "None"
    physical_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)
