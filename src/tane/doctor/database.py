"""Whether the cloud's database answers and is one it can work with."""

from __future__ import annotations

import time

from sqlalchemy import inspect, text

from tane.db import Database, DatabaseUnavailable, Tx
from tane.finding import Finding


def database_answers(database: Database) -> Finding:
    """A note where all is well; the cloud's own checks make sense only then."""
    begun = time.monotonic()
    try:
        with database.read() as tx:
            tx.scalar(text("SELECT 1"))
            milliseconds = (time.monotonic() - begun) * 1000
            return _usable(tx, database) or Finding(
                "note", f"The database {database.name} answers, {milliseconds:.0f} ms to connect."
            )
    except DatabaseUnavailable as error:
        reason = str(error.orig).strip().splitlines()[-1]
        return Finding(
            "problem",
            f"The database {database.name} does not answer: {reason}",
            "The cloud does not start; one that runs answers 503.",
            "start the database server, or mend database_url in tane.toml",
        )


def _usable(tx: Tx, database: Database) -> Finding | None:
    if not database.embedded:
        encoding = tx.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            return Finding(
                "problem",
                f"The database {database.name} has the encoding {encoding}.",
                "Names in most scripts cannot be kept in it.",
                "createdb --encoding UTF8 --template template0 NAME",
            )
    if not inspect(tx.connection).has_table("alembic_version"):
        return Finding("warning", f"The database {database.name} is empty.", "No cloud has used it yet.", "./tane up")
    return None
