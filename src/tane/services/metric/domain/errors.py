"""Gnocchi's errors: a text, or an object with the cause and the detail."""

from __future__ import annotations

import re
from typing import Any

from tane.web.errors import ApiError, BadRequest, NotFound


class Told(BadRequest):
    """400 whose description is an object."""

    def __init__(self, cause: str, detail: Any = None, reason: str | None = None) -> None:
        super().__init__(f"{cause}: {reason or detail}")
        self.description = described(cause, detail, reason)


class ToldNotFound(NotFound):
    """404 whose description is an object."""

    def __init__(self, cause: str, detail: Any = None, reason: str | None = None) -> None:
        super().__init__(f"{cause}: {reason or detail}")
        self.description = described(cause, detail, reason)


def described(cause: str, detail: Any, reason: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"cause": cause}
    if reason is not None:
        found["reason"] = reason
    if detail is not None:
        found["detail"] = detail
    return found


def invalid(reason: str, *where: str) -> Told:
    """What Gnocchi says of a body that does not fit its schema."""
    path = "".join(f"['{part}']" for part in where)
    if where and not reason.startswith(("extra keys", "required key")):
        reason += " for dictionary value"
    return Told("Invalid input", list(where), f"{reason} @ data{path}" if where else reason)


def no_metric(name: Any) -> NotFound:
    return NotFound(f"Metric {name} does not exist")


def no_resource(name: Any) -> NotFound:
    return NotFound(f"Resource {name} does not exist")


_EXTRA = re.compile(r"(?s)Invalid input for field/attribute .*Additional properties are not allowed \('(.*)' was")
_MISSING = re.compile(r"(?s)Invalid input: '(.*?)' is a required property")
_LENGTH = re.compile(r"Expected `(?:array|str)` of length ([<>]=) (\d+)")
_LIST = re.compile(r"Expected `array`, got `\w+`")
_BOUNDS = {">=": "at least", "<=": "at most"}
_FIELD = re.compile(r"(?s)Invalid input for field/attribute (.*?)\. (.*)")


def shape(error: ApiError) -> dict[str, object]:
    """Gnocchi's envelope. What the reading of bodies found wrong is told in its words."""
    description = getattr(error, "description", None) or error.message
    if isinstance(description, str) and description.startswith("Invalid input"):
        if found := _EXTRA.match(description):
            description = invalid("extra keys not allowed", found.group(1)).description
        elif found := _MISSING.match(description):
            description = invalid("required key not provided", found.group(1)).description
        elif found := _FIELD.match(description):
            rule = _LENGTH.sub(lambda said: f"length of value must be {_BOUNDS[said[1]]} {said[2]}", found.group(2))
            rule = _LIST.sub("expected a list", rule)
            description = invalid(rule, found.group(1)).description
    return {"code": error.status, "title": error.title, "description": description}
