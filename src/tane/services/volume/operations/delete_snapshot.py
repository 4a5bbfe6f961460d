"""Delete a snapshot. deleting → gone; error_deleting when the volume's host cannot."""

from __future__ import annotations

import msgspec

from tane.agent.errors import NotOnHost
from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import duty_of, tell
from tane.services.volume.store import snapshots


class Params(msgspec.Struct):
    volume_id: str
    snapshot_id: str


async def delete_data(run: Run[Params]) -> None:
    duty = await duty_of(run, run.params.volume_id)
    if duty is not None:
        try:
            await duty.delete_snapshot(run.params.volume_id, run.params.snapshot_id)
        except NotOnHost:
            return  # The volume's data is not there: neither is its snapshot.


async def forget(run: Run[Params]) -> None:
    await run.write(snapshots.remove, run.params.snapshot_id)


async def failed(run: Run[Params], reason: str) -> None:
    def fail(tx: Tx) -> None:
        snapshots.change(tx, run.params.snapshot_id, status="error_deleting", fault=reason)
        tell(tx, run, run.params.snapshot_id, messages.DROP, messages.NOT_DROPPED, messages.SNAPSHOT)

    await run.write(fail)


OPERATION = Operation(
    "volume.delete_snapshot", Params, (Step("delete data", delete_data), Step("forget", forget)), failed
)
