"""Leases of the guests of hosts.

Revision ID: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("host", sa.Column("lease_until", sa.DateTime(), nullable=True))
    op.add_column("host", sa.Column("leased", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("host", "leased")
    op.drop_column("host", "lease_until")
