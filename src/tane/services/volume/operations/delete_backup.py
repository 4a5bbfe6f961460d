"""Delete a backup with its objects, unless another is made of them. deleting → gone; error when that failed."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.operations.backup_common import remove_objects, tell, told
from tane.services.volume.orders import DELETE_BACKUP, OneBackup
from tane.services.volume.store import backups


async def remove(run: Run[OneBackup]) -> None:
    row = await run.read(_alone, run.params.backup_id)
    if row is not None:
        with told():
            await remove_objects(run.core, row)


def _alone(tx: Tx, backup_id: str) -> Row[Any] | None:
    """The backup in whose objects no other's blocks lie."""
    row = backups.get(tx, backup_id)
    return None if row is None or backups.built_upon(tx, row) else row


async def forget(run: Run[OneBackup]) -> None:
    await run.write(backups.remove, run.params.backup_id)


async def failed(run: Run[OneBackup], reason: str) -> None:
    def fail(tx: Tx) -> None:
        row = backups.get(tx, run.params.backup_id)
        if row is not None and row.status == "deleting":
            backups.change(tx, row.id, status="error", fail_reason=reason)
            tell(tx, run, row, messages.DROP_BACKUP)

    await run.write(fail)


OPERATION = Operation(DELETE_BACKUP, (Step("remove", remove), Step("forget", forget)), failed)
