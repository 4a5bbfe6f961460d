"""Tables of volume.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "volume_message",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("resource_type", sa.String(length=32), nullable=False),
        sa.Column("resource_uuid", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("user_message", sa.String(length=255), nullable=False),
        sa.Column("message_level", sa.String(length=16), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_message")),
    )
    op.create_index(op.f("ix_volume_message_expires_at"), "volume_message", ["expires_at"], unique=False)
    op.create_index(op.f("ix_volume_message_project_id"), "volume_message", ["project_id"], unique=False)
    op.create_table(
        "volume_service",
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("binary", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("host_id", "binary", name=op.f("pk_volume_service")),
    )
    op.create_table(
        "volume_type",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("extra_specs", sa.JSON(), nullable=False),
        sa.Column("encryption", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_type")),
        sa.UniqueConstraint("name", name=op.f("uq_volume_type_name")),
    )
    op.create_table(
        "volume",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("previous_status", sa.String(length=32), nullable=True),
        sa.Column("extending_to", sa.Integer(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("bootable", sa.Boolean(), nullable=False),
        sa.Column("multiattach", sa.Boolean(), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=True),
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=True),
        sa.Column("snapshot_id", sa.String(length=36), nullable=True),
        sa.Column("source_volid", sa.String(length=36), nullable=True),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("image_meta", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["volume_type_id"], ["volume_type.id"], name=op.f("fk_volume_volume_type_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume")),
    )
    op.create_index(op.f("ix_volume_host_id"), "volume", ["host_id"], unique=False)
    op.create_index(op.f("ix_volume_project_id"), "volume", ["project_id"], unique=False)
    op.create_table(
        "volume_default_type",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["volume_type_id"], ["volume_type.id"], name=op.f("fk_volume_default_type_volume_type_id")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_volume_default_type")),
    )
    op.create_index(
        op.f("ix_volume_default_type_volume_type_id"), "volume_default_type", ["volume_type_id"], unique=False
    )
    op.create_table(
        "volume_type_access",
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["volume_type_id"],
            ["volume_type.id"],
            name=op.f("fk_volume_type_access_volume_type_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("volume_type_id", "project_id", name=op.f("pk_volume_type_access")),
    )
    op.create_table(
        "volume_attachment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("server_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("device", sa.String(length=255), nullable=True),
        sa.Column("host_name", sa.String(length=255), nullable=True),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("connector", sa.JSON(), nullable=False),
        sa.Column("attached_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["volume_id"], ["volume.id"], name=op.f("fk_volume_attachment_volume_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_attachment")),
    )
    op.create_index(op.f("ix_volume_attachment_project_id"), "volume_attachment", ["project_id"], unique=False)
    op.create_index(op.f("ix_volume_attachment_server_id"), "volume_attachment", ["server_id"], unique=False)
    op.create_index(op.f("ix_volume_attachment_volume_id"), "volume_attachment", ["volume_id"], unique=False)
    op.create_table(
        "volume_snapshot",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("progress", sa.String(length=8), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["volume_id"], ["volume.id"], name=op.f("fk_volume_snapshot_volume_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_snapshot")),
    )
    op.create_index(op.f("ix_volume_snapshot_project_id"), "volume_snapshot", ["project_id"], unique=False)
    op.create_index(op.f("ix_volume_snapshot_volume_id"), "volume_snapshot", ["volume_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_volume_snapshot_volume_id"), table_name="volume_snapshot")
    op.drop_index(op.f("ix_volume_snapshot_project_id"), table_name="volume_snapshot")
    op.drop_table("volume_snapshot")
    op.drop_index(op.f("ix_volume_attachment_volume_id"), table_name="volume_attachment")
    op.drop_index(op.f("ix_volume_attachment_server_id"), table_name="volume_attachment")
    op.drop_index(op.f("ix_volume_attachment_project_id"), table_name="volume_attachment")
    op.drop_table("volume_attachment")
    op.drop_table("volume_type_access")
    op.drop_index(op.f("ix_volume_default_type_volume_type_id"), table_name="volume_default_type")
    op.drop_table("volume_default_type")
    op.drop_index(op.f("ix_volume_project_id"), table_name="volume")
    op.drop_index(op.f("ix_volume_host_id"), table_name="volume")
    op.drop_table("volume")
    op.drop_table("volume_type")
    op.drop_table("volume_service")
    op.drop_index(op.f("ix_volume_message_project_id"), table_name="volume_message")
    op.drop_index(op.f("ix_volume_message_expires_at"), table_name="volume_message")
    op.drop_table("volume_message")
