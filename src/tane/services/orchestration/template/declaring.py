"""Declarations of parameters, as HOT and CFN write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tane.nearest import hint
from tane.services.orchestration.template.constraints import (
    AllowedPattern,
    AllowedValues,
    Constraint,
    Custom,
    Length,
    Modulo,
    Range,
    fits,
    number,
)
from tane.services.orchestration.template.parameters import Parameter, items
from tane.services.orchestration.template.values import TemplateError
from tane.services.orchestration.template.versions import Version

HOT_TYPES = ("string", "number", "comma_delimited_list", "json", "boolean")
CFN_TYPES = ("String", "Number", "CommaDelimitedList", "Json", "Boolean")
HOT_KEYS = ("type", "description", "default", "schema", "constraints", "hidden", "label", "immutable")
CFN_KEYS = (
    "Type",
    "Default",
    "NoEcho",
    "AllowedValues",
    "AllowedPattern",
    "MaxLength",
    "MinLength",
    "MaxValue",
    "MinValue",
    "Description",
    "ConstraintDescription",
    "Label",
)
CONSTRAINT_KEYS = (
    "description",
    "length",
    "range",
    "modulo",
    "allowed_values",
    "allowed_pattern",
    "custom_constraint",
)


def parameter(name: str, given: Any, version: Version, path: str) -> Parameter:
    """:raises TemplateError: the declaration is wrong, or its default breaks it."""
    try:
        if version.kind == "cfn":
            return _sound(_cfn(name, given))
        return _sound(_hot(name, given, version))
    except TemplateError as error:
        raise TemplateError(error.message, f"{path}{error.path}") from None


def _hot(name: str, given: Any, version: Version) -> Parameter:
    allowed = (*HOT_KEYS, "tags") if version.has_tags else HOT_KEYS
    _known(given, allowed, f"parameter ({name})")
    kind = _type(name, given, "type", HOT_TYPES)
    tags = given.get("tags", [])
    if not isinstance(tags, list):
        raise TemplateError(f"Tags property should be a list for parameter: {name}", ".tags")
    return Parameter(
        name=name,
        type=kind,
        default=given.get("default"),
        description=_text(given.get("description")),
        label=_text(given.get("label")),
        hidden=_flag(name, given, "hidden"),
        immutable=_flag(name, given, "immutable"),
        tags=tuple(str(tag) for tag in tags),
        constraints=tuple(_hot_constraints(name, given.get("constraints"), version)),
    )


def _flag(name: str, given: Mapping[str, Any], key: str) -> bool:
    """:raises TemplateError: what is neither true nor false would be taken for something by somebody."""
    value = str(given.get(key, False)).lower()
    if value not in ("true", "false"):
        raise TemplateError(
            f"Invalid value '{given[key]}' of {key} for parameter {name}: it is true or false", f".{key}"
        )
    return value == "true"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _known(given: Any, allowed: Sequence[str], what: str) -> None:
    if not isinstance(given, Mapping):
        raise TemplateError(f"Invalid {what}, expected a mapping")
    for key in given:
        if key not in allowed:
            raise TemplateError(f"Invalid key '{key}' for {what}{hint(key, allowed)}", f".{key}")


def _type(name: str, given: Mapping[str, Any], key: str, types: Sequence[str]) -> str:
    if key not in given:
        raise TemplateError(f"Missing parameter type for parameter: {name}")
    found = given[key]
    if found not in types:
        raise TemplateError(f"Invalid type ({found}) for parameter {name}{hint(found, types)}", f".{key}")
    return str(found)


def _hot_constraints(name: str, given: Any, version: Version) -> Iterator[Constraint]:
    if given is None:
        return
    if not isinstance(given, list):
        raise TemplateError(f"Invalid parameter constraints for parameter {name}, expected a list", ".constraints")
    for index, one in enumerate(given):
        try:
            _known(one, CONSTRAINT_KEYS, f"parameter constraints of {name}")
            yield _hot_constraint(one, version)
        except TemplateError as error:
            raise TemplateError(error.message, f".constraints[{index}]{error.path}") from None


def _hot_constraint(given: Mapping[str, Any], version: Version) -> Constraint:
    told = _text(given.get("description"))
    if version.has_modulo and "modulo" in given:
        _known(given["modulo"], ("step", "offset"), "modulo constraint")
        return Modulo(step=_bound(given["modulo"], "step"), offset=_bound(given["modulo"], "offset"), description=told)
    for key, made in (("range", Range), ("length", Length)):
        if key in given:
            _known(given[key], ("min", "max"), f"{key} constraint")
            return made(min=_bound(given[key], "min"), max=_bound(given[key], "max"), description=told)
    if "allowed_values" in given:
        return AllowedValues(allowed=_values(given["allowed_values"]), description=told)
    if "allowed_pattern" in given:
        return AllowedPattern(pattern=_pattern(given["allowed_pattern"]), description=told)
    if "custom_constraint" in given:
        return Custom(kind=str(given["custom_constraint"]), description=told)
    raise TemplateError("No constraint expressed")


def _bound(given: Mapping[str, Any], key: str) -> int | float | None:
    return None if given.get(key) is None else number(given[key])


def _values(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TemplateError("AllowedValues must be a list")
    return tuple(given)


def _pattern(given: Any) -> str:
    if not isinstance(given, str):
        raise TemplateError("AllowedPattern must be a string")
    return given


def _cfn(name: str, given: Any) -> Parameter:
    _known(given, CFN_KEYS, f"parameter ({name})")
    return Parameter(
        name=name,
        type=_type(name, given, "Type", CFN_TYPES),
        default=given.get("Default"),
        description=_text(given.get("Description")),
        label=_text(given.get("Label")),
        hidden=_flag(name, given, "NoEcho"),
        constraints=tuple(_cfn_constraints(given)),
    )


def _cfn_constraints(given: Mapping[str, Any]) -> Iterator[Constraint]:
    told = _text(given.get("ConstraintDescription"))
    if "MinValue" in given or "MaxValue" in given:
        yield Range(min=_bound(given, "MinValue"), max=_bound(given, "MaxValue"), description=told)
    if "MinLength" in given or "MaxLength" in given:
        yield Length(min=_bound(given, "MinLength"), max=_bound(given, "MaxLength"), description=told)
    if "AllowedValues" in given:
        yield AllowedValues(allowed=_values(given["AllowedValues"]), description=told)
    if "AllowedPattern" in given:
        yield AllowedPattern(pattern=_pattern(given["AllowedPattern"]), description=told)


def _sound(declared: Parameter) -> Parameter:
    """See that the constraints suit the type, and that the default keeps them."""
    try:
        for constraint in declared.constraints:
            fits(constraint, declared.kind, declared.type)
        if declared.default is not None:
            _default(declared)
    except TemplateError as error:
        raise TemplateError(f"Parameter '{declared.name}' is invalid: {error.message}") from None
    return declared


def _default(declared: Parameter) -> None:
    value = declared.default
    try:
        if declared.kind == "list":
            value = items(value)
        for constraint in declared.constraints:
            constraint.keep(value, declared.type, None)
    except TemplateError as error:
        if declared.hidden:
            raise TemplateError("Invalid default") from None
        told = error.message.removeprefix(f"Parameter '{declared.name}' is invalid: ")
        raise TemplateError(f"Invalid default {declared.default} ({told})") from None
