"""Convergence per host.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "network_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=True),
        sa.Column("network_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_change")),
    )
    with op.batch_alter_table("network_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_network_change_revision"), ["revision"], unique=False)

    op.create_table(
        "network_gateway",
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", name=op.f("pk_network_gateway")),
    )
    with op.batch_alter_table("network_gateway", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_network_gateway_host_id"), ["host_id"], unique=False)

    op.create_table(
        "network_interest",
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("host_id", "resource", name=op.f("pk_network_interest")),
    )
    with op.batch_alter_table("network_interest", schema=None) as batch_op:
        batch_op.create_index("ix_network_interest_resource", ["resource", "host_id"], unique=False)

    with op.batch_alter_table("network_host", schema=None) as batch_op:
        batch_op.add_column(sa.Column("wanted", sa.Integer(), nullable=False, server_default="0"))
        batch_op.alter_column("applied_at", existing_type=sa.DateTime(), nullable=True)

    with op.batch_alter_table("network_revision", schema=None) as batch_op:
        batch_op.add_column(sa.Column("forgotten", sa.Integer(), nullable=False, server_default="0"))

    with op.batch_alter_table("port", schema=None) as batch_op:
        batch_op.drop_index("ix_port_network_id")
        batch_op.create_index("ix_port_network_id_host_id", ["network_id", "host_id"], unique=False)
        batch_op.create_index("ix_port_network_id_device_owner", ["network_id", "device_owner"], unique=False)

    # What was applied was all that was wanted; of the changes before now none is kept. Gateway hosts are chosen by the
    # first pass.
    op.execute("UPDATE network_host SET wanted = revision")
    op.execute("UPDATE network_revision SET forgotten = number")


def downgrade() -> None:
    op.execute("DELETE FROM network_host WHERE applied_at IS NULL")
    with op.batch_alter_table("port", schema=None) as batch_op:
        batch_op.drop_index("ix_port_network_id_device_owner")
        batch_op.drop_index("ix_port_network_id_host_id")
        batch_op.create_index("ix_port_network_id", ["network_id"], unique=False)

    with op.batch_alter_table("network_revision", schema=None) as batch_op:
        batch_op.drop_column("forgotten")

    with op.batch_alter_table("network_host", schema=None) as batch_op:
        batch_op.alter_column("applied_at", existing_type=sa.DateTime(), nullable=False)
        batch_op.drop_column("wanted")

    with op.batch_alter_table("network_interest", schema=None) as batch_op:
        batch_op.drop_index("ix_network_interest_resource")

    op.drop_table("network_interest")
    with op.batch_alter_table("network_gateway", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_network_gateway_host_id"))

    op.drop_table("network_gateway")
    with op.batch_alter_table("network_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_network_change_revision"))

    op.drop_table("network_change")
