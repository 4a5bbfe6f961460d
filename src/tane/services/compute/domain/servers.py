"""Reading, changing and deleting servers, their metadata and tags (Compute API: "Servers")."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import allocations
from tane.hosts import store as host_store
from tane.jobs import cancel
from tane.services.compute.domain import quotas, scheduler
from tane.services.compute.domain.common import canonical_addresses, queue, refuse_locked, require
from tane.services.compute.orders import DELETE_SERVER, ServerParams
from tane.services.compute.store import block_devices, migrations, servers
from tane.services.network import interface as network
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

MAX_TAGS = 50
UNLOCK_ANY = "os_compute_api:os-lock-server:unlock:unlock_override"


@dataclass
class Shown:
    """Servers with all that a view needs beside their rows, read in a constant number of queries."""

    rows: list[Row[Any]]
    addresses: Mapping[str, list[network.AddressInfo]] = field(default_factory=dict)
    security_groups: Mapping[str, list[Row[Any]]] = field(default_factory=dict)
    devices: Mapping[str, list[Row[Any]]] = field(default_factory=dict)
    tags: Mapping[str, list[str]] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    host_status: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=10_000)
def host_hash(project_id: str, host_name: str | None) -> str:
    """``hostId``: tells a project which of its servers share a host, and nothing else."""
    return hashlib.sha224(f"{project_id}{host_name}".encode()).hexdigest() if host_name else ""


def details(tx: Tx, rows: list[Row[Any]]) -> Shown:
    """:class:`Shown` for ``rows``."""
    server_ids = [row.id for row in rows if not row.deleted]
    if not server_ids:
        return Shown(rows, zones=scheduler.zones(tx))
    return Shown(
        rows,
        addresses=network.addresses(tx, server_ids),
        security_groups=network.security_groups(tx, server_ids),
        devices=block_devices.of_servers(tx, server_ids),
        tags=servers.tags(tx, server_ids),
        zones=scheduler.zones(tx),
        host_status=_host_status(tx, {row.host_id for row in rows if row.host_id}),
    )


def _host_status(tx: Tx, host_ids: set[str]) -> dict[str, str]:
    """Host id → what microversion 2.16 says of it."""
    return {
        row.id: "DOWN" if not host_store.is_up(tx, row) else "UP" if row.enabled else "MAINTENANCE"
        for row in host_store.states(tx, host_ids)
    }


def show(core: Core, ctx: Context, server_id: str) -> Shown:
    with core.db.read() as tx:
        return details(tx, [require(tx, ctx, server_id)])


def several(core: Core, server_ids: Sequence[str]) -> Shown:
    """Servers just made by the caller."""
    with core.db.read() as tx:
        rows = [row for row in (servers.get(tx, server_id) for server_id in server_ids) if row is not None]
        return details(tx, rows)


def row(core: Core, ctx: Context, server_id: str) -> Row[Any]:
    """Only the server's row."""
    with core.db.read() as tx:
        return require(tx, ctx, server_id)


def update(core: Core, ctx: Context, server_id: str, values: dict[str, Any]) -> Shown:
    """:raises BadRequest: an address that is none. :raises Conflict: a locked server is renamed."""
    values = canonical_addresses(values)
    with core.db.write() as tx:
        require(tx, ctx, server_id)
        if values:
            servers.change(tx, server_id, **values)
        return details(tx, [require(tx, ctx, server_id)])


def delete(core: Core, ctx: Context, server_id: str) -> None:
    """Ask for the deletion; a build or any other job under way is turned round first.

    :raises Conflict: the server is locked.
    """
    with core.db.write() as tx:
        found = require(tx, ctx, server_id)
        refuse_locked(ctx, found)
        if found.task_state == "deleting":
            return
        servers.change(tx, server_id, task_state="deleting")
        cancel(tx, f"server:{server_id}")
        queue(tx, ctx, DELETE_SERVER, ServerParams(server_id), owner=found.project_id)


# ------------------------------------------------------------------------------------------- metadata, tags, locks


