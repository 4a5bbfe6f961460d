"""Alarms and their history.

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("state_timestamp", sa.DateTime(), nullable=False),
        sa.Column("evaluate_timestamp", sa.DateTime(), nullable=True),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
        sa.Column("ok_actions", sa.JSON(), nullable=False),
        sa.Column("alarm_actions", sa.JSON(), nullable=False),
        sa.Column("insufficient_data_actions", sa.JSON(), nullable=False),
        sa.Column("repeat_actions", sa.Boolean(), nullable=False),
        sa.Column("time_constraints", sa.JSON(), nullable=False),
        sa.Column("delegation", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alarm_project_id"), ["project_id"], unique=False)

    op.create_table(
        "alarm_change",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("alarm_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("on_behalf_of", sa.String(length=64), nullable=True),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alarm_change")),
        sa.UniqueConstraint("event_id", name=op.f("uq_alarm_change_event_id")),
    )
    with op.batch_alter_table("alarm_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alarm_change_alarm_id"), ["alarm_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alarm_change_on_behalf_of"), ["on_behalf_of"], unique=False)
        batch_op.create_index(batch_op.f("ix_alarm_change_timestamp"), ["timestamp"], unique=False)

    op.create_table(
        "alarm_cursor",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alarm_cursor")),
    )


def downgrade() -> None:
    op.drop_table("alarm_cursor")
    with op.batch_alter_table("alarm_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alarm_change_timestamp"))
        batch_op.drop_index(batch_op.f("ix_alarm_change_on_behalf_of"))
        batch_op.drop_index(batch_op.f("ix_alarm_change_alarm_id"))

    op.drop_table("alarm_change")
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alarm_project_id"))

    op.drop_table("alarm")
