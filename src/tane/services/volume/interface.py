"""What other services may ask of block storage."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import Permanent, Run
from tane.services.volume.domain import attachments, snapshots, volumes
from tane.services.volume.domain.backups import content as backup_content
from tane.services.volume.domain.common import snapshot_of, volume_of
from tane.services.volume.domain.proxied import project_snapshots, project_volumes
from tane.services.volume.domain.services import switch_pool
from tane.services.volume.domain.snapshots import NewSnapshot
from tane.services.volume.domain.snapshots import create as new_snapshot
from tane.services.volume.domain.snapshots import delete as remove_snapshot
from tane.services.volume.domain.snapshots import show as show_snapshot
from tane.services.volume.domain.volumes import NewVolume, Shown
from tane.services.volume.domain.volumes import create as new_volume
from tane.services.volume.domain.volumes import delete as remove_volume
from tane.services.volume.domain.volumes import show as show_volume
from tane.services.volume.store import attachments as attachment_rows
from tane.services.volume.store import snapshots as snapshot_rows
from tane.services.volume.store import volumes as volume_rows
from tane.services.volume.store.volumes import by_host as volumes_by_host
from tane.web.context import Context
from tane.wire.documents import VolumeConnection

__all__ = [
    "NewSnapshot",
    "NewVolume",
    "Shown",
    "SnapshotInfo",
    "VolumeInfo",
    "attach",
    "attachments_of",
    "backup_content",
    "begin_detach",
    "connect",
    "create_snapshot",
    "create_volume",
    "delete_snapshot",
    "delete_volume",
    "detach_failed",
    "disconnect",
    "keep",
    "new_snapshot",
    "new_volume",
    "project_snapshots",
    "project_volumes",
    "release",
    "remove_snapshot",
    "remove_volume",
    "reserve",
    "show_snapshot",
    "show_volume",
    "snapshot_info",
    "switch_pool",
    "take_up",
    "volume_info",
    "volumes_by_host",
]


class VolumeInfo(msgspec.Struct, kw_only=True):
    """A volume as other services see it; ``size`` in GiB."""

    id: str
    name: str
    project_id: str
    status: str
    size: int
    bootable: bool
    multiattach: bool
    read_only: bool
    host_id: str | None
    snapshot_id: str | None
    image_metadata: dict[str, str]
    fault: str | None


class SnapshotInfo(msgspec.Struct, kw_only=True):
    """``image_metadata``: of the volume when the snapshot was taken."""

    id: str
    volume_id: str
    size: int
    status: str
    image_metadata: dict[str, str]
    fault: str | None


def volume_info(tx: Tx, ctx: Context | None, volume_id: str) -> VolumeInfo:
    """A volume the caller may see; with ``ctx`` None any. :raises NotFound:"""
    row = volume_of(tx, ctx, volume_id)
    return VolumeInfo(
        id=row.id,
        name=row.name,
        project_id=row.project_id,
        status=row.status,
        size=row.size,
        bootable=row.bootable,
        multiattach=row.multiattach,
        read_only=bool(row.read_only),
        host_id=row.host_id,
        snapshot_id=row.snapshot_id,
        image_metadata=row.image_meta,
        fault=row.fault,
    )


def snapshot_info(tx: Tx, ctx: Context | None, snapshot_id: str) -> SnapshotInfo:
    """A snapshot the caller may see; with ``ctx`` None any. :raises NotFound:"""
    row = snapshot_of(tx, ctx, snapshot_id)
    return SnapshotInfo(
        id=row.id,
        volume_id=row.volume_id,
        size=row.size,
        status=row.status,
        image_metadata=row.image_meta,
        fault=row.fault,
    )


def create_snapshot(tx: Tx, ctx: Context, volume_id: str, name: str) -> SnapshotInfo:
    """Order a snapshot of a volume, also of one in use, in the caller's transaction. The topic "snapshot:<id>" tells
    its progress.

    :raises NotFound, BadRequest, OverLimit: as the API call.
    """
    row = snapshots.insert(tx, ctx, snapshots.NewSnapshot(volume_id=volume_id, name=name, force=True))
    return snapshot_info(tx, None, row.id)


def delete_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> None:
    """Delete a snapshot of the caller's own project in the caller's transaction; one that is still being taken, too.
    Nothing when it is gone, or another project's: it went with its volume."""
    row = snapshot_rows.get(tx, snapshot_id)
    if row is not None and row.project_id == ctx.project_id and row.status != "deleting":
        snapshots.begin_delete(tx, ctx, row)


def create_volume(
    tx: Tx,
    ctx: Context,
    *,
    size: int,
    name: str = "",
    image_id: str | None = None,
    snapshot_id: str | None = None,
    volume_type: str | None = None,
    bootable: bool | None = None,
) -> str:
    """What POST /volumes does, in the caller's transaction; returns the id. The topic "volume:<id>" tells its progress.

    :raises BadRequest, NotFound, OverLimit: as the API call.
    """
    new = volumes.NewVolume(
        size=size,
        name=name,
        image_id=image_id,
        snapshot_id=snapshot_id,
        volume_type=volume_type,
        bootable=bootable,
    )
    return str(volumes.insert(tx, ctx, new).id)


