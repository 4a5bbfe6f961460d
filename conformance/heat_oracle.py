"""The template language against Heat's own classes: the same cases asked of both, and what comes out compared."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import packages
from conformance.heat_cases import Cases
from tane.services.orchestration.template import (
    TemplateError,
    condition_of,
    evaluate,
    merge_environments,
    parse_document,
    parse_environment,
)

VERSION = "27.0.1"
PACKAGES = (f"openstack-heat=={VERSION}",)
SIDE = Path(__file__).with_name("heat_side.py")
COUNT = 2000
PSEUDO = {
    "OS::stack_name": "stack",
    "OS::stack_id": "stack-id",
    "OS::project_id": "project",
    "AWS::StackName": "stack",
    "AWS::StackId": "arn:openstack:heat::project:stacks/stack/stack-id",
    "AWS::Region": "ap-southeast-1",
}


@dataclass(frozen=True)
class Difference:
    case: dict[str, Any]
    ours: dict[str, Any]
    theirs: dict[str, Any]


def python() -> Path:
    """The interpreter of the environment that Heat is in."""
    return packages.install(f"heat-{VERSION}", PACKAGES) / "python"


def run(seed: int, count: int, folder: Path) -> tuple[list[Difference], int]:
    """What differs, and of how many cases; those are left out that Heat itself fails at."""
    cases = list(Cases(seed).some(count))
    asked = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([str(python()), str(SIDE)], input=asked.encode(), capture_output=True)
    (folder / "heat.log").write_bytes(done.stderr)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(cases):
        raise SystemExit(f"Heat answered {len(answers)} of {len(cases)} cases; see {folder / 'heat.log'}")
    found, both = [], 0
    for case, theirs in zip(cases, answers, strict=True):
        ours = answer(case)
        if "value" in ours and failed(theirs):
            continue
        both += 1
        if not same(ours, theirs):
            found.append(Difference(case, ours, theirs))
    (folder / "differences.json").write_text(json.dumps([vars(one) for one in found], indent=1))
    return found, both


class Scope:
    """What functions see of a case."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case, self.open = case, []  # type: ignore[var-annotated]
        document = dict(case["template"])
        if case["what"] == "expression":
            outputs, value = ("outputs", "value") if "heat_template_version" in document else ("Outputs", "Value")
            document[outputs] = {"tested": {value: case["expression"]}}
        self.template = parse_document(document)

    def parameter(self, name: str) -> Any:
        if name in PSEUDO and name.startswith("AWS" if self.template.kind == "cfn" else "OS"):
            return PSEUDO[name]
        if name not in self.template.parameters:
            raise TemplateError(f"The Parameter ({name}) was not provided.")
        return self.template.parameters[name].value(self.case["parameters"].get(name))

    def reference(self, resource: str) -> Any:
        return f"{resource}-id"

    def attribute(self, resource: str, name: str, path: Any) -> Any:
        known = self.case["attributes"].get(resource, {})
        if name == "*":
            return known
        if name not in known:
            raise TemplateError(f"The Referenced Attribute ({resource} {name}) is incorrect.")
        return known[name]

    def file(self, name: str) -> str:
        if name not in self.case["files"]:
            raise TemplateError(f'No content found in the "files" section for get_file path: {name}')
        return str(self.case["files"][name])

    def condition(self, name: str) -> Any:
        return condition_of(self.template, self, name)

    def facade(self, key: str) -> Any:
        return {"metadata": {"role": "web"}, "update_policy": {"batch": 2}, "deletion_policy": "Retain"}[key]

    def availability_zones(self) -> list[str]:
        return ["nova", "second"]


def answer(case: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"value": json.loads(json.dumps(_answer(case)))}
    except TemplateError as error:
        return {"error": error.message, "path": error.path}


