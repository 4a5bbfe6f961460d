"""SQL of the service catalogue and of what a project sees of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, and_, delete, insert, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import (
    endpoint,
    endpoint_group,
    project,
    project_endpoint,
    project_endpoint_group,
    region,
    service,
)


def entries(tx: Tx) -> list[Row[Any]]:
    """Every enabled endpoint with its service's id, type and name, in one query; a service that has none stands alone,
    with ``id`` None."""
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
        .outerjoin_from(service, endpoint, and_(service.c.id == endpoint.c.service_id, endpoint.c.enabled))
        .where(service.c.enabled)
        .order_by(service.c.type, service.c.id, endpoint.c.interface)
    )


def regions_below(tx: Tx, region_id: str) -> list[Row[Any]]:
    """The regions under one, parents before their children."""
    found: list[Row[Any]] = []
    layer = [region_id]
    while layer:
        rows = tx.all(select(region).where(region.c.parent_region_id.in_(layer)).order_by(region.c.id))
        found += rows
        layer = [row.id for row in rows]
    return found


def endpoints_of(tx: Tx, project_id: str) -> list[Row[Any]]:
    """The endpoints given to a project one by one."""
    joined = select(endpoint).join(project_endpoint, project_endpoint.c.endpoint_id == endpoint.c.id)
    return tx.all(joined.where(project_endpoint.c.project_id == project_id).order_by(endpoint.c.id))


def endpoint_groups_of(tx: Tx, project_id: str) -> list[Row[Any]]:
    joined = select(endpoint_group).join(
        project_endpoint_group, project_endpoint_group.c.endpoint_group_id == endpoint_group.c.id
    )
    return tx.all(joined.where(project_endpoint_group.c.project_id == project_id).order_by(endpoint_group.c.id))


def projects_with(tx: Tx, link: Table, given_id: str) -> list[Row[Any]]:
    """The projects to which an endpoint, or a group of endpoints, was given; ``link`` is the table that says so."""
    joined = select(project).join(link, link.c.project_id == project.c.id)
    return tx.all(joined.where(_given(link) == given_id).order_by(project.c.id))


def _given(link: Table) -> Any:
    return link.c.endpoint_id if link is project_endpoint else link.c.endpoint_group_id


def is_given(tx: Tx, link: Table, project_id: str, given_id: str) -> bool:
    return tx.first(select(link).where(link.c.project_id == project_id, _given(link) == given_id)) is not None


def give(tx: Tx, link: Table, project_id: str, given_id: str) -> None:
    tx.execute(insert(link).values({link.c.project_id: project_id, _given(link): given_id}))


def take(tx: Tx, link: Table, project_id: str, given_id: str) -> int:
    return tx.count(delete(link).where(link.c.project_id == project_id, _given(link) == given_id))
