"""Records of backups: what another cloud, or this one without its database, must know to restore what lies in object
storage. Administrators export and import them.

A record names the account, the objects and the SHA-256 of their manifest. Nothing of one is believed but its form.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.services.volume.domain import quotas
from tane.services.volume.domain.backup_content import MOST_SOURCES, most_bytes
from tane.services.volume.domain.backups import checked_container, is_prefix
from tane.services.volume.domain.common import ZONE, backup_of, checked_metadata, invalid_backup, invalid_input
from tane.services.volume.orders import IMPORT_BACKUP, OneBackup
from tane.services.volume.store import backups
from tane.web.codec import parse
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden

SERVICE = "cinder.backup.drivers.tane.ObjectStorageBackupDriver"
"""What a record says it is of: clients look for upstream's prefix."""
Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Project = Annotated[str, Meta(pattern=r"^[0-9a-zA-Z_-]{1,64}\Z")]
Text = Annotated[str, Meta(max_length=255)]
MOST_URL = 64 << 10


class Record(msgspec.Struct, kw_only=True):
    """Names as Cinder's records have them where those have the same. ``size`` in GiB."""

    id: Id
    account: Project
    volume_id: Id
    snapshot_id: Id | None = None
    display_name: Text | None = None
    display_description: Text | None = None
    container: Text
    service_metadata: Text
    service: Text = SERVICE
    size: Annotated[int, Meta(ge=1, lt=1 << 20)]
    object_count: Annotated[int, Meta(ge=0, le=0x7FFFFFFF)]
    generation: Annotated[int, Meta(ge=0, lt=MOST_SOURCES)] = 0
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    manifest_bytes: Annotated[int, Meta(ge=1, lt=1 << 50)]
    bootable: bool = False
    image_meta: dict[str, str] = {}
    volume_metadata: dict[str, str] = {}
    metadata: dict[str, str] = {}


def export(core: Core, ctx: Context, backup_id: str) -> dict[str, Any]:
    """:raises NotFound: :raises BadRequest: it is not available."""
    with core.db.read() as tx:
        row = backup_of(tx, ctx, backup_id)
    if row.status != "available":
        raise invalid_backup(f"Backup status must be available and not {row.status}.")
    if row.digest is None:
        raise invalid_backup("The backup was never written as a whole.")
    record = Record(
        id=row.id,
        account=row.account,
        volume_id=row.volume_id,
        snapshot_id=row.snapshot_id,
        display_name=row.name,
        display_description=row.description,
        container=row.container,
        service_metadata=row.prefix,
        size=row.size,
        object_count=row.object_count,
        generation=row.generation,
        digest=row.digest,
        manifest_bytes=row.manifest_bytes,
        bootable=row.bootable,
        image_meta=row.image_meta,
        volume_metadata=row.volume_meta,
        metadata=row.meta,
    )
    return {"backup_service": SERVICE, "backup_url": b64encode(msgspec.json.encode(record)).decode()}


def imported(core: Core, ctx: Context, service: str, url: str) -> Row[Any]:
    """A backup of the caller's project, made of what a record says is there already; it is looked at before the backup
    is available.

    :raises BadRequest: no record of this cloud's backups, or there is a backup of that id. :raises OverLimit:
    :raises Forbidden: objects of another project, for who is no administrator.
    """
    if service != SERVICE:
        raise invalid_input(f"backup_service: {service} is not {SERVICE}")
    record = _read(url)
    if record.account != ctx.project_id and not ctx.is_admin:
        raise Forbidden("The backup is in the account of another project.")
    container, image_meta = checked_container(record.container), checked_metadata(record.image_meta)
    meta, volume_meta = checked_metadata(record.metadata), checked_metadata(record.volume_metadata)
    with core.db.write() as tx:
        if backups.get(tx, record.id) is not None:
            raise invalid_backup("Backup already exists in database.")
        quotas.claim_backup(tx, ctx.project_id, record.size)
        values: dict[str, Any] = {
            "id": record.id,
            "project_id": ctx.project_id,
            "user_id": ctx.user_id,
            "volume_id": record.volume_id,
            "snapshot_id": record.snapshot_id,
            "generation": record.generation,
            "name": record.display_name,
            "description": record.display_description,
            "size": record.size,
            "status": "creating",
            "availability_zone": ZONE,
            "account": record.account,
            "container": container,
            "prefix": record.service_metadata,
            "object_count": record.object_count,
            "digest": record.digest,
            "manifest_bytes": record.manifest_bytes,
            "sources": [],
            "bootable": record.bootable,
            "image_meta": image_meta,
            "volume_meta": volume_meta,
            "meta": meta,
            "data_timestamp": tx.now,
        }
        backups.add(tx, values)
        jobs.enqueue(tx, IMPORT_BACKUP, OneBackup(backup_id=record.id), resource=f"backup:{record.id}", by=ctx)
        return backup_of(tx, None, record.id)


def _read(url: str) -> Record:
    """:raises BadRequest:"""
    if len(url) > MOST_URL:
        raise invalid_input("Can't parse backup record.")
    try:
        record = msgspec.convert(parse(b64decode(url, validate=True)), Record)
    except msgspec.ValidationError as error:
        raise invalid_input(f"Can't parse backup record: {error}") from None
    except (binascii.Error, ValueError, BadRequest):
        raise invalid_input("Can't parse backup record.") from None
    if record.manifest_bytes > most_bytes(record.size):
        raise invalid_input(f"Can't parse backup record: no manifest of {record.size} GiB is so long.")
    if not is_prefix(record.service_metadata, record.volume_id, record.id):
        # Else a record names, for its backup's deletion, whatever else lies in the account.
        raise invalid_input("Can't parse backup record: service_metadata is not of this backup.")
    return record
