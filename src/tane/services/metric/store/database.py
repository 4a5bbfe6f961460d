"""The database of metrics: beside the control plane's, so that samples never wait for it, nor it for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from tane.core import Core
from tane.db import Database, Tx
from tane.services.metric.store import beginning
from tane.services.metric.tables import metadata
from tane.web.errors import Unavailable

NAME = "metrics"
SCHEMA_TABLE = "metric_schema"

_opening = threading.Lock()


def _make(connection: Connection) -> None:
    metadata.create_all(connection)
    beginning.fill(connection)


STEPS: tuple[Callable[[Connection], None], ...] = (_make,)
"""What makes each schema of the one before it."""


class OtherSchema(Unavailable):
    """The rows are of a newer release; the message may be shown."""


def of(core: Core) -> Database:
    """The database, opened and brought to this release's schema when it is first asked for.

    :raises OtherSchema:
    """
    found = core.memory.get(NAME)
    if found is None:
        with _opening:
            found = core.memory.get(NAME)
            if found is None:
                found = Database(core.config.database, clock=core.clock, readers=4, apart=NAME)
                try:
                    prepare(found)
                except BaseException:
                    found.close()
                    raise
                core.closing.append(found.close)
                core.memory[NAME] = found
    opened: Database = found
    return opened


def prepare(database: Database) -> None:
    """Make the tables, or what a newer release has more of them. :raises OtherSchema:"""
    with database.write() as tx:
        number = _number(tx)
        if number > len(STEPS):
            raise OtherSchema(f"the rows of metrics are of schema {number}, this release knows {len(STEPS)}")
        if number == len(STEPS):
            return
        for step in STEPS[number:]:
            step(tx.connection)
        tx.execute(text(f"DELETE FROM {SCHEMA_TABLE}"))
        tx.execute(text(f"INSERT INTO {SCHEMA_TABLE} (number) VALUES ({len(STEPS)})"))


def _number(tx: Tx) -> int:
    if not inspect(tx.connection).has_table(SCHEMA_TABLE):
        tx.execute(text(f"CREATE TABLE {SCHEMA_TABLE} (number BIGINT NOT NULL)"))
    return int(tx.scalar(text(f"SELECT max(number) FROM {SCHEMA_TABLE}")) or 0)


def exists(core: Core) -> bool:
    """Whether there is anything yet: who only looks need not make it."""
    if NAME in core.memory:
        return True
    file = make_url(core.config.database).database
    return not core.db.embedded or (file is not None and Path(file).with_name(f"{NAME}.db").exists())
