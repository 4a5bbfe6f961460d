"""Delete a volume with its snapshots. deleting → gone; error_deleting when its host cannot."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.operations.common import change_own, locate, located_duty, own_or_gone, settle_group
from tane.services.volume.orders import DELETE_VOLUME, VolumeParams
from tane.services.volume.store import groups, volumes


async def delete_data(run: Run[VolumeParams]) -> None:
    await run.read(own_or_gone, run)
    if duty := await located_duty(run):
        await duty.delete(run.params.volume_id)


async def forget(run: Run[VolumeParams]) -> None:
    def remove(tx: Tx) -> None:
        row = own_or_gone(tx, run)
        if row is not None:
            volumes.remove(tx, row.id)
            groups.settle(tx, row.group_id)

    await run.write(remove)


async def failed(run: Run[VolumeParams], reason: str) -> None:
    def fail(tx: Tx) -> None:
        change_own(tx, run, only_in=("deleting",), status="error_deleting", fault=reason)
        settle_group(tx, run.params.volume_id)

    await run.write(fail)


OPERATION = Operation(
    DELETE_VOLUME, (Step("locate", locate), Step("delete data", delete_data, owed=True), Step("forget", forget)), failed
)
