"""SQL of the tokens that open a server's console."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.compute.tables import console_token, server


def add(tx: Tx, **values: Any) -> None:
    tx.insert(console_token, **values)


def remove_expired(tx: Tx) -> None:
    tx.execute(delete(console_token).where(console_token.c.expires_at <= tx.now))


def valid(tx: Tx, token_hash: str) -> Row[Any] | None:
    """(server_id, console_type, delegation, host_id, host_name, project_id) of a token in its time, of a server that
    is not deleted."""
    statement = (
        select(
            console_token.c.server_id,
            console_token.c.console_type,
            console_token.c.delegation,
            server.c.host_id,
            server.c.host_name,
            server.c.project_id,
        )
        .join(server, server.c.id == console_token.c.server_id)
        .where(console_token.c.token_hash == token_hash, console_token.c.expires_at > tx.now, ~server.c.deleted)
    )
    return tx.first(statement)
