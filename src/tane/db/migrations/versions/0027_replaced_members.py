"""Groups whose failed members are replaced are found by their type.

Revision ID: 0027
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_stack_resource_type", "stack_resource", ["type"])


def downgrade() -> None:
    op.drop_index("ix_stack_resource_type", "stack_resource")
