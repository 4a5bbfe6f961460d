"""What other services may ask of object storage."""

from __future__ import annotations

from typing import Any

from tane.core import Core
from tane.services.object.store import database, places


def measured(core: Core) -> list[Any]:
    """Of every account its ``name``, and how many ``containers``, ``objects`` and ``bytes`` are in it."""
    if not database.exists(core):
        return []
    with database.of(core).read() as tx:
        return places.measured(tx)