def reserve(tx: Tx, ctx: Context, volume_id: str, *, server_id: str, attachment_id: str, host_name: str | None) -> None:
    """available → attaching, kept for a server until :func:`release`. :raises NotFound: :raises BadRequest: in any
    other status."""
    attachments.begin_attach(tx, ctx, volume_id)
    keep(tx, volume_id, server_id=server_id, attachment_id=attachment_id, host_name=host_name)


def keep(tx: Tx, volume_id: str, *, server_id: str, attachment_id: str, host_name: str | None) -> None:
    """Keep a volume that was just ordered for a server, so that nobody else gets it once it is made."""
    attachments.keep(tx, volume_id, server_id=server_id, attachment_id=attachment_id, host_name=host_name or "")


def take_up(tx: Tx, volume_id: str, attachment_id: str) -> bool:
    """available → attaching, of a volume that was kept; False while something else is done with it.

    :raises Permanent: it is that server's no more.
    """
    return attachments.take_up(tx, volume_id, attachment_id)


async def connect(
    run_or_core: Run[Any] | Core, volume_id: str, attachment_id: str, *, first: bool = False
) -> VolumeConnection:
    """Export the volume on its host; the same connection when it is exported already. ``first``: for a server that has
    not got it yet, with a new key, so that whoever had the volume before and could not be told is cut off.

    :raises HostError: the host cannot. :raises Permanent: the volume is gone or has no host yet, or is no longer kept
        for the server whose attachment that is.
    """
    core = run_or_core.core if isinstance(run_or_core, Run) else run_or_core
    row = await core.in_thread(_kept, core, volume_id, attachment_id)
    if row.host_id is None:
        raise Permanent(f"volume {volume_id} is in no pool")
    host = core.hosts.volume(row.host_id)
    if first:
        await host.unexport(volume_id)
    return await host.export(volume_id, read_only=bool(row.read_only))


def attach(tx: Tx, *, volume_id: str, attachment_id: str, device: str) -> None:
    """attaching → in-use, of a volume that is kept for the server. Repeatable.

    :raises Permanent: it is that server's no more.
    """
    attachments.connected(tx, volume_id, attachment_id, device=device)


def begin_detach(tx: Tx, ctx: Context, volume_id: str, server_id: str) -> None:
    """in-use → detaching. :raises BadRequest: not in use, or not attached to the server. :raises NotFound:"""
    attachments.begin_detach(tx, ctx, volume_id, server_id)


def detach_failed(tx: Tx, volume_id: str, attachment_id: str) -> None:
    """detaching → in-use; nothing in any other status, or when it is another's attachment."""
    attachments.detach_failed(tx, volume_id, attachment_id)


async def disconnect(run_or_core: Run[Any] | Core, volume_id: str, attachment_id: str) -> None:
    """End the export. Repeatable; nothing when the volume is gone, or kept for another server meanwhile.

    :raises HostError: the host cannot.
    """
    core = run_or_core.core if isinstance(run_or_core, Run) else run_or_core
    row = await core.in_thread(_free, core, volume_id, attachment_id)
    if row is not None and row.host_id is not None:
        await core.hosts.volume(row.host_id).unexport(volume_id)


def release(tx: Tx, volume_id: str, attachment_id: str) -> bool:
    """Forget the attachment, made or only reserved; → available when it was the last. False, and nothing changed, when
    it was gone: the volume is another's affair then."""
    return attachments.forget(tx, volume_id, attachment_id)


def delete_volume(tx: Tx, ctx: Context, volume_id: str) -> None:
    """Delete a volume of the caller's own project in the caller's transaction (for ``delete_on_termination``); one that
    is still being created is turned round.

    Nothing when the volume is gone, being deleted or another project's. :raises BadRequest: its status does not allow
    it.
    """
    row = volume_rows.get(tx, volume_id)
    if row is None or row.project_id != ctx.project_id or row.status == "deleting":
        return
    if row.status in ("creating", "downloading"):
        volumes.abort_and_delete(tx, ctx, row)
    else:
        volumes.begin_delete(tx, ctx, row)


def attachments_of(tx: Tx, server_id: str) -> list[Row[Any]]:
    """Rows (volume_id, attachment_id, device) of a server, oldest first."""
    return attachment_rows.of_server(tx, server_id)


def _kept(core: Core, volume_id: str, attachment_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return attachments.kept(tx, volume_id, attachment_id)[0]


def _free(core: Core, volume_id: str, attachment_id: str) -> Row[Any] | None:
    """The volume, when nobody has it by another attachment."""
    with core.db.read() as tx:
        return None if attachments.taken(tx, volume_id, [attachment_id]) else volume_rows.get(tx, volume_id)


def measured(tx: Tx) -> list[Row[Any]]:
    """Of every volume what is shown beside its size, in GB."""
    return volume_rows.measured(tx)
