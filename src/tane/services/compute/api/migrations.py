"""Servers on their way between hosts and flavors (Compute API: "Migrations", "Server migrations")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.compute.api.common import next_link, page_limit
from tane.services.compute.domain import migrations, moves, servers
from tane.services.compute.schemas import settle
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request
from tane.web.versions import trim

SINCE = {"links": "2.23", "migration_type": "2.23", "uuid": "2.59", "user_id": "2.80", "project_id": "2.80"}
FILTERS = ("host", "status", "source_compute", "instance_uuid", "migration_type")
LATER_FILTERS = {"changes-since": (2, 59), "changes-before": (2, 66), "user_id": (2, 80), "project_id": (2, 80)}


def resize(request: Request) -> None:
    wanted = request.body.resize
    config = wanted.disk_config if isinstance(wanted.disk_config, str) else None
    moves.resize(request.core, request.ctx, request.path["server_id"], str(wanted.flavorRef), config)


def migrate(request: Request) -> None:
    wanted = request.body.migrate
    host = wanted.host if wanted is not None else None
    moves.migrate(request.core, request.ctx, request.path["server_id"], host)


def confirm(request: Request) -> None:
    moves.confirm(request.core, request.ctx, request.path["server_id"])


def revert(request: Request) -> None:
    moves.revert(request.core, request.ctx, request.path["server_id"])


def evacuate(request: Request) -> dict[str, Any] | None:
    """Before 2.14 the password is told, which only a config drive made anew tells the guest; from 2.95 on the server is
    not started.

    :raises BadRequest: shared storage, which no host here has, is counted upon.
    """
    wanted = request.body.evacuate
    settle(wanted, "onSharedStorage")
    if wanted.onSharedStorage:
        raise BadRequest("Hosts share no storage for the disks of servers: onSharedStorage.")
    server_id, connected = request.path["server_id"], {agent.host_id for agent in request.core.hosts.reached()}
    given = moves.evacuate(
        request.core,
        request.ctx,
        server_id,
        wanted.host,
        wanted.adminPass,
        connected,
        start=request.version < (2, 95),
    )
    return {"adminPass": given} if request.version < (2, 14) else None


def index(request: Request) -> dict[str, Any]:
    """All of the cloud, by the filters of the caller's microversion."""
    names = [*FILTERS, *(name for name, since in LATER_FILTERS.items() if request.version >= since)]
    filters = {name: value for name in names if (value := request.param(name)) is not None}
    paged = request.version >= (2, 59)
    limit = page_limit(request) if paged else None
    rows = migrations.index(request.core, filters, request.param("marker") if paged else None, limit)
    body: dict[str, Any] = {"migrations": [_view(request, row) for row in rows]}
    if limit and (more := next_link(request, "/os-migrations", rows, limit, rows[-1].uuid if rows else "")):
        body["migrations_links"] = more
    return body


def _view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        "id": row.id,
        "uuid": row.uuid,
        "instance_uuid": row.server_id,
        "migration_type": row.type,
        "status": row.status,
        "source_compute": row.source_host,
        "source_node": row.source_host,
        "dest_compute": row.dest_host,
        "dest_node": row.dest_host,
        "dest_host": None,
        "old_instance_type_id": None,
        "new_instance_type_id": None,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "created_at": iso_micro(row.created_at),
        "updated_at": iso_micro(row.updated_at),
    }
    return trim(body, SINCE, request.version)


def of_server(request: Request) -> dict[str, Any]:
    """Live migrations that are under way: none, since servers do not move while they run yet."""
    servers.row(request.core, request.ctx, request.path["server_id"])
    return {"migrations": []}


def live(request: Request) -> None:
    """:raises NotFound: the server has no such migration under way."""
    found = servers.row(request.core, request.ctx, request.path["server_id"])
    raise NotFound(f"In-progress live migration {request.path['migration_id']} is not found for server {found.id}.")
