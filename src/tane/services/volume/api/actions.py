"""POST /volumes/{id}/action (Block Storage API v3: "Volume actions")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.domain import actions, attachments, volumes
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, Forbidden, NotImplementedHere
from tane.web.request import Request


def extend(request: Request) -> None:
    volumes.extend(
        request.core,
        request.ctx,
        request.path["volume_id"],
        request.body.extend.new_size,
        attached_too=request.version >= (3, 42),
    )


def reset_status(request: Request) -> None:
    body = request.body.reset
    if body.migration_status not in (None, "none"):
        raise NotImplementedHere("Volumes are not migrated here; only the migration_status 'none' is possible.")
    if body.status is None and body.attach_status is None and body.migration_status is not None:
        volumes.show(request.core, request.ctx, request.path["volume_id"])
        return
    actions.reset_status(request.core, request.ctx, request.path["volume_id"], body.status, body.attach_status)


def set_bootable(request: Request) -> None:
    actions.set_bootable(request.core, request.ctx, request.path["volume_id"], request.body.value.bootable)


def set_read_only(request: Request) -> None:
    actions.set_read_only(request.core, request.ctx, request.path["volume_id"], request.body.value.readonly)


def reimage(request: Request) -> None:
    asked = request.body.reimage
    if asked.reimage_reserved and not request.allows("volume:reimage_reserved"):
        raise Forbidden("Policy doesn't allow volume:reimage_reserved to be performed.")
    volumes.reimage(
        request.core,
        request.ctx,
        request.path["volume_id"],
        asked.image_id,
        reserved_too=asked.reimage_reserved,
    )


def retype(request: Request) -> None:
    volumes.retype(request.core, request.ctx, request.path["volume_id"], request.body.retype.new_type)


def extend_completion(request: Request) -> None:
    """A volume here grows by itself: none ever waits for compute to say that it has."""
    row = volumes.show(request.core, request.ctx, request.path["volume_id"]).row
    raise BadRequest(f"Invalid volume: Volume {row.id} does not wait for compute, its status is {row.status}.")


def unmanage(request: Request) -> None:
    volumes.unmanage(request.core, request.ctx, request.path["volume_id"])


def force_delete(request: Request) -> None:
    volumes.force_delete(request.core, request.ctx, request.path["volume_id"])


def attach(request: Request) -> None:
    body = request.body.attach
    if (body.instance_uuid is None) == (body.host_name is None):
        raise BadRequest("Invalid request to attach volume to an instance and a host simultaneously, or to neither")
    if body.mode not in ("rw", "ro"):
        raise BadRequest("Invalid request to attach volume with an invalid mode. Attaching mode should be 'rw' or 'ro'")
    attachments.attach_by_action(
        request.core,
        request.ctx,
        request.path["volume_id"],
        server_id=body.instance_uuid,
        host_name=body.host_name,
        device=body.mountpoint,
        mode=body.mode,
    )


def detach(request: Request) -> None:
    asked = request.body.detach
    attachments.detach_by_action(
        request.core, request.ctx, request.path["volume_id"], asked.attachment_id if asked else None
    )


def force_detach(request: Request) -> None:
    asked = request.body.detach
    attachments.force_detach(
        request.core, request.ctx, request.path["volume_id"], asked.attachment_id if asked else None
    )


def reserve(request: Request) -> None:
    actions.reserve(request.core, request.ctx, request.path["volume_id"])


def unreserve(request: Request) -> None:
    actions.unreserve(request.core, request.ctx, request.path["volume_id"])


def begin_detaching(request: Request) -> None:
    actions.begin_detaching(request.core, request.ctx, request.path["volume_id"])


def roll_detaching(request: Request) -> None:
    actions.roll_detaching(request.core, request.ctx, request.path["volume_id"])


def no_connection(request: Request) -> None:
    attachments.refuse_connections(request.core, request.ctx, request.path["volume_id"])


def upload_image(request: Request) -> dict[str, Any]:
    body = request.body.upload
    wanted = actions.UploadImage(
        name=body.image_name,
        disk_format=body.disk_format or "raw",
        container_format=body.container_format or "bare",
        force=body.force,
        visibility=body.visibility or "private",
        protected=bool(body.protected),
    )
    made = actions.upload_image(request.core, request.ctx, request.path["volume_id"], wanted)
    row = made["row"]
    view = {
        "id": row.id,
        "updated_at": iso_micro(row.updated_at),
        "status": row.status,
        "display_description": row.description,
        "size": row.size,
        "volume_type": {"id": row.volume_type_id, "name": row.type_name},
        "image_id": made["image_id"],
        "container_format": wanted.container_format,
        "disk_format": wanted.disk_format,
        "image_name": wanted.name,
    }
    if request.version >= (3, 1):
        view.update(visibility=wanted.visibility, protected=wanted.protected)
    return {"os-volume_upload_image": view}


def show_image_metadata(request: Request) -> dict[str, Any]:
    row = volumes.show(request.core, request.ctx, request.path["volume_id"]).row
    return {"metadata": actions.shown_image_metadata(request.core, request.ctx, row)}


def set_image_metadata(request: Request) -> dict[str, Any]:
    values = request.body.value.metadata
    found = volumes.set_image_metadata(request.core, request.ctx, request.path["volume_id"], values)
    return {"metadata": found}


def unset_image_metadata(request: Request) -> None:
    volumes.unset_image_metadata(request.core, request.ctx, request.path["volume_id"], request.body.value.key)