def change_metadata(
    core: Core, ctx: Context, server_id: str, change: Callable[[dict[str, str]], dict[str, str]]
) -> dict[str, str]:
    """Replace the metadata by what ``change`` makes of it.

    :raises Forbidden: too many items. :raises Conflict: locked, or not in a state in which it may change.
    """
    with core.db.write() as tx:
        found = require(tx, ctx, server_id)
        refuse_locked(ctx, found)
        if found.task_state == "deleting":
            raise Conflict(f"Cannot 'update metadata' instance {server_id} while it is in task_state deleting")
        wanted = change(dict(found.metadata))
        quotas.refuse_metadata_over_quota(tx, found.project_id, len(wanted))
        servers.change(tx, server_id, metadata=wanted)
        return wanted


def clear_password(core: Core, ctx: Context, server_id: str) -> None:
    """Forget the password that the guest told."""
    with core.db.write() as tx:
        require(tx, ctx, server_id)
        servers.change(tx, server_id, told_password=None)


def tags(core: Core, ctx: Context, server_id: str) -> list[str]:
    with core.db.read() as tx:
        require(tx, ctx, server_id)
        return servers.tags(tx, [server_id]).get(server_id, [])


def change_tags(
    core: Core, ctx: Context, server_id: str, change: Callable[[list[str]], list[str]]
) -> tuple[list[str], list[str]]:
    """Replace the tags by what ``change`` makes of them; returns (before, after).

    :raises BadRequest: more than 50.
    """
    with core.db.write() as tx:
        found = require(tx, ctx, server_id)
        if found.task_state == "deleting":
            raise Conflict(f"Cannot 'update tags' instance {server_id} while it is in task_state deleting")
        before = servers.tags(tx, [server_id]).get(server_id, [])
        after = change(before)
        if len(set(after)) > MAX_TAGS:
            raise BadRequest(f"The number of tags exceeded the per-server limit {MAX_TAGS}")
        servers.set_tags(tx, server_id, after)
        servers.change(tx, server_id)
        return before, after


def lock(core: Core, ctx: Context, server_id: str, reason: str | None) -> None:
    with core.db.write() as tx:
        found = require(tx, ctx, server_id)
        by = "owner" if found.project_id == ctx.project_id and not ctx.is_admin else "admin"
        servers.change(tx, server_id, locked_by=by, locked_reason=reason)


def unlock(core: Core, ctx: Context, server_id: str) -> None:
    """:raises Forbidden: an administrator locked it and the caller is none."""
    with core.db.write() as tx:
        found = require(tx, ctx, server_id)
        if found.locked_by == "admin" and not core.policy.allows(UNLOCK_ANY, ctx):
            raise Forbidden(f"Policy doesn't allow {UNLOCK_ANY} to be performed.")
        servers.change(tx, server_id, locked_by=None, locked_reason=None)


def reset_state(core: Core, ctx: Context, server_id: str, vm_state: str) -> None:
    """Say that a server is active or in error; its guest is not touched. A resize that waited to be confirmed is over,
    and a rescue: the server boots its own disk when it starts again."""
    with core.db.write() as tx:
        require(tx, ctx, server_id)
        for move in migrations.open_of_server(tx, server_id):
            if move.status == "finished":
                allocations.release(tx, move.uuid)
                migrations.change(tx, move.uuid, "error")
        servers.change(tx, server_id, vm_state=vm_state, task_state=None, rescue_image_id=None)


# ------------------------------------------------------------------------------------------------- security groups


def security_groups(core: Core, ctx: Context, server_id: str) -> tuple[list[Row[Any]], Mapping[str, list[Row[Any]]]]:
    """The groups of a server's ports, and the rules of each by the group's id."""
    with core.db.read() as tx:
        require(tx, ctx, server_id)
        groups = network.security_groups(tx, [server_id])[server_id]
        return groups, network.security_group_rules(tx, [group.id for group in groups])


def set_security_group(core: Core, ctx: Context, server_id: str, name: str, *, add: bool) -> None:
    with core.db.write() as tx:
        found = require(tx, ctx, server_id)
        refuse_locked(ctx, found)
        network.set_security_group(tx, ctx, server_id, name, add=add)


def require_tag(found: list[str], tag: str, server_id: str) -> None:
    if tag not in found:
        raise NotFound(f"Server {server_id} has no tag '{tag}'")
