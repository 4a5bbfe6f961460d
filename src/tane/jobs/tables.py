"""Tables of the saga engine: the queue, which holds what is not finished, the history of what is, and leases."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Index, Integer, String, Table, Text

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
    # The step at work; empty before the first one. ``begun`` are the steps that were started and not undone.
    Column("step", String(64), nullable=False),
    Column("begun", JSON, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("run_after", DateTime, nullable=False, index=True),
    Column("deadline", DateTime, nullable=False),
    # Of a debt whose host is away: the host. It holds up no other job of its resource then.
    Column("host_away", String(36)),
    # Of a job that pauses: the resource whose next job to end lets it run.
    Column("awaits", String(128), index=True),
    Column("lease_owner", String(64)),
    Column("lease_until", DateTime),
    Column("epoch", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("error", Text),
    Column("request_id", String(64)),
    Column("user_id", String(64)),
    Column("project_id", String(64)),
    # The project whose member ordered it: of all slots it runs in that one's share. None: the cloud's own.
    Column("ordered_by", String(64)),
    created_at(),
    sqlite_autoincrement=True,
)
Index("ix_job_resource", job.c.resource, job.c.id)

job_history = Table(
    "job_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("operation", String(128), nullable=False),
    Column("resource", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", Text),
    Column("request_id", String(64)),
    Column("user_id", String(64)),
    Column("project_id", String(64)),
    created_at(),
    Column("finished_at", DateTime, nullable=False, index=True),
)
Index("ix_job_history_resource", job_history.c.resource, job_history.c.id)
Index("ix_job_history_project", job_history.c.project_id, job_history.c.id)

job_event = Table(
    "job_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, nullable=False, index=True),
    Column("step", String(64), nullable=False),
    Column("event", String(16), nullable=False),
    Column("detail", Text),
    created_at(),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("held_until", DateTime, nullable=False),
)
