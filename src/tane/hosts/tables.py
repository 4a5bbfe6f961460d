"""Table of the hosts."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, String, Table

from tane.db.schema import created_at, metadata, updated_at

host = Table(
    "host",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("roles", JSON, nullable=False),
    Column("local_ip", String(64)),
    Column("capabilities", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", String(255)),
    Column("forced_down", Boolean, nullable=False),
    Column("last_seen", DateTime, nullable=False),
    created_at(),
    updated_at(),
)
