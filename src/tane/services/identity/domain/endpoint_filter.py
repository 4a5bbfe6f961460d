"""Which endpoints a project sees: endpoints, and groups of endpoints by their attributes, given to projects.

Source: Identity API v3 extensions, OS-EP-FILTER.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.catalog import endpoints_of_project
from tane.services.identity.domain.common import require
from tane.services.identity.domain.plain import Kind
from tane.services.identity.store import catalog as store
from tane.services.identity.store import rows
from tane.services.identity.tables import (
    endpoint,
    endpoint_group,
    project,
    project_endpoint,
    project_endpoint_group,
)
from tane.web.errors import Conflict, NotFound

ENDPOINT_GROUP = Kind("endpoint_group", endpoint_group, ("name", "filters"), {"description": None})
GIVEN: dict[str, tuple[Table, Table]] = {
    "endpoint": (endpoint, project_endpoint),
    "endpoint_group": (endpoint_group, project_endpoint_group),
}
"""What can be given to a project, and the table that says so."""


def endpoints_in_group(core: Core, group_id: str) -> list[Row[Any]]:
    with core.db.read() as tx:
        group = require(tx, endpoint_group, group_id, "endpoint_group")
        return rows.find(tx, endpoint, group.filters)


def endpoints_of(core: Core, project_id: str) -> list[Row[Any]]:
    with core.db.read() as tx:
        require(tx, project, project_id, "project")
        return endpoints_of_project(tx, project_id)


def groups_of(core: Core, project_id: str) -> list[Row[Any]]:
    with core.db.read() as tx:
        require(tx, project, project_id, "project")
        return store.endpoint_groups_of(tx, project_id)


def projects_with(core: Core, kind: str, given_id: str) -> list[Row[Any]]:
    table, link = GIVEN[kind]
    with core.db.read() as tx:
        require(tx, table, given_id, kind)
        return store.projects_with(tx, link, given_id)


def _require(tx: Tx, kind: str, project_id: str, given_id: str) -> Table:
    table, link = GIVEN[kind]
    require(tx, project, project_id, "project")
    require(tx, table, given_id, kind)
    return link


def give(core: Core, kind: str, project_id: str, given_id: str) -> None:
    """:raises Conflict: the project has it already."""
    with core.db.write() as tx:
        link = _require(tx, kind, project_id, given_id)
        if store.is_given(tx, link, project_id, given_id):
            raise Conflict(f"Conflict occurred attempting to store project_{kind} - Duplicate entry.")
        store.give(tx, link, project_id, given_id)
        audit.record(tx, "added", kind, given_id, project=project_id)


def check(core: Core, kind: str, project_id: str, given_id: str) -> None:
    """:raises NotFound: the project was not given it."""
    with core.db.read() as tx:
        if not store.is_given(tx, _require(tx, kind, project_id, given_id), project_id, given_id):
            raise _not_given(kind, project_id, given_id)


def take(core: Core, kind: str, project_id: str, given_id: str) -> None:
    """:raises NotFound: the project was not given it."""
    with core.db.write() as tx:
        if not store.take(tx, _require(tx, kind, project_id, given_id), project_id, given_id):
            raise _not_given(kind, project_id, given_id)
        audit.record(tx, "removed", kind, given_id, project=project_id)


def _not_given(kind: str, project_id: str, given_id: str) -> NotFound:
    return NotFound(f"{kind.replace('_', ' ').capitalize()} {given_id} not found in project {project_id}.")
