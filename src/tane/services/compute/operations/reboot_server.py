"""A server is stopped and started. Hard: its power is cut, and its guest is made again where it is missing."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.states import RUNNING
from tane.services.compute.operations import common
from tane.services.compute.orders import REBOOT_SERVER, RebootServer
from tane.services.compute.store import migrations
from tane.wire.errors import NotOnHost


async def stop(run: Run[RebootServer]) -> None:
    hard = run.params.hard
    await common.task(run, "reboot_started_hard" if hard else "reboot_started")
    host = await common.host_of(run)
    try:
        await host.stop(run.params.server_id, timeout_seconds=0 if hard else common.SHUTDOWN_SECONDS)
    except NotOnHost:
        if not hard:
            raise
        await _bring_back(run)


async def _bring_back(run: Run[RebootServer]) -> None:
    """A move that failed while the host was away may have left the guest set aside: better that than a new disk."""
    row = await run.read(common.require, run.params.server_id)
    host = await common.host_of(run)
    aside = await host.kept()
    for move_id in await run.read(migrations.failed_from, row.id, row.host_id):
        if move_id in aside:
            await host.bring_back(row.id, move_id)
            return


async def start(run: Run[RebootServer]) -> None:
    await common.ports_settled(run)
    host = await common.host_of(run)
    guest = await common.guest_of(run)
    if run.params.hard:
        await host.create(guest)
    await host.start(guest)


async def activate(run: Run[RebootServer]) -> None:
    await run.write(common.settle, run.params.server_id, vm_state="active", power_state=RUNNING, fault=None)


OPERATION = Operation(
    REBOOT_SERVER,
    (Step("stop", stop), Step("start", start), Step("activate", activate)),
    common.ends_in_error(),
)
