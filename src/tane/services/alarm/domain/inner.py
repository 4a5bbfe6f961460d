"""JSON inside a text of a body: it is read by the same rules as the body."""

from __future__ import annotations

from typing import Any

from tane.web import codec
from tane.web.errors import BadRequest


def value_of(text: str, field: str) -> Any:
    """:raises BadRequest: it is no JSON, is nested too deep, or has texts that no database keeps (a half of a pair of
    surrogates, NUL)."""
    try:
        return codec.parse_inside(text)
    except BadRequest as error:
        reason = error.message.removeprefix("Malformed request body: ")
    raise BadRequest(f"Invalid input for field/attribute {field}. Unable to parse it as JSON: {reason}")
