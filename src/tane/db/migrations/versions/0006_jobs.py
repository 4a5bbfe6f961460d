"""Queue and history of jobs apart; steps by name.

Revision ID: 0006
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005.5"
branch_labels = None
depends_on = None

STEPS = {
    "compute.attach_interface": ("plug",),
    "compute.attach_volume": ("connect", "plug", "record"),
    "compute.create_image": ("snapshot", "store", "settle"),
    "compute.create_server": ("place", "volumes", "ports", "guest", "start", "activate"),
    "compute.create_volume_image": ("snapshots", "store", "settle"),
    "compute.delete_server": ("destroy", "disconnect", "forget"),
    "compute.detach_interface": ("unplug", "release"),
    "compute.detach_volume": ("unplug", "release"),
    "compute.pause_server": ("pause", "settle"),
    "compute.reboot_server": ("stop", "start", "activate"),
    "compute.rebuild_server": ("destroy", "guest", "start", "settle"),
    "compute.resume_server": ("resume", "settle"),
    "compute.start_server": ("start", "activate"),
    "compute.stop_server": ("stop", "settle"),
    "compute.suspend_server": ("suspend", "settle"),
    "compute.unpause_server": ("unpause", "settle"),
    "image.add_location": ("look", "hash", "finish"),
    "image.cache_image": ("fetch", "keep"),
    "image.import_image": ("fetch", "inspect", "keep", "finish"),
    "volume.create_snapshot": ("take", "finish"),
    "volume.create_volume": ("choose host", "make", "finish"),
    "volume.delete_snapshot": ("delete data", "forget"),
    "volume.delete_volume": ("delete data", "forget"),
    "volume.extend_volume": ("grow", "finish"),
    "volume.force_detach": ("disconnect", "forget"),
    "volume.reimage_volume": ("clear", "write", "finish"),
    "volume.upload_volume": ("write file", "store", "release"),
}
"""The operations of before, whose jobs knew their steps by number."""
KEPT = "id, operation, resource, state, error, request_id, user_id, project_id, created_at, finished_at"


def upgrade() -> None:
    op.create_table(
        "job_history",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("operation", sa.String(length=128), nullable=False),
        sa.Column("resource", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_history")),
    )
    op.create_index(op.f("ix_job_history_finished_at"), "job_history", ["finished_at"], unique=False)
    op.create_index("ix_job_history_resource", "job_history", ["resource", "id"], unique=False)
    op.execute(f"INSERT INTO job_history ({KEPT}) SELECT {KEPT} FROM job WHERE NOT active")
    with op.batch_alter_table("job_event") as batch:
        batch.drop_constraint("fk_job_event_job_id", type_="foreignkey")
    op.execute("DELETE FROM job WHERE NOT active")
    op.drop_index("ix_job_active", table_name="job")
    with op.batch_alter_table("job", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("step", new_column_name="number", existing_type=sa.Integer(), existing_nullable=False)
    with op.batch_alter_table("job", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("step", sa.String(length=64), nullable=False, server_default=""))
        batch.add_column(sa.Column("begun", sa.JSON(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("host_away", sa.String(length=36), nullable=True))
        batch.drop_column("active")
        batch.drop_column("finished_at")
    _name_steps()
    with op.batch_alter_table("job", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_column("number")
        batch.alter_column("step", server_default=None, existing_type=sa.String(length=64), existing_nullable=False)
        batch.alter_column("begun", server_default=None, existing_type=sa.JSON(), existing_nullable=False)
    op.create_index(op.f("ix_job_run_after"), "job", ["run_after"], unique=False)
    _go_on_counting()
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("held_until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )


def _go_on_counting() -> None:
    """SQLite made the table anew, and would give new jobs the numbers of those in the history."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'job'"))
        last = "(SELECT max(id) FROM (SELECT id FROM job UNION ALL SELECT id FROM job_history))"
        connection.execute(sa.text(f"INSERT INTO sqlite_sequence (name, seq) SELECT 'job', coalesce({last}, 0)"))


def _name_steps() -> None:
    names = ("id", "operation", "number", "step")
    others = (sa.column("begun", sa.JSON), sa.column("deadline", sa.DateTime))
    job = sa.table("job", *(sa.column(name) for name in names), *others)
    # Deadlines were not kept to before.
    patient = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=6)
    connection = op.get_bind()
    for row in connection.execute(sa.select(job.c.id, job.c.operation, job.c.number)).all():
        begun = list(STEPS.get(row.operation, ())[: row.number + 1])
        values = {"step": begun[-1] if begun else "", "begun": begun, "deadline": patient}
        connection.execute(sa.update(job).where(job.c.id == row.id).values(**values))


def downgrade() -> None:
    raise NotImplementedError("the numbers of steps are gone: restore the backup made before the upgrade")
