"""Tables of the hosts, of what is claimed of them, and of how they join."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Index, Integer, String, Table, Text

from tane.db.schema import created_at, metadata, updated_at

host = Table(
    "host",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("roles", JSON, nullable=False),
    Column("local_ip", String(64)),
    # Drawn once: the host's address in the hosts' own network follows from it.
    Column("number", Integer, unique=True),
    Column("capabilities", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", String(255)),
    Column("forced_down", Boolean, nullable=False),
    Column("last_seen", DateTime, nullable=False),
    # The start of the host's agent after which its guests were compared with the servers.
    Column("compared", String(64)),
    # Until when the host lets guests run that it is to end then, and which; of this connection of its agent.
    Column("lease_until", DateTime),
    Column("leased", JSON),
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
Index("ix_allocation_host", allocation.c.host_id)

allocation_total = Table(
    "allocation_total",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("resource_class", String(255), primary_key=True),
    Column("amount", BigInteger, nullable=False),
)
"""The sums of ``allocation``, written with it: a server is placed without counting all others."""

provider = Table(
    "provider",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    # Resource class → what an administrator set of it.
    Column("inventories", JSON, nullable=False),
    Column("traits", JSON, nullable=False),
    Column("aggregates", JSON, nullable=False),
    Column("updated_at", DateTime, nullable=False),
)
"""What administrators say of hosts beside what hosts say; one of which nobody says anything has no row."""

host_authority = Table(
    "host_authority",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("certificate", Text, nullable=False),
    Column("private_key", Text, nullable=False),
    created_at(),
)
"""The authority whose certificates hosts and this cloud show each other: one row, for all controllers."""

host_token = Table(
    "host_token",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("name", String(255)),
    Column("roles", JSON, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    # By whom it was used, with which key: it is good once, but an answer may be lost.
    Column("host_id", String(36)),
    Column("key_hash", String(64)),
    created_at(),
)

host_certificate = Table(
    "host_certificate",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("host_id", String(36), nullable=False),
    Column("expires_at", DateTime, nullable=False),
    created_at(),
)
"""Certificates that are believed; those of a host that was removed are gone."""
Index("ix_host_certificate_host_id", host_certificate.c.host_id)
