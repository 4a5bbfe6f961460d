"""Whose rights a stack's former source has, who asked for a deletion, files once a project, bytes that are counted.

Revision ID: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _bytes() -> sa.Column[int]:
    return sa.Column("bytes", sa.Integer(), server_default="0", nullable=False)


def upgrade() -> None:
    with op.batch_alter_table("stack", schema=None) as batch_op:
        batch_op.add_column(sa.Column("previous_owner", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("asked_by", sa.JSON(), nullable=True))
        batch_op.add_column(_bytes())
        batch_op.add_column(sa.Column("files_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("previous_files_id", sa.String(length=64), nullable=True))
        batch_op.create_index("ix_stack_bytes", ["project_id", "bytes"], unique=False)
        batch_op.create_index("ix_stack_files", ["project_id", "files_id"], unique=False)
        batch_op.create_index("ix_stack_previous_files", ["project_id", "previous_files_id"], unique=False)
        batch_op.create_index("ix_stack_deleted", ["project_id", "deleted_at", "id"], unique=False)
    with op.batch_alter_table("stack_resource", schema=None) as batch_op:
        batch_op.add_column(_bytes())
        batch_op.create_index("ix_stack_resource_bytes", ["project_id", "bytes"], unique=False)
    op.create_table(
        "stack_files",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_stack_files")),
    )
    with op.batch_alter_table("stack_files", schema=None) as batch_op:
        batch_op.create_index("ix_stack_files_bytes", ["project_id", "bytes"], unique=False)
    for name in ("software_config", "software_deployment"):
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.add_column(_bytes())
            batch_op.create_index(f"ix_{name}_bytes", ["project_id", "bytes"], unique=False)
    op.execute("UPDATE stack SET bytes = length(CAST(source AS TEXT)) WHERE NOT deleted")
    op.execute(
        "UPDATE software_config SET bytes = length(CAST(config AS TEXT)) + length(CAST(inputs AS TEXT)) "
        "+ length(CAST(outputs AS TEXT)) + length(CAST(options AS TEXT))"
    )
    op.execute(
        "UPDATE software_deployment SET bytes = length(CAST(input_values AS TEXT)) "
        "+ length(CAST(output_values AS TEXT))"
    )


def downgrade() -> None:
    op.drop_table("stack_files")
    with op.batch_alter_table("stack_resource", schema=None) as batch_op:
        batch_op.drop_index("ix_stack_resource_bytes")
        batch_op.drop_column("bytes")
    for name in ("software_deployment", "software_config"):
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.drop_index(f"ix_{name}_bytes")
            batch_op.drop_column("bytes")
    with op.batch_alter_table("stack", schema=None) as batch_op:
        batch_op.drop_index("ix_stack_deleted")
        batch_op.drop_index("ix_stack_previous_files")
        batch_op.drop_index("ix_stack_files")
        batch_op.drop_index("ix_stack_bytes")
        batch_op.drop_column("previous_files_id")
        batch_op.drop_column("files_id")
        batch_op.drop_column("bytes")
        batch_op.drop_column("asked_by")
        batch_op.drop_column("previous_owner")
