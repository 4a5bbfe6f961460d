"""Delete a snapshot. deleting → gone; error_deleting when the volume's host cannot."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import (
    locate,
    located_duty,
    own_snapshot_or_gone,
    settle_group_snapshot,
    tell,
)
from tane.services.volume.orders import DELETE_SNAPSHOT, SnapshotParams
from tane.services.volume.store import groups, snapshots
from tane.wire.errors import NotOnHost


async def delete_data(run: Run[SnapshotParams]) -> None:
    await run.read(own_snapshot_or_gone, run)
    if duty := await located_duty(run):
        try:
            await duty.delete_snapshot(run.params.volume_id, run.params.snapshot_id)
        except NotOnHost:
            return  # The volume's data is not there: neither is its snapshot.


async def forget(run: Run[SnapshotParams]) -> None:
    def remove(tx: Tx) -> None:
        row = own_snapshot_or_gone(tx, run)
        if row is not None:
            snapshots.remove(tx, row.id)
            groups.settle_snapshot(tx, row.group_snapshot_id)

    await run.write(remove)


async def failed(run: Run[SnapshotParams], reason: str) -> None:
    def fail(tx: Tx) -> None:
        failed = {"status": "error_deleting", "fault": reason}
        snapshots.change(tx, run.params.snapshot_id, only_of=run.params.project_id, **failed)
        settle_group_snapshot(tx, run.params.snapshot_id)
        tell(tx, run, run.params.snapshot_id, messages.DROP, messages.NOT_DROPPED, messages.SNAPSHOT)

    await run.write(fail)


OPERATION = Operation(
    DELETE_SNAPSHOT,
    (Step("locate", locate), Step("delete data", delete_data, owed=True), Step("forget", forget)),
    failed,
)
