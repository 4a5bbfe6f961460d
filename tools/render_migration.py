"""Write the first migration of a service from its tables: ``python tools/render_migration.py compute``.

For services whose schema has never been released; later changes get migrations of their own.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, Table, create_engine

CHAIN = ("identity", "image", "network", "volume", "compute")
MODULES = {"identity": ("tane.jobs.tables", "tane.hosts.tables", "tane.quota", "tane.services.identity.tables")}
VERSIONS = Path(__file__).parent.parent / "src/tane/db/migrations/versions"


def render(service: str) -> None:
    number = CHAIN.index(service) + 1
    from tane.db.schema import metadata

    modules = [importlib.import_module(m) for m in MODULES.get(service, (f"tane.services.{service}.tables",))]
    declared = {id(value) for module in modules for value in vars(module).values() if isinstance(value, Table)}
    mine = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        if id(table) in declared:
            table.to_metadata(mine)
    with create_engine("sqlite://").connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": mine})
        script = produce_migrations(context, mine)
        up = render_python_code(script.upgrade_ops)
        down = render_python_code(script.downgrade_ops)
    previous = f'"{number - 1:04}"' if number > 1 else "None"
    body = f'''"""Tables of {service}.

Revision ID: {number:04}
"""

import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = {previous}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up.strip()}


def downgrade() -> None:
    {down.strip()}
'''
    body = re.sub(r"\n    # ### .*", "", body).replace(
        "postgresql_where=sa.text('active')", "postgresql_where=sa.text('active')"
    )
    (VERSIONS / f"{number:04}_{service}.py").write_text(body)


if __name__ == "__main__":
    render(sys.argv[1])
