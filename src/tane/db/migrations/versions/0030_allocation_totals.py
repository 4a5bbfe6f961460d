"""What is claimed of each host is summed up where it is claimed.

Revision ID: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allocation_total",
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("resource_class", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("host_id", "resource_class"),
    )
    op.execute(
        "INSERT INTO allocation_total (host_id, resource_class, amount) "
        "SELECT host_id, resource_class, sum(amount) FROM allocation GROUP BY host_id, resource_class"
    )
    op.drop_index("ix_allocation_host", table_name="allocation")
    op.create_index("ix_allocation_host", "allocation", ["host_id"])


def downgrade() -> None:
    op.drop_index("ix_allocation_host", table_name="allocation")
    op.create_index("ix_allocation_host", "allocation", ["host_id", "resource_class", "amount"], unique=False)
    op.drop_table("allocation_total")
