"""The end of objects that were put for a time."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.object.domain import content
from tane.services.object.domain.locks import DAY, Held
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
                _expire(tx, row)
        total += len(due)


def _expire(tx: Tx, row: Row[Any]) -> None:
    try:
        content.expire(tx, row)
    except Held:
        # It is a part of what is locked.
        objects.change(tx, row.id, delete_at=stamps.of(tx.now) // stamps.SECOND + DAY)
