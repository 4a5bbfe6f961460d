"""Resource types as users ask for them."""

from __future__ import annotations

import re
from typing import Any

from tane.services.orchestration import resources
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.template.properties import schema_view, template_view
from tane.web.errors import BadRequest, NotFound

STATES = ("UNKNOWN", "SUPPORTED", "DEPRECATED", "UNSUPPORTED", "HIDDEN")


def names(pattern: str | None, status: str | None, version: str | None) -> list[str]:
    """:raises BadRequest: no regular expression that is understood, or no support status."""
    if status is not None and status.upper() not in STATES:
        raise BadRequest(f"Invalid support status {status}: one of {', '.join(STATES)} is expected.")
    if (status is not None and status.upper() != "SUPPORTED") or version is not None:
        return []
    found = resources.shown()
    if pattern is None:
        return found
    if not re.fullmatch(r"[\w:.*^$?\[\]-]{1,255}", pattern) or re.search(r"[*?]{2}", pattern):
        raise BadRequest(f'"{pattern}" is no pattern for names of resource types.')
    try:
        return [name for name in found if re.match(pattern, name)]
    except re.error as error:
        raise BadRequest(f'"{pattern}" is no regular expression: {error}') from None


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
