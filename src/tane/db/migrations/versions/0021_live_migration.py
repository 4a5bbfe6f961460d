"""Ports that have an inactive binding on another host.

Revision ID: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "port_binding",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["port_id"], ["port.id"], name=op.f("fk_port_binding_port_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("port_id", "host_id", name=op.f("pk_port_binding")),
    )
    op.create_index(op.f("ix_port_binding_host_id"), "port_binding", ["host_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_port_binding_host_id"), table_name="port_binding")
    op.drop_table("port_binding")
