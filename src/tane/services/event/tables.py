"""The table of events; what writes it are the triggers of ``tane.db.recording``.

It has few indexes: every change of the cloud pays for each, and most for one by ids, which come in no order.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, Index, Integer, String, Table

from tane.db.recording import EVENT_TABLE
from tane.db.schema import metadata

event = Table(
    EVENT_TABLE,
    metadata,
    # Writers follow one another: so do the numbers. The newest event is never deleted, so none is given twice.
    Column("id", Integer, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("type", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("resource_id", String(255), nullable=False),
    Column("project_id", String(64)),
    Column("owner_id", String(64)),
    Column("user_id", String(64)),
    Column("request_id", String(64)),
    Column("data", JSON, nullable=False),
)
Index("ix_event_project_id", event.c.project_id, event.c.id)
_OWNED = event.c.owner_id.is_not(None)
Index("ix_event_owner_id", event.c.owner_id, event.c.id, sqlite_where=_OWNED, postgresql_where=_OWNED)
