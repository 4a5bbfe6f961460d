"""The versions of the format, and what each of them has."""

from __future__ import annotations

from typing import Any


def versions() -> list[dict[str, Any]]:
    """As ``GET /template_versions`` lists them."""
    return [
        {"version": "heat_template_version.2021-04-16", "type": "hot", "aliases": ["heat_template_version.wallaby"]}
    ]


def functions(version: str, with_conditions: bool = False) -> list[dict[str, str]]:
    """The functions of a version such as ``heat_template_version.2021-04-16``. :raises TemplateError: no such version."""
    return []
