"""Limits per project. Usage is never stored: it is counted in the transaction that adds to it, so it cannot drift."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Integer, String, Table, delete

from tane.db import Tx
from tane.db.schema import metadata

quota = Table(
    "quota",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("service", String(32), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("hard_limit", Integer, nullable=False),
)

UNLIMITED = -1


def limits(tx: Tx, service: str, project_id: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """Every limit of a service for a project: its own where it has one, else the default. -1 is unlimited."""
    rows = tx.rows(quota, project_id=project_id, service=service)
    return {**defaults, **{row.resource: row.hard_limit for row in rows if row.resource in defaults}}


def set_limits(tx: Tx, service: str, project_id: str, values: Mapping[str, int]) -> None:
    for resource, hard_limit in values.items():
        key = (quota.c.project_id == project_id, quota.c.service == service, quota.c.resource == resource)
        tx.execute(delete(quota).where(*key))
        tx.insert(quota, project_id=project_id, service=service, resource=resource, hard_limit=hard_limit)


def reset(tx: Tx, service: str, project_id: str) -> None:
    """Back to the defaults."""
    tx.execute(delete(quota).where(quota.c.project_id == project_id, quota.c.service == service))


def exceeded(limit: int, used: int, wanted: int) -> bool:
    return limit != UNLIMITED and used + wanted > limit
