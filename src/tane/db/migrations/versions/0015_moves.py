"""Servers that move, are rescued or shelved.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "migration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("source_host_id", sa.String(length=36), nullable=False),
        sa.Column("source_host", sa.String(length=255), nullable=False),
        sa.Column("dest_host_id", sa.String(length=36), nullable=False),
        sa.Column("dest_host", sa.String(length=255), nullable=False),
        sa.Column("old_flavor", sa.JSON(), nullable=False),
        sa.Column("new_flavor", sa.JSON(), nullable=False),
        sa.Column("vm_state", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_migration_project_id", "migration", ["project_id"])
    op.create_index("ix_migration_server", "migration", ["server_id"])
    op.create_index("ix_migration_status", "migration", ["status"])
    with op.batch_alter_table("server", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rescue_image_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("shelved_image_id", sa.String(length=36), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("server", schema=None) as batch_op:
        batch_op.drop_column("shelved_image_id")
        batch_op.drop_column("rescue_image_id")
    op.drop_table("migration")
