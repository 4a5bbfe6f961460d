"""Look at what an imported record names. creating → available; error when it is not there as it was written."""

from __future__ import annotations

from tane.core import Core
from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.domain.backup_content import Broken, Manifest, pairs
from tane.services.volume.domain.backups import place_of
from tane.services.volume.operations.backup_common import backup, tell, told
from tane.services.volume.orders import IMPORT_BACKUP, OneBackup
from tane.services.volume.store import backups


async def look(run: Run[OneBackup]) -> dict[str, object]:
    with told():
        return {"sources": await run.core.in_thread(_look, run.core, run.params.backup_id)}


def _look(core: Core, backup_id: str) -> list[list[str]]:
    with core.db.read() as tx:
        row = backups.get(tx, backup_id)
    if row is None:
        raise Permanent(f"backup {backup_id} is gone")
    with Manifest(core, place_of(row), row.digest, row.manifest_bytes) as manifest:
        if manifest.head.size != row.size:
            raise Broken(f"The backup is of {manifest.head.size} GiB, and its record says {row.size}.")
        return pairs(manifest.head.sources)


async def finish(run: Run[OneBackup]) -> None:
    def settle(tx: Tx) -> None:
        backup(tx, run, "creating", "available")
        sources = run.data["sources"]
        # What the record says of it is not believed: as many build upon each other as the manifest names.
        values = {"sources": sources, "generation": len(sources) - 1}
        backups.change(tx, run.params.backup_id, status="available", **values)

    await run.write(settle)


async def failed(run: Run[OneBackup], reason: str) -> None:
    def fail(tx: Tx) -> None:
        states = ("creating", "available")
        changed = backups.change(tx, run.params.backup_id, only_in=states, status="error", fail_reason=reason)
        row = backups.get(tx, run.params.backup_id)
        if changed and row is not None:
            tell(tx, run, row, messages.BACK_UP)

    await run.write(fail)


OPERATION = Operation(IMPORT_BACKUP, (Step("look", look), Step("finish", finish)), failed)
