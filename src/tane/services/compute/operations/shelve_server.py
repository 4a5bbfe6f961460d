"""A server is put away: its disk becomes an image, and its host is rid of it."""

from __future__ import annotations

from typing import Any

from tane.db import Tx
from tane.hosts import HostUnreachable
from tane.hosts import store as hosts
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain import shelving
from tane.services.compute.domain.states import OFFLOADED, SHUTDOWN
from tane.services.compute.operations import common
from tane.services.compute.operations.common import HOST, SHUTDOWN_SECONDS
from tane.services.compute.operations.release import disconnect_all
from tane.services.compute.orders import SHELVE_SERVER, ShelveServer
from tane.services.compute.store import servers
from tane.services.image import interface as image


async def stop(run: Run[ShelveServer]) -> dict[str, Any]:
    found = await common.locate(run)
    await (await common.host_of(run)).stop(run.params.server_id, timeout_seconds=SHUTDOWN_SECONDS)
    return found


async def start_again(run: Run[ShelveServer]) -> None:
    """Where it ran; not once it is put away, and when it is owed, only if nobody stopped it since."""
    row = await run.read(servers.get, run.params.server_id)
    if row is None or row.host_id is None or row.vm_state != "active" or row.task_state == "deleting":
        return
    await (await common.host_of(run)).start(await common.guest_of(run))


async def snapshot(run: Run[ShelveServer]) -> None:
    await common.task(run, "shelving_image_uploading")
    if run.params.image_id is not None:
        content = (await common.host_of(run)).snapshot(run.params.server_id)
        await image.keep(run.core, run.params.image_id, content)


async def discard(run: Run[ShelveServer]) -> None:
    if run.params.image_id is not None:
        image.scratch_path(run.core, run.params.image_id).unlink(missing_ok=True)


async def store(run: Run[ShelveServer]) -> None:
    if run.params.image_id is not None:
        await image.store_file(run.core, run.params.image_id, image.scratch_path(run.core, run.params.image_id))


async def put_away(run: Run[ShelveServer]) -> None:
    def write(tx: Tx) -> None:
        row = common.require(tx, run.params.server_id)
        if row.vm_state != OFFLOADED:
            shelving.put_away(tx, row, run.params.image_id)

    await run.write(write)


async def destroy(run: Run[ShelveServer]) -> None:
    """Not where the server is again, when this was owed."""
    row = await run.read(servers.get, run.params.server_id)
    host_id = run.data[HOST]
    if row is not None and row.host_id == host_id:
        return
    if not await run.read(hosts.is_there, host_id):
        raise HostUnreachable(host_id)
    await run.core.hosts.compute(host_id).destroy(run.params.server_id)


async def disconnect(run: Run[ShelveServer]) -> None:
    row = await run.read(servers.get, run.params.server_id)
    if row is None or row.host_id is None:
        await disconnect_all(run)


async def failed(run: Run[ShelveServer], reason: str) -> None:
    """The server is what it was, unless it is put away already."""

    def write(tx: Tx) -> None:
        row = servers.get(tx, run.params.server_id)
        if row is not None and row.vm_state == OFFLOADED:
            return
        if run.params.image_id is not None:
            image.delete_image(tx, run.params.image_id)
        common.settle(tx, run.params.server_id)
        if row is not None and row.vm_state in ("paused", "suspended"):
            # It was shut down, and what was in its memory is gone.
            servers.change(tx, row.id, vm_state="stopped", power_state=SHUTDOWN)

    await run.write(write)


OPERATION = Operation(
    SHELVE_SERVER,
    (
        Step("stop", stop, start_again),
        Step("snapshot", snapshot, discard),
        Step("store", store),
        Step("put_away", put_away, destroy),
        Step("destroy", destroy, owed=True),
        Step("disconnect", disconnect, owed=True),
    ),
    failed,
)
