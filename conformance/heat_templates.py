"""OpenStack's collection of templates (openstack/heat-templates): which of them are read, and which types they need."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tane.services.orchestration import resources
from tane.services.orchestration.template import TemplateError, order, parse, parse_environment

FOLDERS = ("hot", "cfn")
VERSIONS = ("heat_template_version", "AWSTemplateFormatVersion", "HeatTemplateFormatVersion")


@dataclass
class Outcome:
    """``read``, ``whole``: files by folder that are read, and of these those of which we have all types."""

    read: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    environments: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
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


def lines(found: Outcome) -> list[str]:
    told = [f"REFUSED {name}: {why}" for name, why in found.refused]
    told.append("types that we have not: " + ", ".join(f"{name} ({n})" for name, n in found.unknown.most_common()))
    told.append(f"environments read: {found.environments}")
    for folder in FOLDERS:
        told.append(f"{folder}/: read {found.read[folder]}, of {found.whole[folder]} we have all types")
    read = sum(found.read.values())
    told.append(f"heat-templates: read {read}, refused {len(found.refused)} of {read + len(found.refused)}")
    return told
