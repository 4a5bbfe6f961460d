"""Ordering an image of a server (Compute API: "Create Image (createImage Action)")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.compute.domain import hardware, quotas
from tane.services.compute.domain.actions import refuse_nowhere
from tane.services.compute.domain.common import queue, refuse_locked, require, require_state
from tane.services.compute.orders import CREATE_IMAGE, CREATE_VOLUME_IMAGE, CreateImage, CreateVolumeImage
from tane.services.compute.store import block_devices, servers
from tane.services.image import interface as image
from tane.services.volume import interface as volume
from tane.web.context import Context
from tane.web.errors import Forbidden, NotImplementedHere, OverLimit

NOT_INHERITED = ("signature", "img_signature", "instance_uuid", "user_id", "image_type", "base_image_ref")
OF_THE_IMAGE = ("image_id", "image_name", "checksum", "container_format", "disk_format", "min_disk", "min_ram", "size")
"""What a volume knows of its image that is no property of it."""
OF_THE_MAPPING = ("block_device_mapping", "bdm_v2", "root_device_name")


def create_image(core: Core, ctx: Context, server_id: str, name: str, properties: dict[str, str]) -> str:
    """Order an image of a server as it is now; returns the image's id.

    Of a server with a local root disk the image is that disk. Of one that boots from a volume it has no data: its
    property ``block_device_mapping`` names snapshots of all its volumes, from which a new server's volumes are made.

    :raises Forbidden: over a quota, or a property is protected. :raises BadRequest: a volume's status does not allow
    a snapshot.
    """
    image.require_creatable(core, ctx, properties)
    with core.db.write() as tx:
        row = require(tx, ctx, server_id)
        refuse_locked(ctx, row)
        require_state(row, "createImage", ("active", "stopped", "paused", "suspended"))
        refuse_nowhere(row)
        quotas.refuse_metadata_over_quota(tx, row.project_id, len(properties))
        order = _of_volumes if row.image_id is None else of_disk
        servers.change(tx, server_id, task_state="image_snapshot")
        return order(tx, core, ctx, row, name, properties)


def of_disk(
    tx: Tx,
    core: Core,
    ctx: Context,
    row: Row[Any],
    name: str,
    properties: Mapping[str, str],
    *,
    rotation: int | None = None,
) -> str:
    """Order an image of the local root disk. ``rotation``: how many backups of its type are kept, if it is one."""
    image_id = image_of_disk(tx, core, ctx, row, name, properties)
    queue(tx, ctx, CREATE_IMAGE, CreateImage(row.id, image_id=image_id, rotation=rotation), owner=row.project_id)
    return image_id


def image_of_disk(
    tx: Tx,
    core: Core,
    ctx: Context,
    row: Row[Any],
    name: str,
    properties: Mapping[str, str],
    *,
    budgeted: bool = True,
) -> str:
    """Write the row of an image of the local root disk, which has no data yet; returns its id. ``budgeted``: not when
    the project's budget is spent."""
    base = image.image_by_id(tx, row.image_id)
    kept = {k: v for k, v in (base.properties if base else {}).items() if k not in NOT_INHERITED}
    return image.create_image(
        tx,
        core,
        ctx,
        name=name,
        disk_format="qcow2",
        container_format="bare",
        min_disk=row.flavor["disk"],
        min_ram=base.min_ram if base else 0,
        budgeted=budgeted,
        properties={
            **kept,
            "instance_uuid": row.id,
            "user_id": ctx.user_id,
            "image_type": "snapshot",
            "base_image_ref": row.image_id,
            **properties,
        },
    )


def _of_volumes(tx: Tx, core: Core, ctx: Context, row: Row[Any], name: str, properties: Mapping[str, str]) -> str:
    if hardware.of(row.image_properties, row.flavor["extra_specs"], row.vcpus).quiesce:
        raise NotImplementedHere("Volumes of a server are not snapshotted together with its file systems frozen yet.")
    mapping, base = [], {}
    for device in block_devices.of_server(tx, row.id):
        if device.boot_index == 0:
            base = volume.volume_info(tx, ctx, device.volume_id).image_metadata
        mapping.append(_snapshot(tx, ctx, device, name))
    inherited = {k: v for k, v in base.items() if k not in (*NOT_INHERITED, *OF_THE_IMAGE, *OF_THE_MAPPING)}
    image_id = image.create_image(
        tx,
        core,
        ctx,
        name=name,
        disk_format="raw",
        container_format="bare",
        min_ram=int(base.get("min_ram", 0)),
        properties={
            **inherited,
            **properties,
            "block_device_mapping": msgspec.json.encode(mapping).decode(),
            "bdm_v2": "True",
            "root_device_name": row.root_device_name,
        },
    )
    snapshot_ids = [entry["snapshot_id"] for entry in mapping]
    queue(
        tx,
        ctx,
        CREATE_VOLUME_IMAGE,
        CreateVolumeImage(row.id, image_id=image_id, snapshot_ids=snapshot_ids),
        owner=row.project_id,
    )
    return image_id


def _snapshot(tx: Tx, ctx: Context, device: Row[Any], name: str) -> dict[str, Any]:
    """Order the snapshot of one volume; returns its entry of the mapping."""
    try:
        taken = volume.create_snapshot(tx, ctx, device.volume_id, f"snapshot for {name}")
    except OverLimit as error:
        raise Forbidden(error.message) from None
    return {
        "source_type": "snapshot",
        "destination_type": "volume",
        "snapshot_id": taken.id,
        "volume_size": taken.size,
        "device_name": device.device,
        "boot_index": device.boot_index,
        "delete_on_termination": bool(device.delete_on_termination),
        "tag": device.tag,
    }
