"""What our resource types declare against what Heat's do: properties, their rules, attributes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from conformance.heat_oracle import SIDE
from tane.services.orchestration import resources
from tane.services.orchestration.template.properties import schema_view

KNOWN = Path(__file__).parent / "lists" / "heat-types-known.txt"
COMPARED = ("type", "required", "default", "constraints", "update_allowed", "immutable")


def ours() -> dict[str, dict[str, Any]]:
    return {
        name: schema_view(name, kind.properties, kind.attributes)
        for name, kind in resources.types().items()
        if not kind.hidden
    }


def theirs(python: Path, names: list[str], folder: Path) -> dict[str, dict[str, Any] | None]:
    """What Heat declares of these types; None for those that it has not."""
    asked = json.dumps({"what": "types", "names": names}) + "\n"
    done = subprocess.run([str(python), str(SIDE)], input=asked.encode(), capture_output=True)
    (folder / "heat-types.log").write_bytes(done.stderr)
    found: dict[str, dict[str, Any] | None] = json.loads(done.stdout.splitlines()[-1])["value"]
    return found


def compare(python: Path, folder: Path) -> tuple[list[str], int]:
    """What differs in one line each, and how many properties and attributes were looked at."""
    mine = ours()
    told: list[str] = []
    looked_at = 0
    for name, their in theirs(python, sorted(mine), folder).items():
        if their is None:
            told.append(f"{name}: Heat has no such type")
            continue
        looked_at += len(their["properties"]) + len(their["attributes"])
        told += [f"{name}: {line}" for line in differences(mine[name], their)]
    return told, looked_at


def lines(told: Sequence[str], looked_at: int, known: Collection[str]) -> list[str]:
    """What is on no list, and what is on it and is no more so, in one line each; the last one tells how many."""
    patterns = {text: re.compile(re.escape(text).replace(r"\*", ".*") + r"\Z") for text in known}
    met = {text for text, pattern in patterns.items() if any(pattern.match(one) for one in told)}
    new = [one for one in told if not any(pattern.match(one) for pattern in patterns.values())]
    return [
        *(f"TYPE {one}" for one in new),
        *(f"NO LONGER SO {text}" for text in known if text not in met),
        f"types: {looked_at} properties and attributes, {len(told) - len(new)} known differences, {len(new)} others",
    ]


def differences(mine: dict[str, Any], their: dict[str, Any]) -> Iterator[str]:
    for kind in ("properties", "attributes"):
        for name in sorted(set(mine[kind]) | set(their[kind])):
            if name not in mine[kind]:
                yield f"{kind} {name} is missing"
            elif name not in their[kind]:
                yield f"{kind} {name} is ours alone"
            elif kind == "properties":
                yield from rules(name, mine[kind][name], their[kind][name])


def rules(path: str, mine: dict[str, Any], their: dict[str, Any]) -> Iterator[str]:
    for rule in COMPARED:
        one, other = plain(mine.get(rule)), plain(their.get(rule))
        if one != other:
            yield f"{path}: {rule} is {json.dumps(one)}, Heat's {json.dumps(other)}"
    inner, their_inner = mine.get("schema") or {}, their.get("schema") or {}
    for name in sorted(set(inner) | set(their_inner)):
        if name not in inner:
            yield f"{path}.{name} is missing"
        elif name not in their_inner:
            yield f"{path}.{name} is ours alone"
        else:
            yield from rules(f"{path}.{name}", inner[name], their_inner[name])


def plain(rule: Any) -> Any:
    """Without what does not matter: nothing for empty, constraints without descriptions and in order."""
    if isinstance(rule, list) and rule and isinstance(rule[0], dict):
        without = [{key: value for key, value in one.items() if key != "description"} for one in rule]
        return sorted(without, key=lambda one: json.dumps(one, sort_keys=True))
    return None if rule in ([], {}, "") else rule
