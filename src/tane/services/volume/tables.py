"""Tables of the block storage service. Sizes are in GiB, as the API has them."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, ForeignKey, Integer, String, Table, Text

from tane.db.schema import created_at, metadata, project_id, updated_at

volume_qos_specs = Table(
    "volume_qos_specs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("consumer", String(16), nullable=False),
    Column("specs", JSON, nullable=False),
    created_at(),
    updated_at(),
)
"""What an administrator has written down of a service's quality, for types of volumes."""

volume_type = Table(
    "volume_type",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(255)),
    Column("is_public", Boolean, nullable=False),
    Column("extra_specs", JSON, nullable=False),
    Column("encryption", JSON),
    Column("qos_specs_id", String(36), index=True),
    created_at(),
    updated_at(),
)
"""``encryption``: what an administrator has written down of it, as the API shows it; NULL when there is none."""

volume_default_type = Table(
    "volume_default_type",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("volume_type_id", String(36), ForeignKey("volume_type.id"), nullable=False, index=True),
)
"""The type of new volumes of a project that names none, where it is not the cloud's."""

volume_type_access = Table(
    "volume_type_access",
    metadata,
    Column("volume_type_id", String(36), ForeignKey("volume_type.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", String(64), primary_key=True),
)

volume_service = Table(
    "volume_service",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("binary", String(64), primary_key=True),
    Column("reason", String(255)),
    created_at(),
)
"""Services that are switched off."""

volume = Table(
    "volume",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", String(255)),
    Column("size", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("previous_status", String(32)),
    Column("extending_to", Integer),
    Column("fault", Text),
    Column("bootable", Boolean, nullable=False),
    Column("multiattach", Boolean, nullable=False),
    Column("read_only", Boolean),
    Column("volume_type_id", String(36), ForeignKey("volume_type.id"), nullable=False),
    Column("availability_zone", String(255), nullable=False),
    Column("host_id", String(36), index=True),
    Column("snapshot_id", String(36)),
    Column("source_volid", String(36)),
    Column("group_id", String(36), index=True),
    Column("meta", JSON, nullable=False),
    Column("image_meta", JSON, nullable=False),
    created_at(),
    updated_at(),
)
"""``previous_status`` is what the status returns to after "uploading"; ``extending_to`` the size a volume being
extended will have, which quota counts already; ``image_meta`` the API's ``volume_image_metadata``; ``fault`` the reason
of an error status."""

volume_snapshot = Table(
    "volume_snapshot",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("volume_id", String(36), ForeignKey("volume.id"), nullable=False, index=True),
    Column("volume_type_id", String(36), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", String(255)),
    Column("size", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("progress", String(8)),
    Column("group_snapshot_id", String(36), index=True),
    Column("fault", Text),
    Column("meta", JSON, nullable=False),
    Column("image_meta", JSON, nullable=False),
    created_at(),
    updated_at(),
)

"""``image_meta``: that of the volume when it was taken; what the volume is given later is another's to see."""

volume_attachment = Table(
    "volume_attachment",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("volume_id", String(36), ForeignKey("volume.id", ondelete="CASCADE"), nullable=False, index=True),
    project_id(),
    Column("server_id", String(36), index=True),
    Column("status", String(16), nullable=False),
    Column("device", String(255)),
    Column("host_name", String(255)),
    Column("mode", String(4), nullable=False),
    Column("connector", JSON, nullable=False),
    Column("attached_at", DateTime),
    created_at(),
    updated_at(),
)
"""``status`` is the API's attach status: reserved, attaching, attached, detaching."""

volume_message = Table(
    "volume_message",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("request_id", String(64)),
    Column("resource_type", String(32), nullable=False),
    Column("resource_uuid", String(36), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("user_message", String(255), nullable=False),
    Column("message_level", String(16), nullable=False),
    Column("expires_at", DateTime, nullable=False, index=True),
    created_at(),
)
"""What went wrong after the answer was sent, for the project's members to read."""

volume_transfer = Table(
    "volume_transfer",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("volume_id", String(36), ForeignKey("volume.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(255)),
    Column("key_hash", String(64), nullable=False),
    Column("no_snapshots", Boolean, nullable=False),
    created_at(),
)
"""Volumes that a project offers to whoever knows the key; gone when the volume was accepted."""

volume_group_type = Table(
    "volume_group_type",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(255)),
    Column("is_public", Boolean, nullable=False),
    Column("group_specs", JSON, nullable=False),
    created_at(),
    updated_at(),
)

volume_group = Table(
    "volume_group",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", String(255)),
    Column("status", String(32), nullable=False),
    Column("group_type_id", String(36), nullable=False, index=True),
    Column("volume_types", JSON, nullable=False),
    Column("group_snapshot_id", String(36)),
    Column("source_group_id", String(36)),
    created_at(),
    updated_at(),
)
"""``volume_types``: the ids of the types that its volumes may have."""

volume_group_snapshot = Table(
    "volume_group_snapshot",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("group_id", String(36), nullable=False, index=True),
    Column("group_type_id", String(36), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", String(255)),
    Column("status", String(32), nullable=False),
    created_at(),
    updated_at(),
)

volume_backup = Table(
    "volume_backup",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("volume_id", String(36), nullable=False, index=True),
    Column("snapshot_id", String(36)),
    Column("parent_id", String(36), index=True),
    Column("generation", Integer, nullable=False),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("size", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("fail_reason", Text),
    Column("availability_zone", String(255), nullable=False),
    Column("account", String(64), nullable=False),
    Column("container", String(255), nullable=False),
    Column("prefix", String(255), nullable=False),
    Column("object_count", Integer, nullable=False),
    Column("digest", String(64)),
    Column("manifest_bytes", BigInteger, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("restored_to", String(36)),
    Column("bootable", Boolean, nullable=False),
    Column("image_meta", JSON, nullable=False),
    Column("volume_meta", JSON, nullable=False),
    Column("meta", JSON, nullable=False),
    Column("data_timestamp", DateTime, nullable=False),
    created_at(),
    updated_at(),
)
"""The volume of a backup may be gone. ``generation``: how many backups it builds upon. ``account``: the project in
whose objects it is, by names that begin with ``prefix``; ``digest``: SHA-256 of the manifest there, NULL until it is
written. ``sources``: (container, prefix) of each backup in whose objects its blocks lie, its own among them.
``restored_to``: the volume it is written to while it is restored. ``bootable``, ``image_meta``
and ``volume_meta``: of the volume when it was backed up."""