def _answer(case: dict[str, Any]) -> Any:
    if case["what"] == "environment":
        template = parse_document(case["template"])
        types = {name: one.kind for name, one in template.parameters.items()}
        merged = merge_environments([parse_environment(one) for one in case["environments"]], types)
        return {"parameters": merged.parameters, "parameter_defaults": merged.parameter_defaults}
    scope = Scope(case)
    template = scope.template
    if case["what"] == "parameter":
        return template.parameters[case["name"]].value(case["parameters"].get(case["name"]))
    if case["what"] == "template":
        from tane.services.orchestration.template import holds

        return sorted(name for name, one in template.resources.items() if holds(one.condition, scope, template))
    if case["what"] == "condition":
        return scope.condition("tested")
    output = template.outputs["tested"]
    return evaluate(output.value, scope, template, "outputs.tested.value")


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if "value" in ours and "value" in theirs:
        return bool(ours["value"] == theirs["value"])
    return "error" in ours and "error" in theirs and same_words(ours["error"], theirs)


HINT = re.compile(r" \(did you mean [^)]*\?\)")
"""At what was meant, which Heat does not tell."""
OWN = re.compile(
    r"unpack|object has no attribute|has no len|not enough values|argument \d* ?must be|argument of type|unhashable"
    r"|is not iterable|not subscriptable|empty separator|codec can't|indices must be|expected str|concatenate"
    r"|not supported between|dictionary update sequence|requires string as left operand|positional argument"
    r"|does not support item"
)
"""Words of Python's own where Heat did not look: any refusal will do."""
ANEW = (
    # Heat prints the set of algorithms in no order, and what a failed look-up in Python says.
    (re.compile(r"Algorithm must be one of"), re.compile(r"Algorithm must be one of")),
    (re.compile(r"^'?\w+'?$"), re.compile(r"found no")),
    (re.compile(r"^\d+$|^'\w+'$"), re.compile(r"")),
    (re.compile(r"Invalid arguments to"), re.compile(r"Invalid arguments to")),
    # Heat parses the expressions when it validates, before anything is resolved.
    (re.compile(r"Bad expression"), re.compile(r"")),
    # Two keys of a map pass for a list of two.
    (re.compile(r'specified reference "k"'), re.compile(r"must be of the form")),
    (re.compile(r'"Fn::Select": Expecting value'), re.compile(r"must be of the form")),
    (re.compile(r"Invalid parameter in environment"), re.compile(r"Invalid merge strategy")),
)


def failed(theirs: dict[str, Any]) -> bool:
    """Whether Heat failed at a value that it did not look at, which its API answers with a 500."""
    kinds = ("TypeError", "AttributeError", "InvalidSchemaError")
    return theirs.get("kind") in kinds and bool(OWN.search(theirs["error"]))


def plain(words: str) -> str:
    """Without how Python quotes the words of a missing key, and without indentation."""
    return " ".join(words.replace("\\n", "\n").replace("\\'", "'").split())


def same_words(ours: str, theirs: dict[str, Any]) -> bool:
    """Whether an error is told in the same words; the place before it is told apart."""
    ours, words = plain(HINT.sub("", ours)), plain(theirs["error"])
    if ours.strip("'") in words or OWN.search(words):
        return True
    return any(one.search(words) and other.search(ours) for one, other in ANEW)


def last_line(found: list[Difference], count: int) -> str:
    return f"heat-oracle: agreed {count - len(found)}, differs {len(found)} of {count}"


def line(one: Difference) -> str:
    case = one.case
    version = next(str(value) for key, value in case["template"].items() if "ersion" in key)
    shown = {
        "expression": lambda: case["expression"]["tested"],
        "condition": lambda: (case["template"].get("conditions") or case["template"]["Conditions"])["tested"],
        "parameter": lambda: (case["template"].get("parameters") or case["template"]["Parameters"])["tested"],
        "template": lambda: {k: v for k, v in case["template"].items() if k.lower() not in ("parameters", "mappings")},
        "environment": lambda: case["environments"],
    }[case["what"]]()
    given = f" given {case['parameters']}" if case["parameters"] else ""
    return f"DIFFERS {version} {case['what']} {json.dumps(shown)}{given}\n  ours:  {one.ours}\n  Heat:  {one.theirs}"
