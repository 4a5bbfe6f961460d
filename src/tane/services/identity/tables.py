"""Tables of the identity service."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Computed,
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


def _names() -> tuple[Column[str], Column[str]]:
    """A name, and what it is compared by: as MySQL compares Keystone's names, without case. The database folds it, and
    SQLite folds the letters of ASCII alone."""
    folded = Column("folded_name", String(255), Computed("lower(name)", persisted=True), nullable=False)
    return Column("name", String(255), nullable=False), folded


fernet_key = Table(
    "fernet_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("key", String(64), nullable=False),
    created_at(),
)

project = Table(
    "project",
    metadata,
    Column("id", String(64), primary_key=True),
    *_names(),
    Column("domain_id", String(64), nullable=False, index=True),
    Column("parent_id", String(64)),
    Column("is_domain", Boolean, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    Column("token_epoch", Integer, nullable=False, default=0),
    created_at(),
    UniqueConstraint("domain_id", "folded_name"),
    Index("ix_project_parent_id", "parent_id"),
)
"""Projects and domains: a domain is a project with ``is_domain`` whose ``domain_id`` is empty.

``token_epoch``: as that of a user, counted up when it is disabled."""

user = Table(
    "user",
    metadata,
    Column("id", String(64), primary_key=True),
    *_names(),
    Column("domain_id", String(64), nullable=False, index=True),
    Column("default_project_id", String(64)),
    Column("description", Text),
    Column("enabled", Boolean, nullable=False),
    Column("password_hash", String(128)),
    Column("password_created_at", DateTime),
    Column("password_expires_at", DateTime),
    Column("password_self_service", Boolean, nullable=False, default=False),
    Column("failed_auth_count", Integer, nullable=False, default=0),
    Column("failed_auth_at", DateTime),
    Column("last_active_at", DateTime),
    Column("options", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    Column("token_epoch", Integer, nullable=False, default=0),
    created_at(),
    UniqueConstraint("domain_id", "folded_name"),
)
"""Users. A token carries the ``token_epoch`` it was issued in: counting it up ends all tokens of the user."""

old_password = Table(
    "user_old_password",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("password_hash", String(128), nullable=False),
)
"""Former passwords, the latest with the highest id; kept only where ``unique_last_password_count`` asks for it."""

trust = Table(
    "trust",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("trustor_user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("trustee_user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), index=True),
    Column("impersonation", Boolean, nullable=False),
    Column("expires_at", DateTime),
    Column("remaining_uses", Integer),
    Column("redelegated_trust_id", String(64), ForeignKey("trust.id", ondelete="CASCADE"), index=True),
    Column("redelegation_count", Integer, nullable=False),
    Column("role_ids", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    created_at(),
)

access_rule = Table(
    "access_rule",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("service", String(64), nullable=False),
    Column("path", String(255), nullable=False),
    Column("method", String(16), nullable=False),
    UniqueConstraint("user_id", "service", "path", "method"),
)

application_credential = Table(
    "application_credential",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("secret_hash", String(128), nullable=False),
    Column("description", Text),
    Column("expires_at", DateTime),
    Column("unrestricted", Boolean, nullable=False),
    Column("role_ids", JSON, nullable=False),
    Column("has_access_rules", Boolean, nullable=False),
    created_at(),
    UniqueConstraint("user_id", "name"),
)

application_credential_rule = Table(
    "application_credential_rule",
    metadata,
    Column(
        "application_credential_id",
        String(64),
        ForeignKey("application_credential.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("access_rule_id", String(64), ForeignKey("access_rule.id"), primary_key=True, index=True),
)

credential = Table(
    "credential",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False, index=True),
    Column("project_id", String(64)),
    Column("type", String(255), nullable=False),
    Column("encrypted_blob", Text, nullable=False),
    Column("last_step", Integer),
    Column("extra", JSON, nullable=False),
    created_at(),
)
"""``last_step``: of a seed of one-time passwords, the step (30 seconds, counted from 1970) of the last one used."""

role = Table(
    "role",
    metadata,
    Column("id", String(64), primary_key=True),
    *_names(),
    Column("domain_id", String(64), nullable=False),
    Column("description", Text),
    Column("options", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    created_at(),
    UniqueConstraint("domain_id", "folded_name"),
)
"""Roles; ``domain_id`` is empty for those of the whole cloud."""

implied_role = Table(
    "implied_role",
    metadata,
    Column("prior_id", String(64), ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
    Column("implied_id", String(64), ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
)

group = Table(
    "user_group",
    metadata,
    Column("id", String(64), primary_key=True),
    *_names(),
    Column("domain_id", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("extra", JSON, nullable=False),
    created_at(),
    UniqueConstraint("domain_id", "folded_name"),
)

group_member = Table(
    "group_member",
    metadata,
    Column("user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", String(64), ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True, index=True),
)

assignment = Table(
    "assignment",
    metadata,
    Column("actor_id", String(64), primary_key=True),
    Column("target_type", String(16), primary_key=True),
    Column("target_id", String(64), primary_key=True),
    Column("role_id", String(64), ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
    Column("inherited", Boolean, primary_key=True),
    Column("actor_type", String(8), nullable=False),
    Index("ix_assignment_target", "target_type", "target_id"),
)
"""Who has which role where. ``actor_type`` is user or group; an inherited one holds below its target, not on it."""

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
    Column("parent_region_id", String(255), index=True),
    Column("extra", JSON, nullable=False),
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
    Column("extra", JSON, nullable=False),
    created_at(),
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service_id", String(64), ForeignKey("service.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("interface", String(16), nullable=False),
    Column("region_id", String(255), index=True),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("extra", JSON, nullable=False),
    created_at(),
)

endpoint_group = Table(
    "endpoint_group",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("filters", JSON, nullable=False),
    created_at(),
)

project_endpoint = Table(
    "project_endpoint",
    metadata,
    Column("project_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), primary_key=True),
    Column("endpoint_id", String(64), ForeignKey("endpoint.id", ondelete="CASCADE"), primary_key=True, index=True),
)

project_endpoint_group = Table(
    "project_endpoint_group",
    metadata,
    Column("project_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "endpoint_group_id",
        String(64),
        ForeignKey("endpoint_group.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

policy = Table(
    "policy",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("blob", Text, nullable=False),
    Column("extra", JSON, nullable=False),
    created_at(),
)

policy_association = Table(
    "policy_association",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("policy_id", String(64), ForeignKey("policy.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("endpoint_id", String(64), ForeignKey("endpoint.id", ondelete="CASCADE")),
    Column("service_id", String(64), ForeignKey("service.id", ondelete="CASCADE")),
    Column("region_id", String(255), ForeignKey("region.id", ondelete="CASCADE")),
)
"""A policy holds for an endpoint, for a service, or for a service in a region (with those below it)."""

registered_limit = Table(
    "registered_limit",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service_id", String(64), ForeignKey("service.id"), nullable=False),
    Column("region_id", String(255), ForeignKey("region.id")),
    Column("resource_name", String(255), nullable=False),
    Column("default_limit", Integer, nullable=False),
    Column("description", Text),
    created_at(),
)

limit = Table(
    "resource_limit",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("registered_limit_id", String(64), ForeignKey("registered_limit.id"), nullable=False, index=True),
    Column("project_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), index=True),
    Column("domain_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), index=True),
    Column("resource_limit", Integer, nullable=False),
    Column("description", Text),
    created_at(),
)
"""What one project or one domain may use instead of the registered limit's default."""

