"""What may be asked of the job runner about volumes; ``operations/`` carries it out."""

from __future__ import annotations

import msgspec

from tane.jobs import Order


class Ordered(msgspec.Struct, kw_only=True):
    """``project_id``: whose the volume, or the snapshot, was when it was ordered: it is done for nobody else. None in
    what an older release ordered."""

    project_id: str | None = None


class VolumeParams(Ordered):
    """What every order about a volume tells."""

    volume_id: str


class CreateVolume(VolumeParams):
    """``source_project``: whose the volume or snapshot was that is copied; None when there is none."""

    image_id: str | None = None
    source_project: str | None = None


class ExtendVolume(VolumeParams):
    """``size`` in GiB."""

    size: int


class ForceDetach(VolumeParams):
    attachment_ids: list[str]


class ReimageVolume(VolumeParams):
    image_id: str


class UploadVolume(VolumeParams):
    image_id: str
    disk_format: str


class SnapshotParams(VolumeParams):
    snapshot_id: str


class BackupParams(VolumeParams):
    """``snapshot_id``: what is backed up, when it is a snapshot."""

    backup_id: str
    snapshot_id: str | None = None


class RestoreBackup(BackupParams):
    """``new``: the volume is made for it."""

    new: bool = False


class OneBackup(msgspec.Struct, kw_only=True):
    """What an order about a backup tells that concerns no volume."""

    backup_id: str


RECORDING = ("finish", "release", "forget")
"""The last steps of the operations: what the order was about is done then, and only written down."""

CREATE_VOLUME = Order("volume.create_volume", CreateVolume, patience=3600.0)
DELETE_VOLUME = Order("volume.delete_volume", VolumeParams)
EXTEND_VOLUME = Order("volume.extend_volume", ExtendVolume)
FORCE_DETACH = Order("volume.force_detach", ForceDetach)
REIMAGE_VOLUME = Order("volume.reimage_volume", ReimageVolume, patience=3600.0)
UPLOAD_VOLUME = Order("volume.upload_volume", UploadVolume, patience=3600.0)
CREATE_SNAPSHOT = Order("volume.create_snapshot", SnapshotParams)
DELETE_SNAPSHOT = Order("volume.delete_snapshot", SnapshotParams)
CREATE_BACKUP = Order("volume.create_backup", BackupParams, patience=3600.0)
RESTORE_BACKUP = Order("volume.restore_backup", RestoreBackup, patience=3600.0)
DELETE_BACKUP = Order("volume.delete_backup", OneBackup)
IMPORT_BACKUP = Order("volume.import_backup", OneBackup)
