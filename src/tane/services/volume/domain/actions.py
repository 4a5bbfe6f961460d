"""Changes of state an administrator or another service asks for, and the upload of a volume as an image."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.image import interface as images
from tane.services.volume.domain import attachments
from tane.services.volume.domain.common import CORE, invalid_volume, volume_of
from tane.services.volume.domain.volumes import enqueue
from tane.services.volume.orders import UPLOAD_VOLUME, UploadVolume
from tane.services.volume.store import volumes
from tane.web.codec import whole
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden

STATUSES = (
    "creating",
    "available",
    "deleting",
    "error",
    "error_deleting",
    "error_managing",
    "managing",
    "attaching",
    "in-use",
    "detaching",
    "maintenance",
    "reserved",
)
IMAGE_FORMATS = ("raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop")
MADE_FORMATS = ("raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx")


def shown_image_metadata(core: Core, ctx: Context, row: Row[Any]) -> dict[str, str]:
    """What of its image a volume shows to a caller."""
    known: dict[str, str] = row.image_meta
    own = images.readable(core, ctx, {name: value for name, value in known.items() if name not in CORE})
    return {name: value for name, value in known.items() if name in CORE or name in own}


class UploadImage(msgspec.Struct, kw_only=True):
    """What os-volume_upload_image asks for."""

    name: str
    disk_format: str = "raw"
    container_format: str = "bare"
    force: bool = False
    visibility: str = "private"
    protected: bool = False


def reset_status(core: Core, ctx: Context, volume_id: str, status: str | None, attach_status: str | None) -> None:
    """Set a status by hand. ``attach_status`` "detached" also forgets the attachments the API made."""
    if status is None and attach_status is None:
        raise BadRequest("Must specify 'status', 'attach_status' or 'migration_status' for update.")
    for value, known in ((status, STATUSES), (attach_status, ("attached", "detached"))):
        if value is not None and value not in known:
            raise BadRequest(
                f"Invalid input for field/attribute status. Value: {value}. It is not one of {list(known)}"
            )
    with core.db.write() as tx:
        volume_of(tx, ctx, volume_id)
        if status is not None:
            volumes.change(tx, volume_id, status=status)
    if attach_status == "detached":
        attachments.detach_by_action(core, ctx, volume_id, None)


def set_bootable(core: Core, ctx: Context, volume_id: str, bootable: bool) -> None:
    with core.db.write() as tx:
        volume_of(tx, ctx, volume_id)
        volumes.change(tx, volume_id, bootable=bootable)


def set_read_only(core: Core, ctx: Context, volume_id: str, read_only: bool) -> None:
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        if row.status != "available":
            raise invalid_volume(
                f"Volume {volume_id} status must be available to update readonly flag, but current status is: "
                f"{row.status}."
            )
        volumes.change(tx, volume_id, read_only=read_only)


def reserve(core: Core, ctx: Context, volume_id: str) -> None:
    with core.db.write() as tx:
        attachments.begin_attach(tx, ctx, volume_id)


def unreserve(core: Core, ctx: Context, volume_id: str) -> None:
    with core.db.write() as tx:
        attachments.give_back(tx, ctx, volume_id)


def begin_detaching(core: Core, ctx: Context, volume_id: str) -> None:
    with core.db.write() as tx:
        attachments.begin_detach(tx, ctx, volume_id)


def roll_detaching(core: Core, ctx: Context, volume_id: str) -> None:
    with core.db.write() as tx:
        attachments.roll_back_detach(tx, ctx, volume_id)


def upload_image(core: Core, ctx: Context, volume_id: str, wanted: UploadImage) -> dict[str, Any]:
    """available (with ``force`` also in-use) → uploading, with a queued image; returns the action's view.

    :raises BadRequest: status or format. :raises Forbidden: public without the right.
    """
    if wanted.disk_format not in MADE_FORMATS:
        raise BadRequest(
            f"Invalid input for field/attribute disk_format. Value: {wanted.disk_format}. "
            f"'{wanted.disk_format}' is not one of {list(MADE_FORMATS)}"
        )
    if wanted.visibility == "public" and not core.policy.allows("volume_extension:volume_actions:upload_public", ctx):
        raise Forbidden("Policy doesn't allow volume_extension:volume_actions:upload_public to be performed.")
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        allowed = ("available", "in-use") if wanted.force else ("available",)
        if row.status not in allowed:
            raise invalid_volume(f"Volume {volume_id} status must be {' or '.join(allowed)}")
        image_id = images.create_image(
            tx,
            core,
            ctx,
            name=wanted.name,
            disk_format=wanted.disk_format,
            container_format=wanted.container_format,
            properties=images.heritable({name: row.image_meta[name] for name in row.image_meta if name not in CORE}),
            visibility=wanted.visibility,
            protected=wanted.protected,
            min_disk=_number(row, "min_disk"),
            min_ram=_number(row, "min_ram"),
        )
        volumes.change(tx, volume_id, status="uploading", previous_status=row.status)
        order = UploadVolume(volume_id, image_id=image_id, disk_format=wanted.disk_format)
        enqueue(tx, ctx, UPLOAD_VOLUME, order, of=row)
        row = volume_of(tx, ctx, volume_id)
        return {"row": row, "image_id": image_id}


def _number(row: Row[Any], name: str) -> int:
    """Of the image the volume was made from; whoever changed it to a word has none."""
    return max(whole(row.image_meta.get(name, "0")) or 0, 0)
