"""A job is seen by whose resource it is, and runs in the share of who ordered it.

Revision ID: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("ordered_by", sa.String(length=64), nullable=True))
    op.execute("UPDATE job SET ordered_by = project_id")


def downgrade() -> None:
    op.drop_column("job", "ordered_by")
