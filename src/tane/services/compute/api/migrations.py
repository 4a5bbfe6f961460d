"""Servers on their way between hosts and flavors (Compute API: "Migrations", "Server migrations")."""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy.engine import Row

from tane.hosts.told import told_to_the_caller
from tane.services.compute.api.common import next_link, page_limit
from tane.services.compute.domain import live_migrations, migrations, moves
from tane.services.compute.schemas import settle
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import trim
from tane.wire.documents import LiveProgress
from tane.wire.errors import HostError

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


# --------------------------------------------------------------------------------------------------- live migrations


def migrate_live(request: Request) -> None:
    """Let a server go to another host while it runs.

    ``block_migration`` may be "auto" from 2.25 on. Until 2.24 ``disk_over_commit`` is taken and means nothing, as
    here disks are always claimed as large as their flavor says; so is ``force``: a host is always asked for room.

    :raises BadRequest: what the caller's microversion does not allow, and as the domain says.
    """
    wanted = request.body.migrateLive
    settle(wanted, "disk_over_commit", "force")
    block = wanted.block_migration
    if block == "auto" and request.version < (2, 25):
        raise BadRequest("Invalid input for field/attribute block_migration. Value: auto. 'auto' is not a boolean.")
    if request.version < (2, 25) and wanted.disk_over_commit is None:
        raise BadRequest("Invalid input for field/attribute os-migrateLive. 'disk_over_commit' is a required property.")
    if isinstance(block, str) and block != "auto":
        settle(wanted, "block_migration")
        block = wanted.block_migration
    ctx, server_id = request.ctx, request.path["server_id"]
    live_migrations.live_migrate(request.core, ctx, server_id, wanted.host, block_migration=block)


async def of_server(request: Request) -> dict[str, Any]:
    """Live migrations that are under way; the server's host is asked how far they are."""
    core, ctx, server_id = request.core, request.ctx, request.path["server_id"]
    rows = await core.in_thread(live_migrations.under_way, core, ctx, server_id)
    return {"migrations": [await _live_view(request, row) for row in rows]}


async def show_live(request: Request) -> dict[str, Any]:
    """:raises NotFound: the server has no such migration under way."""
    core, ctx, path = request.core, request.ctx, request.path
    row = await core.in_thread(live_migrations.one_under_way, core, ctx, path["server_id"], path["migration_id"])
    return {"migration": await _live_view(request, row)}


async def _live_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    far = LiveProgress()
    if row.status == "running":
        with contextlib.suppress(HostError):  # It ends just now, or the host is away: as if nothing were known yet.
            far = await request.core.hosts.compute(row.source_host_id).progress(row.server_id)
    body = {
        "id": row.id,
        "uuid": row.uuid,
        "server_uuid": row.server_id,
        "status": row.status,
        "source_compute": row.source_host,
        "source_node": row.source_host,
        "dest_compute": row.dest_host,
        "dest_node": row.dest_host,
        "dest_host": None,
        "memory_total_bytes": far.memory_total,
        "memory_processed_bytes": far.memory_processed,
        "memory_remaining_bytes": far.memory_remaining,
        "disk_total_bytes": far.disk_total,
        "disk_processed_bytes": far.disk_processed,
        "disk_remaining_bytes": far.disk_remaining,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "created_at": iso_micro(row.created_at),
        "updated_at": iso_micro(row.updated_at),
    }
    return trim(body, SINCE, request.version)


def abort(request: Request) -> None:
    """From 2.65 on also before the memory is on its way."""
    path, early = request.path, request.version >= (2, 65)
    live_migrations.abort(request.core, request.ctx, path["server_id"], path["migration_id"], early=early)


async def force_complete(request: Request) -> None:
    """Let the server stand still until the rest of its memory is there."""
    core, ctx, path = request.core, request.ctx, request.path
    row = await core.in_thread(live_migrations.require_running, core, ctx, path["server_id"], path["migration_id"])
    with told_to_the_caller(f"instance {row.server_id}"):
        await core.hosts.compute(row.source_host_id).hurry(row.server_id)
