"""Sessions as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.dashboard.tables import dashboard_session as session


def add(tx: Tx, **values: Any) -> None:
    tx.insert(session, created_at=tx.now, **values)


def get(tx: Tx, session_id: str) -> Row[Any] | None:
    return tx.row(session, id=session_id)


def reseal(tx: Tx, session_id: str, sealed: str, expires_at: datetime) -> None:
    tx.update(session, {"id": session_id}, sealed=sealed, expires_at=expires_at)


def remove(tx: Tx, session_id: str) -> None:
    tx.execute(delete(session).where(session.c.id == session_id))


def oldest_beyond(tx: Tx, user_id: str, most: int) -> None:
    """Keep so many of a user's newest sessions."""
    kept = select(session.c.id).where(session.c.user_id == user_id).order_by(session.c.created_at.desc()).limit(most)
    ids = [row.id for row in tx.all(kept)]
    tx.execute(delete(session).where(session.c.user_id == user_id, session.c.id.not_in(ids)))


def forget_expired(tx: Tx) -> int:
    return tx.count(delete(session).where(session.c.expires_at < tx.now))
