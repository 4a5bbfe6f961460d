"""Asking for a change of a server's state; the work is a job (Compute API: "Servers - run an action")."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import Order
from tane.services.compute.domain import block_devices, demands, hardware, quotas, scheduler
from tane.services.compute.domain.common import canonical_addresses, queue, refuse_locked, require, require_state
from tane.services.compute.domain.create import (
    check_user_data,
    id_of,
    new_password,
    refuse_too_small,
    require_image,
    require_kernel,
)
from tane.services.compute.domain.keypairs import line_of
from tane.services.compute.domain.servers import Shown, details
from tane.services.compute.orders import (
    PAUSE_SERVER,
    REBOOT_SERVER,
    REBUILD_SERVER,
    RESUME_SERVER,
    START_SERVER,
    STOP_SERVER,
    SUSPEND_SERVER,
    UNPAUSE_SERVER,
    RebootServer,
    RebuildServer,
    ServerParams,
)
from tane.services.compute.schemas import RebuildIn
from tane.services.compute.store import flavors, keypairs, servers
from tane.services.image import interface as image
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict

REBOOTABLE = ("active", "stopped", "paused", "suspended", "error")


def _ask(
    core: Core,
    ctx: Context,
    server_id: str,
    action: str,
    allowed: tuple[str, ...],
    task: str,
    order: Order[ServerParams],
) -> None:
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, action, allowed)
        refuse_nowhere(row)
        servers.change(tx, server_id, task_state=task)
        queue(tx, ctx, order, ServerParams(server_id), owner=row.project_id)


def refuse_nowhere(row: Row[Any]) -> None:
    """:raises Conflict: the server never got a host."""
    if row.host_id is None:
        raise Conflict(f"Instance {row.id} is not ready")


def start(core: Core, ctx: Context, server_id: str) -> None:
    _ask(core, ctx, server_id, "start", ("stopped",), "powering-on", START_SERVER)


def stop(core: Core, ctx: Context, server_id: str) -> None:
    _ask(core, ctx, server_id, "stop", ("active", "error"), "powering-off", STOP_SERVER)


def pause(core: Core, ctx: Context, server_id: str) -> None:
    _ask(core, ctx, server_id, "pause", ("active",), "pausing", PAUSE_SERVER)


def unpause(core: Core, ctx: Context, server_id: str) -> None:
    _ask(core, ctx, server_id, "unpause", ("paused",), "unpausing", UNPAUSE_SERVER)


def suspend(core: Core, ctx: Context, server_id: str) -> None:
    _ask(core, ctx, server_id, "suspend", ("active",), "suspending", SUSPEND_SERVER)


def resume(core: Core, ctx: Context, server_id: str) -> None:
    _ask(core, ctx, server_id, "resume", ("suspended",), "resuming", RESUME_SERVER)


def reboot(core: Core, ctx: Context, server_id: str, *, hard: bool) -> None:
    """A hard reboot is also the way out of ERROR, and out of a soft reboot that does not end."""
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        if hard:
            require_state(row, "reboot", REBOOTABLE, busy=("rebooting", "reboot_started"))
        else:
            require_state(row, "reboot", ("active",))
        refuse_nowhere(row)
        servers.change(tx, server_id, task_state="rebooting_hard" if hard else "rebooting")
        queue(tx, ctx, REBOOT_SERVER, RebootServer(server_id, hard=hard), owner=row.project_id)


def rebuild(core: Core, ctx: Context, server_id: str, body: RebuildIn) -> tuple[Shown, str]:
    """Make the root disk anew from an image; returns the server and its new password.

    :raises BadRequest: the image does not fit, or the server boots from a volume and the image is another one.
    """
    if body.personality:
        raise BadRequest("Personality files are not supported; use user_data or a config drive instead.")
    password = body.adminPass or new_password()
    values = given(body)
    check_user_data(values.get("user_data"))
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, "rebuild", ("active", "stopped", "paused", "suspended", "error"))
        refuse_nowhere(row)
        info = require_image(tx, ctx, id_of(body.imageRef))
        if row.image_id is None:
            raise BadRequest("Unable to rebuild with a different image for a volume-backed server.")
        if "metadata" in values:
            quotas.refuse_metadata_over_quota(tx, row.project_id, len(values["metadata"]))
        if block_devices.of_image(info.properties):
            raise BadRequest(f"Image {info.id} has no data but names snapshots of volumes: create a server from it.")
        _refuse_larger_image(tx, row, info)
        machine = hardware.of(info.properties, row.flavor["extra_specs"], row.vcpus)
        scheduler.refuse_traits(tx, row.host_id, demands.of(info.properties, row.flavor["extra_specs"]))
        require_kernel(tx, ctx, info.properties, (row.project_id, info.owner))
        if "key_name" in values:
            values["public_key"] = _public_key(tx, ctx, values["key_name"])
        start_after = row.vm_state != "stopped"
        servers.change(
            tx,
            server_id,
            task_state="rebuilding",
            image_id=info.id,
            image_properties=hardware.recorded(info.properties),
            root_device_name=hardware.root_device(machine),
            admin_pass=password if row.config_drive else None,
            fault=None,
            **values,
        )
        queue(tx, ctx, REBUILD_SERVER, RebuildServer(server_id, start_after=start_after), owner=row.project_id)
        return details(tx, [require(tx, ctx, server_id)]), password


def given(body: RebuildIn) -> dict[str, Any]:
    """The columns a rebuild changes beside the image."""
    columns: dict[str, Any] = {
        "name": body.name,
        "metadata": body.metadata,
        "disk_config": body.disk_config,
        "access_ip_v4": body.accessIPv4,
        "access_ip_v6": body.accessIPv6,
        "description": body.description,
        "key_name": body.key_name,
        "user_data": body.user_data,
        "hostname": body.hostname,
    }
    found = {name: value for name, value in columns.items() if value is not msgspec.UNSET}
    return canonical_addresses(found)


def _public_key(tx: Tx, ctx: Context, key_name: str | None) -> str | None:
    if key_name is None:
        return None
    row = keypairs.get(tx, ctx.user_id, key_name)
    if row is None:
        raise BadRequest("Invalid key_name provided.")
    return line_of(row)


def _refuse_larger_image(tx: Tx, row: Row[Any], info: image.ImageInfo) -> None:
    flavor = flavors.get(tx, row.flavor_id)
    if flavor is not None:
        refuse_too_small(info, flavor)
