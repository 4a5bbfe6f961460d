"""A volume is unplugged from the guest and becomes available."""

from __future__ import annotations

import contextlib

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain import guests
from tane.services.compute.operations import common
from tane.services.compute.operations.release import let_go
from tane.services.compute.orders import DETACH_VOLUME, DetachVolume
from tane.services.compute.store import block_devices
from tane.services.volume import interface as volume
from tane.wire.errors import NotOnHost


async def unplug(run: Run[DetachVolume]) -> None:
    if not await common.is_put_away(run):
        host = await common.host_of(run)
        # A guest that its host has lost is made again without it.
        with contextlib.suppress(NotOnHost):
            await host.detach_volume(run.params.server_id, run.params.volume_id)


async def plug_back(run: Run[DetachVolume]) -> None:
    """The volume is still the server's: show it to the guest again."""
    device = await run.read(block_devices.get, run.params.server_id, run.params.volume_id)
    if device is not None and not await common.is_put_away(run):
        connection = await common.connection(run, device.volume_id, device.attachment_id)
        await (await common.host_of(run)).attach_volume(run.params.server_id, guests.disk(device, connection))


async def release(run: Run[DetachVolume]) -> None:
    """The last step: once the row is gone there is nothing to go back to."""
    await volume.disconnect(run, run.params.volume_id, run.params.attachment_id)

    def write(tx: Tx) -> None:
        device = block_devices.get(tx, run.params.server_id, run.params.volume_id)
        if device is not None and device.attachment_id == run.params.attachment_id:
            let_go(tx, device)

    await run.write(write)


async def failed(run: Run[DetachVolume], reason: str) -> None:
    await run.write(volume.detach_failed, run.params.volume_id, run.params.attachment_id)


OPERATION = Operation(
    DETACH_VOLUME,
    (Step("unplug", unplug, plug_back), Step("release", release)),
    failed,
)
