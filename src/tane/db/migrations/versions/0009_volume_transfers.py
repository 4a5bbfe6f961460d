"""Volume transfers and quality-of-service specs.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "volume_qos_specs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("consumer", sa.String(length=16), nullable=False),
        sa.Column("specs", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_qos_specs")),
        sa.UniqueConstraint("name", name=op.f("uq_volume_qos_specs_name")),
    )
    op.create_table(
        "volume_transfer",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("no_snapshots", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["volume_id"], ["volume.id"], name=op.f("fk_volume_transfer_volume_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_transfer")),
    )
    with op.batch_alter_table("volume_transfer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_volume_transfer_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_volume_transfer_volume_id"), ["volume_id"], unique=False)

    with op.batch_alter_table("volume_type", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_specs_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_volume_type_qos_specs_id"), ["qos_specs_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("volume_type", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_volume_type_qos_specs_id"))
        batch_op.drop_column("qos_specs_id")

    with op.batch_alter_table("volume_transfer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_volume_transfer_volume_id"))
        batch_op.drop_index(batch_op.f("ix_volume_transfer_project_id"))

    op.drop_table("volume_transfer")
    op.drop_table("volume_qos_specs")
