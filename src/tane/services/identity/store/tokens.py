"""SQL behind tokens: keys and revocations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import fernet_key, revoked_token


def keys(tx: Tx, purpose: str) -> list[Row[Any]]:
    """The Fernet keys of a purpose (id, key, created_at), newest first."""
    return tx.all(select(fernet_key).where(fernet_key.c.purpose == purpose).order_by(fernet_key.c.id.desc()))


def add_key(tx: Tx, purpose: str, key: str) -> None:
    tx.insert(fernet_key, purpose=purpose, key=key, created_at=tx.now)


def remove_key(tx: Tx, key_id: int) -> None:
    tx.execute(delete(fernet_key).where(fernet_key.c.id == key_id))


def is_revoked(tx: Tx, audit_id: str) -> bool:
    return tx.scalar(select(revoked_token.c.audit_id).where(revoked_token.c.audit_id == audit_id)) is not None


def revoke(tx: Tx, audit_id: str, expires_at: datetime) -> None:
    if not is_revoked(tx, audit_id):
        tx.insert(revoked_token, audit_id=audit_id, expires_at=expires_at)


def forget_revocations(tx: Tx, before: datetime) -> int:
    """Delete those of tokens that expired earlier; returns how many."""
    return tx.count(delete(revoked_token).where(revoked_token.c.expires_at < before))
