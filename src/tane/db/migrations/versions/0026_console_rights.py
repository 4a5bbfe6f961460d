"""By whose rights a console is open.

Revision ID: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("console_token", sa.Column("delegation", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("console_token", "delegation")
