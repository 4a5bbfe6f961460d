"""Rules of volumes: create from each source, delete, extend, metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.image import interface as images
from tane.services.volume.domain import pools, quotas, types
from tane.services.volume.domain.common import (
    CORE,
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
from tane.services.volume.domain.membership import check_new
from tane.services.volume.orders import (
    CREATE_VOLUME,
    DELETE_VOLUME,
    EXTEND_VOLUME,
    REIMAGE_VOLUME,
    RESTORE_BACKUP,
    CreateVolume,
    ExtendVolume,
    ReimageVolume,
    RestoreBackup,
    VolumeParams,
)
from tane.services.volume.store import attachments, backups, qos, snapshots, volumes
from tane.services.volume.store.volumes import Page
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound, NotImplementedHere

V = TypeVar("V", bound=VolumeParams)

log = structlog.get_logger()
DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")
GIB = 1 << 30
IMAGE_TYPE = "cinder_img_volume_type"
"""The property of an image that names the type of volumes made from it."""


class NewVolume(msgspec.Struct, kw_only=True):
    """What POST /volumes asks for; at most one of the four sources. ``size`` in GiB, None: the source's. ``image_id``
    may be the image's name."""

    size: int | None = None
    name: str = ""
    description: str | None = None
    image_id: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    metadata: dict[str, str] = {}
    group_id: str | None = None
    bootable: bool | None = None
    backup_id: str | None = None
    by_mapping: bool = True
    """Whether an image that maps its root to a snapshot stands for that snapshot (from 3.46)."""


class Origin(msgspec.Struct, kw_only=True):
    """What a volume inherits from its source. ``project_id``: the owner of a volume or snapshot."""

    project_id: str | None = None
    size: int | None = None
    least: int = 1
    volume_type: str | None = None
    bootable: bool = False
    image_meta: dict[str, str] = {}
    host_id: str | None = None


class Shown(msgspec.Struct):
    """A volume with its attachments."""

    row: Any
    attachments: Sequence[Any]


def complete(tx: Tx, rows: Sequence[Row[Any]]) -> list[Shown]:
    attached = attachments.of_volumes(tx, [row.id for row in rows])
    return [Shown(row, attached.get(row.id, [])) for row in rows]


def index(
    core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page, *, counted: bool
) -> tuple[list[Shown], int | None]:
    """A page of volumes, and how many there are in all when asked."""
    with core.db.read() as tx:
        marker = volume_of(tx, ctx, wanted.marker) if wanted.marker else None
        found = complete(tx, volumes.find(tx, conditions, wanted, marker))
        return found, volumes.count(tx, conditions) if counted else None


def show(core: Core, ctx: Context, volume_id: str) -> Shown:
    with core.db.read() as tx:
        return complete(tx, [volume_of(tx, ctx, volume_id)])[0]


def create(core: Core, ctx: Context, new: NewVolume) -> Shown:
    with core.db.write() as tx:
        return complete(tx, [insert(tx, ctx, new)])[0]


def insert(tx: Tx, ctx: Context, new: NewVolume) -> Row[Any]:
    """Row, quota and job of a new volume in the caller's transaction.

    :raises BadRequest: sizes or the source's state do not fit. :raises NotFound: snapshot, volume or type.
    :raises OverLimit: :raises Conflict: several images have the name.
    """
    new = _found(tx, ctx, new)
    origin = _origin(tx, ctx, new)
    size = new.size if new.size is not None else origin.size
    if size is None or size < 1:
        raise invalid_input(f"Volume size '{size}' must be an integer and greater than 0")
    _check_size(new, origin, size)
    if new.availability_zone not in (None, "", ZONE):
        raise invalid_input(f"Availability zone '{new.availability_zone}' is invalid.")
    kind = types.chosen(tx, ctx, new.volume_type or origin.volume_type)
    _refuse_not_done(tx, kind)
    if new.group_id is not None:
        check_new(tx, ctx, new.group_id, kind if new.volume_type else None)
    quotas.claim_volume(tx, ctx.project_id, kind.id, kind.name, size)
    volume_id = new_id()
    values = {
        "id": volume_id,
        "project_id": ctx.project_id,
        "user_id": ctx.user_id,
        "name": new.name,
        "description": new.description,
        "size": size,
        "status": "creating",
        "bootable": origin.bootable if new.bootable is None else new.bootable,
        "multiattach": False,
        "volume_type_id": kind.id,
        "availability_zone": ZONE,
        "host_id": origin.host_id,
        "snapshot_id": new.snapshot_id,
        "source_volid": new.source_volid,
        "group_id": new.group_id,
        "meta": checked_metadata(new.metadata),
        "image_meta": origin.image_meta,
    }
    volumes.add(tx, values)
    row = volume_of(tx, None, volume_id)
    if new.backup_id is not None:
        backups.change(tx, new.backup_id, status="restoring", restored_to=volume_id, fail_reason=None)
        enqueue(tx, ctx, RESTORE_BACKUP, RestoreBackup(volume_id, backup_id=new.backup_id, new=True), of=row)
        return row
    order = CreateVolume(volume_id, image_id=new.image_id, source_project=origin.project_id)
    enqueue(tx, ctx, CREATE_VOLUME, order, of=row)
    return row


