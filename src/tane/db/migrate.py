"""Bring a database to this version's schema (Alembic), or tell that it is there already."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from tane.db.database import Database, Tx

HEAD = "0005.5"
"""Changes whenever tables do. Before the first release a database of another one is not upgraded."""
MIGRATIONS = Path(__file__).parent / "migrations"


class OtherSchema(Exception):
    """The database is of another release, older or newer; the message may be shown."""


def migrate(database: Database) -> bool:
    """Make the tables in an empty database; True when it was.

    :raises OtherSchema: the database has others.

    Alembic is loaded only when there is work, which keeps an ordinary start short.
    """
    with database.read() as tx:
        if _is_there(tx):
            return False
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write() as tx:
        # Another process may have been here while this one waited for its turn.
        if _is_there(tx):
            return False
        config.attributes["connection"] = tx.connection
        command.upgrade(config, "head")
    return True


def _is_there(tx: Tx) -> bool:
    found = _revision(tx)
    if found not in (None, HEAD):
        raise OtherSchema(
            f"the database is of another release (schema {found}, this one has {HEAD}), and nothing upgrades it yet: "
            "start it with the release it was made by, or another state folder"
        )
    return found is not None


def _revision(tx: Tx) -> str | None:
    if not inspect(tx.connection).has_table("alembic_version"):
        return None
    return str(tx.scalar(text("SELECT version_num FROM alembic_version")))
