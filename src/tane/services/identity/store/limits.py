"""SQL of unified limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import limit, registered_limit, service

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


def effective(tx: Tx, service_type: str, region_id: str, project_id: str) -> dict[str, int]:
    """What a project may have of each resource that a service registered: its own limit, else the registered default.

    A limit registered for the region hides one that is registered for no region. One query.
    """
    own = and_(limit.c.registered_limit_id == registered_limit.c.id, limit.c.project_id == project_id)
    allowed = func.coalesce(limit.c.resource_limit, registered_limit.c.default_limit).label("allowed")
    joined = registered_limit.join(service, registered_limit.c.service_id == service.c.id).outerjoin(limit, own)
    wanted = (
        service.c.type == service_type,
        or_(registered_limit.c.region_id == region_id, registered_limit.c.region_id.is_(None)),
    )
    rows = tx.all(
        select(registered_limit.c.resource_name, allowed)
        .select_from(joined)
        .where(*wanted)
        .order_by(registered_limit.c.region_id.is_not(None))
    )
    return {row.resource_name: row.allowed for row in rows}


def of_domain(tx: Tx, service_type: str, region_id: str, domain_id: str) -> dict[str, int]:
    """The limits that a domain has of its own; see :func:`effective` for those of regions."""
    joined = limit.join(registered_limit, limit.c.registered_limit_id == registered_limit.c.id)
    joined = joined.join(service, registered_limit.c.service_id == service.c.id)
    wanted = (
        limit.c.domain_id == domain_id,
        service.c.type == service_type,
        or_(registered_limit.c.region_id == region_id, registered_limit.c.region_id.is_(None)),
    )
    columns = select(registered_limit.c.resource_name, limit.c.resource_limit).select_from(joined).where(*wanted)
    rows = tx.all(columns.order_by(registered_limit.c.region_id.is_not(None)))
    return {row.resource_name: row.resource_limit for row in rows}


def _equal(column: Any, value: Any) -> Any:
    return column.is_(None) if value is None else column == value
