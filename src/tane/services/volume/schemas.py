"""Request bodies of block storage (API reference: Block Storage API v3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from tane.web.codec import Body, LooseBody, Text255, Uuid, since

UNSET = msgspec.UNSET
Unset = msgspec.UnsetType
MOST = 1000
Metadata = Annotated[dict[str, str], msgspec.Meta(max_length=MOST)]
"""How long keys and values may be is told in Cinder's words, by the domain."""
Name = Annotated[str, msgspec.Meta(max_length=255)] | None
Ref = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
ServiceName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class VolumeIn(LooseBody):
    """``source_volid``, ``snapshot_id`` and ``imageRef`` name the source; without one the volume is empty."""

    size: int | Text255 | None = None
    name: Name = None
    display_name: Name = None
    description: Name = None
    display_description: Name = None
    volume_type: Name = None
    imageRef: Text255 | None = None
    image_id: Text255 | None = None
    snapshot_id: Text255 | None = None
    source_volid: Text255 | None = None
    availability_zone: Name = None
    metadata: Metadata | None = None
    multiattach: bool | Text255 | None = None
    consistencygroup_id: Text255 | None = None
    group_id: Annotated[Text255 | None, since("3.13")] = None
    backup_id: Annotated[Text255 | None, since("3.47")] = None


class VolumeCreate(LooseBody):
    volume: VolumeIn


class Change(LooseBody):
    name: Name | Unset = UNSET
    display_name: Name | Unset = UNSET
    description: Name | Unset = UNSET
    display_description: Name | Unset = UNSET
    metadata: Metadata | Unset = UNSET


class VolumeUpdate(Body):
    volume: Change


class SnapshotIn(LooseBody):
    volume_id: Uuid | None
    name: Name = None
    description: Name = None
    display_name: Name = None
    display_description: Name = None
    force: bool | Text255 | None = None
    metadata: Metadata | None = None


class SnapshotCreate(Body):
    snapshot: SnapshotIn


class SnapshotUpdate(Body):
    snapshot: Change


Flag = bool | int | Annotated[str, msgspec.Meta(max_length=255)] | None


class BackupIn(Body):
    volume_id: Uuid
    snapshot_id: Uuid | None = None
    name: Name = None
    description: Name = None
    container: Name = None
    incremental: Flag = None
    force: Flag = None
    metadata: Annotated[Metadata | None, since("3.43")] = None
    availability_zone: Annotated[Name, since("3.51")] = None


class BackupCreate(Body):
    backup: BackupIn


class BackupChange(Body):
    name: Name | Unset = UNSET
    description: Name | Unset = UNSET
    metadata: Annotated[Metadata | Unset, since("3.43")] = UNSET


class BackupUpdate(Body):
    backup: BackupChange | None


class BackupRestoreIn(Body):
    volume_id: Uuid | None = None
    name: Name = None


class BackupRestore(Body):
    restore: BackupRestoreIn | None


class BackupRecord(Body):
    backup_service: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    backup_url: Annotated[str, msgspec.Meta(min_length=1)]


class BackupImport(Body):
    record: BackupRecord = msgspec.field(name="backup-record")


class MetadataBody(Body):
    metadata: Metadata


class MetaBody(Body):
    meta: Metadata


class TypeIn(LooseBody):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    description: Text255 | None = None
    is_public: bool | None = msgspec.field(name="os-volume-type-access:is_public", default=None)
    extra_specs: Metadata | None = None


class TypeCreate(Body):
    volume_type: TypeIn


class TypeChange(LooseBody):
    name: Text255 | Unset | None = UNSET
    description: Text255 | Unset | None = UNSET
    is_public: bool | Unset | None = UNSET


class TypeUpdate(Body):
    volume_type: TypeChange


class TransferIn(Body):
    volume_id: Uuid
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    no_snapshots: Annotated[bool | Literal["true", "false", "True", "False", "1", "0"] | None, since("3.55")] = None


class TransferCreate(Body):
    transfer: TransferIn


class Acceptance(Body):
    auth_key: Text255 | int


class TransferAccept(Body):
    accept: Acceptance


ControlLocation = Literal["front-end", "back-end"]
KeySize = Annotated[int, msgspec.Meta(ge=0, le=0x7FFFFFFF)] | None


class EncryptionIn(Body):
    provider: Text255
    control_location: ControlLocation
    cipher: Text255 | None = None
    key_size: KeySize = None


class EncryptionCreate(Body):
    encryption: EncryptionIn


class EncryptionChange(Body):
    provider: Text255 | Unset = UNSET
    control_location: ControlLocation | Unset = UNSET
    cipher: Text255 | Unset | None = UNSET
    key_size: KeySize | Unset = UNSET


class EncryptionUpdate(Body):
    encryption: EncryptionChange


class GroupTypeIn(LooseBody):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    description: Text255 | None = None
    is_public: bool | None = None
    group_specs: Metadata | None = None


class GroupTypeCreate(Body):
    group_type: GroupTypeIn


class GroupTypeUpdate(Body):
    group_type: TypeChange


class GroupSpecs(Body):
    group_specs: Metadata


class GroupIn(Body):
    group_type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    volume_types: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]], msgspec.Meta(min_length=1, max_length=100)
    ]
    name: Name = None
    description: Text255 | None = None
    availability_zone: Name = None


class GroupCreate(Body):
    group: GroupIn


class GroupSource(Body):
    name: Name = None
    description: Text255 | None = None
    group_snapshot_id: Uuid | None = None
    source_group_id: Uuid | None = None


class GroupCopy(Body):
    source: GroupSource = msgspec.field(name="create-from-src")


