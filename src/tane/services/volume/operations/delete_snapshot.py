"""Delete a snapshot. deleting → gone; error_deleting when the volume's host cannot."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import locate, located_duty, own_snapshot, settle_group_snapshot, tell
from tane.services.volume.orders import DELETE_SNAPSHOT, SnapshotParams
from tane.services.volume.store import groups, snapshots
from tane.wire.errors import NotOnHost


async def delete_data(run: Run[SnapshotParams]) -> None:
    if not run.owed:
        await run.read(own_snapshot, run)
    if duty := await located_duty(run):
        try:
            await duty.delete_snapshot(run.params.volume_id, run.params.snapshot_id)
        except NotOnHost:
            return  # The volume's data is not there: neither is its snapshot.


async def forget(run: Run[SnapshotParams]) -> None:
    def remove(tx: Tx) -> None:
        row = snapshots.get(tx, run.params.snapshot_id)
        snapshots.remove(tx, run.params.snapshot_id)
        groups.settle_snapshot(tx, None if row is None else row.group_snapshot_id)

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
