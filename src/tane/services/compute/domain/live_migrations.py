"""Servers that go to another host while they run (Compute API: "Live-Migrate Server", "Server migrations")."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import cancel
from tane.services.compute.domain import moves
from tane.services.compute.domain.common import require
from tane.services.compute.store import block_devices, migrations
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound


def live_migrate(
    core: Core, ctx: Context, server_id: str, host: str | None, *, block_migration: bool | Literal["auto"]
) -> None:
    """Order that a server goes to another host, ``host`` or whichever has room, and runs meanwhile.

    Local disks are copied; ``block_migration`` False says that there are none to copy, which is refused where there
    are: hosts share no storage.

    :raises BadRequest: there is no such host, none is fit, or a disk would have to be copied after all.
    :raises Conflict: locked, or in a state that does not allow it.
    """
    with core.db.write() as tx:
        row = moves.movable(tx, ctx, server_id, "os-migrateLive", ("active", "paused"))
        if host is not None:
            if hosts.by_name(tx, host) is None:
                raise BadRequest(f"Compute host {host} could not be found.")
            if host == row.host_name:
                raise BadRequest(f"Unable to migrate instance {row.id} to current host ({host}).")
        local = row.image_id is not None or row.flavor["ephemeral"] or row.flavor["swap"]
        if block_migration is False and local:
            raise BadRequest(
                f"{row.host_name} is not on shared storage: Shared storage live-migration requires either shared "
                "storage or boot-from-volume with no local disks."
            )
        if block_migration is True and not local and not block_devices.of_server(tx, server_id):
            raise BadRequest("The server has no disk to be copied.")
        moves.order(tx, core, ctx, row, "live-migration", {"id": row.flavor_id, **row.flavor}, host)


def under_way(core: Core, ctx: Context, server_id: str) -> list[Row[Any]]:
    """The server's live migrations that are under way. :raises NotFound: there is no such server."""
    with core.db.read() as tx:
        row = require(tx, ctx, server_id)
        return migrations.live_of_server(tx, row.id)


def one_under_way(core: Core, ctx: Context, server_id: str, migration_id: str) -> Row[Any]:
    """One of them, by its number. :raises NotFound: the server has no such migration under way."""
    with core.db.read() as tx:
        return _one(tx, ctx, server_id, migration_id)


def _one(tx: Tx, ctx: Context, server_id: str, migration_id: str) -> Row[Any]:
    row = require(tx, ctx, server_id)
    for found in migrations.live_of_server(tx, row.id):
        if str(found.id) == migration_id:
            return found
    raise NotFound(f"In-progress live migration {migration_id} is not found for server {row.id}.")


def abort(core: Core, ctx: Context, server_id: str, migration_id: str, *, early: bool) -> None:
    """Order that a server stays where it is. ``early``: also when its memory is not on the way yet.

    :raises NotFound: it has no such migration under way. :raises BadRequest: in its state it cannot be aborted.
    """
    allowed = ("preparing", "running") if early else ("running",)
    with core.db.write() as tx:
        found = _one(tx, ctx, server_id, migration_id)
        if require(tx, ctx, server_id).task_state != "migrating":
            raise Conflict(f"Instance {server_id} is not on its way any more.")
        if found.status not in allowed:
            raise BadRequest(
                f"Migration {found.id} state of instance {server_id} is {found.status}. Cannot abort when the "
                f"migration state is not {' or '.join(allowed)}."
            )
        cancel(tx, f"server:{server_id}")


def require_running(core: Core, ctx: Context, server_id: str, migration_id: str) -> Row[Any]:
    """A migration whose server is on its way. :raises NotFound: :raises BadRequest: it is not yet, or no longer."""
    found = one_under_way(core, ctx, server_id, migration_id)
    if found.status != "running":
        raise BadRequest(
            f"Migration {found.id} state of instance {server_id} is {found.status}. Cannot force_complete when the "
            "migration state is not running."
        )
    return found
