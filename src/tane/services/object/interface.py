"""What other services may ask of object storage."""

from __future__ import annotations

from typing import Any

from tane.core import Core
from tane.services.object.domain.inside import Gone, Shelf, Stored, find, put, remove
from tane.services.object.store import copies, database, places

__all__ = ["Gone", "Shelf", "Stored", "copies_on", "find", "measured", "put", "remove"]


def copies_on(core: Core, host_id: str) -> int:
    """How many copies of objects a host has, or should have (at most 500 are counted)."""
    if not database.exists(core):
        return 0
    with database.of(core).read() as tx:
        return len(copies.on(tx, host_id, "", 500))


def measured(core: Core) -> list[Any]:
    """Of every account its ``name``, and how many ``containers``, ``objects`` and ``bytes`` are in it."""
    if not database.exists(core):
        return []
    with database.of(core).read() as tx:
        return places.measured(tx)
