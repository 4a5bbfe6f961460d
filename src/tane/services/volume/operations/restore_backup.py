"""Write a backup over a volume, or to a new one.

restoring-backup → available, the backup restoring → available; the volume is in error_restoring when it failed, in
error when it was never made.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.operations.backup_common import backup, tell
from tane.services.volume.operations.common import (
    GIB,
    change_own,
    own,
    place_in_pool,
    placed_duty,
    settle_group,
)
from tane.services.volume.orders import RESTORE_BACKUP, RestoreBackup
from tane.services.volume.store import backups, volumes

BUSY = ("creating", "restoring-backup")


async def choose_host(run: Run[RestoreBackup]) -> None:
    if run.params.new:
        await run.write(place_in_pool, run)


async def make(run: Run[RestoreBackup]) -> None:
    row = await run.read(_ordered, run)
    if not run.params.new:
        return
    await run.core.hosts.volume(row.host_id).create(row.id, row.size * GIB)
    await run.write(lambda tx: change_own(tx, run, only_in=("creating",), status="restoring-backup"))


def _ordered(tx: Tx, run: Run[RestoreBackup]) -> Row[Any]:
    """The volume. :raises Permanent: it was given away, or a status changed by hand: its content stays."""
    found = backup(tx, run, "restoring")
    row = own(tx, run)
    if row.status not in BUSY or found.restored_to != row.id:
        raise Permanent(f"volume {row.id} is {row.status}, not waiting for backup {found.id}")
    return row


async def unmake(run: Run[RestoreBackup]) -> None:
    row = await run.read(volumes.get, run.params.volume_id)
    if not run.params.new or row is None or row.host_id is None:
        return
    if run.owed and row.status not in ("error", "error_restoring"):
        return
    if run.params.project_id in (None, row.project_id):
        await run.core.hosts.volume(row.host_id).delete(row.id)


async def write(run: Run[RestoreBackup]) -> None:
    await run.read(_ordered, run)
    found = await run.read(backup, run, "restoring")
    duty = await placed_duty(run, run.params.volume_id)
    await duty.restore(run.params.volume_id, found.size * GIB, found.id)


async def finish(run: Run[RestoreBackup]) -> None:
    def settle(tx: Tx) -> None:
        found = backup(tx, run, "restoring", "available")
        row = own(tx, run)
        # Who asks for a new volume may have said what it is to have.
        meta = row.meta if run.params.new and row.meta else found.volume_meta
        like = {"bootable": found.bootable, "image_meta": found.image_meta, "meta": meta}
        change_own(tx, run, only_in=BUSY, status="available", previous_status=None, fault=None, **like)
        settle_group(tx, run.params.volume_id)
        _give_back(tx, run)

    await run.write(settle)


def _give_back(tx: Tx, run: Run[RestoreBackup], **values: Any) -> None:
    row = backups.get(tx, run.params.backup_id)
    if row is not None and row.restored_to == run.params.volume_id:
        values |= {"status": "available"} if row.status == "restoring" else {}
        backups.change(tx, row.id, restored_to=None, **values)


async def failed(run: Run[RestoreBackup], reason: str) -> None:
    def fail(tx: Tx) -> None:
        row, states = volumes.get(tx, run.params.volume_id), (*BUSY, "available")
        never_made = row is not None and row.status == "creating"
        status = "error" if never_made else "error_restoring"
        change_own(tx, run, only_in=states, status=status, previous_status=None, fault=reason)
        settle_group(tx, run.params.volume_id)
        _give_back(tx, run, fail_reason=reason)
        found = backups.get(tx, run.params.backup_id)
        if found is not None:
            tell(tx, run, found, messages.RESTORE)

    await run.write(fail)


OPERATION = Operation(
    RESTORE_BACKUP,
    (
        Step("choose host", choose_host),
        Step("make", make, unmake),
        Step("write", write),
        Step("finish", finish),
    ),
    failed,
)
