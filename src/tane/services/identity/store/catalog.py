"""SQL of the service catalogue."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import endpoint, service


def entries(tx: Tx) -> list[Row[Any]]:
    """Every enabled endpoint with its service's id, type and name, in one query."""
    return tx.all(
        select(
            endpoint.c.id,
            endpoint.c.interface,
            endpoint.c.region_id,
            endpoint.c.url,
            service.c.id.label("service_id"),
            service.c.type,
            service.c.name,
        )
        .join(service, service.c.id == endpoint.c.service_id)
        .where(endpoint.c.enabled, service.c.enabled)
        .order_by(service.c.type, service.c.id, endpoint.c.interface)
    )
