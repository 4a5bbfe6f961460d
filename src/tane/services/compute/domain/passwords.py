"""The administrator's password inside a server (Compute API: "Change Administrative Password")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.compute.domain import hardware, servers
from tane.web.context import Context
from tane.web.errors import Conflict


def to_change(core: Core, ctx: Context, server_id: str) -> tuple[Row[Any], str]:
    """The server, and the user of its guest whose password is meant.

    :raises Conflict: it is not active, or its image has no agent.
    """
    row = servers.row(core, ctx, server_id)
    if row.vm_state != "active":
        raise Conflict(f"Cannot 'changePassword' instance {row.id} while it is in vm_state {row.vm_state}")
    if not hardware.of(row.image_properties, row.flavor["extra_specs"], row.vcpus).guest_agent:
        raise Conflict("Guest agent is not enabled for the instance")
    return row, hardware.administrator(row.image_properties)
