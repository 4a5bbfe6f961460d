"""Snapshots of stacks, and stacks that are not adopted whole.

Revision ID: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stack", sa.Column("adopting", sa.String(length=64), nullable=True))
    op.add_column("stack", sa.Column("delete_on_failure", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        "UPDATE stack SET adopting = user_id WHERE parent_id IS NULL AND action = 'ADOPT' AND status <> 'COMPLETE'"
    )
    op.create_table(
        "stack_snapshot",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("stack_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("files_id", sa.String(length=64), nullable=True),
        sa.Column("owner", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.JSON(), nullable=True),
        sa.Column("traversal", sa.String(length=36), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["stack_id"], ["stack.id"], name=op.f("fk_stack_snapshot_stack_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stack_snapshot")),
    )
    with op.batch_alter_table("stack_snapshot", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stack_snapshot_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stack_snapshot_stack_id"), ["stack_id"], unique=False)
        batch_op.create_index("ix_stack_snapshot_bytes", ["project_id", "bytes"], unique=False)
        batch_op.create_index("ix_stack_snapshot_files", ["project_id", "files_id"], unique=False)

    op.create_table(
        "stack_snapshot_part",
        sa.Column("snapshot_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("physical_id", sa.String(length=255), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["stack_snapshot.id"],
            name=op.f("fk_stack_snapshot_part_snapshot_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "name", name=op.f("pk_stack_snapshot_part")),
    )


def downgrade() -> None:
    op.drop_table("stack_snapshot_part")
    op.drop_table("stack_snapshot")
    op.drop_column("stack", "delete_on_failure")
    op.drop_column("stack", "adopting")
