"""SQL of stored credentials (keys of EC2, seeds of one-time passwords, certificates)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, or_, select, update
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
    tx.update(credential, {"id": credential_id}, encrypted_blob=encrypted)


def forget_user(tx: Tx, user_id: str) -> None:
    tx.execute(delete(credential).where(credential.c.user_id == user_id))


def forget_project(tx: Tx, project_id: str) -> None:
    tx.execute(delete(credential).where(credential.c.project_id == project_id))


def take_step(tx: Tx, credential_id: str, step: int) -> bool:
    """Use a one-time password up: True when neither it nor a later one was used before."""
    unused = or_(credential.c.last_step.is_(None), credential.c.last_step < step)
    return bool(tx.count(update(credential).where(credential.c.id == credential_id, unused).values(last_step=step)))
