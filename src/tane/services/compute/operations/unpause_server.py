"""A paused server goes on."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import PAUSED, RUNNING
from tane.services.compute.operations import common
from tane.services.compute.orders import UNPAUSE_SERVER, ServerParams


async def unpause(run: Run[ServerParams]) -> None:
    await (await common.host_of(run)).unpause(run.params.server_id)


async def pause(run: Run[ServerParams]) -> None:
    if host := await common.host_where(run, "running", still=("paused",)):
        await host.pause(run.params.server_id)


async def settle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="active", power_state=RUNNING)


async def unsettle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="paused", power_state=PAUSED)


OPERATION = Operation(
    UNPAUSE_SERVER,
    (Step("unpause", unpause, pause), Step("settle", settle, unsettle)),
    common.ends_unchanged(),
)
