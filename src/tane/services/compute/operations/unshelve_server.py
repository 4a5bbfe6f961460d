"""A server that was put away runs again: volumes → ports → guest, of the image it left → active."""

from __future__ import annotations

from typing import Any

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain import shelving
from tane.services.compute.domain.states import OFFLOADED, RUNNING
from tane.services.compute.operations import common
from tane.services.compute.operations.release import disconnect_all
from tane.services.compute.orders import UNSHELVE_SERVER, ServerParams
from tane.services.compute.store import block_devices, servers
from tane.services.volume import interface as volume


async def volumes(run: Run[ServerParams]) -> dict[str, Any]:
    """Export them, each with a new key: whoever had them before is cut off."""
    for device in await run.read(block_devices.of_server, run.params.server_id):
        await volume.connect(run, device.volume_id, device.attachment_id, first=True)
    return await common.locate(run)


async def release(run: Run[ServerParams]) -> None:
    row = await run.read(servers.get, run.params.server_id)
    if row is None or not run.owed or row.host_id is None:
        await disconnect_all(run)


async def make_room(run: Run[ServerParams]) -> None:
    """What the host may still have of the server from before it was shelved must not be taken for it."""
    await (await common.host_of(run)).destroy(run.params.server_id)


async def make(run: Run[ServerParams]) -> None:
    await common.task(run, "spawning")
    await common.ports_settled(run)
    await (await common.host_of(run)).create(await common.guest_of(run))


async def unmake(run: Run[ServerParams]) -> None:
    """When that is owed, not where the server is again."""
    row = await run.read(servers.get, run.params.server_id)
    if run.owed and row is not None and row.host_id == run.data[common.HOST]:
        return
    if host := await common.located_host(run):
        await host.destroy(run.params.server_id)


async def start(run: Run[ServerParams]) -> None:
    await (await common.host_of(run)).start(await common.guest_of(run))


async def activate(run: Run[ServerParams]) -> None:
    def write(tx: Tx) -> None:
        row = common.require(tx, run.params.server_id)
        shelving.forget_image(tx, row)
        common.settle(tx, row.id, vm_state="active", power_state=RUNNING, launched_at=tx.now, fault=None)

    await run.write(write)


async def failed(run: Run[ServerParams], reason: str) -> None:
    """It is put away again, and may be asked for once more."""

    def write(tx: Tx) -> None:
        row = servers.get(tx, run.params.server_id)
        if row is None:
            return
        if row.vm_state == OFFLOADED:
            shelving.put_away(tx, row, row.shelved_image_id)
        else:
            common.break_down(tx, row.id, reason)

    await run.write(write)


OPERATION = Operation(
    UNSHELVE_SERVER,
    (
        Step("volumes", volumes, release),
        Step("make_room", make_room),
        Step("guest", make, unmake),
        Step("start", start),
        Step("activate", activate),
    ),
    failed,
)
