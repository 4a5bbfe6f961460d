"""A server's root disk is made anew from an image; its ports, volumes and addresses stay."""

from __future__ import annotations

import msgspec

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING, SHUTDOWN
from tane.services.compute.operations import common


class Params(msgspec.Struct):
    """``start_after``: False for a server that was stopped and shall stay so."""

    server_id: str
    start_after: bool


async def destroy(run: Run[Params]) -> None:
    await (await common.host_of(run)).destroy(run.params.server_id)


async def make(run: Run[Params]) -> None:
    await common.task(run, "rebuild_spawning")
    await common.ports_settled(run)
    host = await common.host_of(run)
    await host.create(await common.guest_of(run))


async def unmake(run: Run[Params]) -> None:
    await (await common.host_of(run)).destroy(run.params.server_id)


async def start(run: Run[Params]) -> None:
    if run.params.start_after:
        host = await common.host_of(run)
        await host.start(await common.guest_of(run))


async def settle(run: Run[Params]) -> None:
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
    "compute.rebuild_server",
    Params,
    (Step("destroy", destroy), Step("guest", make, unmake), Step("start", start), Step("settle", settle)),
    common.ends_in_error(),
)