domain_option = Table(
    "domain_option",
    metadata,
    Column("domain_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), primary_key=True),
    Column("group", String(64), primary_key=True),
    Column("option", String(64), primary_key=True),
    Column("value", JSON),
)

consumer = Table(
    "consumer",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("secret", String(64), nullable=False),
    Column("description", Text),
    Column("extra", JSON, nullable=False),
    created_at(),
)
"""OAuth 1.0a consumers."""

request_token = Table(
    "request_token",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("secret", String(64), nullable=False),
    Column("consumer_id", String(64), ForeignKey("consumer.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("authorizing_user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), index=True),
    Column("role_ids", JSON),
    Column("verifier", String(8)),
    Column("expires_at", DateTime, index=True),
    created_at(),
)
"""What OAuth consumers have asked for. The last columns but the times are empty until a user authorizes it."""

access_token = Table(
    "access_token",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("secret", String(64), nullable=False),
    Column("consumer_id", String(64), ForeignKey("consumer.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", String(64), ForeignKey("project.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("authorizing_user_id", String(64), ForeignKey("user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role_ids", JSON, nullable=False),
    Column("expires_at", DateTime, index=True),
    created_at(),
)
"""What OAuth consumers may do as a user."""

oauth_nonce = Table(
    "oauth_nonce",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", DateTime, nullable=False, index=True),
)
"""Signed requests of OAuth that were used: none is good twice. Kept as long as their time would pass."""
