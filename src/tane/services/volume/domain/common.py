"""What the rules of every resource share: finding a row the caller may see, in Cinder's words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.volume.store import attachments, backups, snapshots, volumes
from tane.web.codec import bounded
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

ZONE = "nova"
CORE = ("image_id", "image_name", "checksum", "container_format", "disk_format", "min_disk", "min_ram", "size")
"""Of a volume's image metadata what is no property of the image (Cinder's ``glance_core_properties``)."""
BACKEND = "file"


def new_id() -> str:
    return str(uuid.uuid4())


def volume_of(tx: Tx, ctx: Context | None, volume_id: str) -> Row[Any]:
    """A volume the caller may see; with ``ctx`` None any. :raises NotFound:"""
    row = volumes.get(tx, volume_id)
    if row is None or (ctx is not None and not ctx.sees(row.project_id)):
        raise NotFound(f"Volume {volume_id} could not be found.")
    return row


def snapshot_of(tx: Tx, ctx: Context | None, snapshot_id: str) -> Row[Any]:
    """:raises NotFound:"""
    row = snapshots.get(tx, snapshot_id)
    if row is None or (ctx is not None and not ctx.sees(row.project_id)):
        raise NotFound(f"Snapshot {snapshot_id} could not be found.")
    return row


def backup_of(tx: Tx, ctx: Context | None, backup_id: str) -> Row[Any]:
    """:raises NotFound:"""
    row = backups.get(tx, backup_id)
    if row is None or (ctx is not None and not ctx.sees(row.project_id)):
        raise NotFound(f"Backup {backup_id} could not be found.")
    return row


def attachment_of(tx: Tx, ctx: Context | None, attachment_id: str) -> Row[Any]:
    """:raises NotFound:"""
    row = attachments.get(tx, attachment_id)
    if row is None or (ctx is not None and not ctx.sees(row.project_id)):
        raise NotFound(f"Volume attachment could not be found with filter: attachment_id = {attachment_id} .")
    return row


def invalid_volume(reason: str) -> BadRequest:
    return BadRequest(f"Invalid volume: {reason}")


def invalid_backup(reason: str) -> BadRequest:
    return BadRequest(f"Invalid backup: {reason}")


def invalid_input(reason: str) -> BadRequest:
    return BadRequest(f"Invalid input received: {reason}")


def checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """:raises BadRequest: an empty key, a key or value longer than 255 characters, or too much of all."""
    for key, value in metadata.items():
        if not key:
            raise BadRequest("Invalid metadata: Metadata property key blank.")
        if len(key) > 255:
            raise BadRequest("Invalid metadata: Metadata property key greater than 255 characters.")
        if len(value) > 255:
            raise BadRequest("Invalid metadata: Metadata property value greater than 255 characters.")
    return dict(bounded("metadata", metadata))
