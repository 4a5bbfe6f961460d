"""A server boots a disk made of an image, and has its own disks behind it."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING
from tane.services.compute.operations import common
from tane.services.compute.operations.common import SHUTDOWN_SECONDS
from tane.services.compute.orders import RESCUE_SERVER, RescueServer
from tane.services.compute.store import servers


async def stop(run: Run[RescueServer]) -> None:
    await (await common.host_of(run)).stop(run.params.server_id, timeout_seconds=SHUTDOWN_SECONDS)


async def start_own(run: Run[RescueServer]) -> None:
    """Its own disk again, where it ran; when that is owed, only if nothing was done with the server since."""
    row = await run.read(servers.get, run.params.server_id)
    if row is None or row.host_id is None or row.task_state == "deleting" or run.params.vm_state != "active":
        return
    if run.owed and (row.vm_state != "active" or row.rescue_image_id is not None):
        return
    await run.write(own_disk, run.params.server_id)
    await (await common.host_of(run)).start(await common.guest_of(run))


async def start(run: Run[RescueServer]) -> None:
    await common.ports_settled(run)
    await (await common.host_of(run)).start(await common.guest_of(run))


async def cut(run: Run[RescueServer]) -> None:
    if not run.owed:
        await run.write(own_disk, run.params.server_id)
    if host := await common.host_where(run, "running", "paused", still=("stopped", "error")):
        await host.stop(run.params.server_id, timeout_seconds=0)


async def settle(run: Run[RescueServer]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="rescued", power_state=RUNNING, fault=None)


def own_disk(tx: Tx, server_id: str) -> None:
    """The server boots from its own disk at its next start."""
    servers.change(tx, server_id, rescue_image_id=None)


async def failed(run: Run[RescueServer], reason: str) -> None:
    """The server is what it was; the reason is in its action's events."""

    def write(tx: Tx) -> None:
        own_disk(tx, run.params.server_id)
        common.settle(tx, run.params.server_id, vm_state=run.params.vm_state)

    await run.write(write)


OPERATION = Operation(
    RESCUE_SERVER,
    (Step("stop", stop, start_own), Step("start", start, cut), Step("settle", settle)),
    failed,
)
