"""Tables of the image service."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tane.db.schema import created_at, metadata, project_id

image = Table(
    "image",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("name", String(255), index=True),
    Column("status", String(16), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("disk_format", String(20)),
    Column("container_format", String(20)),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("os_hidden", Boolean, nullable=False),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("checksum", String(32)),
    Column("os_hash_algo", String(16)),
    Column("os_hash_value", String(128), index=True),
    Column("verified", Boolean, nullable=False),
    Column("fault", Text),
    Column("upload_id", String(36)),
    Column("upload_seen", DateTime),
    Column("staged", JSON),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
)
"""``upload_id`` names the upload that owns an image in status "saving" or "uploading"; ``upload_seen`` is its last sign
of life. ``staged`` is the fingerprint of staged data (size, sha512, md5). ``verified``: the hash was taken here from
the data, not announced by a client."""

image_former = Table(
    "image_former",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("visibility", String(16), nullable=False),
    Column("disk_format", String(20), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("os_hash_value", String(128), nullable=False),
    created_at(),
)
"""What images that were deleted were: disks on hosts stand on copies of them, and their ids are not given again.
``created_at`` is when they were deleted."""

image_property = Table(
    "image_property",
    metadata,
    Column("image_id", String(36), ForeignKey("image.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("value", Text, nullable=False),
)

image_tag = Table(
    "image_tag",
    metadata,
    Column("image_id", String(36), ForeignKey("image.id", ondelete="CASCADE"), primary_key=True),
    Column("value", String(255), primary_key=True),
)

image_member = Table(
    "image_member",
    metadata,
    Column("image_id", String(36), ForeignKey("image.id", ondelete="CASCADE"), primary_key=True),
    Column("member_id", String(64), primary_key=True, index=True),
    Column("status", String(16), nullable=False),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
)

image_location = Table(
    "image_location",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", String(36), ForeignKey("image.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("store", String(64), nullable=False),
    Column("url", Text, nullable=False, index=True),
    Column("meta", JSON, nullable=False),
)
"""Where an image's data lies. Images of equal content share a file of a store, and so its URL."""

image_cache = Table(
    "image_cache",
    metadata,
    Column("image_id", String(36), ForeignKey("image.id", ondelete="CASCADE"), primary_key=True),
    Column("status", String(8), nullable=False),
    Column("ticket", String(36), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("last_accessed", DateTime),
    Column("last_modified", DateTime),
)
"""``ticket`` names the job that fills it, and the file it writes to; ``size`` is 0 until then."""

image_task = Table(
    "image_task",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("type", String(30), nullable=False),
    Column("status", String(16), nullable=False),
    Column("image_id", String(36), index=True),
    Column("user_id", String(64)),
    Column("request_id", String(64)),
    Column("input", JSON, nullable=False),
    Column("result", JSON),
    Column("message", Text, nullable=False),
    Column("expires_at", DateTime),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
)

metadef_namespace = Table(
    "metadef_namespace",
    metadata,
    Column("id", Integer, primary_key=True),
    project_id(),
    Column("namespace", String(80), nullable=False, unique=True),
    Column("display_name", String(80)),
    Column("description", Text),
    Column("visibility", String(10), nullable=False),
    Column("protected", Boolean, nullable=False),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
)


def _of_namespace() -> Column[int]:
    return Column("namespace_id", Integer, ForeignKey("metadef_namespace.id", ondelete="CASCADE"), nullable=False)


metadef_item = Table(
    "metadef_item",
    metadata,
    Column("id", Integer, primary_key=True),
    _of_namespace(),
    Column("kind", String(10), nullable=False),
    Column("name", String(255), nullable=False),
    Column("body", JSON, nullable=False),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
    UniqueConstraint("namespace_id", "kind", "name"),
)
"""Objects, properties and tags of a namespace: ``kind`` says which, ``body`` is all but the name."""

metadef_resource_type = Table(
    "metadef_resource_type",
    metadata,
    Column("name", String(80), primary_key=True),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
)

metadef_association = Table(
    "metadef_association",
    metadata,
    Column("namespace_id", Integer, ForeignKey("metadef_namespace.id", ondelete="CASCADE"), primary_key=True),
    Column("resource_type", String(80), primary_key=True),
    Column("prefix", String(80)),
    Column("properties_target", String(80)),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
)
"""A resource type to which a namespace applies."""
