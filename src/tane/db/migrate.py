"""Bring a database to this version's schema (Alembic), or tell that it is there already."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from tane.db.database import Database

HEAD = "0005"
MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> bool:
    """Apply the migrations that are missing; True when there were any.

    Alembic is loaded only when there is work, which keeps an ordinary start short.
    """
    if _revision(database) == HEAD:
        return False
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def _revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
