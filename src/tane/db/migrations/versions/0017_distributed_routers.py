"""Distributed routers: the network between their parts; networks that hosts reach by bridges of their own.

Revision ID: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("network", schema=None) as batch_op:
        batch_op.add_column(sa.Column("bridged", sa.Boolean(), server_default=sa.false(), nullable=False))

    with op.batch_alter_table("router", schema=None) as batch_op:
        batch_op.add_column(sa.Column("transit_segment", sa.Integer(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_router_transit_segment"), ["transit_segment"])


def downgrade() -> None:
    with op.batch_alter_table("router", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_router_transit_segment"), type_="unique")
        batch_op.drop_column("transit_segment")

    with op.batch_alter_table("network", schema=None) as batch_op:
        batch_op.drop_column("bridged")
