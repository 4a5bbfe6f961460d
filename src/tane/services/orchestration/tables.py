"""Tables of orchestration: stacks, their resources and events, software configurations and deployments."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from tane.db.documents import Documents
from tane.db.schema import created_at, metadata, project_id, updated_at

stack = Table(
    "stack",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    # Of a nested stack: the stack and the resource whose it is; None of one that a user made.
    Column("parent_id", String(36), index=True),
    Column("parent_resource_id", String(36)),
    Column("root_id", String(36), nullable=False, index=True),
    Column("depth", Integer, nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("owner_name", String(255), nullable=False),
    # By whose rights the stack's resources are made and changed.
    Column("delegation", JSON, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    # What is done at present: each action of the stack has one of its own.
    Column("traversal", String(36), nullable=False),
    # What the stack is to be (template, files, environment, parameters), and what it was before: where a rollback goes.
    Column("source", Documents(), nullable=False),
    Column("previous", Documents()),
    # The files of both: nested stacks have those of the stack that they are in.
    Column("files_id", String(64)),
    Column("previous_files_id", String(64)),
    # Whose rights go with what it was before.
    Column("previous_owner", JSON),
    # Who asked for the deletion that is under way: what the author can not delete is deleted with his rights.
    Column("asked_by", JSON),
    # Who said what it is adopted from, until he has a whole stack of it.
    Column("adopting", String(64)),
    # How long the source is without its files: what a project may keep together is counted.
    Column("bytes", Integer, nullable=False, server_default="0"),
    Column("disable_rollback", Boolean, nullable=False),
    # Whether the stack goes when its creation fails.
    Column("delete_on_failure", Boolean, nullable=False, server_default=false()),
    Column("timeout_mins", Integer),
    Column("deadline", DateTime, index=True),
    created_at(),
    updated_at(),
    Column("deleted_at", DateTime, index=True),
    Column("deleted", Boolean, nullable=False),
)
Index("ix_stack_name", stack.c.project_id, stack.c.name)
# What is asked of all stacks of a project is told by indexes alone: rows are long.
Index("ix_stack_bytes", stack.c.project_id, stack.c.bytes)
Index("ix_stack_files", stack.c.project_id, stack.c.files_id)
Index("ix_stack_previous_files", stack.c.project_id, stack.c.previous_files_id)
Index("ix_stack_deleted", stack.c.project_id, stack.c.deleted_at, stack.c.id)

stack_files = Table(
    "stack_files",
    metadata,
    # Of a project, by the SHA-256 of what they say.
    Column("project_id", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("files", JSON, nullable=False),
    Column("bytes", Integer, nullable=False),
)
Index("ix_stack_files_bytes", stack_files.c.project_id, stack_files.c.bytes)

stack_tag = Table(
    "stack_tag",
    metadata,
    Column("stack_id", String(36), ForeignKey("stack.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("tag", String(80), nullable=False, index=True),
)

stack_resource = Table(
    "stack_resource",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("stack_id", String(36), ForeignKey("stack.id", ondelete="CASCADE"), nullable=False, index=True),
    project_id(),
    Column("name", String(255), nullable=False),
    Column("type", String(255), nullable=False),
    Column("physical_id", String(255), index=True),
    # The newest of those of the same name; the others were replaced and wait to be deleted.
    Column("current", Boolean, nullable=False),
    Column("action", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    # The last action of the stack that came to it, and whether a job is at it.
    Column("traversal", String(36), nullable=False),
    Column("working", Boolean, nullable=False),
    # The resources it needed when it was made: they are deleted after it.
    Column("requires", JSON, nullable=False),
    # Its declaration in the template, and the values its properties had, when it was last made or changed.
    Column("declared", JSON, nullable=False),
    Column("properties", JSON, nullable=False),
    # What its type keeps: never shown but by its attributes.
    Column("data", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("replaces", String(36)),
    # The hook at which it pauses, and those that were cleared.
    Column("hook", String(32)),
    Column("cleared", JSON, nullable=False),
    Column("expires_at", DateTime, index=True),
    # Whether these say that failed members are replaced: the others' are not read for that, every few seconds.
    Column("replaces_failed", Boolean, nullable=False, default=False, server_default=false()),
    # How long its properties, data and metadata are.
    Column("bytes", Integer, nullable=False, server_default="0"),
    created_at(),
    updated_at(),
)
Index("ix_stack_resource_name", stack_resource.c.stack_id, stack_resource.c.name)
# Groups whose failed members are replaced are looked for every few seconds.
Index("ix_stack_resource_type", stack_resource.c.type, stack_resource.c.replaces_failed)
Index("ix_stack_resource_bytes", stack_resource.c.project_id, stack_resource.c.bytes)

stack_snapshot = Table(
    "stack_snapshot",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("stack_id", String(36), ForeignKey("stack.id", ondelete="CASCADE"), nullable=False, index=True),
    project_id(),
    Column("name", String(255)),
    # CREATE or DELETE, and how far that is.
    Column("action", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    # What the stack was, the files of it, and whose rights go with that.
    Column("source", Documents(), nullable=False),
    Column("files_id", String(64)),
    Column("owner", JSON, nullable=False),
    # Who asked for its deletion, and for the deletion of the stack in which it is deleted.
    Column("asked_by", JSON),
    Column("traversal", String(36)),
    # How long the source is without its files.
    Column("bytes", Integer, nullable=False),
    created_at(),
    updated_at(),
)
Index("ix_stack_snapshot_bytes", stack_snapshot.c.project_id, stack_snapshot.c.bytes)
Index("ix_stack_snapshot_files", stack_snapshot.c.project_id, stack_snapshot.c.files_id)

stack_snapshot_part = Table(
    "stack_snapshot_part",
    metadata,
    Column(
        "snapshot_id", String(36), ForeignKey("stack_snapshot.id", ondelete="CASCADE"), primary_key=True, nullable=False
    ),
    # Of one resource of the stack: what it was, and what was kept of it elsewhere (a backup, an image).
    Column("name", String(255), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("physical_id", String(255)),
    Column("data", JSON, nullable=False),
)

stack_event = Table(
    "stack_event",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(36), nullable=False),
    Column("stack_id", String(36), ForeignKey("stack.id", ondelete="CASCADE"), nullable=False),
    Column("resource_name", String(255), nullable=False),
    Column("resource_type", String(255), nullable=False),
    Column("physical_id", String(255)),
    Column("action", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    created_at(),
    UniqueConstraint("id"),
)
Index("ix_stack_event_stack", stack_event.c.stack_id, stack_event.c.number)

software_config = Table(
    "software_config",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("name", String(255), nullable=False),
    Column("group", String(255), nullable=False),
    Column("config", JSON, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    # How long these four are together.
    Column("bytes", Integer, nullable=False, server_default="0"),
    created_at(),
)
Index("ix_software_config_bytes", software_config.c.project_id, software_config.c.bytes)

software_deployment = Table(
    "software_deployment",
    metadata,
    Column("id", String(36), primary_key=True),
    project_id(),
    Column("server_id", String(36), nullable=False, index=True),
    Column("config_id", String(36), ForeignKey("software_config.id"), nullable=False, index=True),
    Column("stack_user_project_id", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("input_values", JSON, nullable=False),
    Column("output_values", JSON, nullable=False),
    # How long these two are together.
    Column("bytes", Integer, nullable=False, server_default="0"),
    created_at(),
    updated_at(),
)
Index("ix_software_deployment_bytes", software_deployment.c.project_id, software_deployment.c.bytes)
