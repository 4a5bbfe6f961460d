"""Tables of the image service."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Integer, String, Table, Text

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
    Column("fault", Text),
    Column("upload_id", String(36)),
    Column("upload_seen", DateTime),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
)
"""``upload_id`` names the upload that owns an image in status "saving"; ``upload_seen`` is its last sign of life."""

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
