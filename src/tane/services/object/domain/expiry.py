"""The end of objects that were put for a time."""

from __future__ import annotations

from tane.core import Core
from tane.services.object.domain import content
from tane.services.object.store import database, objects, stamps

AT_ONCE = 200
"""In one transaction: uploads wait for it."""


def run(core: Core) -> int:
    """Remove what is due; returns how many."""
    if not database.exists(core):
        return 0
    total = 0
    while True:
        with database.of(core).read() as tx:
            if not objects.expired(tx, stamps.of(tx.now) // stamps.SECOND, 1):
                return total
        with database.of(core).write() as tx:
            due = objects.expired(tx, stamps.of(tx.now) // stamps.SECOND, AT_ONCE)
            for row in due:
                content.expire(tx, row)
        total += len(due)
