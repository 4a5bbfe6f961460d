"""Stacks, and what the queue awaits.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "software_config",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("group", sa.String(length=255), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_software_config")),
    )
    with op.batch_alter_table("software_config", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_software_config_project_id"), ["project_id"], unique=False)

    op.create_table(
        "stack",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("parent_resource_id", sa.String(length=36), nullable=True),
        sa.Column("root_id", sa.String(length=36), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("owner_name", sa.String(length=255), nullable=False),
        sa.Column("delegation", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("traversal", sa.String(length=36), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("previous", sa.JSON(), nullable=True),
        sa.Column("disable_rollback", sa.Boolean(), nullable=False),
        sa.Column("timeout_mins", sa.Integer(), nullable=True),
        sa.Column("deadline", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stack")),
    )
    with op.batch_alter_table("stack", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stack_deadline"), ["deadline"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_deleted_at"), ["deleted_at"], unique=False)
        batch_op.create_index("ix_stack_name", ["project_id", "name"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_parent_id"), ["parent_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_root_id"), ["root_id"], unique=False)

    op.create_table(
        "software_deployment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("config_id", sa.String(length=36), nullable=False),
        sa.Column("stack_user_project_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("input_values", sa.JSON(), nullable=False),
        sa.Column("output_values", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["config_id"], ["software_config.id"], name=op.f("fk_software_deployment_config_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_software_deployment")),
    )
    with op.batch_alter_table("software_deployment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_software_deployment_config_id"), ["config_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_software_deployment_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_software_deployment_server_id"), ["server_id"], unique=False)

    op.create_table(
        "stack_event",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("stack_id", sa.String(length=36), nullable=False),
        sa.Column("resource_name", sa.String(length=255), nullable=False),
        sa.Column("resource_type", sa.String(length=255), nullable=False),
        sa.Column("physical_id", sa.String(length=255), nullable=True),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["stack_id"], ["stack.id"], name=op.f("fk_stack_event_stack_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_stack_event")),
        sa.UniqueConstraint("id", name=op.f("uq_stack_event_id")),
    )
    with op.batch_alter_table("stack_event", schema=None) as batch_op:
        batch_op.create_index("ix_stack_event_stack", ["stack_id", "number"], unique=False)

    op.create_table(
        "stack_resource",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("stack_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("physical_id", sa.String(length=255), nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("traversal", sa.String(length=36), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("requires", sa.JSON(), nullable=False),
        sa.Column("declared", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("replaces", sa.String(length=36), nullable=True),
        sa.Column("hook", sa.String(length=32), nullable=True),
        sa.Column("cleared", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["stack_id"], ["stack.id"], name=op.f("fk_stack_resource_stack_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stack_resource")),
    )
    with op.batch_alter_table("stack_resource", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stack_resource_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index("ix_stack_resource_name", ["stack_id", "name"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_resource_physical_id"), ["physical_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_resource_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_resource_stack_id"), ["stack_id"], unique=False)

    op.create_table(
        "stack_tag",
        sa.Column("stack_id", sa.String(length=36), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["stack_id"], ["stack.id"], name=op.f("fk_stack_tag_stack_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("stack_id", "place", name=op.f("pk_stack_tag")),
    )
    with op.batch_alter_table("stack_tag", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stack_tag_tag"), ["tag"], unique=False)

    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("awaits", sa.String(length=128), nullable=True))
        batch_op.create_index(batch_op.f("ix_job_awaits"), ["awaits"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_awaits"))
        batch_op.drop_column("awaits")

    with op.batch_alter_table("stack_tag", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stack_tag_tag"))

    op.drop_table("stack_tag")
    with op.batch_alter_table("stack_resource", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stack_resource_stack_id"))
        batch_op.drop_index(batch_op.f("ix_stack_resource_project_id"))
        batch_op.drop_index(batch_op.f("ix_stack_resource_physical_id"))
        batch_op.drop_index("ix_stack_resource_name")
        batch_op.drop_index(batch_op.f("ix_stack_resource_expires_at"))

    op.drop_table("stack_resource")
    with op.batch_alter_table("stack_event", schema=None) as batch_op:
        batch_op.drop_index("ix_stack_event_stack")

    op.drop_table("stack_event")
    with op.batch_alter_table("software_deployment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_software_deployment_server_id"))
        batch_op.drop_index(batch_op.f("ix_software_deployment_project_id"))
        batch_op.drop_index(batch_op.f("ix_software_deployment_config_id"))

    op.drop_table("software_deployment")
    with op.batch_alter_table("stack", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stack_root_id"))
        batch_op.drop_index(batch_op.f("ix_stack_project_id"))
        batch_op.drop_index(batch_op.f("ix_stack_parent_id"))
        batch_op.drop_index("ix_stack_name")
        batch_op.drop_index(batch_op.f("ix_stack_deleted_at"))
        batch_op.drop_index(batch_op.f("ix_stack_deadline"))

    op.drop_table("stack")
    with op.batch_alter_table("software_config", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_software_config_project_id"))

    op.drop_table("software_config")
