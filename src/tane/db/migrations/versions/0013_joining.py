"""How hosts join.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "host_authority",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_authority")),
    )
    op.create_table(
        "host_certificate",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_host_certificate")),
    )
    with op.batch_alter_table("host_certificate", schema=None) as batch_op:
        batch_op.create_index("ix_host_certificate_host_id", ["host_id"], unique=False)

    op.create_table(
        "host_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=True),
        sa.Column("key_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_token")),
    )
    with op.batch_alter_table("host", schema=None) as batch_op:
        batch_op.add_column(sa.Column("number", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("compared", sa.String(length=64), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_host_number"), ["number"])


def downgrade() -> None:
    with op.batch_alter_table("host", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_host_number"), type_="unique")
        batch_op.drop_column("compared")
        batch_op.drop_column("number")

    op.drop_table("host_token")
    with op.batch_alter_table("host_certificate", schema=None) as batch_op:
        batch_op.drop_index("ix_host_certificate_host_id")

    op.drop_table("host_certificate")
    op.drop_table("host_authority")
