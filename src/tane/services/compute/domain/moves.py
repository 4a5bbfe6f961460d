"""Servers that go to another flavor or host: resize and cold migration (Compute API: "Resize Server", "Migrate
Server").

A move claims its place in the transaction that orders it. Until it is confirmed or reverted, the place that was left
is claimed, too, in the name of the move, and the guest's files there are set aside.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import allocations
from tane.hosts import store as hosts
from tane.services.compute.domain import demands, flavors, hardware, quotas, scheduler
from tane.services.compute.domain.actions import refuse_nowhere
from tane.services.compute.domain.common import new_id, of_project, queue, refuse_locked, require, require_state
from tane.services.compute.domain.create import id_of, new_password, refuse_too_small
from tane.services.compute.orders import (
    CONFIRM_RESIZE,
    EVACUATE_SERVER,
    LIVE_MIGRATE_SERVER,
    MIGRATE_SERVER,
    RESIZE_SERVER,
    REVERT_RESIZE,
    MoveServer,
)
from tane.services.compute.store import groups, migrations, servers
from tane.services.image import interface as image
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound
from tane.wire.errors import HostError

MoveType = Literal["resize", "migration", "evacuation", "live-migration"]
ORDERS = {
    "resize": RESIZE_SERVER,
    "migration": MIGRATE_SERVER,
    "evacuation": EVACUATE_SERVER,
    "live-migration": LIVE_MIGRATE_SERVER,
}
TASKS = {"evacuation": "rebuilding", "live-migration": "migrating"}
"""What is being done to a server that moves, where it is not a resize."""


def resize(core: Core, ctx: Context, server_id: str, flavor_ref: str, disk_config: str | None) -> None:
    """Order that a server gets another flavor, on whichever host has room.

    :raises BadRequest: the flavor is the same, or unknown, or too small for what is there; no host has room.
    :raises Forbidden: over quota. :raises Conflict: locked, or in a state that does not allow it.
    """
    with core.db.write() as tx:
        row = movable(tx, ctx, server_id, "resize")
        try:
            flavor = flavors.require(tx, ctx, id_of(flavor_ref))
        except NotFound as error:
            raise BadRequest(error.message) from None
        if flavor.id == row.flavor_id:
            raise BadRequest("When resizing, instances must change flavor!")
        _refuse_unfit(tx, row, flavor)
        quotas.refuse_growth(tx, row.project_id, flavor.vcpus - row.vcpus, flavor.ram - row.ram_mb)
        if disk_config is not None:
            servers.change(tx, server_id, disk_config=disk_config)
        order(tx, core, ctx, row, "resize", {"id": flavor.id, **flavors.embedded(flavor)})


def migrate(core: Core, ctx: Context, server_id: str, host: str | None) -> None:
    """Order that a server goes to another host, ``host`` or whichever has room; it is shut down for that time.

    :raises BadRequest: there is no such host, or none has room. :raises Conflict: as :func:`resize`.
    """
    with core.db.write() as tx:
        row = movable(tx, ctx, server_id, "migrate")
        if host is not None:
            if hosts.by_name(tx, host) is None:
                raise BadRequest(f"Compute host {host} could not be found.")
            if host == row.host_name:
                raise BadRequest("The target host can't be the same one.")
        order(tx, core, ctx, row, "migration", {"id": row.flavor_id, **row.flavor}, host)


def movable(
    tx: Tx, ctx: Context, server_id: str, action: str, states: tuple[str, ...] = ("active", "stopped")
) -> Row[Any]:
    """The server. :raises Conflict: it is locked, in none of ``states``, or its host is down."""
    row = require(tx, ctx, server_id)
    refuse_locked(ctx, row)
    require_state(row, action, states)
    refuse_nowhere(row)
    if not hosts.is_there(tx, row.host_id):
        raise Conflict(f"The host of instance {row.id} does not answer now.")
    return row


def _refuse_unfit(tx: Tx, row: Row[Any], flavor: Row[Any]) -> None:
    if row.image_id is not None:
        if flavor.disk == 0 and row.flavor["disk"]:
            raise BadRequest("Resize to zero disk flavor is not allowed.")
        if flavor.disk < row.flavor["disk"]:
            raise BadRequest(
                f"Flavor {flavor.name} has a disk of {flavor.disk} GB, and the server's of {row.flavor['disk']} GB "
                "cannot shrink."
            )
        info = image.image_by_id(tx, row.image_id)
        if info is not None and flavor.disk:
            refuse_too_small(info, flavor)
    if flavor.ephemeral < row.flavor["ephemeral"]:
        raise BadRequest(f"Flavor {flavor.name} has a smaller ephemeral disk than the server, which cannot shrink.")
    hardware.of(row.image_properties, flavor.extra_specs, flavor.vcpus)


def order(
    tx: Tx,
    core: Core,
    ctx: Context,
    row: Row[Any],
    kind: MoveType,
    flavor: dict[str, Any],
    host: str | None = None,
    vm_state: str | None = None,
) -> None:
    """Claim the place that a server moves to, and order it. ``flavor``: as servers keep it, with its id; ``vm_state``:
    to have in the end, when not the one it has now.

    :raises BadRequest: no host is fit for it. :raises Conflict: it is on its way already, whatever its state says.
    """
    if migrations.open_of_server(tx, row.id):
        raise Conflict(f"Instance {row.id} is on its way from or to another host already.")
    wanted = wanted_of(tx, row, flavor, host=host, elsewhere=kind != "resize", live=kind == "live-migration")
    chosen = scheduler.choose(tx, core.config, wanted)
    if isinstance(chosen, str):
        raise BadRequest(chosen)
    if not chosen.capabilities.get("metadata_service", True) and not row.config_drive:
        raise BadRequest("The host that was found offers no metadata service, and the server has no config drive.")
    move_id = new_id()
    migrations.add(
        tx,
        uuid=move_id,
        server_id=row.id,
        project_id=row.project_id,
        user_id=ctx.user_id,
        type=kind,
        status="preparing" if kind == "live-migration" else "migrating",
        source_host_id=row.host_id,
        source_host=row.host_name,
        dest_host_id=chosen.id,
        dest_host=chosen.name,
        old_flavor={"id": row.flavor_id, **row.flavor},
        new_flavor=flavor,
        vm_state=vm_state or row.vm_state,
    )
    held = allocations.of_consumer(tx, row.id).get(row.host_id, {})
    allocations.release(tx, row.id)
    allocations.claim(tx, move_id, row.host_id, held)
    allocations.claim(tx, row.id, chosen.id, wanted.amounts)
    servers.change(tx, row.id, task_state=TASKS.get(kind, "resize_prep"))
    queue(tx, ctx, ORDERS[kind], MoveServer(row.id, move_id=move_id), owner=row.project_id)


def wanted_of(
    tx: Tx,
    row: Row[Any],
    flavor: dict[str, Any],
    *,
    host: str | None = None,
    elsewhere: bool = False,
    live: bool = False,
) -> scheduler.Wanted:
    """What a server that exists asks of a host, with a flavor as servers keep it. ``live``: it goes there while it
    runs."""
    return scheduler.Wanted(
        vcpus=flavor["vcpus"],
        ram_mb=flavor["ram"],
        disk_gb=scheduler.local_gb(flavor["disk"] if row.image_id else 0, flavor["ephemeral"], flavor["swap"]),
        zone=row.availability_zone,
        host=host,
        group=groups.get(tx, row.group_id) if row.group_id else None,
        moves=row,
        elsewhere=elsewhere,
        like=hosts.get(tx, row.host_id) if live else None,
        demands=demands.of(row.image_properties, flavor["extra_specs"]),
    )


# -------------------------------------------------------------------------------------------------------- evacuation


def evacuate(
    core: Core,
    ctx: Context,
    server_id: str,
    host: str | None,
    password: str | None,
    connected: Collection[str],
    *,
    start: bool = True,
) -> str:
    """Order that a server of a dead host is made again on another one: from its image, with the volumes and addresses
    it had; returns the password that its config drive then tells.

    A host that is merely silent may still run its servers, and two that write to one volume destroy it: an
    administrator says that it is dead, by forcing its service down. ``connected``: ids of the hosts that are not.
    ``start``: have it run there, when it ran.

    :raises BadRequest: nobody said that the host is dead; no other has room. :raises Conflict: in this state there is
        nothing to bring about again.
    """
    given = password or new_password()
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        require_state(row, "evacuate", ("active", "stopped", "error"))
        refuse_nowhere(row)
        source = hosts.get(tx, row.host_id)
        if row.host_id in connected:
            raise BadRequest(f"Compute service of {row.host_name} is still in use: the host is connected.")
        if source is not None and not source.forced_down:
            raise BadRequest(
                f"Compute service of {row.host_name} is still in use, or may be: where the host is dead, say so by "
                "forcing the service down."
            )
        if host is not None and hosts.by_name(tx, host) is None:
            raise NotFound(f"Compute host {host} could not be found.")
        if host == row.host_name:
            raise BadRequest("The target host can't be the same one.")
        servers.change(tx, server_id, admin_pass=given if row.config_drive else None)
        after = row.vm_state if start else "stopped"
        order(tx, core, ctx, row, "evacuation", {"id": row.flavor_id, **row.flavor}, host, after)
    return given


# ------------------------------------------------------------------------------------------------ confirm and revert


def confirm(core: Core, ctx: Context, server_id: str) -> None:
    """Order that what was left behind is given up. :raises BadRequest: the server was not resized. :raises Conflict:"""
    _decide(core, ctx, server_id, "confirmResize", "confirming", None)


def revert(core: Core, ctx: Context, server_id: str) -> None:
    """Order that the server goes back to what it was. :raises BadRequest: as :func:`confirm`. :raises Conflict:"""
    _decide(core, ctx, server_id, "revertResize", "reverting", "resize_reverting")


def _decide(core: Core, ctx: Context, server_id: str, action: str, status: str, task: str | None) -> None:
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, action, ("resized",))
        move = next((move for move in migrations.open_of_server(tx, server_id) if move.status == "finished"), None)
        if move is None:
            raise BadRequest("Instance has not been resized.")
        if status == "reverting" and not hosts.is_there(tx, move.source_host_id):
            raise Conflict("The host that the server was resized from does not answer.")
        if status == "confirming" and not hosts.is_there(tx, move.dest_host_id):
            raise Conflict("The host that the server was resized to does not answer: it may yet have to be reverted.")
        order_decision(tx, ctx, row, move, status, task)


def order_decision(tx: Tx, by: Context, row: Row[Any], move: Row[Any], status: str, task: str | None) -> None:
    migrations.change(tx, move.uuid, status)
    servers.change(tx, row.id, task_state=task or "resize_confirming")
    queue(
        tx, by, REVERT_RESIZE if task else CONFIRM_RESIZE, MoveServer(row.id, move_id=move.uuid), owner=row.project_id
    )


def confirm_older(tx: Tx, moment: datetime) -> int:
    """Order that resizes which ended before ``moment`` are kept; returns how many."""
    ordered = 0
    for move in migrations.finished_before(tx, moment):
        row = servers.get(tx, move.server_id)
        if row is not None and (row.vm_state, row.task_state) == ("resized", None):
            order_decision(tx, of_project(row, f"req-{new_id()}"), row, move, "confirming", None)
            ordered += 1
    return ordered


# ------------------------------------------------------------------------------------------- what operations do of it


def switch(tx: Tx, row: Row[Any], move: Row[Any], *, back: bool = False) -> None:
    """Place the server where it moves to (or was, ``back``), with the flavor it has there; its ports are another's."""
    flavor = dict(move.old_flavor if back else move.new_flavor)
    servers.change(
        tx,
        row.id,
        host_id=move.source_host_id if back else move.dest_host_id,
        host_name=move.source_host if back else move.dest_host,
        flavor_id=flavor.pop("id"),
        flavor=flavor,
        vcpus=flavor["vcpus"],
        ram_mb=flavor["ram"],
        disk_gb=scheduler.local_gb(flavor["disk"] if row.image_id else 0, flavor["ephemeral"], flavor["swap"]),
    )


def give_up_place(tx: Tx, move: Row[Any], status: str, *, kept: bool) -> None:
    """End a move: the place it left is free (``kept``: the one it went to is, and that is the server's again)."""
    if kept:
        held = allocations.of_consumer(tx, move.uuid).get(move.source_host_id, {})
        if held:
            allocations.release(tx, move.server_id)
            allocations.claim(tx, move.server_id, move.source_host_id, held)
    allocations.release(tx, move.uuid)
    migrations.change(tx, move.uuid, status)


def source_of_move(core: Core, host_id: str, move_id: str) -> str:
    """The host that has set aside what moves to ``host_id``. :raises HostError: nothing does by that name."""
    with core.db.read() as tx:
        move = migrations.get(tx, move_id)
    if move is None or move.dest_host_id != host_id or move.status not in ("migrating", "post-migrating"):
        raise HostError(f"nothing moves to this host as {move_id}")
    return str(move.source_host_id)
