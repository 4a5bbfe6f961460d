"""Tables of the hosts and of what is claimed of them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Index, Integer, String, Table

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

allocation = Table(
    "allocation",
    metadata,
    Column("consumer_id", String(36), primary_key=True),
    Column("host_id", String(36), primary_key=True),
    Column("resource_class", String(255), primary_key=True),
    Column("amount", Integer, nullable=False),
)
Index("ix_allocation_host", allocation.c.host_id, allocation.c.resource_class, allocation.c.amount)
