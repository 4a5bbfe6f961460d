"""A reserved volume is exported and plugged into the guest while it runs."""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.compute.domain import guests
from tane.services.compute.operations import common
from tane.services.compute.operations.release import let_go
from tane.services.compute.orders import ATTACH_VOLUME, AttachVolume
from tane.services.compute.store import block_devices
from tane.services.volume import interface as volume
from tane.wire.errors import NotOnHost


async def connect(run: Run[AttachVolume]) -> dict[str, Any]:
    if not await common.is_put_away(run):
        await volume.connect(run, run.params.volume_id, run.params.attachment_id, first=True)
    return await common.locate(run)


async def disconnect(run: Run[AttachVolume]) -> None:
    await volume.disconnect(run, run.params.volume_id, run.params.attachment_id)


def _device(tx: Tx, run: Run[AttachVolume]) -> Row[Any]:
    """:raises Permanent: the server was given the volume anew since, or not at all."""
    device = block_devices.get(tx, run.params.server_id, run.params.volume_id)
    if device is None or device.attachment_id != run.params.attachment_id:
        raise Permanent(f"Volume {run.params.volume_id} is no longer being attached.")
    return device


async def plug(run: Run[AttachVolume]) -> None:
    if await common.is_put_away(run):
        return
    device = await run.read(_device, run)
    connection = await common.connection(run, run.params.volume_id, run.params.attachment_id)
    await (await common.host_of(run)).attach_volume(run.params.server_id, guests.disk(device, connection))


async def unplug(run: Run[AttachVolume]) -> None:
    """Not where the server was given the volume anew since."""
    device = await run.read(block_devices.get, run.params.server_id, run.params.volume_id)
    if device is not None and device.attachment_id != run.params.attachment_id:
        return
    if host := await common.located_host(run):
        with contextlib.suppress(NotOnHost):
            await host.detach_volume(run.params.server_id, run.params.volume_id)


async def record(run: Run[AttachVolume]) -> None:
    def write(tx: Tx) -> None:
        common.require(tx, run.params.server_id)
        device = _device(tx, run)
        volume.attach(tx, volume_id=device.volume_id, attachment_id=device.attachment_id, device=device.device)

    await run.write(write)


async def failed(run: Run[AttachVolume], reason: str) -> None:
    def write(tx: Tx) -> None:
        device = block_devices.get(tx, run.params.server_id, run.params.volume_id)
        if device is not None and device.attachment_id == run.params.attachment_id:
            let_go(tx, device)

    await run.write(write)


OPERATION = Operation(
    ATTACH_VOLUME,
    (Step("connect", connect, disconnect), Step("plug", plug, unplug), Step("record", record)),
    failed,
)
