"""Heat's half of ``conformance/run heat-oracle``: a script for the environment that Heat is installed in.

Reads cases as JSON, one a line, and writes for each what Heat's own template classes make of it: ``{"value": …}``, or
``{"error": …}`` with its words.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

logging.disable(logging.CRITICAL)

from heat.common import identifier  # noqa: E402
from heat.engine import environment, function, parameter_groups, properties, resources, support  # noqa: E402
from heat.engine import template as templates  # noqa: E402


class Resource:
    action, status, CREATE, COMPLETE, IN_PROGRESS = "CREATE", "COMPLETE", "CREATE", "COMPLETE", "IN_PROGRESS"
    ADOPT = SUSPEND = RESUME = UPDATE = ROLLBACK = SNAPSHOT = CHECK = "CREATE"

    def __init__(self, name: str, case: dict[str, Any]) -> None:
        self.name, self.attributes = name, case["attributes"].get(name, {})
        self.attributes_schema = {**self.attributes, "show": {}}

    def FnGetRefId(self) -> str:
        return f"{self.name}-id"

    def FnGetAtt(self, name: str, *path: Any) -> Any:
        from heat.engine import attributes

        return attributes.select_from_attribute(self.attributes[name], path)

    def FnGetAtts(self) -> dict[str, Any]:
        return self.attributes


class Parent:
    """The resource of the parent stack, for ``resource_facade``."""

    class t:
        _update_policy = {"batch": 2}

        @staticmethod
        def deletion_policy() -> str:
            return "Retain"

    @staticmethod
    def metadata_get() -> dict[str, str]:
        return {"role": "web"}


class Stack:
    """As much of a stack as functions ask for."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.env = environment.Environment({"parameters": case.get("parameters", {})}, user_env=False)
        self.t = templates.Template(json.loads(json.dumps(case["template"])), files=case.get("files"), env=self.env)
        known = identifier.HeatIdentifier("project", "stack", "stack-id")
        self.parameters = self.t.parameters(known, case.get("parameters", {}))
        self.parent_resource = Parent()
        names = case["template"].get("resources") or case["template"].get("Resources") or {}
        self.known = {name: Resource(name, case) for name in names}

    def __getitem__(self, name: str) -> Resource:
        return self.known[name]

    def __contains__(self, name: object) -> bool:
        return name in self.known

    def get_availability_zones(self) -> list[str]:
        return ["nova", "second"]


def answer(case: dict[str, Any]) -> Any:
    if case["what"] == "environment":
        return merged(case)
    if case["what"] == "types":
        return {name: declared(name) for name in case["names"]}
    stack = Stack(case)
    if case["what"] == "parameter":
        stack.parameters.validate()
        return stack.parameters[case["name"]]
    if case["what"] == "template":
        return shape(stack)
    if case["what"] == "condition":
        conditions = stack.t.conditions(stack)
        conditions.validate()
        return bool(conditions.is_enabled("tested"))
    parsed = stack.t.parse(stack, case["expression"], "outputs.tested.value")
    function.validate(parsed)
    return function.resolve(parsed)


def declared(name: str) -> dict[str, Any] | None:
    """The properties and attributes of a type, as ``resource-type show`` has them."""
    try:
        kind = resources.global_env().get_class(name)
    except Exception:
        return None
    known = {n: properties.Schema.from_legacy(one) for n, one in kind.properties_schema.items()}
    shown = {n: one for n, one in known.items() if one.implemented and one.support_status.status != support.HIDDEN}
    values = {n: one for n, one in kind.attributes_schema.items() if one.support_status.status != support.HIDDEN}
    return {
        "properties": {n: json.loads(json.dumps(one, default=dict)) for n, one in shown.items()},
        "attributes": {**{n: {} for n in values}, "show": {}},
    }


def shape(stack: Stack) -> Any:
    """What ``validate`` looks at before resources are."""
    stack.t.validate()
    stack.parameters.validate(validate_value=False)
    parameter_groups.ParameterGroups(stack.t).validate()
    stack.t.conditions(stack).validate()
    declared = stack.t.resource_definitions(stack)
    for one in declared.values():
        one.validate()
    for one in stack.t.outputs(stack).values():
        one.validate()
    return sorted(declared)


def merged(case: dict[str, Any]) -> Any:
    from heat.common import environment_util

    stack = templates.Template(json.loads(json.dumps(case["template"])))
    params: dict[str, Any] = {"parameters": {}, "parameter_defaults": {}, "resource_registry": {}, "event_sinks": {}}
    files = {str(number): json.dumps(one) for number, one in enumerate(case["environments"])}
    environment_util.merge_environments(list(files), files, params, stack.param_schemata())
    return {key: params[key] for key in ("parameters", "parameter_defaults")}


def main() -> None:
    for line in sys.stdin:
        try:
            said = {"value": answer(json.loads(line))}
            text = json.dumps(said)
        except Exception as error:
            words = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
            text = json.dumps({"error": str(words), "kind": type(error).__name__})
        print(text, flush=True)


if __name__ == "__main__":
    main()
