"""OpenStack's collection of templates (openstack/heat-templates): which of them are read, which types they need, and
whether these take the properties that they are given."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tane.services.orchestration import resources
from tane.services.orchestration.template import (
    UNKNOWN,
    Template,
    TemplateError,
    condition_of,
    evaluate,
    order,
    parse,
    parse_environment,
)
from tane.services.orchestration.template.properties import check_properties

FOLDERS = ("hot", "cfn")
VERSIONS = ("heat_template_version", "AWSTemplateFormatVersion", "HeatTemplateFormatVersion")


@dataclass
class Outcome:
    """``read``, ``whole``: files by folder that are read, and of these those of which we have all types. ``disagreed``:
    resources whose type does not take their properties."""

    read: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    environments: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    disagreed: list[tuple[str, str]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)


def run(root: Path) -> Outcome:
    """Read every template and environment of a checkout."""
    found = Outcome()
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".yaml", ".template") and path.is_file():
                _read(found, folder, path, str(path.relative_to(root)))
    return found


def _read(found: Outcome, folder: str, path: Path, name: str) -> None:
    text = path.read_text(errors="replace")
    try:
        if not any(version in text for version in VERSIONS):
            if "env" in path.stem:
                parse_environment(text)
                found.environments += 1
            return
        template = parse(text)
        order(template)
    except TemplateError as error:
        found.refused.append((name, str(error)))
        return
    found.read[folder] += 1
    types = {one.type for one in template.resources.values() if not one.type.endswith((".yaml", ".template"))}
    missing = [one for one in types if resources.find(one) is None]
    found.unknown.update(missing)
    found.whole[folder] += not missing
    for one in template.resources.values():
        kind = resources.find(one.type)
        if kind is None or getattr(kind, "anything", False) or one.external_id is not None:
            continue
        try:
            values = evaluate(one.properties or {}, Unmade(template), template)
            check_properties(kind.properties, values, name=one.name, check=lambda rule, value: None)
        except TemplateError as error:
            found.disagreed.append((f"{name} {one.type}", str(error)))


class Unmade:
    """A stack that nothing is made of yet: parameters have their defaults, files are there."""

    def __init__(self, template: Template) -> None:
        self.template = template

    def parameter(self, name: str) -> Any:
        known = self.template.parameters.get(name)
        if known is None and not name.startswith(("OS::", "AWS::")):
            raise TemplateError(f"The Parameter ({name}) was not provided.")
        return UNKNOWN if known is None or known.default is None else known.value()

    def reference(self, resource: str) -> Any:
        return UNKNOWN

    def attribute(self, resource: str, name: str, path: Any) -> Any:
        return UNKNOWN

    def condition(self, name: str) -> Any:
        return condition_of(self.template, self, name)

    def file(self, name: str) -> str:
        return "a file"

    def facade(self, key: str) -> Any:
        return UNKNOWN

    def availability_zones(self) -> list[str]:
        return ["nova"]


def lines(found: Outcome) -> list[str]:
    told = [f"REFUSED {name}: {why}" for name, why in found.refused]
    told += [f"DISAGREES {name}: {why}" for name, why in found.disagreed]
    told.append("types that we have not: " + ", ".join(f"{name} ({n})" for name, n in found.unknown.most_common()))
    told.append(f"environments read: {found.environments}")
    for folder in FOLDERS:
        told.append(f"{folder}/: read {found.read[folder]}, of {found.whole[folder]} we have all types")
    read = sum(found.read.values())
    told.append(f"heat-templates: read {read}, refused {len(found.refused)} of {read + len(found.refused)}")
    return told
