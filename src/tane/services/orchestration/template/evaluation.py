"""Functions resolved: the values of a template as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tane.services.orchestration.template.model import Scope, Template
from tane.services.orchestration.template.values import UNKNOWN, Taken, select


def evaluate(value: Any, scope: Scope, template: Template) -> Any:
    """``value`` with all functions of the template's version resolved. :raises TemplateError:"""
    if isinstance(value, Mapping):
        if len(value) == 1:
            ((name, raw),) = value.items()
            if name == "get_param":
                return scope.parameter(raw)
            if name == "get_resource":
                return scope.reference(raw)
            if name == "get_attr":
                found = scope.attribute(raw[0], raw[1], raw[2:])
                return select(found.value, found.rest) if isinstance(found, Taken) else select(found, raw[2:])
        return {key: evaluate(item, scope, template) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, scope, template) for item in value]
    return value


def condition_of(template: Template, scope: Scope, name: str) -> bool:
    """Whether a condition of the template holds; what a scope's ``condition`` may be made of."""
    return bool(evaluate(template.conditions[name], scope, template)) is not UNKNOWN


def references(value: Any, template: Template) -> set[str]:
    """The names of the resources that a value refers to."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            ((name, raw),) = value.items()
            if name == "get_resource":
                return {raw}
            if name == "get_attr":
                return {raw[0]}
        return set().union(*(references(item, template) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item, template) for item in value))
    return set()
