"""Templates on their own: what they ask for, and whether they are right."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tane.core import Core
from tane.services.orchestration import template as language
from tane.services.orchestration.domain import requests
from tane.services.orchestration.domain.plans import Plan, Source, make, refused
from tane.services.orchestration.domain.requests import Asked
from tane.services.orchestration.domain.scopes import Scope, scope_of
from tane.services.orchestration.domain.validation import Named, Walk, try_outputs, try_rules
from tane.services.orchestration.domain.values import of_declared, plain
from tane.services.orchestration.resources.nested import NestedTemplate
from tane.services.orchestration.template import Parameter, Template, TemplateError, effort
from tane.web.context import Context
from tane.web.errors import NotFound

WORDS = {
    "string": "String",
    "number": "Number",
    "list": "CommaDelimitedList",
    "map": "Json",
    "boolean": "Boolean",
}


def validate(core: Core, ctx: Context, asked: Asked, *, nested: bool) -> dict[str, Any]:
    """What a template asks for, once all that can be known of it alone is right: what it names may be in another cloud
    (previews look for it), as with Heat. :raises StackValidationFailed:"""
    source = requests.source_of(asked)
    named = Named("unnamed", ctx.project_id, source=source.given(), user_id=ctx.user_id)
    plan = make(source, scope_of(core, ctx, named), strict=False)
    try:
        properties = _properties(core, ctx, named, plan)
        try_outputs(Scope(core, ctx, named, plan))
    except TemplateError as error:
        raise refused(error) from None
    view = _view(plan.template, plan.environment.parameters)
    if nested:
        try:
            inner = _nested(core, ctx, source, plan, properties, Walk(), 0)
        except TemplateError as error:
            raise refused(error) from None
        if inner:
            view["NestedParameters"] = inner
    return {**view, "Environment": _environment(source)}


def _environment(source: Source) -> dict[str, Any]:
    shown = {**source.environment}
    shown.pop("encrypted_param_names", None)
    return shown


def _properties(core: Core, ctx: Context, named: Named, plan: Plan) -> dict[str, dict[str, Any]]:
    scope = Scope(core, ctx, named, plan)
    found = {}
    for name in plan.resources:
        try:
            values = of_declared(scope, plan, name)
            try_rules(scope, name, values)
            found[name] = plain(values)
        except TemplateError as error:
            # What a nested template asks for is what is looked for here, not whether it gets it.
            if isinstance(plan.kinds[name], NestedTemplate) and not isinstance(error, effort.TooLong):
                found[name] = {}
                continue
            raise
    return found


def _view(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    view: dict[str, Any] = {
        "Description": template.description or "No description",
        "Parameters": {name: _parameter(one, given) for name, one in template.parameters.items()},
    }
    if template.parameter_groups:
        view["ParameterGroups"] = list(template.parameter_groups)
    return view


def _parameter(one: Parameter, given: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Type": WORDS[one.kind],
        "Description": one.description or "",
        "NoEcho": "true" if one.hidden else "false",
        "Label": one.label or one.name,
    }
    if one.default is not None:
        shown["Default"] = one.default
    if given.get(one.name) is not None:
        shown["Value"] = "******" if one.hidden else given[one.name]
    if one.tags:
        shown["Tags"] = list(one.tags)
    for constraint in one.constraints:
        shown |= _constraint(constraint.name, constraint.shown(), constraint.description)
    return shown


def _constraint(name: str, shown: Any, description: str | None) -> dict[str, Any]:
    told = {"ConstraintDescription": description} if description else {}
    if name in ("range", "length"):
        what = "Value" if name == "range" else "Length"
        return {**{f"{bound.capitalize()}{what}": value for bound, value in shown.items()}, **told}
    words = {
        "allowed_values": "AllowedValues",
        "allowed_pattern": "AllowedPattern",
        "modulo": "Modulo",
        "custom_constraint": "CustomConstraint",
    }
    return {words[name]: shown, **told}


def _nested(
    core: Core,
    ctx: Context,
    source: Source,
    plan: Plan,
    properties: Mapping[str, Mapping[str, Any]],
    walk: Walk,
    depth: int,
) -> dict[str, Any]:
    """What the nested templates ask for, by the resource's name. :raises RequestLimitExceeded:"""
    walk.enter(plan, depth)
    found: dict[str, Any] = {}
    for name, kind in plan.kinds.items():
        if not isinstance(kind, NestedTemplate):
            continue
        given = {key: value for key, value in (properties.get(name) or {}).items() if value is not None}
        inner = Source(
            template=kind.template.document,
            files=source.files,
            environment={**source.environment, "parameters": given},
        )
        named = Named(f"unnamed-{name}", ctx.project_id, depth=depth + 1, user_id=ctx.user_id)
        below = make(inner, scope_of(core, ctx, named), strict=False)
        view = {"Type": plan.resources[name].type, **_view(kind.template, given)}
        deeper = _nested(core, ctx, inner, below, _properties(core, ctx, named, below), walk, depth + 1)
        if deeper:
            view["NestedParameters"] = deeper
        found[name] = view
    return found


@functools.cache
def versions() -> list[dict[str, Any]]:
    return language.versions()


def functions(version: str, conditions: bool) -> list[dict[str, str]]:
    """:raises NotFound: no such version."""
    try:
        return language.functions(version, conditions)
    except TemplateError:
        raise NotFound(f"Template with version {version} not found", type="NotFound") from None
