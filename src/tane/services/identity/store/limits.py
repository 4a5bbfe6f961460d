"""SQL of unified limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import limit, registered_limit

OF_REGISTERED = ("service_id", "region_id", "resource_name")


def registered(tx: Tx, filters: Mapping[str, Any]) -> list[Row[Any]]:
    """Registered limits whose columns equal ``filters``; None means that there is no value."""
    wanted = [_equal(registered_limit.c[name], value) for name, value in filters.items()]
    return tx.all(select(registered_limit).where(*wanted).order_by(registered_limit.c.id))


def limits(tx: Tx, filters: Mapping[str, Any]) -> list[Row[Any]]:
    """Limits with the service, region and resource of the registered limit each stands on, in one query."""
    columns = [registered_limit.c[name] for name in OF_REGISTERED]
    wanted = [
        _equal((registered_limit if name in OF_REGISTERED else limit).c[name], value) for name, value in filters.items()
    ]
    joined = select(limit, *columns).join(registered_limit, limit.c.registered_limit_id == registered_limit.c.id)
    return tx.all(joined.where(*wanted).order_by(limit.c.id))


def _equal(column: Any, value: Any) -> Any:
    return column.is_(None) if value is None else column == value
