"""SQL of trusts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import trust


def take_use(tx: Tx, trust_id: str) -> bool:
    """Take one of the remaining uses, if there is one left or their number is not limited."""
    return bool(
        tx.count(
            update(trust)
            .where(trust.c.id == trust_id, or_(trust.c.remaining_uses.is_(None), trust.c.remaining_uses > 0))
            .values(remaining_uses=trust.c.remaining_uses - 1)
        )
    )


def index(tx: Tx, filters: Mapping[str, str]) -> list[Row[Any]]:
    """Trusts whose columns equal ``filters``, those with no use left excepted."""
    statement = select(trust).where(or_(trust.c.remaining_uses.is_(None), trust.c.remaining_uses > 0))
    for name, value in filters.items():
        statement = statement.where(trust.c[name] == value)
    return tx.all(statement.order_by(trust.c.created_at, trust.c.id))
