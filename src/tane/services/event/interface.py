"""What other services may ask of events."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.event.store import events
from tane.services.event.store.events import newest, next_of, oldest

__all__ = ["after", "newest", "next_of", "oldest"]


def after(tx: Tx, cursor: int, limit: int) -> list[Row[Any]]:
    """The events of everybody that came after ``cursor``, the oldest first."""
    return events.after(tx, cursor, limit, audience=None, types=(), resource_id="").rows
