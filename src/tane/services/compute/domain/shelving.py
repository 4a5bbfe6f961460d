"""Servers that are put away: nothing of them is on a host until they are wanted again (Compute API: "Shelve Server",
"Shelf-Offload (Remove) Server", "Unshelve (Restore) Shelved Server").

A shelved server leaves its host at once, as upstream with ``shelved_offload_time`` 0, its default.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import allocations
from tane.hosts import store as hosts
from tane.services.compute.domain import quotas, scheduler, snapshots
from tane.services.compute.domain.actions import refuse_nowhere
from tane.services.compute.domain.common import queue, refuse_locked, require, require_state
from tane.services.compute.domain.moves import wanted_of
from tane.services.compute.domain.states import OFFLOADED, SHUTDOWN
from tane.services.compute.orders import SHELVE_SERVER, UNSHELVE_SERVER, ServerParams, ShelveServer
from tane.services.compute.store import servers
from tane.services.image import interface as image
from tane.services.network import interface as network
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict


def shelve(core: Core, ctx: Context, server_id: str) -> None:
    """Order that a server's disk becomes an image and all else of it leaves its host; its addresses and volumes stay.

    :raises Conflict: locked, or in a state that does not allow it.
    """
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, "shelve", ("active", "stopped", "paused", "suspended"))
        refuse_nowhere(row)
        made = None
        if row.image_id is not None:
            # A shelved server costs less than one that runs: a spent budget is no reason against it.
            made = snapshots.image_of_disk(tx, core, ctx, row, f"{row.name}-shelved", {}, budgeted=False)
        servers.change(tx, server_id, task_state="shelving")
        queue(tx, ctx, SHELVE_SERVER, ShelveServer(server_id, image_id=made), owner=row.project_id)


def offload(core: Core, ctx: Context, server_id: str) -> None:
    """:raises Conflict: always, as a shelved server has left its host already, and another is not shelved."""
    with core.db.read() as tx:
        require_state(require(tx, ctx, server_id), "shelveOffload", ("shelved",))


def _refuse_host(tx: Tx, name: str, zone: str | None) -> None:
    if hosts.by_name(tx, name) is None:
        raise BadRequest(f"Compute host {name} could not be found.")
    if zone is not None and scheduler.zones(tx).get(name, scheduler.DEFAULT_ZONE) != zone:
        raise Conflict(f'Host "{name}" is not in the availability zone "{zone}".')


def unshelve(core: Core, ctx: Context, server_id: str, zone: str | None, host: str | None, *, pin: bool) -> None:
    """Order that a shelved server runs again, on a host that has room. ``pin``: ``zone`` is given, and kept; None is
    any.

    :raises BadRequest: no host has room, there is no such zone or host, or somebody deleted the server's image.
    :raises Conflict: not shelved, or locked; or the host is not in the server's zone.
    :raises Forbidden: the project's budget is spent.
    """
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, "unshelve", (OFFLOADED,))
        _refuse_without_image(tx, row)
        quotas.refuse_growth(tx, row.project_id, 0, 0)
        if pin:
            if zone is not None and zone not in scheduler.zone_names(tx):
                raise BadRequest("The requested availability zone is not available")
            servers.change(tx, server_id, availability_zone=zone)
            row = require(tx, ctx, server_id)
        if host is not None:
            _refuse_host(tx, host, row.availability_zone)
        wanted = wanted_of(tx, row, {"id": row.flavor_id, **row.flavor}, host=host)
        chosen = scheduler.choose(tx, core.config, wanted)
        if isinstance(chosen, str):
            raise BadRequest(chosen)
        allocations.claim(tx, row.id, chosen.id, wanted.amounts)
        network.rebind_ports(tx, row.id, chosen.id)
        servers.change(tx, server_id, task_state="unshelving", host_id=chosen.id, host_name=chosen.name)
        queue(tx, ctx, UNSHELVE_SERVER, ServerParams(server_id), owner=row.project_id)


def _refuse_without_image(tx: Tx, row: Row[Any]) -> None:
    if row.shelved_image_id is not None:
        info = image.image_by_id(tx, row.shelved_image_id)
        if info is None or info.status != "active":
            raise BadRequest(f"The image {row.shelved_image_id} that the server was shelved as is gone.")


def put_away(tx: Tx, row: Row[Any], image_id: str | None) -> None:
    """The server is on no host; what it was made of there is ``image_id``."""
    allocations.release(tx, row.id)
    network.rebind_ports(tx, row.id, None)
    servers.change(
        tx,
        row.id,
        vm_state=OFFLOADED,
        task_state=row.task_state if row.task_state == "deleting" else None,
        power_state=SHUTDOWN,
        host_id=None,
        host_name=None,
        shelved_image_id=image_id,
    )


def forget_image(tx: Tx, row: Row[Any]) -> None:
    """The image of a server that was shelved has done its work."""
    if row.shelved_image_id is not None:
        image.delete_image(tx, row.shelved_image_id)
        servers.change(tx, row.id, shelved_image_id=None)
