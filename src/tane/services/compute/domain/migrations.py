"""The list of migrations (Compute API: "Migrations")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.compute.domain.listing import moment
from tane.services.compute.store import migrations
from tane.services.compute.tables import migration
from tane.web.errors import BadRequest

EQUAL = {
    "host": None,
    "status": migration.c.status,
    "source_compute": migration.c.source_host,
    "instance_uuid": migration.c.server_id,
    "migration_type": migration.c.type,
    "user_id": migration.c.user_id,
    "project_id": migration.c.project_id,
}


def index(core: Core, filters: Mapping[str, str], marker: str | None, limit: int | None) -> list[Row[Any]]:
    """Newest first. :raises BadRequest: a time that is none, or a marker that is no migration."""
    where: list[ColumnElement[bool]] = []
    for name, value in filters.items():
        if name == "host":
            where.append(or_(migration.c.source_host == value, migration.c.dest_host == value))
        elif name == "changes-since":
            where.append(migration.c.updated_at >= moment(name, value))
        elif name == "changes-before":
            where.append(migration.c.updated_at <= moment(name, value))
        elif (column := EQUAL[name]) is not None:
            where.append(column == value)
    with core.db.read() as tx:
        after = None
        if marker is not None:
            row = migrations.get(tx, marker)
            if row is None:
                raise BadRequest(f"Marker {marker} could not be found.")
            after = row.id
        return migrations.find(tx, where, after, limit)
