"""What other services may ask of object storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tane.core import Core
from tane.services.object.domain import vault
from tane.services.object.domain.access import RESELLER_PREFIX
from tane.services.object.domain.inside import Gone, Shelf, Stored, find, put, remove
from tane.services.object.domain.vault import Vault
from tane.services.object.store import copies, database, places

__all__ = [
    "Gone",
    "Shelf",
    "Stored",
    "Vault",
    "container",
    "copies_on",
    "find",
    "held",
    "measured",
    "put",
    "remove",
    "vault",
]


def copies_on(core: Core, host_id: str) -> int:
    """How many copies of objects a host has, or should have (at most 500 are counted)."""
    if not database.exists(core):
        return 0
    with database.of(core).read() as tx:
        return len(copies.on(tx, host_id, "", 500))


def container(core: Core, project_id: str, name: str) -> Any:
    """A container of a project, with how many ``objects`` and ``bytes`` are in it; None where there is none."""
    if not database.exists(core):
        return None
    with database.of(core).read() as tx:
        found = places.place(tx, RESELLER_PREFIX + project_id, name)
    return None if found is None or found.container_id is None else found


def held(core: Core, project_ids: Sequence[str]) -> dict[str, int]:
    """What accounts of projects hold, by noun."""
    if not database.exists(core):
        return {}
    with database.of(core).read() as tx:
        return {"container": places.containers_of_all(tx, [RESELLER_PREFIX + one for one in project_ids])}


def measured(core: Core) -> list[Any]:
    """Of every project's account its ``name``, and how many ``containers``, ``objects`` and ``bytes`` are in it."""
    if not database.exists(core):
        return []
    with database.of(core).read() as tx:
        return [row for row in places.measured(tx) if row.name.startswith(RESELLER_PREFIX)]
