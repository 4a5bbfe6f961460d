"""The settings that the cloud runs with."""

from __future__ import annotations

from typing import Any

from tane.services.host.domain import settings
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    """In the order of their names, ``limit`` after ``marker`` (all without), as ``tane.toml``, the environment and the
    command line made them; passwords are not told."""
    after, limit = request.param("marker") or "", request.number("limit", minimum=1)
    found = [one for one in settings.every(request.core.config) if one.name > after][:limit]
    return {
        "settings": [
            {"id": one.name, "name": one.name, "value": one.value, "usual": one.usual, "set": one.value != one.usual}
            for one in found
        ]
    }
