"""Tables of object storage, in a database of their own (docs/decisions/0015-object-storage.md)."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

from tane.db.schema import metadata as control

metadata = MetaData(naming_convention=control.naming_convention)

account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("project_domain_id", String(64), nullable=False, default=""),
    Column("stamp", Integer, nullable=False),
    Column("meta", Text, nullable=False),
)
"""``stamp`` is a moment in tens of microseconds, as in X-Timestamp; ``meta`` a JSON object of headers."""

container = Table(
    "container",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("stamp", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("meta", Text, nullable=False),
    Column("read_acl", Text, nullable=False, default=""),
    Column("write_acl", Text, nullable=False, default=""),
    Column("policy", String(32), nullable=False, default="one"),
    Column("versions_mode", String(16), nullable=False, default=""),
    Column("versions_container", Text, nullable=False, default=""),
    Column("objects", Integer, nullable=False, default=0),
    Column("bytes", Integer, nullable=False, default=0),
    Index("uq_container_account_id_name", "account_id", "name", unique=True),
    Index("ix_container_name", "name"),
)
"""``versions_mode``: "" none, "location" and "history" the two older forms, which keep old objects in the container
``versions_container``; "enabled" and "suspended" keep them beside the new ones, in :data:`version`."""


def _content() -> list[Column]:  # type: ignore[type-arg]  # Of several types.
    """What an object is, the current one or an older version."""
    return [
        Column("container_id", Integer, ForeignKey("container.id"), nullable=False),
        Column("name", Text, nullable=False),
        Column("stamp", Integer, nullable=False),
        Column("size", Integer, nullable=False),
        Column("etag", String(64), nullable=False),
        Column("content_type", Text, nullable=False),
        Column("meta", Text, nullable=False),
        Column("delete_at", Integer),
        Column("kind", String(8), nullable=False, default=""),
        Column("manifest", Text, nullable=False, default=""),
        Column("blob_id", String(32), ForeignKey("blob.id")),
        Column("versioned", Integer, nullable=False, default=0),
        Column("manifest_etag", String(32), nullable=False, default="", server_default=""),
    ]


object_ = Table(
    "object",
    metadata,
    Column("id", Integer, primary_key=True),
    *_content(),
    Index("uq_object_container_id_name", "container_id", "name", unique=True),
    Index("ix_object_delete_at", "delete_at"),
)
"""``kind``: "" plain, "slo", "dlo", "symlink"; ``manifest``: what a manifest lists (JSON), or points at. ``size`` and
``etag`` of an SLO are those of the whole, ``manifest_etag`` the MD5 of its manifest: listings need not read that.
``versioned``: it was written while versions were on, and has an id of its own; else it is the version "null"."""

version = Table(
    "version",
    metadata,
    Column("id", Integer, primary_key=True),
    *_content(),
    Index("ix_version_container_id_name_stamp", "container_id", "name", "stamp", unique=True),
    Index("ix_version_delete_at", "delete_at"),
)
"""Older versions; ``kind`` "marker": the object was deleted then."""

blob = Table(
    "blob",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("crc", Integer, nullable=False),
    Column("refs", Integer, nullable=False),
    Column("data", LargeBinary),
    Column("dead_at", Integer),
    Column("account_id", Integer),
    Index("ix_blob_dead_at", "dead_at"),
)
Index(
    "ix_blob_account_id",
    blob.c.account_id,
    sqlite_where=blob.c.dead_at.is_not(None),
    postgresql_where=blob.c.dead_at.is_not(None),
)
"""Bytes that are written once: in the row (``data``) or in files of that name on hosts. ``refs``: how many objects and
versions are made of them; without any since ``dead_at``. ``account_id``: for which account it lies there until then."""

upload = Table(
    "upload",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("container_id", Integer, nullable=False),
    Column("segments_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("stamp", Integer, nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("meta", Text, nullable=False),
    Column("parts", Integer, nullable=False, default=0),
    Column("dead", Integer, nullable=False, default=0),
    Index("ix_upload_container_id_name", "container_id", "name"),
    Index("ix_upload_account_id", "account_id"),
    Index("ix_upload_dead_stamp", "dead", "stamp"),
)
"""An upload of S3 in parts. These are objects of the container ``segments_id``, named ID/NUMBER; ``parts`` counts the
changes of them. ``dead``: nobody needs them any more, they are to be removed. Rows of containers that are gone may be
here for a while."""

blob_copy = Table(
    "blob_copy",
    metadata,
    Column("blob_id", String(32), ForeignKey("blob.id"), primary_key=True),
    Column("host", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
)
_HOSTED = text("host != 'local'")
Index("ix_blob_copy_host", blob_copy.c.host, blob_copy.c.blob_id, sqlite_where=_HOSTED, postgresql_where=_HOSTED)
_OPEN = text("state != 'good'")
Index("ix_blob_copy_state", blob_copy.c.blob_id, sqlite_where=_OPEN, postgresql_where=_OPEN)
"""Where the file of a blob lies; ``host`` "local" is the state folder of the cloud itself, "none" no host yet. Of the
other hosts ``state`` says: "good"; "check", it is to be verified and may be read; "missing", it is to be written there;
"bad", it is not what was written, and is to be replaced."""

blob_check = Table(
    "blob_check",
    metadata,
    Column("blob_id", String(32), primary_key=True),
    Column("checks", LargeBinary, nullable=False),
)
"""By what the blocks of a blob are known that lies on hosts: digests one after another."""

held = Table(
    "held",
    metadata,
    Column("segments_id", Integer, primary_key=True),
    Column("upload_id", String(32), primary_key=True),
    Column("mode", String(16), nullable=False),
    Column("until", Integer, nullable=False),
    Column("hold", Integer, nullable=False),
)
"""Uploads whose parts, objects ID/NUMBER of the container ``segments_id``, must stay: they are what a locked object is
made of. ``until``: seconds since 1970."""

document = Table(
    "document",
    metadata,
    Column("container_id", Integer, ForeignKey("container.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("text", Text, nullable=False),
)
"""What S3 keeps of a bucket: "lifecycle", "policy"."""

mark = Table(
    "mark",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("stamp", Integer, nullable=False),
)
"""When something was last done: "scrubbed", every good copy on hosts was verified."""