def _refuse_not_done(tx: Tx, kind: Row[Any]) -> None:
    """:raises NotImplementedHere: what is written down of the type is no more than that yet."""
    if kind.encryption:
        raise NotImplementedHere(f"Encrypted volumes, as the type {kind.name} asks for, are not possible yet.")
    specs = None if kind.qos_specs_id is None else qos.get(tx, kind.qos_specs_id)
    if specs is not None and specs.specs:
        raise NotImplementedHere(f"Throttled volumes, as the type {kind.name} asks for, are not possible yet.")


def enqueue(tx: Tx, ctx: Context, order: jobs.Order[V], params: V, *, of: Row[Any]) -> None:
    """Write a job on a volume, for the project whose ``of`` (it, or its snapshot) is; jobs of one volume and its
    snapshots run in order."""
    params.project_id = of.project_id
    jobs.enqueue(tx, order, params, resource=f"volume:{params.volume_id}", by=ctx, owner=of.project_id)


def _found(tx: Tx, ctx: Context, new: NewVolume) -> NewVolume:
    """With the id of an image that was told by its name; the image of a server that booted from volumes has no data of
    its own and stands for the snapshot of that server's root.

    :raises BadRequest: :raises NotFound: :raises Conflict:
    """
    sources = (new.image_id, new.snapshot_id, new.source_volid, new.backup_id)
    if sum(source is not None for source in sources) > 1:
        raise invalid_input("only one of snapshot_id, source_volid, imageRef and backup_id may be given")
    if new.image_id is None:
        return new
    image = _image(tx, ctx, new.image_id)
    root = boot_snapshot(image.properties) if new.by_mapping else None
    if root is None:
        return msgspec.structs.replace(new, image_id=image.id)
    try:
        snapshot_of(tx, ctx, root)
    except NotFound:
        raise NotFound(f"Nova specific image is found, but boot volume snapshot id:{root} not found.") from None
    return msgspec.structs.replace(new, image_id=None, snapshot_id=root)


def _image(tx: Tx, ctx: Context, ref: str) -> images.ImageInfo:
    """The image of an id, which may stand at the end of a URL, or else of a name."""
    try:
        return images.visible_image(tx, ctx, ref.rsplit("/", 1)[-1])
    except NotFound:
        named = images.images_named(tx, ctx, ref)
    if len(named) > 1:
        raise Conflict(f"Multiple matches found for '{ref}', use an ID to be more specific.")
    if not named:
        raise BadRequest("Invalid image identifier or unable to access requested image.")
    return named[0]


def boot_snapshot(properties: Mapping[str, str]) -> str | None:
    """The snapshot that the mapping of a server's image names for the root; None of any other image."""
    try:
        mapping = msgspec.json.decode(properties.get("block_device_mapping", "[]"), type=list[dict[str, Any]])
    except (msgspec.DecodeError, RecursionError):
        return None
    for device in mapping:
        root = device.get("source_type") == "snapshot" and device.get("boot_index") == 0
        if root and isinstance(device.get("snapshot_id"), str):
            return str(device["snapshot_id"])
    return None


