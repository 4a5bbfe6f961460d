"""A server is shut down; its power is cut when it does not go by itself."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import SHUTDOWN
from tane.services.compute.operations import common
from tane.services.compute.operations.common import SHUTDOWN_SECONDS
from tane.services.compute.orders import STOP_SERVER, ServerParams


async def stop(run: Run[ServerParams]) -> None:
    await (await common.host_of(run)).stop(run.params.server_id, timeout_seconds=SHUTDOWN_SECONDS)


async def settle(run: Run[ServerParams]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="stopped", power_state=SHUTDOWN, fault=None)


OPERATION = Operation(
    STOP_SERVER,
    (Step("stop", stop), Step("settle", settle)),
    common.ends_unchanged(),
)
