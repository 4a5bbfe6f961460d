"""What servers claim of hosts in rows of its own.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allocation",
        sa.Column("consumer_id", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("resource_class", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("consumer_id", "host_id", "resource_class", name=op.f("pk_allocation")),
    )
    op.create_index("ix_allocation_host", "allocation", ["host_id", "resource_class", "amount"], unique=False)
    for name, column in (("VCPU", "vcpus"), ("MEMORY_MB", "ram_mb"), ("DISK_GB", "disk_gb")):
        op.execute(
            "INSERT INTO allocation (consumer_id, host_id, resource_class, amount) "
            f"SELECT id, host_id, '{name}', {column} FROM server "
            f"WHERE host_id IS NOT NULL AND NOT deleted AND {column} > 0"
        )


def downgrade() -> None:
    op.drop_index("ix_allocation_host", table_name="allocation")
    op.drop_table("allocation")
