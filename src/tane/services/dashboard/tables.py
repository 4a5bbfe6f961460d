"""Who is logged in to the portal."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, String, Table, Text

from tane.db.schema import metadata

dashboard_session = Table(
    "dashboard_session",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False, index=True),
    Column("address", String(64), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False, index=True),
)
"""``id`` is a digest of what the browser keeps, and ``sealed`` the token, encrypted under the same: neither this
table nor a backup of it opens a session."""
