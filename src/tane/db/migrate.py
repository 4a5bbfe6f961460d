"""Bring a database to this version's schema (Alembic), or tell that it is there already."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from tane.db.database import Database, Tx

HEAD = "0006"
MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> bool:
    """Apply the migrations that are missing; True when there were any.

    Alembic is loaded only when there is work, which keeps an ordinary start short.
    """
    with database.read() as tx:
        if _revision(tx) == HEAD:
            return False
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write() as tx:
        # Another process may have been here while this one waited for its turn.
        if _revision(tx) == HEAD:
            return False
        config.attributes["connection"] = tx.connection
        command.upgrade(config, "head")
    return True


def _revision(tx: Tx) -> str | None:
    if not inspect(tx.connection).has_table("alembic_version"):
        return None
    return str(tx.scalar(text("SELECT version_num FROM alembic_version")))
