"""A rescued server boots its own disk again."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING
from tane.services.compute.operations import common
from tane.services.compute.operations.rescue_server import own_disk
from tane.services.compute.orders import UNRESCUE_SERVER, ServerParams


async def stop(run: Run[ServerParams]) -> None:
    await (await common.host_of(run)).stop(run.params.server_id, timeout_seconds=0)
    await run.write(own_disk, run.params.server_id)


async def start(run: Run[ServerParams]) -> None:
    await common.ports_settled(run)
    await (await common.host_of(run)).start(await common.guest_of(run))


async def settle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="active", power_state=RUNNING, fault=None)


OPERATION = Operation(
    UNRESCUE_SERVER,
    (Step("stop", stop), Step("start", start), Step("settle", settle)),
    common.ends_in_error(),
)
