"""Tables of metrics, which lie in a database of their own (decision 18), and so have a ``MetaData`` of their own."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()
Number = BigInteger().with_variant(Integer, "sqlite")

archive_policy = Table(
    "archive_policy",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("back_window", Integer, nullable=False),
    Column("definition", JSON, nullable=False),
    Column("aggregation_methods", JSON, nullable=False),
)
"""``definition``: [granularity in ns, points or null] pairs, the finest first."""

archive_policy_rule = Table(
    "archive_policy_rule",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("metric_pattern", String(255), nullable=False),
    Column("archive_policy_name", ForeignKey("archive_policy.name"), nullable=False, index=True),
)

resource_type = Table(
    "resource_type",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("attributes", JSON, nullable=False),
)

resource = Table(
    "resource",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("original_resource_id", String(512), nullable=False),
    Column("type", ForeignKey("resource_type.name"), nullable=False, index=True),
    Column("creator", String(255), nullable=False),
    Column("created_by_project_id", String(64), nullable=False, index=True),
    Column("project_id", String(255), index=True),
    Column("user_id", String(255)),
    Column("started_at", DateTime, nullable=False),
    Column("ended_at", DateTime, index=True),
    Column("revision_start", DateTime, nullable=False),
    Column("attributes", JSON, nullable=False),
)

resource_history = Table(
    "resource_history",
    metadata,
    Column("revision", Number, primary_key=True, autoincrement=True),
    Column("id", ForeignKey("resource.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("original_resource_id", String(512), nullable=False),
    Column("type", String(255), nullable=False),
    Column("creator", String(255), nullable=False),
    Column("created_by_project_id", String(64), nullable=False),
    Column("project_id", String(255)),
    Column("user_id", String(255)),
    Column("started_at", DateTime, nullable=False),
    Column("ended_at", DateTime),
    Column("revision_start", DateTime, nullable=False),
    Column("revision_end", DateTime, nullable=False),
    Column("attributes", JSON, nullable=False),
)
"""What resources were before each of their changes."""

metric = Table(
    "metric",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("name", String(255)),
    Column("unit", String(31)),
    Column("creator", String(255), nullable=False),
    Column("created_by_project_id", String(64), nullable=False, index=True),
    Column("archive_policy_name", ForeignKey("archive_policy.name"), nullable=False, index=True),
    Column("resource_id", ForeignKey("resource.id", ondelete="SET NULL")),
    Column("counter", Boolean, nullable=False, default=False),
    Index("uq_metric_resource_name", "resource_id", "name", unique=True),
    sqlite_autoincrement=True,
)
"""``number`` stands for a metric in batches, and is never drawn twice. ``counter``: its value only grows; where it
falls the device began anew at zero."""

batch = Table(
    "batch",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("low", Number, nullable=False),
    Column("high", Number, nullable=False),
    Column("count", Integer, nullable=False),
    Column("metrics", LargeBinary, nullable=False),
    Column("times", LargeBinary, nullable=False),
    Column("values", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Samples as they came, until they are folded into chunks: numbers of metrics in rising order (uint32), moments (ns,
int64) and values (double). ``low``, ``high``: the range of the numbers; ``at``: when they came, in seconds."""

raw = Table(
    "raw",
    metadata,
    Column("metric", ForeignKey("metric.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("times", LargeBinary, nullable=False),
    Column("values", LargeBinary, nullable=False),
)
"""The newest samples of a metric, as far back as late ones may still change a period."""

chunk = Table(
    "chunk",
    metadata,
    Column("metric", ForeignKey("metric.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("granularity", BigInteger, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""128 periods of a metric: ``start`` is the first one's number since 1970."""

sender = Table(
    "sender",
    metadata,
    Column("host_id", String(64), primary_key=True),
    Column("run", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
"""The last batch of each host that was written: one that is sent again counts once."""

outgoing = Table(
    "outgoing",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("moment", BigInteger, nullable=False),
    Column("numbers", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""What waits to be sent to the operator's Prometheus. ``moment``: of all samples, in ns; ``numbers``: of their metrics
(uint32), ``data``: their values (double); without numbers ``data`` are whole series as they are sent. ``at``: when it
came, in seconds; ``size``: in bytes."""

sending = Table(
    "sending",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sent", BigInteger, nullable=False, default=0),
    Column("refused", BigInteger, nullable=False, default=0),
    Column("dropped", BigInteger, nullable=False, default=0),
    Column("sent_at", Float),
    Column("failing_since", Float),
    Column("error", String(500), nullable=False, default=""),
)
"""How it went, in one row: samples that were taken, that were refused for good, and that had no room any more;
``error``: why it was tried again, the last time, also when it goes well again."""

sending_loss = Table(
    "sending_loss",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("at", Float, nullable=False),
    Column("error", String(500), nullable=False),
)
"""When samples were lost last, ``refused`` or ``dropped``, and why."""
