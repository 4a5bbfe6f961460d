"""Delete a volume with its snapshots. deleting → gone; error_deleting when its host cannot."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.volume.operations.common import locate, located_duty
from tane.services.volume.orders import DELETE_VOLUME, VolumeParams
from tane.services.volume.store import volumes


async def delete_data(run: Run[VolumeParams]) -> None:
    if duty := await located_duty(run):
        await duty.delete(run.params.volume_id)


async def forget(run: Run[VolumeParams]) -> None:
    await run.write(volumes.remove, run.params.volume_id)


async def failed(run: Run[VolumeParams], reason: str) -> None:
    await run.write(volumes.change, run.params.volume_id, status="error_deleting", fault=reason)


OPERATION = Operation(
    DELETE_VOLUME, (Step("locate", locate), Step("delete data", delete_data, owed=True), Step("forget", forget)), failed
)
