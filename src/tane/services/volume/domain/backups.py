"""Rules of backups: what a volume or snapshot holds, kept in the project's own object storage.

A backup outlives its volume. An incremental one builds upon another, which stays for as long.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain import quotas, services
from tane.services.volume.domain.backup_content import CONTAINER, MOST_SOURCES, Broken, Manifest, Place
from tane.services.volume.domain.common import (
    ZONE,
    backup_of,
    checked_metadata,
    invalid_backup,
    invalid_input,
    invalid_volume,
    new_id,
    snapshot_of,
    volume_of,
)
from tane.services.volume.domain.volumes import NewVolume, enqueue, insert
from tane.services.volume.orders import CREATE_BACKUP, DELETE_BACKUP, RESTORE_BACKUP, BackupParams, OneBackup
from tane.services.volume.orders import RestoreBackup as Restore
from tane.services.volume.store import attachments, backups, snapshots, volumes
from tane.services.volume.store.volumes import Page
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound
from tane.wire.errors import HostError

DEFAULT_CONTAINER = "volumebackups"
STATUSES = ("creating", "available", "deleting", "error", "error_deleting", "restoring")
MOST_CONTAINER_BYTES = 255


class NewBackup(msgspec.Struct, kw_only=True):
    """What POST /backups asks for. ``snapshot_id``: of the volume; it is backed up as it was then."""

    volume_id: str
    snapshot_id: str | None = None
    name: str | None = None
    description: str | None = None
    container: str | None = None
    incremental: bool = False
    force: bool = False
    metadata: dict[str, str] = {}
    availability_zone: str | None = None


def place_of(row: Row[Any]) -> Place:
    return Place(row.account, row.container, row.prefix)


def index(
    core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page, *, counted: bool
) -> tuple[list[Row[Any]], int | None]:
    with core.db.read() as tx:
        marker = backup_of(tx, ctx, wanted.marker) if wanted.marker else None
        found = backups.find(tx, conditions, wanted, marker)
        return found, backups.count(tx, conditions) if counted else None


def show(core: Core, ctx: Context, backup_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return backup_of(tx, ctx, backup_id)


def create(core: Core, ctx: Context, new: NewBackup) -> Row[Any]:
    """Row, quota and job of a new backup; volume or snapshot are backing-up meanwhile.

    :raises NotFound: :raises BadRequest: a status does not allow it, or there is no backup to build upon.
    :raises OverLimit:
    """
    container = checked_container(new.container)
    meta = checked_metadata(new.metadata)
    with core.db.write() as tx:
        volume = volume_of(tx, ctx, new.volume_id)
        snapshot = None if new.snapshot_id is None else snapshot_of(tx, ctx, new.snapshot_id)
        _check_source(volume, snapshot, force=new.force)
        if new.availability_zone not in (None, ZONE) or not services.backs_up(tx):
            raise NotFound("Service cinder-backup could not be found.")
        source = volume if snapshot is None else snapshot
        quotas.claim_backup(tx, ctx.project_id, source.size)
        taken_at = tx.now if snapshot is None else snapshot.created_at
        before = None if snapshot is None else taken_at
        parent = _parent(tx, ctx, volume.id, before) if new.incremental else None
        backup_id = new_id()
        values = {
            "id": backup_id,
            "project_id": ctx.project_id,
            "user_id": ctx.user_id,
            "volume_id": volume.id,
            "snapshot_id": new.snapshot_id,
            "parent_id": None if parent is None else parent.id,
            "generation": 0 if parent is None else parent.generation + 1,
            "name": new.name,
            "description": new.description,
            "size": source.size,
            "status": "creating",
            "availability_zone": ZONE,
            "account": ctx.project_id,
            "container": container,
            "prefix": _prefix(tx.now, volume.id, backup_id),
            "object_count": 0,
            "manifest_bytes": 0,
            "sources": [],
            "bootable": volume.bootable,
            "image_meta": source.image_meta,
            "volume_meta": volume.meta,
            "meta": meta,
            "data_timestamp": taken_at,
        }
        backups.add(tx, values)
        if snapshot is None:
            volumes.change(tx, volume.id, status="backing-up", previous_status=volume.status)
        else:
            snapshots.change(tx, snapshot.id, status="backing-up")
        asked = BackupParams(volume.id, backup_id=backup_id, snapshot_id=new.snapshot_id, project_id=source.project_id)
        jobs.enqueue(tx, CREATE_BACKUP, asked, resource=f"backup:{backup_id}", by=ctx, owner=source.project_id)
        return backup_of(tx, None, backup_id)


def checked_container(given: str | None) -> str:
    """:raises BadRequest: object storage has no container of such a name."""
    container = given or DEFAULT_CONTAINER
    if not CONTAINER.match(container) or len(container.encode()) > MOST_CONTAINER_BYTES:
        raise BadRequest(
            f"Invalid input for field/attribute container. Value: {container}. A container's name has 1 to "
            f"{MOST_CONTAINER_BYTES} bytes and neither slashes nor control characters."
        )
    return container


def _check_source(volume: Row[Any], snapshot: Row[Any] | None, *, force: bool) -> None:
    """:raises BadRequest:"""
    if snapshot is not None:
        if snapshot.volume_id != volume.id:
            raise invalid_volume(f"Snapshot {snapshot.id} is not a snapshot of volume {volume.id}.")
        if snapshot.status != "available":
            raise BadRequest(
                "Invalid snapshot: Snapshot to be backed up must be available, but the current status is "
                f'"{snapshot.status}".'
            )
    elif volume.status not in ("available", "in-use"):
        raise invalid_volume(
            f'Volume to be backed up must be available or in-use, but the current status is "{volume.status}".'
        )
    elif volume.status == "in-use" and not force:
        raise invalid_volume("Backing up an in-use volume must use the force flag.")
    if volume.host_id is None:
        raise invalid_volume(f"volume {volume.id} is in no pool.")


def _parent(tx: Tx, ctx: Context, volume_id: str, before: datetime | None) -> Row[Any]:
    """:raises BadRequest:"""
    found = backups.latest(tx, volume_id, ctx.project_id, before)
    if found is None:
        raise invalid_backup("No backups available to do an incremental backup.")
    if found.generation + 1 >= MOST_SOURCES:
        raise invalid_backup(f"{found.generation} backups build upon one another already: make a full one.")
    return found


def _prefix(now: datetime, volume_id: str, backup_id: str) -> str:
    return f"volume_{volume_id}/{now:%Y%m%d%H%M%S}/az_{ZONE}_backup_{backup_id}"


def is_prefix(text: str, volume_id: str, backup_id: str) -> bool:
    """Whether a cloud gives the objects of this backup names that begin so."""
    return (
        re.fullmatch(rf"volume_{volume_id}/[0-9]{{14}}/az_[A-Za-z0-9._-]{{1,64}}_backup_{backup_id}", text) is not None
    )


def update(core: Core, ctx: Context, backup_id: str, values: Mapping[str, Any]) -> Row[Any]:
    """:raises NotFound: :raises BadRequest: metadata that cannot be."""
    with core.db.write() as tx:
        backup_of(tx, ctx, backup_id)
        if "meta" in values:
            checked_metadata(values["meta"])
        backups.change(tx, backup_id, **values)
        return backup_of(tx, ctx, backup_id)


def delete(core: Core, ctx: Context, backup_id: str, *, force: bool = False) -> None:
    """→ deleting, with the job. ``force``: in whatever status; what is done with it turns round.

    :raises BadRequest: the status does not allow it, or others build upon it.
    """
    with core.db.write() as tx:
        row = backup_of(tx, ctx, backup_id)
        if row.status not in ("available", "error") and not force:
            raise invalid_backup("Backup status must be available or error")
        if row.dependent or backups.built_upon(tx, row):
            raise invalid_backup("Incremental backups exist for this backup.")
        jobs.cancel(tx, f"backup:{backup_id}")
        backups.change(tx, backup_id, status="deleting")
        params, of = OneBackup(backup_id=backup_id), f"backup:{backup_id}"
        jobs.enqueue(tx, DELETE_BACKUP, params, resource=of, by=ctx, owner=row.project_id)


def reset_status(core: Core, ctx: Context, backup_id: str, status: str) -> None:
    """:raises BadRequest: there is no such status."""
    if status not in STATUSES:
        raise invalid_input(f"backup status: {status} is invalid, valid statuses are: {', '.join(STATUSES)}.")
    with core.db.write() as tx:
        backup_of(tx, ctx, backup_id)
        backups.change(tx, backup_id, status=status)


def restore(core: Core, ctx: Context, backup_id: str, volume_id: str | None, name: str | None) -> Row[Any]:
    """→ restoring, and the volume → restoring-backup; without one, a new volume of the backup's size. Returns the
    volume.

    :raises NotFound: :raises BadRequest: a status or the size does not allow it. :raises OverLimit: a new volume.
    """
    with core.db.write() as tx:
        row = backup_of(tx, ctx, backup_id)
        if row.status != "available":
            raise invalid_backup("Backup status must be available")
        if volume_id is None:
            named = f"restore_backup_{backup_id}" if name is None else name
            made = NewVolume(name=named, description="auto-created_from_restore_from_backup", backup_id=backup_id)
            return insert(tx, ctx, made)
        volume = volume_of(tx, ctx, volume_id)
        if volume.status != "available" or volume.host_id is None or attachments.of_volumes(tx, [volume.id]):
            raise invalid_volume("Volume to be restored to must be available")
        if row.size > volume.size:
            raise invalid_volume(f"volume size {volume.size} is too small to restore backup of size {row.size}.")
        if volumes.being_made_from(tx, source_volid=volume.id):
            raise invalid_volume(f"Volume {volume.id} is the source of a volume that is being created.")
        volumes.change(tx, volume.id, status="restoring-backup", previous_status="available")
        backups.change(tx, row.id, status="restoring", restored_to=volume.id, fail_reason=None)
        enqueue(tx, ctx, RESTORE_BACKUP, Restore(volume.id, backup_id=row.id), of=volume)
        return volume_of(tx, None, volume.id)


async def content(core: Core, host_id: str, backup_id: str, volume_id: str) -> AsyncIterator[bytes]:
    """What a backup holds that is restored now to a volume in a host's pool, each block checked.

    :raises HostError: none is, or what is kept of it is not as it was written.
    """
    try:
        with await core.in_file_thread(_opened, core, host_id, backup_id, volume_id) as manifest:
            records = manifest.records()
            while data := await core.in_file_thread(next, records, b""):
                yield data
    except Broken as error:
        raise HostError(str(error)) from None


def _opened(core: Core, host_id: str, backup_id: str, volume_id: str) -> Manifest:
    with core.db.read() as tx:
        row, volume = backups.get(tx, backup_id), volumes.get(tx, volume_id)
    asked = row is not None and volume is not None and volume.host_id == host_id
    if row is None or not asked or (row.status, row.restored_to) != ("restoring", volume_id):
        raise HostError(f"backup {backup_id} is not restored to volume {volume_id}")
    return Manifest(core, place_of(row), row.digest, row.manifest_bytes)
