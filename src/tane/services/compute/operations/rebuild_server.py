"""A server's root disk is made anew from an image; its ports, volumes and addresses stay."""

from __future__ import annotations

from typing import Any

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING, SHUTDOWN
from tane.services.compute.operations import common
from tane.services.compute.orders import REBUILD_SERVER, RebuildServer
from tane.services.compute.store import servers


async def destroy(run: Run[RebuildServer]) -> dict[str, Any]:
    await (await common.host_of(run)).destroy(run.params.server_id)
    return await common.locate(run)


async def make(run: Run[RebuildServer]) -> None:
    await common.task(run, "rebuild_spawning")
    await common.ports_settled(run)
    host = await common.host_of(run)
    await host.create(await common.guest_of(run))


async def unmake(run: Run[RebuildServer]) -> None:
    """Not where the server was made to work again since."""
    row = await run.read(servers.get, run.params.server_id)
    if row is not None and run.owed and row.vm_state != "error":
        return
    if host := await common.located_host(run):
        await host.destroy(run.params.server_id)


async def start(run: Run[RebuildServer]) -> None:
    if run.params.start_after:
        host = await common.host_of(run)
        await host.start(await common.guest_of(run))


async def settle(run: Run[RebuildServer]) -> None:
    def write(tx: Tx) -> None:
        running = run.params.start_after
        common.settle(
            tx,
            run.params.server_id,
            vm_state="active" if running else "stopped",
            power_state=RUNNING if running else SHUTDOWN,
            launched_at=tx.now,
            progress=100,
            fault=None,
        )

    await run.write(write)


OPERATION = Operation(
    REBUILD_SERVER,
    (Step("destroy", destroy), Step("guest", make, unmake), Step("start", start), Step("settle", settle)),
    common.ends_in_error(),
)
