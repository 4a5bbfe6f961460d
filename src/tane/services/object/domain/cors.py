"""What a container tells browsers before they have any right to it."""

from __future__ import annotations

from tane.core import Core
from tane.db.documents import load
from tane.services.object.store import database, places


def container_meta(core: Core, account: str, container: str) -> dict[str, str]:
    """Its metadata; nothing where there is none."""
    with database.of(core).read() as tx:
        row = places.place(tx, account, container)
    if row is None or row.container_id is None:
        return {}
    found: dict[str, str] = load(row.container_meta)
    return found
