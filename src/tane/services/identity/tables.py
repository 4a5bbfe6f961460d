"""Tables of the identity service."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tane.db.schema import created_at, metadata

fernet_key = Table(
    "fernet_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    created_at(),
)

project = Table(
    "project",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False, index=True),
    Column("parent_id", String(64)),
    Column("is_domain", Boolean, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    created_at(),
    UniqueConstraint("domain_id", "name"),
)
"""Projects and domains: a domain is a project with ``is_domain`` whose ``domain_id`` is empty."""

user = Table(
    "user",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False, index=True),
    Column("default_project_id", String(64)),
    Column("description", Text),
    Column("enabled", Boolean, nullable=False),
    Column("password_hash", String(128)),
    Column("password_expires_at", DateTime),
    Column("options", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    Column("revoke_before", DateTime),
    created_at(),
    UniqueConstraint("domain_id", "name"),
)

role = Table(
    "role",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False),
    Column("description", Text),
    created_at(),
    UniqueConstraint("domain_id", "name"),
)

implied_role = Table(
    "implied_role",
    metadata,
    Column("prior_id", String(64), ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
    Column("implied_id", String(64), ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
)

assignment = Table(
    "assignment",
    metadata,
    Column("actor_id", String(64), primary_key=True),
    Column("target_type", String(16), primary_key=True),
    Column("target_id", String(64), primary_key=True),
    Column("role_id", String(64), ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_assignment_target", "target_type", "target_id"),
)

revoked_token = Table(
    "revoked_token",
    metadata,
    Column("audit_id", String(32), primary_key=True),
    Column("expires_at", DateTime, nullable=False, index=True),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("event_time", DateTime, nullable=False, index=True),
    Column("action", String(255), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("initiator", JSON, nullable=False),
    Column("target", JSON, nullable=False),
    Column("target_id", String(255), nullable=False, index=True),
    Column("reason", JSON),
    Column("request_id", String(64)),
)
"""CADF events (DMTF DSP0262), without what is the same in all of them."""

generation = Table(
    "identity_generation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
)
"""One row: how many times identity data has changed. What a process remembers holds for one number only."""

region = Table(
    "region",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("description", Text, nullable=False),
    Column("parent_region_id", String(255)),
    created_at(),
)

service = Table(
    "service",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    created_at(),
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service_id", String(64), ForeignKey("service.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("interface", String(16), nullable=False),
    Column("region_id", String(255)),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    created_at(),
)
