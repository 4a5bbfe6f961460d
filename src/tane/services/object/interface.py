"""What other services may ask of object storage."""

from __future__ import annotations

from typing import Any

from tane.core import Core
from tane.services.object.domain.inside import Gone, Shelf, Stored, find, put, remove
from tane.services.object.store import database, places

__all__ = ["Gone", "Shelf", "Stored", "find", "measured", "put", "remove"]


def measured(core: Core) -> list[Any]:
    """Of every account its ``name``, and how many ``containers``, ``objects`` and ``bytes`` are in it."""
    if not database.exists(core):
        return []
    with database.of(core).read() as tx:
        return places.measured(tx)
