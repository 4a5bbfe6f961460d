"""A server's memory is saved on the host's disk and its process ends."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING, SHUTDOWN
from tane.services.compute.operations import common
from tane.services.compute.orders import SUSPEND_SERVER, ServerParams


async def suspend(run: Run[ServerParams]) -> None:
    await (await common.host_of(run)).suspend(run.params.server_id)


async def resume(run: Run[ServerParams]) -> None:
    if host := await common.host_where(run, "suspended", still=("active",)):
        await host.start(await common.guest_of(run))


async def settle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="suspended", power_state=SHUTDOWN)


async def unsettle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="active", power_state=RUNNING)


OPERATION = Operation(
    SUSPEND_SERVER,
    (Step("suspend", suspend, resume), Step("settle", settle, unsettle)),
    common.ends_unchanged(),
)
