"""SQL of implied roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import implied_role, role


def rules(tx: Tx) -> list[Row[Any]]:
    """(prior_id, implied_id) of every rule."""
    return tx.all(select(implied_role).order_by(implied_role.c.prior_id, implied_role.c.implied_id))


def closure(tx: Tx, role_ids: Iterable[str]) -> list[str]:
    """The roles and all that they imply, each once."""
    implied: dict[str, list[str]] = {}
    for rule in rules(tx):
        implied.setdefault(rule.prior_id, []).append(rule.implied_id)
    found = list(dict.fromkeys(role_ids))
    for role_id in found:  # grows while it is walked
        found += [other for other in implied.get(role_id, ()) if other not in found]
    return found


def implied_by(tx: Tx, prior_id: str) -> list[Row[Any]]:
    """The roles that one implies directly."""
    joined = select(role).join(implied_role, implied_role.c.implied_id == role.c.id)
    return tx.all(joined.where(implied_role.c.prior_id == prior_id).order_by(role.c.id))


def _rule(prior_id: str, implied_id: str) -> Any:
    return (implied_role.c.prior_id == prior_id) & (implied_role.c.implied_id == implied_id)


def exists(tx: Tx, prior_id: str, implied_id: str) -> bool:
    return tx.first(select(implied_role).where(_rule(prior_id, implied_id))) is not None


def add(tx: Tx, prior_id: str, implied_id: str) -> None:
    tx.insert(implied_role, prior_id=prior_id, implied_id=implied_id)


def remove(tx: Tx, prior_id: str, implied_id: str) -> int:
    return tx.count(delete(implied_role).where(_rule(prior_id, implied_id)))
