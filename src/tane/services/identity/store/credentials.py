"""SQL of stored credentials (keys of EC2, seeds of one-time passwords, certificates)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import credential


def of_user(tx: Tx, user_id: str, kind: str) -> list[Row[Any]]:
    return tx.all(
        select(credential).where(credential.c.user_id == user_id, credential.c.type == kind).order_by(credential.c.id)
    )


def blobs(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(credential.c.id, credential.c.encrypted_blob))


def set_blob(tx: Tx, credential_id: str, encrypted: str) -> None:
    tx.execute(update(credential).where(credential.c.id == credential_id).values(encrypted_blob=encrypted))


def forget_user(tx: Tx, user_id: str) -> None:
    tx.execute(delete(credential).where(credential.c.user_id == user_id))


def forget_project(tx: Tx, project_id: str) -> None:
    tx.execute(delete(credential).where(credential.c.project_id == project_id))
