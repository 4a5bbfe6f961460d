"""Write the next migration from what the declared tables have more than the migrations make:
``python tools/render_migration.py jobs "What the queue keeps"``.

Read it before it is kept: a renamed column looks like one dropped and one added, and rows of before need values.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from tane.db.migrate import HEAD, MIGRATIONS, config
from tane.db.schema import metadata


def render(name: str, title: str) -> Path:
    """The file of the new migration; its number follows that of :data:`tane.db.migrate.HEAD`, which is the next to be
    changed."""
    importlib.import_module("tane.app")  # Declares every service's tables.
    number = f"{int(HEAD[:4]) + 1:04}"
    settings = config()
    with create_engine("sqlite://").connect() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        options = {"target_metadata": metadata, "render_as_batch": True}
        context = MigrationContext.configure(connection, opts=options)
        script = produce_migrations(context, metadata)
        assert script.upgrade_ops is not None and script.downgrade_ops is not None
        up = render_python_code(script.upgrade_ops, render_as_batch=True)
        down = render_python_code(script.downgrade_ops, render_as_batch=True)
    body = f'''"""{title}.

Revision ID: {number}
"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up.strip()}


def downgrade() -> None:
    {down.strip()}
'''
    path = MIGRATIONS / "versions" / f"{number}_{name}.py"
    path.write_text(re.sub(r"\n +# ### .*", "", body))
    return path


if __name__ == "__main__":
    print(render(*sys.argv[1:3]))
