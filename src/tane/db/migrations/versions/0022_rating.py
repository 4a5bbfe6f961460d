"""What was used, prices, closed months, budgets.

Revision ID: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

SHORT = {name: sa.text("seconds IS NOT NULL") for name in ("sqlite_where", "postgresql_where")}
OPEN = {name: sa.text("ended_at IS NULL") for name in ("sqlite_where", "postgresql_where")}


def upgrade() -> None:
    op.create_table(
        "rating_budget",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("spent", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_rating_budget")),
    )
    op.create_table(
        "rating_closing",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("closed_at", sa.DateTime(), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_rating_closing")),
    )
    op.create_table(
        "rating_fact",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("begun_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rating_fact")),
    )
    with op.batch_alter_table("rating_fact", schema=None) as batch_op:
        batch_op.create_index("ix_rating_fact_ended_at", ["ended_at"], unique=False)
        batch_op.create_index("ix_rating_fact_short", ["service", "resource_id", "begun_at"], unique=False, **SHORT)
        batch_op.create_index("ix_rating_fact_project", ["project_id", "ended_at"], unique=False)
        batch_op.create_index("uq_rating_fact_open", ["service", "resource_id"], unique=True, **OPEN)

    op.create_table(
        "rating_field",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_field")),
    )
    with op.batch_alter_table("rating_field", schema=None) as batch_op:
        batch_op.create_index("uq_rating_field", ["service_id", "name"], unique=True)

    op.create_table(
        "rating_group",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_group")),
        sa.UniqueConstraint("name", name=op.f("uq_rating_group_name")),
    )
    op.create_table(
        "rating_name",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_rating_name")),
    )
    op.create_table(
        "rating_position",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("stock", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rating_position")),
    )
    op.create_table(
        "rating_rule",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("cost", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=True),
        sa.Column("level", sa.String(length=64), nullable=True),
        sa.Column("service_id", sa.String(length=36), nullable=True),
        sa.Column("field_id", sa.String(length=36), nullable=True),
        sa.Column("group_id", sa.String(length=36), nullable=True),
        sa.Column("tenant_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=256), nullable=True),
        sa.Column("start", sa.DateTime(), nullable=False),
        sa.Column("end", sa.DateTime(), nullable=True),
        sa.Column("service_name", sa.String(length=255), nullable=False),
        sa.Column("field_name", sa.String(length=255), nullable=True),
        sa.Column("group_name", sa.String(length=255), nullable=True),
        sa.Column("begins", sa.DateTime(), nullable=False),
        sa.Column("ends", sa.DateTime(), nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("known_at", sa.DateTime(), nullable=False),
        sa.Column("void_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("created_by", sa.String(length=64), nullable=True),
        sa.Column("updated_by", sa.String(length=64), nullable=True),
        sa.Column("deleted_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rating_rule")),
    )
    with op.batch_alter_table("rating_rule", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rating_rule_field_id"), ["field_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rating_rule_group_id"), ["group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rating_rule_id"), ["id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rating_rule_service_id"), ["service_id"], unique=False)

    op.create_table(
        "rating_scope",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("toggled_at", sa.DateTime(), nullable=True),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_rating_scope")),
    )
    op.create_table(
        "rating_service",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_service")),
        sa.UniqueConstraint("name", name=op.f("uq_rating_service_name")),
    )
    op.create_table(
        "rating_switch",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rating_switch")),
    )
    with op.batch_alter_table("rating_switch", schema=None) as batch_op:
        batch_op.create_index("ix_rating_switch_name", ["kind", "name", "at"], unique=False)
    # A new cloud is followed from its first event on. Of an older one it has to be counted what is there already.
    op.execute(
        "INSERT INTO rating_position (name, position, stock) SELECT 'facts', COALESCE(MAX(id), 0), "
        "COUNT(*) > 0 OR EXISTS (SELECT 1 FROM project) FROM event"
    )


def downgrade() -> None:
    with op.batch_alter_table("rating_switch", schema=None) as batch_op:
        batch_op.drop_index("ix_rating_switch_name")

    op.drop_table("rating_switch")
    op.drop_table("rating_service")
    op.drop_table("rating_scope")
    with op.batch_alter_table("rating_rule", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rating_rule_service_id"))
        batch_op.drop_index(batch_op.f("ix_rating_rule_id"))
        batch_op.drop_index(batch_op.f("ix_rating_rule_group_id"))
        batch_op.drop_index(batch_op.f("ix_rating_rule_field_id"))

    op.drop_table("rating_rule")
    op.drop_table("rating_position")
    op.drop_table("rating_name")
    op.drop_table("rating_group")
    with op.batch_alter_table("rating_field", schema=None) as batch_op:
        batch_op.drop_index("uq_rating_field")

    op.drop_table("rating_field")
    with op.batch_alter_table("rating_fact", schema=None) as batch_op:
        batch_op.drop_index("uq_rating_fact_open", **OPEN)
        batch_op.drop_index("ix_rating_fact_project")
        batch_op.drop_index("ix_rating_fact_short", **SHORT)
        batch_op.drop_index("ix_rating_fact_ended_at")

    op.drop_table("rating_fact")
    op.drop_table("rating_closing")
    op.drop_table("rating_budget")
