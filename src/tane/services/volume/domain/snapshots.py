"""Rules of snapshots. A snapshot lies in its volume and goes with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain import quotas
from tane.services.volume.domain.common import checked_metadata, invalid_volume, new_id, snapshot_of, volume_of
from tane.services.volume.domain.volumes import enqueue
from tane.services.volume.orders import CREATE_SNAPSHOT, DELETE_SNAPSHOT, SnapshotParams
from tane.services.volume.store import snapshots, volumes
from tane.services.volume.store.volumes import Page
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

STATUSES = ("available", "creating", "deleting", "error", "error_deleting")


class NewSnapshot(msgspec.Struct, kw_only=True):
    volume_id: str
    name: str = ""
    description: str | None = None
    force: bool = False
    metadata: dict[str, str] = {}


def index(
    core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page, *, counted: bool
) -> tuple[list[Row[Any]], int | None]:
    with core.db.read() as tx:
        marker = snapshot_of(tx, ctx, wanted.marker) if wanted.marker else None
        found = snapshots.find(tx, conditions, wanted, marker)
        return found, snapshots.count(tx, conditions) if counted else None


def show(core: Core, ctx: Context, snapshot_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return snapshot_of(tx, ctx, snapshot_id)


def create(core: Core, ctx: Context, new: NewSnapshot) -> Row[Any]:
    with core.db.write() as tx:
        return insert(tx, ctx, new)


def insert(tx: Tx, ctx: Context, new: NewSnapshot) -> Row[Any]:
    """Row, quota and job of a new snapshot in the caller's transaction.

    :raises NotFound: :raises BadRequest: the volume's status does not allow it. :raises OverLimit:
    """
    volume = volume_of(tx, ctx, new.volume_id)
    allowed = ("available", "in-use") if new.force else ("available",)
    if volume.status == "error":
        raise invalid_volume("The snapshot cannot be created when the volume is in error status.")
    if volume.host_id is None:
        raise invalid_volume("The snapshot cannot be created because volume has not been scheduled to any host.")
    if volume.status not in allowed:
        raise invalid_volume(
            f"Volume {volume.id} status must be {' or '.join(allowed)}, but current status is: {volume.status}."
        )
    quotas.claim_snapshot(tx, volume.project_id, volume.volume_type_id, volume.type_name, volume.size)
    snapshot_id = new_id()
    snapshots.add(
        tx,
        {
            "id": snapshot_id,
            "project_id": volume.project_id,
            "user_id": ctx.user_id,
            "volume_id": volume.id,
            "volume_type_id": volume.volume_type_id,
            "name": new.name,
            "description": new.description,
            "size": volume.size,
            "status": "creating",
            "image_meta": volume.image_meta,
            "meta": checked_metadata(new.metadata),
        },
    )
    enqueue(tx, ctx, CREATE_SNAPSHOT, SnapshotParams(volume.id, snapshot_id), of=volume)
    return snapshot_of(tx, None, snapshot_id)


def update(core: Core, ctx: Context, snapshot_id: str, values: Mapping[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        snapshot_of(tx, ctx, snapshot_id)
        snapshots.change(tx, snapshot_id, **values)
        return snapshot_of(tx, ctx, snapshot_id)


def delete(core: Core, ctx: Context, snapshot_id: str, *, force: bool = False) -> None:
    """:raises BadRequest: the status does not allow it, or a volume is being made from it."""
    with core.db.write() as tx:
        row = snapshot_of(tx, ctx, snapshot_id)
        if (row.status not in ("available", "error") or row.group_snapshot_id) and not force:
            raise BadRequest(
                "Invalid snapshot: Snapshot status must be available or error and must not be part of a group."
            )
        if volumes.being_made_from(tx, snapshot_id=snapshot_id):
            raise BadRequest(f"Invalid snapshot: Snapshot {snapshot_id} is in use by a volume that is being created.")
        begin_delete(tx, ctx, row)


def begin_delete(tx: Tx, ctx: Context, row: Row[Any]) -> None:
    """→ deleting, with the job; one that is still being taken is deleted after that."""
    snapshots.change(tx, row.id, status="deleting")
    enqueue(tx, ctx, DELETE_SNAPSHOT, SnapshotParams(row.volume_id, row.id), of=row)


def reset_status(core: Core, ctx: Context, snapshot_id: str, status: str) -> None:
    if status not in STATUSES:
        raise BadRequest(
            f"Invalid input for field/attribute status. Value: {status}. '{status}' is not one of {list(STATUSES)}"
        )
    with core.db.write() as tx:
        snapshot_of(tx, ctx, snapshot_id)
        snapshots.change(tx, snapshot_id, status=status)


def metadata(core: Core, ctx: Context, snapshot_id: str) -> dict[str, str]:
    found: dict[str, str] = show(core, ctx, snapshot_id).meta
    return found


def set_metadata(
    core: Core, ctx: Context, snapshot_id: str, values: Mapping[str, str], *, replace: bool
) -> dict[str, str]:
    with core.db.write() as tx:
        row = snapshot_of(tx, ctx, snapshot_id)
        merged = checked_metadata(values if replace else {**row.meta, **values})
        snapshots.change(tx, snapshot_id, meta=merged)
        return merged


def remove_metadata(core: Core, ctx: Context, snapshot_id: str, key: str) -> None:
    with core.db.write() as tx:
        row = snapshot_of(tx, ctx, snapshot_id)
        kept = dict(row.meta)
        if kept.pop(key, None) is None:
            raise NotFound(f"Snapshot {snapshot_id} has no metadata with key {key}.")
        snapshots.change(tx, snapshot_id, meta=kept)


NEXT = {"creating": ("creating", "available", "error"), "deleting": ("deleting", "error_deleting")}
"""What a status may be set to by who works on the snapshot (a driver that lets compute take it)."""


def update_status(core: Core, ctx: Context, snapshot_id: str, status: str, progress: str | None) -> None:
    """:raises BadRequest: the status does not follow, or the progress is no percentage."""
    if progress and not re.fullmatch(r"(100|[0-9]{1,2})%", progress):
        raise BadRequest("progress must be an integer percentage")
    with core.db.write() as tx:
        row = snapshot_of(tx, ctx, snapshot_id)
        if row.status not in NEXT:
            raise BadRequest(f"Snapshot status {row.status} not allowed for update_snapshot_status")
        if status not in NEXT[row.status]:
            raise BadRequest(f"Provided snapshot status {status} not allowed for snapshot with status {row.status}.")
        snapshots.change(tx, snapshot_id, status=status, **({"progress": progress} if progress else {}))


def unmanage(core: Core, ctx: Context, snapshot_id: str) -> None:
    """Forget a snapshot; its data stays in its volume and goes with it. :raises BadRequest: it is worked on."""
    with core.db.write() as tx:
        row = snapshot_of(tx, ctx, snapshot_id)
        busy = row.status not in ("available", "error") or row.group_snapshot_id is not None
        if busy or volumes.being_made_from(tx, snapshot_id=snapshot_id):
            raise BadRequest(
                "Invalid snapshot: Snapshot status must be available or error and must not be part of a group."
            )
        snapshots.remove(tx, snapshot_id)
