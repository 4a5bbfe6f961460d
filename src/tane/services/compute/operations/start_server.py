"""A stopped server runs again."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING
from tane.services.compute.operations import common
from tane.services.compute.orders import START_SERVER, ServerParams


async def start(run: Run[ServerParams]) -> None:
    await common.ports_settled(run)
    host = await common.host_of(run)
    await host.start(await common.guest_of(run))


async def cut(run: Run[ServerParams]) -> None:
    if host := await common.host_where(run, "running", "paused", still=("stopped", "error")):
        await host.stop(run.params.server_id, timeout_seconds=0)


async def activate(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="active", power_state=RUNNING, fault=None)


OPERATION = Operation(
    START_SERVER,
    (Step("start", start, cut), Step("activate", activate)),
    common.ends_in_error(),
)
