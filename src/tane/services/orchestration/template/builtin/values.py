"""Functions that bring values in: parameters, resources, files, and what the parent stack says."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from tane.services.orchestration.template.evaluation import Call, Function, Nested
from tane.services.orchestration.template.values import UNKNOWN, Taken, TemplateError, select

FACADE = {"Metadata": "metadata", "DeletionPolicy": "deletion_policy", "UpdatePolicy": "update_policy"}


def get_param(call: Call) -> Any:
    args = call.args
    if not args:
        raise TemplateError(f'Function "{call.name}" must have arguments')
    if isinstance(args, str):
        name, path = args, []
    elif isinstance(args, Sequence):
        name, path = args[0], list(args[1:])
    else:
        raise TemplateError(f'Argument to "{call.name}" must be string or list')
    if not isinstance(name, str):
        raise TemplateError(f'Parameter name in "{call.name}" must be string')
    value = call.scope.parameter(name)
    try:
        return functools.reduce(_step, path, value)
    except (KeyError, IndexError, TypeError):
        return ""


def _step(collection: Any, key: Any) -> Any:
    if collection is UNKNOWN:
        return UNKNOWN
    if not isinstance(collection, Mapping | Sequence) or not isinstance(key, str | int):
        raise TypeError
    if isinstance(collection, Sequence) and isinstance(key, str):
        try:
            key = int(key)
        except ValueError:
            raise TypeError from None
    return collection[key]


def get_resource(call: Call) -> Any:
    return _referred(call, call.args)


def _referred(call: Call, name: Any) -> Any:
    if not isinstance(name, str) or name not in call.template.resources:
        raise TemplateError(f'The specified reference "{name}" (in unknown) is incorrect.')
    return call.scope.reference(name)


def ref(call: Call) -> Any:
    """A parameter, or a resource's id."""
    if isinstance(call.raw, str) and call.raw in call.template.resources:
        return call.scope.reference(call.raw)
    return param_ref(call)


def param_ref(call: Call) -> Any:
    name = call.args
    pseudo = "AWS::" if call.template.kind == "cfn" else "OS::"
    known = isinstance(name, str) and (name in call.template.parameters or name.startswith(pseudo))
    if not known:
        raise TemplateError(f'The specified reference "{name}" (in unknown) is incorrect.')
    return call.scope.parameter(name)


def attribute_shape(name: str, args: Any) -> None:
    if not isinstance(args, list):
        raise TemplateError(f'Argument to "{name}" must be a list')
    if len(args) < 2:
        raise TemplateError(f'Arguments to "{name}" must be of the form [resource_name, attribute, (path), ...]')


def any_attribute_shape(name: str, args: Any) -> None:
    if not args:
        raise TemplateError(
            f'Arguments to "{name}" can be of the next forms: [resource_name] or '
            "[resource_name, attribute, (path), ...]"
        )
    if not isinstance(args, list) or len(args) > 1:
        attribute_shape(name, args)


def aws_attribute_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 2:
        raise TemplateError(f'Arguments to "{name}" must be of the form [resource_name, attribute]')


def get_attr(call: Call) -> Any:
    # Resolved one by one: an ``if`` that gives nothing is no element less.
    resource = call.resolve(call.raw[0])
    if resource is UNKNOWN:
        return UNKNOWN
    if not isinstance(resource, str) or resource not in call.template.resources:
        raise TemplateError(f'The specified reference "{resource}" (in unknown) is incorrect.')
    if len(call.raw) == 1:
        found = call.scope.attribute(resource, "*", ())
        return found.value if isinstance(found, Taken) else found
    name = call.resolve(call.raw[1])
    path = call.resolve(list(call.raw[2:]))
    if name is UNKNOWN or any(step is UNKNOWN for step in path):
        return UNKNOWN
    if not isinstance(name, str):
        raise TemplateError(f"The Referenced Attribute ({resource} {name}) is incorrect.")
    found = call.scope.attribute(resource, name, tuple(path))
    return select(found.value, found.rest) if isinstance(found, Taken) else select(found, path)


def get_file(call: Call) -> Any:
    """A file that the client sent along; nothing is read or fetched here."""
    if not isinstance(call.args, str):
        raise TemplateError(f'Argument to "{call.name}" must be a string')
    return call.scope.file(call.args)


def facade_shape(name: str, args: Any) -> None:
    allowed = tuple(FACADE) if name.startswith("Fn::") else tuple(FACADE.values())
    if isinstance(args, Nested) or not isinstance(args, str) or args not in allowed:
        raise TemplateError(f'Incorrect arguments to "{name}" should be one of: {", ".join(allowed)}')


def resource_facade(call: Call) -> Any:
    return call.scope.facade(FACADE.get(call.args, call.args))


def get_azs(call: Call) -> Any:
    return call.scope.availability_zones()


def map_shape(name: str, args: Any) -> None:
    if not isinstance(args, list) or len(args) != 3:
        raise TemplateError(f'Arguments to "{name}" must be of the form [mapping, key, value]')


def find_in_map(call: Call) -> Any:
    name, key, value = (call.resolve(one) for one in call.raw)
    if UNKNOWN in (name, key, value):
        return UNKNOWN
    found: Any = call.template.mappings
    for step, what in ((name, "mapping"), (key, "key"), (value, "value")):
        if not isinstance(found, Mapping) or not isinstance(step, str | int) or str(step) not in found:
            raise TemplateError(f'"{call.name}" found no {what} "{step}"')
        found = found[str(step)]
    return found


GET_PARAM = Function("A function for resolving parameter references.", get_param)
GET_RESOURCE = Function("A function for resolving resource references.", get_resource)
GET_ATTR = Function("A function for resolving resource attributes.", get_attr, attribute_shape, lazy=True)
GET_ATTR_ALL = Function("A function for resolving resource attributes.", get_attr, any_attribute_shape, lazy=True)
GET_ATT = Function("A function for resolving resource attributes.", get_attr, aws_attribute_shape, lazy=True)
GET_FILE = Function("A function for including a file inline.", get_file)
FACADE_OF = Function("A function for retrieving data in a parent provider template.", resource_facade, facade_shape)
REF = Function("A function for resolving parameters or resource references.", ref)
PARAM_REF = Function("A function for resolving parameter references.", param_ref)
FIND_IN_MAP = Function("A function for resolving keys in the template mappings.", find_in_map, map_shape, lazy=True)
GET_AZS = Function("A function for retrieving the availability zones.", get_azs, lazy=True)
