"""SQL of image members (the projects an image is shared with)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.image.tables import image_member


def get(tx: Tx, image_id: str, member_id: str) -> Row[Any] | None:
    key = (image_member.c.image_id == image_id, image_member.c.member_id == member_id)
    return tx.first(select(image_member).where(*key))


def of_image(tx: Tx, image_id: str) -> list[Row[Any]]:
    return tx.all(select(image_member).where(image_member.c.image_id == image_id).order_by(image_member.c.created_at))


def count(tx: Tx, image_id: str) -> int:
    return int(tx.scalar(select(func.count()).select_from(image_member).where(image_member.c.image_id == image_id)))


def add(tx: Tx, image_id: str, member_id: str) -> None:
    values = {"image_id": image_id, "member_id": member_id, "status": "pending"}
    tx.insert(image_member, created_at=tx.now, updated_at=tx.now, **values)


def set_status(tx: Tx, image_id: str, member_id: str, status: str) -> None:
    key = (image_member.c.image_id == image_id, image_member.c.member_id == member_id)
    tx.execute(update(image_member).where(*key).values(status=status, updated_at=tx.now))


def remove(tx: Tx, image_id: str, member_id: str) -> int:
    key = (image_member.c.image_id == image_id, image_member.c.member_id == member_id)
    return tx.count(delete(image_member).where(*key))
