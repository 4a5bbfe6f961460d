"""A project's jobs are found without those of the others.

Revision ID: 0029
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_job_history_project", "job_history", ["project_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_job_history_project", "job_history")
