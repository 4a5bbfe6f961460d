"""Tables of rating. Amounts and prices are decimal texts: no database rounds them. Times are whole seconds of UTC."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Index, Integer, String, Table, text

from tane.db.schema import metadata

rating_fact = Table(
    "rating_fact",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("service", String(64), nullable=False),
    Column("resource_id", String(255), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    # In the smallest unit that is counted: servers, GiB, bytes.
    Column("amount", BigInteger, nullable=False),
    Column("description", JSON, nullable=False),
    Column("begun_at", DateTime, nullable=False),
    Column("ended_at", DateTime),
    Column("seconds", Integer),
)
"""What was used: a row each time in which a resource was the same. ``ended_at`` NULL: it still is. ``seconds`` NULL:
all of that time; else in all so many, of times of less than a minute in one hour: who changes something every second
makes no row each second."""
_OPEN = text("ended_at IS NULL")
Index(
    "uq_rating_fact_open",
    rating_fact.c.service,
    rating_fact.c.resource_id,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
_SHORT = text("seconds IS NOT NULL")
Index(
    "ix_rating_fact_short",
    rating_fact.c.service,
    rating_fact.c.resource_id,
    rating_fact.c.begun_at,
    sqlite_where=_SHORT,
    postgresql_where=_SHORT,
)
Index("ix_rating_fact_project", rating_fact.c.project_id, rating_fact.c.ended_at)
Index("ix_rating_fact_ended_at", rating_fact.c.ended_at)

rating_position = Table(
    "rating_position",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", Integer, nullable=False),
    # What was there before the events could tell it has still to be counted.
    Column("stock", Boolean, nullable=False),
)
"""Up to which event facts are written."""

rating_name = Table(
    "rating_name",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("name", String(255), nullable=False),
)
"""Names of flavors and volume types as far as the facts are written: they may be deleted since."""

rating_service = Table(
    "rating_service",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
)

rating_field = Table(
    "rating_field",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("service_id", String(36), nullable=False),
    Column("name", String(255), nullable=False),
)
Index("uq_rating_field", rating_field.c.service_id, rating_field.c.name, unique=True)

rating_group = Table(
    "rating_group",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
)

rating_rule = Table(
    "rating_rule",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(36), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("type", String(8), nullable=False),
    Column("cost", String(64), nullable=False),
    Column("value", String(255)),
    Column("level", String(64)),
    Column("service_id", String(36), index=True),
    Column("field_id", String(36), index=True),
    Column("group_id", String(36), index=True),
    Column("tenant_id", String(64)),
    Column("name", String(255), nullable=False),
    Column("description", String(256)),
    Column("start", DateTime, nullable=False),
    Column("end", DateTime),
    # What a price is of outlives services, fields and groups: the past is rated by it.
    Column("service_name", String(255), nullable=False),
    Column("field_name", String(255)),
    Column("group_name", String(255)),
    Column("begins", DateTime, nullable=False),
    Column("ends", DateTime),
    Column("current", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("known_at", DateTime, nullable=False),
    Column("void_at", DateTime),
    Column("deleted_at", DateTime),
    Column("created_by", String(64)),
    Column("updated_by", String(64)),
    Column("deleted_by", String(64)),
)
"""Mappings and thresholds, each change a row more. ``start`` and ``end`` are as they were given; ``begins`` and
``ends`` are when this row is what counts. ``known_at``: when it was written, which may be long after it begins.
``void_at``: from then on it is known that it never should have counted."""

rating_switch = Table(
    "rating_switch",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("at", DateTime, nullable=False),
)
"""When a module was enabled or disabled, a project's rating activated or not: what is rated when."""
Index("ix_rating_switch_name", rating_switch.c.kind, rating_switch.c.name, rating_switch.c.at)

rating_scope = Table(
    "rating_scope",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("active", Boolean, nullable=False),
    Column("toggled_at", DateTime),
    Column("since", DateTime, nullable=False),
)
"""The projects that have used anything."""

rating_closing = Table(
    "rating_closing",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("closed_at", DateTime, nullable=False),
    Column("user_id", String(64)),
)
"""Months whose bills stand."""

rating_budget = Table(
    "rating_budget",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("amount", String(64), nullable=False),
    Column("action", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("spent", String(64), nullable=False),
    Column("month", String(7), nullable=False),
)
"""What a project may spend in a month. ``state``: ok, warning or exceeded, as of the last look."""
