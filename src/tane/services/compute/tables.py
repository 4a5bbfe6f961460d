"""Tables of the compute service."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from tane.db.schema import created_at, metadata, project_id, updated_at

flavor = Table(
    "flavor",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("vcpus", Integer, nullable=False),
    Column("ram", Integer, nullable=False),
    Column("disk", Integer, nullable=False),
    Column("ephemeral", Integer, nullable=False),
    Column("swap", Integer, nullable=False),
    Column("rxtx_factor", Float, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("description", Text),
    Column("extra_specs", JSON, nullable=False),
    created_at(),
    updated_at(),
)

flavor_access = Table(
    "flavor_access",
    metadata,
    Column("flavor_id", String(255), ForeignKey("flavor.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", String(64), primary_key=True),
)

keypair = Table(
    "keypair",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("type", String(16), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", String(255), nullable=False),
    created_at(),
    UniqueConstraint("user_id", "name"),
)

server = Table(
    "server",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("hostname", String(255), nullable=False),
    Column("description", String(255)),
    Column("flavor_id", String(255), nullable=False),
    Column("flavor", JSON, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mb", Integer, nullable=False),
    Column("disk_gb", Integer, nullable=False),
    # Of the local root disk; image_ref is the image that was named for a server which boots from a volume all the same.
    Column("image_id", String(36)),
    Column("image_ref", String(36)),
    Column("image_properties", JSON, nullable=False),
    Column("key_name", String(255)),
    Column("public_key", Text),
    Column("metadata", JSON, nullable=False),
    Column("user_data", Text),
    Column("admin_pass", String(255)),
    # What the guest itself told by the metadata service: a password that only the owner of a key can read.
    Column("told_password", String(1020)),
    Column("config_drive", Boolean, nullable=False),
    Column("availability_zone", String(255)),
    Column("host_id", String(36)),
    Column("host_name", String(255)),
    Column("vm_state", String(32), nullable=False),
    Column("task_state", String(32)),
    Column("power_state", Integer, nullable=False),
    # Of a stopped one: nobody has stopped it, nor done anything since that ends in a state of its own.
    Column("ended_by_itself", Boolean, nullable=False, default=False, server_default=false()),
    Column("fault", JSON),
    Column("locked_by", String(16)),
    Column("locked_reason", String(255)),
    Column("access_ip_v4", String(64), nullable=False),
    Column("access_ip_v6", String(64), nullable=False),
    Column("disk_config", String(16), nullable=False),
    Column("root_device_name", String(32), nullable=False),
    Column("reservation_id", String(32), nullable=False),
    Column("launch_index", Integer, nullable=False),
    Column("group_id", String(36)),
    Column("progress", Integer, nullable=False),
    Column("launched_at", DateTime),
    Column("terminated_at", DateTime),
    # What it boots from while it is rescued, and what its root disk is made from when it is unshelved.
    Column("rescue_image_id", String(36)),
    Column("shelved_image_id", String(36)),
    Column("deleted", Boolean, nullable=False),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_server_created", server.c.deleted, server.c.created_at, server.c.id)
Index("ix_server_host", server.c.host_id, sqlite_where=text("NOT deleted"), postgresql_where=text("NOT deleted"))
Index("ix_server_updated_at", server.c.updated_at)

migration = Table(
    "migration",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("server_id", String(36), nullable=False),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("source_host_id", String(36), nullable=False),
    Column("source_host", String(255), nullable=False),
    Column("dest_host_id", String(36), nullable=False),
    Column("dest_host", String(255), nullable=False),
    # The flavors as they were then, as in a server; and the state the server was in before.
    Column("old_flavor", JSON, nullable=False),
    Column("new_flavor", JSON, nullable=False),
    Column("vm_state", String(32), nullable=False),
    created_at(),
    Column("updated_at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_migration_server", migration.c.server_id)
Index("ix_migration_status", migration.c.status)

server_tag = Table(
    "server_tag",
    metadata,
    Column("server_id", String(36), ForeignKey("server.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String(60), primary_key=True),
)

block_device = Table(
    "block_device",
    metadata,
    Column("attachment_id", String(36), primary_key=True),
    Column("server_id", String(36), ForeignKey("server.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("volume_id", String(36), nullable=False, index=True),
    Column("device", String(32), nullable=False),
    Column("boot_index", Integer),
    Column("delete_on_termination", Boolean, nullable=False),
    Column("made_for_server", Boolean, nullable=False),
    Column("tag", String(60)),
    created_at(),
)

nic_tag = Table(
    "nic_tag",
    metadata,
    Column("server_id", String(36), ForeignKey("server.id", ondelete="CASCADE"), primary_key=True),
    Column("port_id", String(36), primary_key=True),
    Column("tag", String(60), nullable=False),
)

server_group = Table(
    "server_group",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("policy", String(32), nullable=False),
    Column("rules", JSON, nullable=False),
    created_at(),
)

aggregate = Table(
    "aggregate",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False),
    Column("name", String(255), nullable=False, unique=True),
    Column("metadata", JSON, nullable=False),
    Column("hosts", JSON, nullable=False),
    created_at(),
    updated_at(),
)

console_token = Table(
    "console_token",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("server_id", String(36), ForeignKey("server.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("console_type", String(16), nullable=False),
    Column("delegation", JSON),
    Column("expires_at", DateTime, nullable=False, index=True),
)