def _origin(tx: Tx, ctx: Context, new: NewVolume) -> Origin:
    if new.snapshot_id is not None:
        return _from_snapshot(tx, ctx, new.snapshot_id)
    if new.source_volid is not None:
        row = volume_of(tx, ctx, new.source_volid)
        if row.status not in ("available", "in-use"):
            raise invalid_volume("Originating volume status must be one of 'available, in-use' values")
        return _inherited(row, row)
    if new.backup_id is not None:
        return _from_backup(backup_of(tx, ctx, new.backup_id))
    if new.image_id is not None:
        return _from_image(images.visible_image(tx, ctx, new.image_id))
    return Origin()


def _from_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> Origin:
    snapshot = snapshot_of(tx, ctx, snapshot_id)
    if snapshot.status != "available":
        raise BadRequest("Invalid snapshot: Originating snapshot status must be one of 'available' values")
    return _inherited(snapshot, volume_of(tx, None, snapshot.volume_id))


def _from_backup(row: Row[Any]) -> Origin:
    if row.status != "available":
        raise invalid_backup("Backup status must be available")
    return Origin(size=row.size, least=row.size, bootable=row.bootable, image_meta=row.image_meta)


def _inherited(source: Row[Any], volume: Row[Any]) -> Origin:
    """``source``: the volume, or a snapshot of it, which may stay another project's when the volume is given away."""
    return Origin(
        project_id=source.project_id,
        size=source.size,
        least=source.size,
        volume_type=source.volume_type_id,
        bootable=volume.bootable,
        image_meta=source.image_meta,
        host_id=volume.host_id,
    )


