"""SQL of the audit trail, and of the number that counts its changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import audit_event, generation

NUMBER = "SELECT number FROM identity_generation"


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(audit_event, **values)


def events(tx: Tx, target_id: str | None = None) -> list[Row[Any]]:
    """Events in the order of their time, those about one target or all."""
    statement = select(audit_event).order_by(audit_event.c.event_time)
    return tx.all(statement if target_id is None else statement.where(audit_event.c.target_id == target_id))


def events_of(tx: Tx, actions: Sequence[str], since: datetime) -> list[Row[Any]]:
    """Events of these actions from a moment on, oldest first."""
    wanted = (audit_event.c.action.in_(actions), audit_event.c.event_time >= since)
    return tx.all(select(audit_event).where(*wanted).order_by(audit_event.c.event_time))


def trim(tx: Tx, before: datetime) -> int:
    """Delete older events; returns how many."""
    return tx.count(delete(audit_event).where(audit_event.c.event_time < before))


def trim_to(tx: Tx, most: int) -> int:
    """Delete the oldest events of more than ``most``; returns how many."""
    newest = select(audit_event.c.event_time).order_by(audit_event.c.event_time.desc())
    last = tx.scalar(newest.offset(most).limit(1))
    return 0 if last is None else tx.count(delete(audit_event).where(audit_event.c.event_time <= last))


def bump(tx: Tx) -> None:
    """Count one more change."""
    if not tx.count(update(generation).values(number=generation.c.number + 1)):
        tx.insert(generation, id=1, number=1)
