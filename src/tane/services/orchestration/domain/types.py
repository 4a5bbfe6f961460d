"""Resource types as users ask for them."""

from __future__ import annotations

import re
from typing import Any

from tane.services.orchestration import resources
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.template.properties import schema_view, template_view
from tane.web.errors import BadRequest, NotFound

STATES = ("UNKNOWN", "SUPPORTED", "DEPRECATED", "UNSUPPORTED", "HIDDEN")
SIMPLE = re.compile(r"\^?[\w:.*-]{1,255}\$?\Z")
"""What a filter may be: a name, or the beginning of one, with wildcards. Heat takes any regular expression."""


def names(pattern: str | None, status: str | None, version: str | None) -> list[str]:
    """:raises BadRequest: no pattern that is understood, or no support status."""
    if status is not None and status.upper() not in STATES:
        raise BadRequest(f"Invalid support status {status}: one of {', '.join(STATES)} is expected.")
    if (status is not None and status.upper() != "SUPPORTED") or version is not None:
        return []
    found = resources.shown()
    if pattern is None:
        return found
    if not SIMPLE.match(pattern):
        raise BadRequest(f'"{pattern}" is no pattern for names of resource types: the only wildcard is * (or .*).')
    return [name for name in found if _fits(pattern, name)]


def _fits(pattern: str, name: str) -> bool:
    """Whether a name begins as a pattern says, which is looked at without a way back: each piece between two wildcards
    is taken where it comes first."""
    ends = pattern.endswith("$")
    first, *pieces = re.sub(r"\.?\*", "*", pattern.removeprefix("^").removesuffix("$")).split("*")
    if not name.startswith(first):
        return False
    if not pieces:
        return not ends or name == first
    at = len(first)
    for piece in pieces[:-1]:
        found = name.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    last = pieces[-1]
    return name.endswith(last) and len(name) - len(last) >= at if ends else name.find(last, at) >= 0


def _kind(name: str) -> Kind:
    found = resources.find(name)
    if found is None:
        raise NotFound(f"The Resource Type ({name}) could not be found.", type="EntityNotFound")
    return found


def description(name: str) -> str:
    return _kind(name).description


def schema(name: str, *, described: bool) -> dict[str, Any]:
    """:raises NotFound: there is no such type."""
    kind = _kind(name)
    return schema_view(name, kind.properties, kind.attributes, description=kind.description if described else None)


def template(name: str, kind: str) -> dict[str, Any]:
    found = _kind(name)
    return template_view(name, found.properties, found.attributes, kind=kind)
