"""Backups of volumes.

Revision ID: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "volume_backup",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("snapshot_id", sa.String(length=36), nullable=True),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("fail_reason", sa.Text(), nullable=True),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("container", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=255), nullable=False),
        sa.Column("object_count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("manifest_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("restored_to", sa.String(length=36), nullable=True),
        sa.Column("bootable", sa.Boolean(), nullable=False),
        sa.Column("image_meta", sa.JSON(), nullable=False),
        sa.Column("volume_meta", sa.JSON(), nullable=False),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("data_timestamp", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_backup")),
    )
    with op.batch_alter_table("volume_backup", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_volume_backup_parent_id"), ["parent_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_volume_backup_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_volume_backup_volume_id"), ["volume_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("volume_backup", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_volume_backup_volume_id"))
        batch_op.drop_index(batch_op.f("ix_volume_backup_project_id"))
        batch_op.drop_index(batch_op.f("ix_volume_backup_parent_id"))

    op.drop_table("volume_backup")
