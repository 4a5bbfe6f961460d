"""Bring a database to this version's schema (Alembic), or tell that it is there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from tane.db.database import Database, Tx

if TYPE_CHECKING:
    from alembic.config import Config

FIRST = "0005.5"
"""The oldest schema that is upgraded. From it on, tables change by new migrations only, which keep what is there."""
HEAD = "0031"
"""The newest migration, written down so that an ordinary start need not load Alembic."""
MIGRATIONS = Path(__file__).parent / "migrations"


class OtherSchema(Exception):
    """The database is of another release that this one cannot upgrade; the message may be shown."""


def stands(database: Database) -> bool:
    """Whether the database has this release's schema."""
    with database.read() as tx:
        return revision(tx) == HEAD


def migrate(database: Database) -> bool:
    """Make the tables in an empty database, or upgrade those of an older release, in one transaction.

    :returns: whether there was something to do.
    :raises OtherSchema: the database is newer than this release, or older than :data:`FIRST`.

    Alembic is loaded only when there is work, which keeps an ordinary start short.
    """
    if stands(database):
        return False
    from alembic import command

    with database.write() as tx:
        # Another process may have been here while this one waited for its turn.
        found = revision(tx)
        if found == HEAD:
            return False
        if found is not None and found not in upgradable():
            raise OtherSchema(
                f"the database is of another release (schema {found}, this one has {HEAD}), and this one cannot "
                "upgrade it: start it with the release it was made by, or another state folder"
            )
        database.engines.stop_recording(tx.connection)
        settings = config()
        settings.attributes["connection"] = tx.connection
        command.upgrade(settings, "head")
    return True


def config() -> Config:
    """Alembic's settings for our migrations."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    return settings


def upgradable() -> set[str]:
    """The schemas that this release can start from: its own, and every older one down to :data:`FIRST`."""
    from alembic.script import ScriptDirectory

    newer = ScriptDirectory.from_config(config()).iterate_revisions("head", FIRST)
    return {FIRST, *(script.revision for script in newer)}


def revision(tx: Tx) -> str | None:
    """The schema of a database; None when it is empty."""
    if not inspect(tx.connection).has_table("alembic_version"):
        return None
    return str(tx.scalar(text("SELECT version_num FROM alembic_version")))
