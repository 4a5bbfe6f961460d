"""SQL of groups and their members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.store.rows import condition
from tane.services.identity.tables import group, group_member, user


def members(tx: Tx, group_id: str, filters: Mapping[str, Any]) -> list[Row[Any]]:
    """The users of a group that pass ``filters``."""
    wanted = [condition(user, name, value) for name, value in filters.items()]
    joined = select(user).join(group_member, group_member.c.user_id == user.c.id)
    return tx.all(joined.where(group_member.c.group_id == group_id, *wanted).order_by(user.c.id))


def of_user(tx: Tx, user_id: str, filters: Mapping[str, Any]) -> list[Row[Any]]:
    """The groups of a user that pass ``filters``."""
    wanted = [condition(group, name, value) for name, value in filters.items()]
    joined = select(group).join(group_member, group_member.c.group_id == group.c.id)
    return tx.all(joined.where(group_member.c.user_id == user_id, *wanted).order_by(group.c.id))


def _membership(group_id: str, user_id: str) -> Any:
    return (group_member.c.group_id == group_id) & (group_member.c.user_id == user_id)


def is_member(tx: Tx, group_id: str, user_id: str) -> bool:
    return tx.first(select(group_member).where(_membership(group_id, user_id))) is not None


def add_member(tx: Tx, group_id: str, user_id: str) -> None:
    """Repeatable."""
    if not is_member(tx, group_id, user_id):
        tx.insert(group_member, group_id=group_id, user_id=user_id)


def remove_member(tx: Tx, group_id: str, user_id: str) -> int:
    return tx.count(delete(group_member).where(_membership(group_id, user_id)))
