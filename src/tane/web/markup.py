"""XML as answers have it, written."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class Markup(str):
    """Elements; any other text is escaped."""


def element(name: str, *content: str | None, attributes: str = "") -> Markup:
    """``content``: texts and elements; None is left out."""
    inside = "".join(part if isinstance(part, Markup) else text(part) for part in content if part is not None)
    return Markup(f"<{name}{attributes}>{inside}</{name}>")


def optional(name: str, value: str | None) -> Markup | None:
    return element(name, value) if value else None


def text(value: str) -> str:
    """XML has no control characters, not even as entities."""
    found = escape(value)
    if CONTROL.search(found):
        found = CONTROL.sub("�", found)
    return found.replace("\r", "&#13;")
