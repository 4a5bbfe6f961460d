"""Declarations of resource types: what properties and attributes they have, and the check of values against them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tane.nearest import hint, nearest
from tane.services.orchestration.template.constraints import (
    AllowedPattern,
    AllowedValues,
    Check,
    Constraint,
    Length,
    Modulo,
    Range,
    cast,
    number,
)
from tane.services.orchestration.template.values import LONGEST_NAME, UNKNOWN, TemplateError, below, holds_unknown
from tane.services.orchestration.template.versions import KNOWN

PropertyType = Literal["string", "integer", "number", "boolean", "list", "map", "any"]
Update = Literal["in_place", "replace", "no"]
PARAMETERS_HOT = {"integer": "number", "list": "comma_delimited_list", "map": "json", "any": "json"}
PARAMETERS_CFN = {
    "string": "String",
    "integer": "Number",
    "number": "Number",
    "boolean": "Boolean",
    "list": "CommaDelimitedList",
    "map": "Json",
    "any": "Json",
}


@dataclass(frozen=True)
class Property:
    """One property of a type.

    ``update``: what a new value does to the resource: it is changed in place, replaced by a new one, or the change is
    refused. ``immutable``: a change is refused (Heat's word for ``update="no"``). ``schema``: of a list's items, or of
    a map's keys; None takes anything. ``convert``: of properties that are parameters of a nested template: JSON text
    for maps and comma-delimited text for lists are taken too. ``hidden``: an older name, or what is taken and has no
    effect, as in Heat: it is not shown.
    """

    type: str
    required: bool = False
    default: Any = None
    constraints: Sequence[Constraint] = ()
    update: str = "replace"
    immutable: bool = False
    schema: Property | Mapping[str, Property] | None = None
    description: str = ""
    convert: bool = False
    hidden: bool = False

    def view(self) -> dict[str, Any]:
        """As ``resource-type show`` has it."""
        shown: dict[str, Any] = {"type": self.type}
        if self.description:
            shown["description"] = self.description
        if self.default is not None:
            shown["default"] = self.default
        if isinstance(self.schema, Property):
            shown["schema"] = {"*": self.schema.view()}
        elif self.schema is not None:
            shown["schema"] = {name: one.view() for name, one in self.schema.items()}
        shown["required"] = self.required
        if self.constraints:
            shown["constraints"] = [one.view() for one in self.constraints]
        return {
            **shown,
            "update_allowed": self.update == "in_place",
            "immutable": self.immutable or self.update == "no",
        }


@dataclass(frozen=True)
class Attribute:
    """One attribute of a type. ``type``: string, map, list, integer, boolean, or None where it varies."""

    type: str | None = None
    description: str = ""

    def view(self) -> dict[str, Any]:
        shown = {"description": self.description} if self.description else {}
        return {**shown, "type": self.type} if self.type else shown


SHOW = Attribute(type="map", description="Detailed information about resource.")


def check_properties(
    declarations: Mapping[str, Property],
    values: Mapping[str, Any] | None,
    *,
    name: str = "",
    check: Check | None = None,
    section: str = "properties",
) -> dict[str, Any]:
    """The values that a resource gets: cast to their types, with defaults; None for what has no value.

    Values that are not known yet stay ``UNKNOWN`` and are not checked. ``name``: of the resource, for the path.
    ``check``: of custom constraints; without it they are taken to hold.

    :raises TemplateError: with the path of the property that is wrong.
    """
    path = f"resources.{name}.{section}" if name else section
    if values is UNKNOWN:
        return dict.fromkeys(declarations, UNKNOWN)
    if values is not None and not isinstance(values, Mapping):
        raise TemplateError(f'"{values}" is not a map', path)
    return _checked(declarations, values or {}, path, check)


def _checked(
    declarations: Mapping[str, Property], values: Mapping[str, Any], path: str, check: Check | None
) -> dict[str, Any]:
    for key in values:
        if key not in declarations:
            words = f"Unknown Property {str(key)[:LONGEST_NAME]}{hint(str(key), declarations)}"
            raise TemplateError(words, below(path, key))
    found: dict[str, Any] = {}
    for key, declared in declarations.items():
        if key in values:
            found[key] = _value(declared, values[key], below(path, key), check)
        elif declared.default is not None:
            found[key] = _value(declared, None, below(path, key), check)
        elif declared.required:
            raise TemplateError(f"Property {key} not assigned", path)
        else:
            found[key] = None
    return found


def _value(declared: Property, given: Any, path: str, check: Check | None) -> Any:
    if given is UNKNOWN:
        return UNKNOWN
    if given is None:
        given = declared.default
    try:
        value = _cast(declared, given, path, check)
        if holds_unknown(value):
            return value
        for constraint in declared.constraints:
            constraint.keep(value, declared.type.capitalize(), check)
    except TemplateError as error:
        raise error if error.path else TemplateError(error.message, path, error.line) from None
    return value


def _cast(declared: Property, given: Any, path: str, check: Check | None) -> Any:
    if declared.type == "string":
        return _string(given)
    if declared.type == "integer":
        return _integer(given)
    if declared.type == "number":
        return 0 if given is None else number(given)
    if declared.type == "boolean":
        return _boolean(given)
    if declared.type == "map":
        return _map(declared, given, path, check)
    if declared.type == "list":
        return _list(declared, given, path, check)
    return given


def _string(given: Any) -> str:
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, bool | int):
        return str(given)
    raise TemplateError(f"Value must be a string; got {given!r}{_mistyped(given)}")


def _mistyped(given: Any) -> str:
    """What to say of a map that looks as if it were to be a function."""
    name = next(iter(given)) if isinstance(given, Mapping) and len(given) == 1 else None
    known = {function for version in KNOWN.values() for function in version.functions}
    close = nearest(name, known, 0.75) if isinstance(name, str) else None
    return f" (there is no function {name}: did you mean {close}?)" if close else ""


def _integer(given: Any) -> int:
    if given is None:
        return 0
    try:
        return int(given)
    except ValueError:
        raise TemplateError(f"Value '{given}' is not an integer") from None
    except (TypeError, OverflowError) as error:
        raise TemplateError(str(error)) from None


def _boolean(given: Any) -> bool:
    if given is None:
        return False
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in ("true", "false"):
        return given.lower() == "true"
    raise TemplateError(f'"{given.lower() if isinstance(given, str) else given}" is not a valid boolean')


def _map(declared: Property, given: Any, path: str, check: Check | None) -> Any:
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        if declared.convert and isinstance(given, str):
            return given
        if declared.convert and isinstance(given, list):
            return json.dumps(given)
        raise TemplateError(f'"{given}" is not a map')
    if isinstance(declared.schema, Mapping):
        return _checked(declared.schema, given, path, check)
    return dict(given)


def _list(declared: Property, given: Any, path: str, check: Check | None) -> Any:
    if given is None:
        given = []
    if declared.convert and isinstance(given, str):
        given = given.split(",") if given else []
    if not isinstance(given, list | tuple):
        raise TemplateError(f'"{given!r}" is not a list')
    if isinstance(declared.schema, Property):
        return [_value(declared.schema, item, below(path, index), check) for index, item in enumerate(given)]
    return list(given)


def without_nothing(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if one is not None}


def settled(declared: Property | None, value: Any) -> Any:
    """A checked value in the form in which it is compared: without what has none, and with the defaults of what it does
    not say, as a value that an older release has checked does not know what is declared by now."""
    if declared is None:
        return value
    if isinstance(declared.schema, Mapping) and isinstance(value, Mapping):
        whole = {**{name: one.default for name, one in declared.schema.items()}, **without_nothing(value)}
        return without_nothing({name: settled(declared.schema.get(name), one) for name, one in whole.items()})
    if isinstance(declared.schema, Property) and isinstance(value, list | tuple):
        return [settled(declared.schema, one) for one in value]
    return value


def schema_view(
    type_name: str,
    properties: Mapping[str, Property],
    attributes: Mapping[str, Attribute],
    *,
    description: str | None = None,
    support: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """As ``GET /resource_types/{name}`` gives it."""
    shown: dict[str, Any] = {
        "resource_type": type_name,
        "properties": {name: one.view() for name, one in properties.items() if not one.hidden},
        "attributes": {name: one.view() for name, one in {**attributes, "show": SHOW}.items()},
        "support_status": dict(
            support or {"status": "SUPPORTED", "message": None, "version": None, "previous_status": None}
        ),
    }
    return shown if description is None else {**shown, "description": description}


def template_view(
    type_name: str,
    properties: Mapping[str, Property],
    attributes: Mapping[str, Attribute],
    *,
    kind: str = "cfn",
    resource_name: str | None = None,
) -> dict[str, Any]:
    """A template that passes a type's properties through, as ``GET /resource_types/{name}/template`` gives it."""
    name = resource_name or type_name.rpartition("::")[2]
    properties = {one: declared for one, declared in properties.items() if not declared.hidden}
    shown = {**attributes, "show": SHOW}
    if kind == "hot":
        outputs: dict[str, Any] = {
            one: {"value": {"get_attr": [name, one]}, "description": declared.description}
            for one, declared in shown.items()
        }
        outputs["OS::stack_id"] = {"value": {"get_resource": name}}
        return {
            "heat_template_version": "2016-10-14",
            "description": f"Initial template of {name}",
            "parameters": {one: _hot_parameter(declared) for one, declared in properties.items()},
            "resources": {name: {"type": type_name, "properties": {one: {"get_param": one} for one in properties}}},
            "outputs": outputs,
        }
    outputs = {
        one: {"Value": {"Fn::GetAtt": [name, one]}, "Description": declared.description}
        for one, declared in shown.items()
    }
    outputs["OS::stack_id"] = {"Value": {"Ref": name}}
    passed = {
        one: {"Fn::Split": [",", {"Ref": one}]} if declared.type == "list" else {"Ref": one}
        for one, declared in properties.items()
    }
    return {
        "HeatTemplateFormatVersion": "2012-12-12",
        "Description": f"Initial template of {name}",
        "Parameters": {one: _cfn_parameter(declared) for one, declared in properties.items()},
        "Resources": {name: {"Type": type_name, "Properties": passed}},
        "Outputs": outputs,
    }


def _hot_parameter(declared: Property) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": PARAMETERS_HOT.get(declared.type, declared.type)}
    if declared.description:
        shown["description"] = declared.description
    if declared.default is not None:
        shown["default"] = declared.default
    # The version that the template is of has no modulo yet.
    constraints = [{one.name: one.shown()} for one in declared.constraints if not isinstance(one, Modulo)]
    return {**shown, "constraints": constraints} if constraints else shown


def _cfn_parameter(declared: Property) -> dict[str, Any]:
    shown: dict[str, Any] = {"Type": PARAMETERS_CFN[declared.type]}
    if declared.description:
        shown["Description"] = declared.description
    if declared.default is not None:
        shown["Default"] = declared.default
    for one in declared.constraints:
        if isinstance(one, Range):
            what = "Length" if isinstance(one, Length) else "Value"
            bounds = {f"Min{what}": one.min, f"Max{what}": one.max}
            shown.update({key: bound for key, bound in bounds.items() if bound is not None})
        elif isinstance(one, AllowedValues):
            shown["AllowedValues"] = list(one.allowed)
        elif isinstance(one, AllowedPattern):
            shown["AllowedPattern"] = one.pattern
    if declared.type == "boolean":
        shown["AllowedValues"] = ["True", "true", "False", "false"]
    return shown


__all__ = [
    "SHOW",
    "Attribute",
    "Property",
    "PropertyType",
    "Update",
    "cast",
    "check_properties",
    "schema_view",
    "template_view",
]