class GroupChange(Body):
    """``add_volumes`` and ``remove_volumes``: ids with commas between them, a thousand at most."""

    name: Name = None
    description: Text255 | None = None
    add_volumes: Annotated[str, msgspec.Meta(max_length=37_000)] | None = None
    remove_volumes: Annotated[str, msgspec.Meta(max_length=37_000)] | None = None


class GroupUpdate(Body):
    group: GroupChange


class GroupDeletion(Body):
    delete_volumes: bool | Text255 | None = msgspec.field(name="delete-volumes", default=None)


class GroupDelete(Body):
    delete: GroupDeletion


class GroupStatus(Body):
    status: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class GroupReset(Body):
    reset_status: GroupStatus


class GroupSnapshotIn(Body):
    group_id: Uuid
    name: Name = None
    description: Text255 | None = None


class GroupSnapshotCreate(Body):
    group_snapshot: GroupSnapshotIn


class QosSpecs(Body):
    """``name`` and ``consumer`` stand among the keys of free choice."""

    qos_specs: Annotated[dict[str, str | int], msgspec.Meta(max_length=MOST)]


class QosKeys(Body):
    keys: Annotated[list[Ref], msgspec.Meta(max_length=MOST)]


class DefaultTypeIn(Body):
    volume_type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class DefaultTypeUpdate(Body):
    default_type: DefaultTypeIn


class ExtraSpecs(Body):
    extra_specs: Metadata


class ProjectAccess(Body):
    project: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class AddAccess(Body):
    addProjectAccess: ProjectAccess


class RemoveAccess(Body):
    removeProjectAccess: ProjectAccess


class QuotaUpdate(LooseBody):
    quota_set: Annotated[dict[Text255, Any], msgspec.Meta(max_length=MOST)]


class QuotaClassUpdate(LooseBody):
    quota_class_set: Annotated[dict[Text255, Any], msgspec.Meta(max_length=MOST)]


class AttachmentIn(LooseBody):
    volume_uuid: Uuid
    instance_uuid: Uuid | None = None
    connector: Annotated[dict[Text255, Any], msgspec.Meta(max_length=MOST)] | None = None
    mode: Annotated[Text255 | None, since("3.54")] = None


class AttachmentCreate(LooseBody):
    attachment: AttachmentIn


class AttachmentChange(LooseBody):
    connector: Annotated[dict[Text255, Any], msgspec.Meta(max_length=MOST)]


class AttachmentUpdate(LooseBody):
    attachment: AttachmentChange


class Extend(LooseBody):
    new_size: Annotated[int, msgspec.Meta(ge=1)]


class ExtendAction(Body):
    extend: Extend = msgspec.field(name="os-extend")


class ResetStatus(LooseBody):
    status: Text255 | None = None
    attach_status: Text255 | None = None
    migration_status: Text255 | None = None


class ResetStatusAction(Body):
    reset: ResetStatus = msgspec.field(name="os-reset_status")


class SnapshotStatus(LooseBody):
    status: Text255


class SnapshotStatusAction(Body):
    reset: SnapshotStatus = msgspec.field(name="os-reset_status")


class BackupStatusAction(Body):
    reset: SnapshotStatus = msgspec.field(name="os-reset_status")


class SnapshotProgress(LooseBody):
    """``progress``: "80%"."""

    status: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    progress: Annotated[str, msgspec.Meta(max_length=255)] | None = None


class SnapshotProgressAction(Body):
    update: SnapshotProgress = msgspec.field(name="os-update_snapshot_status")


class Reimage(LooseBody):
    image_id: Uuid
    reimage_reserved: bool = False


class ReimageAction(Body):
    reimage: Reimage = msgspec.field(name="os-reimage")


class Retype(LooseBody):
    new_type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    migration_policy: Literal["never", "on-demand"] | None = None


class RetypeAction(Body):
    retype: Retype = msgspec.field(name="os-retype")


class Bootable(LooseBody):
    bootable: bool


class BootableAction(Body):
    value: Bootable = msgspec.field(name="os-set_bootable")


class ReadOnly(LooseBody):
    readonly: bool


class ReadOnlyAction(Body):
    value: ReadOnly = msgspec.field(name="os-update_readonly_flag")


class Attach(LooseBody):
    mountpoint: Text255
    instance_uuid: Uuid | None = None
    host_name: Text255 | None = None
    mode: Text255 = "rw"


class AttachAction(Body):
    attach: Attach = msgspec.field(name="os-attach")


class Detach(LooseBody):
    attachment_id: Uuid | None = None


class DetachAction(Body):
    detach: Detach | None = msgspec.field(name="os-detach")


class ForceDetachAction(Body):
    detach: Detach | None = msgspec.field(name="os-force_detach")


ContainerFormat = Literal["aki", "ami", "ari", "bare", "compressed", "docker", "ova", "ovf"]
Visibility = Literal["community", "private", "public", "shared"]


class UploadImage(LooseBody):
    image_name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    disk_format: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    container_format: ContainerFormat | None = None
    force: bool = False
    visibility: Annotated[Visibility | None, since("3.1")] = None
    protected: Annotated[bool | None, since("3.1")] = None


class UploadImageAction(Body):
    upload: UploadImage = msgspec.field(name="os-volume_upload_image")


class SetImageMetadata(LooseBody):
    metadata: Metadata


class SetImageMetadataAction(Body):
    value: SetImageMetadata = msgspec.field(name="os-set_image_metadata")


class UnsetImageMetadata(LooseBody):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class UnsetImageMetadataAction(Body):
    value: UnsetImageMetadata = msgspec.field(name="os-unset_image_metadata")


class ServiceChange(Body):
    """``service`` is the older name of ``binary``, which wins."""

    host: ServiceName
    binary: ServiceName | Unset = UNSET
    service: ServiceName | Unset = UNSET
    cluster: Text255 | None = None
    disabled_reason: Text255 | None = None
