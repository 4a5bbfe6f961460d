"""Environments: parameters, defaults, what types stand for, hooks; several of them merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tane.services.orchestration.template import effort
from tane.services.orchestration.template.reading import bounded, parsed, read
from tane.services.orchestration.template.values import LONGEST_NAME, TemplateError

SECTIONS = (
    "parameters",
    "resource_registry",
    "parameter_defaults",
    "encrypted_param_names",
    "event_sinks",
    "parameter_merge_strategies",
)
HOOKS = ("pre-create", "pre-update", "pre-delete", "post-create", "post-update", "post-delete")
RESTRICTED = ("update", "replace")
STRATEGIES = ("overwrite", "merge", "deep_merge")


@dataclass
class Environment:
    """One environment, or several merged. ``resource_registry``: type → type or file; under ``resources`` the same for
    one resource (names may have wildcards), with its ``hooks`` and ``restricted_actions``."""

    parameters: dict[str, Any] = field(default_factory=dict)
    parameter_defaults: dict[str, Any] = field(default_factory=dict)
    resource_registry: dict[str, Any] = field(default_factory=dict)
    event_sinks: list[Any] = field(default_factory=list)
    parameter_merge_strategies: dict[str, Any] = field(default_factory=dict)
    encrypted_param_names: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "parameters": self.parameters,
            "parameter_defaults": self.parameter_defaults,
            "resource_registry": {"resources": {}, **self.resource_registry},
            "event_sinks": self.event_sinks,
        }


def parse_environment(text_or_dict: str | Mapping[str, Any] | None) -> Environment:
    """An environment from YAML, JSON, or what was decoded already.

    :raises TemplateError: a section that there is not, or a hook.
    """
    if text_or_dict is None:
        return Environment()
    found = read(text_or_dict, what="environment") if isinstance(text_or_dict, str) else bounded(text_or_dict)
    if not isinstance(found, Mapping):
        raise TemplateError("The environment is not a valid YAML mapping data type.")
    for section, value in found.items():
        if section not in SECTIONS:
            raise TemplateError(f'environment has wrong section "{section}"', section)
        if value is None:
            raise TemplateError(f'environment has empty section "{section}"', section)
    return Environment(
        parameters=_section(found, "parameters"),
        parameter_defaults=_section(found, "parameter_defaults"),
        resource_registry=_registry(_section(found, "resource_registry"), "resource_registry"),
        event_sinks=_listed(found, "event_sinks"),
        parameter_merge_strategies=_section(found, "parameter_merge_strategies"),
        encrypted_param_names=_listed(found, "encrypted_param_names"),
    )


def _section(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name, {})
    if not isinstance(value, Mapping):
        raise TemplateError(f'The "{name}" section of the environment must be a map.', name)
    return dict(value)


def _listed(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name, [])
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TemplateError(f'The "{name}" section of the environment must be a list.', name)
    return list(value)


def _registry(registry: Mapping[str, Any], path: str) -> dict[str, Any]:
    """:raises TemplateError: a hook or an action that there is not, or what stands for no type."""
    for key, value in registry.items():
        below = f"{path}.{key}"
        if path == "resource_registry.resources" and len(key) > LONGEST_NAME:
            raise TemplateError(f"The name of a resource is at most {LONGEST_NAME} characters long.", path)
        if key == "hooks":
            _words(value, HOOKS, below, "hook", "resource breakpoint, acceptable hook types are")
        elif key == "restricted_actions":
            _words(value, RESTRICTED, below, "restricted_action", "resource, acceptable restricted_action types are")
        elif isinstance(value, Mapping):
            _registry(value, below)
        elif value is not None and not isinstance(value, str):
            raise TemplateError(f'"{key}" must be mapped to the name of a type or a file.', below)
    return dict(registry)


def _words(value: Any, allowed: Sequence[str], path: str, what: str, words: str) -> None:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Sequence) or any(one not in allowed for one in given):
        raise TemplateError(f'Invalid {what} type "{value}" for {words}: {tuple(allowed)}', path)


def merge_environments(
    environments: Sequence[Environment],
    types: Mapping[str, str] | None = None,
    names: Sequence[str] = (),
) -> Environment:
    """Later ones win; parameters as their merge strategy says. ``types``: string, number, list, map or boolean for each
    parameter of the template, which merging needs. ``names``: of the files, for what is told of a mistake.

    :raises TemplateError: two strategies for one parameter, or one that its type does not have.
    """
    merged = Environment()
    agreed: dict[str, str] = {}
    for number, one in enumerate(environments):
        effort.look()
        file = names[number] if number < len(names) else str(number)
        for section in ("parameters", "parameter_defaults"):
            values = getattr(one, section)
            strategies = {name: _strategy(one.parameter_merge_strategies, name, agreed) for name in values}
            for name, strategy in strategies.items():
                known = name in (types or {}) and values[name] is not None
                if known and agreed.setdefault(name, strategy) != strategy:
                    raise TemplateError(
                        f"Conflicting merge strategy '{strategy}' for parameter '{name}' in file '{file}'.",
                        f"parameter_merge_strategies.{name}",
                    )
            _merge_parameters(getattr(merged, section), values, strategies, types or {})
        _overlay(merged.resource_registry, one.resource_registry)
        merged.event_sinks += one.event_sinks
        merged.encrypted_param_names += one.encrypted_param_names
        merged.parameter_merge_strategies.update(one.parameter_merge_strategies)
    return merged


def _merge_parameters(
    into: dict[str, Any], values: Mapping[str, Any], strategies: Mapping[str, str], types: Mapping[str, str]
) -> None:
    first = not into
    for name, value in values.items():
        if first or name not in types or strategies[name] == "overwrite":
            into[name] = value
        elif value is not None:
            into[name] = _merged(name, into.get(name), value, types[name], deep=strategies[name] == "deep_merge")


def _strategy(strategies: Mapping[str, Any], name: str, agreed: Mapping[str, str]) -> str:
    if not strategies:
        return agreed.get(name, "overwrite")
    default = strategies.get("default", "overwrite")
    found = strategies.get(name, agreed.get(name, default))
    return str(found if found in STRATEGIES else default)


def _merged(name: str, old: Any, new: Any, kind: str, *, deep: bool) -> Any:
    if kind == "map":
        return _merged_maps(_decoded(old), _decoded(new), deep=deep)
    if kind == "list" and isinstance(new, str | list):
        return _merged_lists(old, new)
    if kind == "string" and isinstance(new, str):
        return f"{'' if old is None else old}{new}"
    raise TemplateError(f"Invalid merge strategy 'merge' for parameter '{name}'.", f"parameters.{name}")


def _decoded(value: Any) -> Any:
    try:
        return parsed(value) if isinstance(value, str) and value else value
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"Invalid parameter in environment {error}.") from None


def _merged_maps(old: Any, new: Any, *, deep: bool) -> Any:
    if not old or not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if value is None:
            continue
        if deep and before and isinstance(value, Mapping):
            merged[key] = _merged_maps(before, value, deep=True)
        elif deep and before and isinstance(value, list):
            merged[key] = _merged_lists(before, value)
        elif deep and isinstance(value, str):
            merged[key] = f"{before or ''}{value}"
        else:
            merged[key] = value
    return merged


def _merged_lists(old: Any, new: Any) -> Any:
    if not old:
        return new
    if isinstance(new, list):
        return [*(old if isinstance(old, list) else str(old).split(",")), *new]
    return ",".join([*([str(one) for one in old] if isinstance(old, list) else [str(old)]), str(new)])


def _overlay(into: dict[str, Any], registry: Mapping[str, Any]) -> None:
    """Later entries win; None takes an entry away, with a star at its end all that begin so."""
    for key, value in registry.items():
        if value is None:
            effort.look()
            gone = [one for one in into if one.startswith(key[:-1])] if key.endswith("*") else [key]
            for one in gone:
                if one != "resources":
                    into.pop(one, None)
        elif isinstance(value, Mapping):
            inner = into.get(key)
            into[key] = dict(inner) if isinstance(inner, Mapping) else {}
            _overlay(into[key], value)
        else:
            into[key] = value
