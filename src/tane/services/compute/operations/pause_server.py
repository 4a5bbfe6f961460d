"""A server's processors stand still; its memory stays."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import PAUSED, RUNNING
from tane.services.compute.operations import common
from tane.services.compute.orders import PAUSE_SERVER, ServerParams


async def pause(run: Run[ServerParams]) -> None:
    await (await common.host_of(run)).pause(run.params.server_id)


async def unpause(run: Run[ServerParams]) -> None:
    if host := await common.host_where(run, "paused", still=("active",)):
        await host.unpause(run.params.server_id)


async def settle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="paused", power_state=PAUSED)


async def unsettle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="active", power_state=RUNNING)


OPERATION = Operation(
    PAUSE_SERVER,
    (Step("pause", pause, unpause), Step("settle", settle, unsettle)),
    common.ends_unchanged(),
)
