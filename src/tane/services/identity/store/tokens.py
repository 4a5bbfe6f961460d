"""SQL behind tokens: keys and revocations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select

from tane.db import Tx
from tane.services.identity.tables import fernet_key, revoked_token


def keys(tx: Tx) -> list[str]:
    """Fernet keys, newest first."""
    return [row.key for row in tx.all(select(fernet_key).order_by(fernet_key.c.id.desc()))]


def add_key(tx: Tx, key: str) -> None:
    tx.execute(insert(fernet_key).values(key=key, created_at=tx.now))


def is_revoked(tx: Tx, audit_id: str) -> bool:
    return tx.scalar(select(revoked_token.c.audit_id).where(revoked_token.c.audit_id == audit_id)) is not None


def revoke(tx: Tx, audit_id: str, expires_at: datetime) -> None:
    tx.execute(delete(revoked_token).where(revoked_token.c.expires_at < tx.now))
    if not is_revoked(tx, audit_id):
        tx.execute(insert(revoked_token).values(audit_id=audit_id, expires_at=expires_at))