def _from_image(image: images.ImageInfo) -> Origin:
    if image.status != "active" or image.ref is None:
        raise invalid_input(f"Image {image.id} is not active.")
    if image.container_format not in images.DISK_CONTAINERS:
        raise invalid_input(
            f"Image {image.id} has container_format {image.container_format}, of which no volume is made; "
            f"it must be one of: {', '.join(images.DISK_CONTAINERS)}."
        )
    needed = max(image.size or 0, image.virtual_size or 0)
    meta = {
        **images.heritable(image.properties),
        "image_id": image.id,
        "image_name": image.name,
        "checksum": image.checksum or "",
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "min_disk": str(image.min_disk),
        "min_ram": str(image.min_ram),
        "size": str(image.size),
    }
    least = max(-(-needed // GIB), image.min_disk, 1)
    return Origin(least=least, volume_type=image.properties.get(IMAGE_TYPE), bootable=True, image_meta=meta)


def _check_size(new: NewVolume, origin: Origin, size: int) -> None:
    if size >= origin.least:
        return
    if new.snapshot_id is not None:
        raise invalid_input(
            f"Volume size '{size}'GB cannot be smaller than the snapshot size {origin.least}GB. "
            "They must be >= original snapshot size."
        )
    if new.source_volid is not None:
        raise invalid_input(
            f"Volume size '{size}'GB cannot be smaller than original volume size  {origin.least}GB. "
            "They must be >= original volume size."
        )
    if new.backup_id is not None:
        raise invalid_input(
            f"Volume size {size}GB cannot be smaller than the backup size {origin.least}GB. It must be >= backup size."
        )
    smallest = int(origin.image_meta["min_disk"])
    if size < smallest:
        raise invalid_input(f"Volume size {size}GB cannot be smaller than the image minDisk size {smallest}GB.")
    raise invalid_input(f"Size of specified image {origin.least}GB is larger than volume size {size}GB.")


def update(core: Core, ctx: Context, volume_id: str, values: Mapping[str, Any]) -> Shown:
    with core.db.write() as tx:
        volume_of(tx, ctx, volume_id)
        if "meta" in values:
            checked_metadata(values["meta"])
        volumes.change(tx, volume_id, **values)
        return complete(tx, [volume_of(tx, ctx, volume_id)])[0]


def reimage(core: Core, ctx: Context, volume_id: str, image_id: str, *, reserved_too: bool) -> None:
    """→ downloading: an image takes the place of what is in the volume.

    :raises BadRequest: the status does not allow it, the volume has snapshots, or the image does not fit.
    """
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        allowed = ("available", "error", "reserved") if reserved_too else ("available", "error")
        if row.status not in allowed:
            raise invalid_volume(
                f"volume {volume_id} status must be {' or '.join(allowed)}, but current status is: {row.status}."
            )
        if row.host_id is None:
            raise invalid_volume(f"volume {volume_id} is in no pool.")
        if row.status != "reserved" and attachments.of_volumes(tx, [volume_id]):
            raise invalid_volume(f"volume {volume_id} is still attached.")
        taken = snapshots.of_volume(tx, volume_id)
        if taken:
            raise invalid_volume("a volume that has snapshots keeps its content.")
        _refuse_while_copied(tx, row, taken)
        new = NewVolume(size=row.size, image_id=image_id)
        origin = _from_image(_image(tx, ctx, image_id))
        _check_size(new, origin, row.size)
        before = "reserved" if row.status == "reserved" else "available"
        volumes.change(
            tx, volume_id, status="downloading", previous_status=before, bootable=True, image_meta=origin.image_meta
        )
        enqueue(tx, ctx, REIMAGE_VOLUME, ReimageVolume(volume_id, image_id=origin.image_meta["image_id"]), of=row)


def retype(core: Core, ctx: Context, volume_id: str, name_or_id: str) -> None:
    """Give a volume another type that its pool meets; nothing moves, as every pool has the same driver.

    :raises NotFound: no such type. :raises BadRequest: the status, or the type, does not allow it. :raises OverLimit:
    """
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        kind = types.chosen(tx, ctx, name_or_id)
        if row.status not in ("available", "in-use"):
            raise invalid_volume(f"Volume status must be available or in-use to retype, but it is {row.status}.")
        if row.group_id is not None:
            raise invalid_volume(f"Volume {volume_id} is in group {row.group_id}, which says of which types it may be.")
        if kind.id == row.volume_type_id:
            raise invalid_input(f"New volume_type same as original: {name_or_id}.")
        _refuse_not_done(tx, kind)
        if not pools.meets(kind.extra_specs):
            raise invalid_input(f"No pool has what the volume type {kind.name} asks for.")
        quotas.claim_type(tx, row.project_id, kind.id, kind.name, row.size)
        volumes.change(tx, volume_id, volume_type_id=kind.id)
        snapshots.set_type(tx, volume_id, row.project_id, kind.id)


def unmanage(core: Core, ctx: Context, volume_id: str) -> None:
    """Forget a volume; its disk stays in the pool's folder, under the volume's id. :raises BadRequest: it is used."""
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        taken = snapshots.of_volume(tx, volume_id)
        if row.status not in DELETABLE or attachments.of_volumes(tx, [volume_id]) or taken or row.group_id:
            raise invalid_volume(
                f"Volume status must be {' or '.join(DELETABLE)} and must not be migrating, attached, belong to a "
                "group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer."
            )
        _refuse_while_copied(tx, row, taken)
        volumes.remove(tx, volume_id)
    log.info("volume unmanaged", volume_id=volume_id, host_id=row.host_id, by=ctx.user_id)


def delete(core: Core, ctx: Context, volume_id: str, *, cascade: bool = False) -> None:
    with core.db.write() as tx:
        begin_delete(tx, ctx, volume_of(tx, ctx, volume_id), cascade=cascade)


def begin_delete(tx: Tx, ctx: Context, row: Row[Any], *, cascade: bool = False, with_group: bool = False) -> None:
    """→ deleting, with the job; a volume of a group goes ``with_group`` alone.

    :raises BadRequest: the status does not allow it, or something depends on it.
    """
    taken = snapshots.of_volume(tx, row.id)
    busy = [snapshot for snapshot in taken if snapshot.status not in ("available", "error", "deleting")]
    attached = attachments.of_volumes(tx, [row.id])
    grouped = row.group_id is not None and not with_group
    others = any(snapshot.project_id != row.project_id for snapshot in taken)
    if row.status not in DELETABLE or attached or grouped or (taken and not cascade) or others:
        raise invalid_volume(
            f"Volume status must be {' or '.join(DELETABLE)} and must not be migrating, attached, belong to a group, "
            "have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer."
        )
    if busy:
        raise invalid_volume("Failed to update snapshot.")
    _refuse_while_copied(tx, row, taken)
    for snapshot in taken:
        snapshots.change(tx, snapshot.id, status="deleting")
    volumes.change(tx, row.id, status="deleting")
    enqueue(tx, ctx, DELETE_VOLUME, VolumeParams(row.id), of=row)


def _refuse_while_copied(tx: Tx, row: Row[Any], taken: Sequence[Row[Any]]) -> None:
    copied = volumes.being_made_from(tx, source_volid=row.id)
    if copied or any(volumes.being_made_from(tx, snapshot_id=snapshot.id) for snapshot in taken):
        raise invalid_volume(f"Volume {row.id} is the source of a volume that is being created.")


def force_delete(core: Core, ctx: Context, volume_id: str) -> None:
    """Delete whatever the status, turning round what is being done with the volume; for administrators."""
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        if snapshots.of_volume(tx, volume_id):
            raise invalid_volume("Volume must not have snapshots.")
        attached = attachments.of_volumes(tx, [volume_id]).get(volume_id, [])
        if any(attachment.connector and attachment.status == "attached" for attachment in attached):
            raise invalid_volume(f"Volume {volume_id} is still attached, detach volume first.")
        _refuse_while_copied(tx, row, [])
        abort_and_delete(tx, ctx, row)


def abort_and_delete(tx: Tx, ctx: Context, row: Row[Any]) -> None:
    """→ deleting; the jobs on the volume turn round before it is deleted."""
    jobs.cancel(tx, f"volume:{row.id}")
    volumes.change(tx, row.id, status="deleting")
    enqueue(tx, ctx, DELETE_VOLUME, VolumeParams(row.id), of=row)


def extend(core: Core, ctx: Context, volume_id: str, size: int, *, attached_too: bool) -> None:
    """Grow to ``size`` GiB. ``attached_too``: the caller's API version knows of extending attached volumes."""
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        if size <= row.size:
            raise invalid_input(
                f"New size for extend must be greater than current size. (current: {row.size}, extended: {size})."
            )
        if row.status == "in-use" and attached_too:
            raise NotImplementedHere(f"Volume {volume_id} is attached: extending it while in use is not possible yet.")
        if row.status != "available":
            raise invalid_volume(
                f"Volume {volume_id} status must be '{{'status': 'available'}}' to extend, currently {row.status}."
            )
        quotas.claim_growth(tx, row.project_id, row.volume_type_id, row.type_name, row.size, size)
        volumes.change(tx, volume_id, status="extending", extending_to=size)
        enqueue(tx, ctx, EXTEND_VOLUME, ExtendVolume(volume_id, size=size), of=row)


def metadata(core: Core, ctx: Context, volume_id: str) -> dict[str, str]:
    with core.db.read() as tx:
        found: dict[str, str] = volume_of(tx, ctx, volume_id).meta
        return found


def set_metadata(
    core: Core, ctx: Context, volume_id: str, values: Mapping[str, str], *, replace: bool
) -> dict[str, str]:
    """Add to the metadata, or replace all of it; returns what it is then."""
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        if row.status == "uploading":
            raise invalid_volume(f"Updating volume metadata is not allowed for volumes in {row.status} status.")
        merged = checked_metadata(values if replace else {**row.meta, **values})
        volumes.change(tx, volume_id, meta=merged)
        return merged


def remove_metadata(core: Core, ctx: Context, volume_id: str, key: str) -> None:
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        kept = dict(row.meta)
        if kept.pop(key, None) is None:
            raise NotFound(f"Volume {volume_id} has no metadata with key {key}.")
        volumes.change(tx, volume_id, meta=kept)


def set_image_metadata(core: Core, ctx: Context, volume_id: str, values: Mapping[str, str]) -> dict[str, str]:
    """:raises Forbidden: an image made of the volume may not get one of these properties from the caller."""
    images.require_creatable(core, ctx, (name for name in values if name not in CORE))
    with core.db.write() as tx:
        merged = checked_metadata({**volume_of(tx, ctx, volume_id).image_meta, **values})
        volumes.change(tx, volume_id, image_meta=merged)
        return merged


def unset_image_metadata(core: Core, ctx: Context, volume_id: str, key: str) -> None:
    with core.db.write() as tx:
        kept = dict(volume_of(tx, ctx, volume_id).image_meta)
        if kept.pop(key, None) is None:
            raise NotFound(f"Volume {volume_id} has no glance metadata with key {key}.")
        volumes.change(tx, volume_id, image_meta=kept)
