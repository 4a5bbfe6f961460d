"""Texts that are told, without the values of hidden parameters."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tane.services.orchestration.domain.common import MASK
from tane.services.orchestration.template import effort

MOST_TEXT = 16_384
"""Characters of a text that are looked at; no more is told."""
OPEN = frozenset(("false", "no", "off", "n", "f", "0", "none"))
SHORTEST = 4
"""Characters of what is in a hidden map: shorter ones stand everywhere."""


def open_part(template: Mapping[str, Any], environment: Mapping[str, Any], *, nested: bool) -> dict[str, Any]:
    """An environment for who may only read: with the values of the open parameters of its own template alone, since
    the defaults in it are those of hidden parameters of nested templates too. A ``nested`` stack's parameters may come
    from hidden ones of the stack around it."""
    declared = template.get("parameters") or template.get("Parameters") or {}
    seen = set() if nested else {name for name, one in declared.items() if not _hidden(one)}
    shown = dict(environment)
    for part in ("parameters", "parameter_defaults"):
        if isinstance(values := shown.get(part), Mapping):
            shown[part] = {name: value if name in seen else MASK for name, value in values.items()}
    return shown


def _hidden(parameter: Any) -> bool:
    """Whether a parameter is declared so, in whatever words."""
    told = [parameter.get("hidden", False), parameter.get("NoEcho", False)] if isinstance(parameter, Mapping) else []
    return any(str(one).lower() not in OPEN for one in told)


def strings(value: Any, shortest: int = 1) -> Iterator[str]:
    """What of a hidden value may stand in a text: each string in it, each number, also as they are quoted there."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item, SHORTEST)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item, shortest)
    elif value is not None and not isinstance(value, bool) and len(str(value)) >= shortest:
        text = str(value)
        yield text
        quoted = (json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text))
        yield from dict.fromkeys(one[1:-1] for one in quoted if one[1:-1] != text)


def masked(text: str, secrets: Collection[str]) -> str:
    """A text with a mask for each part that is hidden. All are looked for in the text as it was, so that no mask is
    masked again; what is told is at most a mask for each other character longer."""
    end = min(len(text), MOST_TEXT)
    hidden = bytearray(end)
    for number, secret in enumerate(secrets):
        if number % 256 == 0:
            effort.look()
        # One that begins here may end where nothing is told any more.
        last = min(len(text), end + len(secret) - 1)
        at = text.find(secret, 0, last)
        while at >= 0:
            hidden[at : at + len(secret)] = b"\1" * (min(end, at + len(secret)) - at)
            at = text.find(secret, at + len(secret), last)
    if not any(hidden):
        return text[:end]
    told, before = [], 0
    for at in range(end):
        if not hidden[at]:
            told.append(text[at])
        elif not before:
            told.append(MASK)
        before = hidden[at]
    return "".join(told)
