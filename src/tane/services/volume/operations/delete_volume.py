"""Delete a volume with its snapshots. deleting → gone; error_deleting when its host cannot."""

from __future__ import annotations

import msgspec

from tane.jobs import Operation, Run, Step
from tane.services.volume.operations.common import duty_of
from tane.services.volume.store import volumes


class Params(msgspec.Struct):
    volume_id: str


async def delete_data(run: Run[Params]) -> None:
    duty = await duty_of(run, run.params.volume_id)
    if duty is not None:
        await duty.delete(run.params.volume_id)


async def forget(run: Run[Params]) -> None:
    await run.write(volumes.remove, run.params.volume_id)


async def failed(run: Run[Params], reason: str) -> None:
    await run.write(volumes.change, run.params.volume_id, status="error_deleting", fault=reason)


OPERATION = Operation(
    "volume.delete_volume", Params, (Step("delete data", delete_data), Step("forget", forget)), failed
)
