"""Back a volume up, or a snapshot: what it holds goes to the object storage of the project.

creating → available, the volume (or the snapshot) backing-up → what it was; error when it failed. A volume is read from
a snapshot of one moment, which has the backup's id, is nobody's, and goes afterwards.
"""

from __future__ import annotations

import contextlib

from tane.core import Core
from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.domain.backup_content import Manifest, Writer, Written, pairs
from tane.services.volume.domain.backups import place_of
from tane.services.volume.operations.backup_common import backup, remove_objects, tell, told, whole
from tane.services.volume.operations.common import (
    duty_of,
    go_back,
    locate,
    located_duty,
    own,
    own_snapshot_or_gone,
    placed_duty,
)
from tane.services.volume.orders import CREATE_BACKUP, BackupParams
from tane.services.volume.store import backups, snapshots
from tane.wire.errors import NotOnHost


def _ordered(tx: Tx, run: Run[BackupParams]) -> None:
    """:raises Permanent: the source was given away, or its status changed by hand: its content is not meant."""
    backup(tx, run, "creating")
    if run.params.snapshot_id is None:
        row = own(tx, run)
    else:
        found = own_snapshot_or_gone(tx, run)
        if found is None:
            raise Permanent(f"snapshot {run.params.snapshot_id} is gone")
        row = found
    if row.status != "backing-up":
        raise Permanent(f"{row.id} is {row.status}, not being backed up")


async def freeze(run: Run[BackupParams]) -> None:
    await run.read(_ordered, run)
    if run.params.snapshot_id is None:
        duty = await placed_duty(run, run.params.volume_id)
        await duty.snapshot(run.params.volume_id, run.params.backup_id)


async def drop_frozen(run: Run[BackupParams]) -> None:
    if run.params.snapshot_id is not None:
        return
    duty = await duty_of(run, run.params.volume_id)
    if duty is not None:
        with contextlib.suppress(NotOnHost):
            await duty.delete_snapshot(run.params.volume_id, run.params.backup_id)


async def write(run: Run[BackupParams]) -> dict[str, object]:
    await run.read(_ordered, run)
    with told():
        found = await run.unless_cancelled(_write(run))
    sources = pairs(found.sources)
    return {
        "digest": found.digest,
        "manifest_bytes": found.manifest_bytes,
        "objects": found.objects,
        "sources": sources,
    }


async def _write(run: Run[BackupParams]) -> Written:
    core, params = run.core, run.params
    duty = await placed_duty(run, params.volume_id)
    with contextlib.ExitStack() as stack:
        writer = await whole(core, _writer, core, params.backup_id, stack)
        async for data in duty.content(params.volume_id, params.snapshot_id or params.backup_id):
            await whole(core, writer.take, data)
        return await whole(core, writer.finish)


def _writer(core: Core, backup_id: str, stack: contextlib.ExitStack) -> Writer:
    with core.db.read() as tx:
        row = backups.get(tx, backup_id)
        parent = None if row is None or row.parent_id is None else backups.get(tx, row.parent_id)
    if row is None or (row.parent_id is not None and parent is None):
        raise Permanent(f"backup {backup_id}, or what it builds upon, is gone")
    manifest = None
    if parent is not None:
        manifest = stack.enter_context(Manifest(core, place_of(parent), parent.digest, parent.manifest_bytes))
    return stack.enter_context(Writer(core, place_of(row), row.size, manifest))


async def remove(run: Run[BackupParams]) -> None:
    row = await run.read(backups.get, run.params.backup_id)
    if row is not None and not (run.owed and row.status == "available"):
        await remove_objects(run.core, row)


async def melt(run: Run[BackupParams]) -> None:
    if run.params.snapshot_id is None and (duty := await located_duty(run)):
        with contextlib.suppress(NotOnHost):
            await duty.delete_snapshot(run.params.volume_id, run.params.backup_id)


async def finish(run: Run[BackupParams]) -> None:
    def settle(tx: Tx) -> None:
        backup(tx, run, "creating", "available")
        found = {name: run.data[name] for name in ("digest", "manifest_bytes", "sources")}
        backups.change(tx, run.params.backup_id, status="available", object_count=run.data["objects"], **found)
        _give_back(tx, run)

    await run.write(settle)


def _give_back(tx: Tx, run: Run[BackupParams]) -> None:
    if run.params.snapshot_id is None:
        go_back(tx, run, "backing-up")
        return
    row = own_snapshot_or_gone(tx, run)
    if row is not None and row.status == "backing-up":
        snapshots.change(tx, row.id, status="available")


async def failed(run: Run[BackupParams], reason: str) -> None:
    def fail(tx: Tx) -> None:
        with contextlib.suppress(Permanent):  # The source is another's by now: nothing of it is changed.
            _give_back(tx, run)
        changed = backups.change(
            tx,
            run.params.backup_id,
            only_in=("creating", "available"),
            status="error",
            fail_reason=reason,
            object_count=0,
            digest=None,
            sources=[],
        )
        row = backups.get(tx, run.params.backup_id)
        if changed and row is not None:
            tell(tx, run, row, messages.BACK_UP)

    await run.write(fail)


OPERATION = Operation(
    CREATE_BACKUP,
    (
        Step("locate", locate),
        Step("freeze", freeze, drop_frozen),
        Step("write", write, remove),
        Step("melt", melt, owed=True),
        Step("finish", finish),
    ),
    failed,
)
