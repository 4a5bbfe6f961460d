"""Tables of the saga engine."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, ForeignKey, Index, Integer, String, Table, Text, text

from tane.db.schema import created_at, metadata

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("operation", String(128), nullable=False),
    Column("resource", String(128), nullable=False),
    Column("params", JSON, nullable=False),
    Column("data", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("run_after", DateTime, nullable=False),
    Column("deadline", DateTime, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", DateTime),
    Column("epoch", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("error", Text),
    Column("request_id", String(64)),
    Column("user_id", String(64)),
    Column("project_id", String(64)),
    created_at(),
    Column("finished_at", DateTime),
    sqlite_autoincrement=True,
)
Index("ix_job_active", job.c.run_after, sqlite_where=text("active"), postgresql_where=text("active"))
Index("ix_job_resource", job.c.resource, job.c.id)

job_event = Table(
    "job_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, ForeignKey("job.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("step", String(64), nullable=False),
    Column("event", String(16), nullable=False),
    Column("detail", Text),
    created_at(),
)
