"""Groups whose failed members are replaced are found without a look at their metadata; servers whose guest ended by
itself are told from those that somebody stopped.

Revision ID: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "stack_resource", sa.Column("replaces_failed", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_index("ix_stack_resource_type", "stack_resource", ["type", "replaces_failed"])
    op.add_column("server", sa.Column("ended_by_itself", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("server", "ended_by_itself")
    op.drop_index("ix_stack_resource_type", "stack_resource")
    op.drop_column("stack_resource", "replaces_failed")
