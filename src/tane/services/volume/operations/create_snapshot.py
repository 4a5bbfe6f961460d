"""Take a snapshot, also of a volume in use. creating → available; error when it failed."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import (
    duty_of,
    own,
    own_snapshot_or_gone,
    placed_duty,
    settle_group_snapshot,
    tell,
)
from tane.services.volume.orders import CREATE_SNAPSHOT, SnapshotParams
from tane.services.volume.store import snapshots
from tane.wire.errors import NotOnHost


async def take(run: Run[SnapshotParams]) -> None:
    await run.read(_ordered, run)
    duty = await placed_duty(run, run.params.volume_id)
    await duty.snapshot(run.params.volume_id, run.params.snapshot_id)


def _ordered(tx: Tx, run: Run[SnapshotParams]) -> None:
    """A volume that was given away is not copied for whoever had it. :raises Permanent:"""
    own(tx, run)
    own_snapshot_or_gone(tx, run)


async def drop(run: Run[SnapshotParams]) -> None:
    duty = await duty_of(run, run.params.volume_id)
    if duty is not None:
        try:
            await duty.delete_snapshot(run.params.volume_id, run.params.snapshot_id)
        except NotOnHost:
            return  # The volume itself is not there: neither is its snapshot.


async def finish(run: Run[SnapshotParams]) -> None:
    def settle(tx: Tx) -> None:
        _ordered(tx, run)
        snapshots.change(tx, run.params.snapshot_id, status="available", fault=None)
        settle_group_snapshot(tx, run.params.snapshot_id)

    await run.write(settle)


async def failed(run: Run[SnapshotParams], reason: str) -> None:
    def fail(tx: Tx) -> None:
        snapshots.change(tx, run.params.snapshot_id, only_of=run.params.project_id, status="error", fault=reason)
        settle_group_snapshot(tx, run.params.snapshot_id)
        tell(tx, run, run.params.snapshot_id, messages.TAKE, messages.NOT_TAKEN, messages.SNAPSHOT)

    await run.write(fail)


OPERATION = Operation(CREATE_SNAPSHOT, (Step("take", take, drop), Step("finish", finish)), failed)
