"""A suspended server goes on where it was."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING
from tane.services.compute.operations import common
from tane.services.compute.orders import RESUME_SERVER, ServerParams


async def resume(run: Run[ServerParams]) -> None:
    await common.ports_settled(run)
    host = await common.host_of(run)
    await host.start(await common.guest_of(run))


async def settle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="active", power_state=RUNNING)


OPERATION = Operation(
    RESUME_SERVER,
    (Step("resume", resume), Step("settle", settle)),
    common.ends_in_error(),
)
