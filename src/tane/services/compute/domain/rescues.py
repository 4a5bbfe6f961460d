"""Servers that boot another disk, so that their own can be mended (Compute API: "Rescue Server", "Unrescue Server")."""

from __future__ import annotations

from tane.core import Core
from tane.services.compute.domain.actions import refuse_nowhere
from tane.services.compute.domain.common import queue, refuse_locked, require, require_state
from tane.services.compute.domain.create import new_password, require_image, require_kernel
from tane.services.compute.orders import RESCUE_SERVER, UNRESCUE_SERVER, RescueServer, ServerParams
from tane.services.compute.store import servers
from tane.web.context import Context
from tane.web.errors import BadRequest


def rescue(core: Core, ctx: Context, server_id: str, image_ref: str | None, password: str | None) -> str:
    """Order that a server boots a disk made of an image (the one it was made from when none is named), with its own
    disks behind that; returns the password that its config drive then tells.

    :raises BadRequest: the server boots from a volume, or the image cannot be used. :raises Conflict: locked, or in a
        state that does not allow it.
    """
    given = password or new_password()
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, "rescue", ("active", "stopped", "error"))
        refuse_nowhere(row)
        if row.image_id is None:
            raise BadRequest(f"Instance {server_id} cannot be rescued: Cannot rescue a volume-backed instance")
        info = require_image(tx, ctx, image_ref or row.image_id)
        require_kernel(tx, ctx, info.properties, (row.project_id, info.owner))
        size = info.virtual_size or info.size or 0
        if row.flavor["disk"] and size > row.flavor["disk"] << 30:
            raise BadRequest(f"Image {info.id} is larger than the {row.flavor['disk']} GB of the server's flavor.")
        servers.change(
            tx,
            server_id,
            task_state="rescuing",
            rescue_image_id=info.id,
            admin_pass=given if row.config_drive else None,
        )
        queue(tx, ctx, RESCUE_SERVER, RescueServer(server_id, vm_state=row.vm_state), owner=row.project_id)
    return given


def unrescue(core: Core, ctx: Context, server_id: str) -> None:
    """Order that a rescued server boots its own disk again. :raises Conflict: it is not rescued, or locked."""
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, "unrescue", ("rescued",))
        servers.change(tx, server_id, task_state="unrescuing")
        queue(tx, ctx, UNRESCUE_SERVER, ServerParams(server_id), owner=row.project_id)
