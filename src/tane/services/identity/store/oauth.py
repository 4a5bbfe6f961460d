"""SQL of OAuth: what is used once, and what has expired."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from tane.db import Tx
from tane.services.identity.tables import access_token, oauth_nonce, request_token


def take(tx: Tx, digest: str, until: datetime) -> bool:
    """Use a signed request: True when it was not used before."""
    if tx.first(select(oauth_nonce.c.digest).where(oauth_nonce.c.digest == digest)) is not None:
        return False
    tx.insert(oauth_nonce, digest=digest, expires_at=until)
    return True


def forget_expired(tx: Tx, now: datetime) -> int:
    """Delete what can never be used again; returns how many tokens that were."""
    tx.execute(delete(oauth_nonce).where(oauth_nonce.c.expires_at < now))
    return sum(tx.count(delete(table).where(table.c.expires_at < now)) for table in (request_token, access_token))
