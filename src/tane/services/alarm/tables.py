"""Tables of alarms."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, String, Table, Text

from tane.db.schema import metadata, project_id

alarm = Table(
    "alarm",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", String(1024), nullable=False),
    Column("type", String(64), nullable=False),
    Column("rule", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(32), nullable=False),
    Column("state_reason", Text, nullable=False),
    Column("state_timestamp", DateTime, nullable=False),
    Column("evaluate_timestamp", DateTime),
    Column("timestamp", DateTime, nullable=False),
    Column("ok_actions", JSON, nullable=False),
    Column("alarm_actions", JSON, nullable=False),
    Column("insufficient_data_actions", JSON, nullable=False),
    Column("repeat_actions", Boolean, nullable=False),
    Column("time_constraints", JSON, nullable=False),
    # For whom actions with trust+ are taken: who wrote them.
    Column("delegation", JSON),
)

alarm_change = Table(
    "alarm_change",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("event_id", String(36), nullable=False, unique=True),
    Column("alarm_id", String(36), nullable=False, index=True),
    Column("type", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("user_id", String(64)),
    Column("project_id", String(64)),
    Column("on_behalf_of", String(64), index=True),
    Column("severity", String(16), nullable=False),
    Column("timestamp", DateTime, nullable=False, index=True),
)

alarm_cursor = Table(
    "alarm_cursor",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", Integer, nullable=False),
)
"""Up to which event the alarms on events were looked at."""
