"""The database of object storage: beside the control plane's, so that neither waits for the other's writer."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text, update
from sqlalchemy.engine import make_url

from tane.core import Core
from tane.db import Database, Tx
from tane.services.object.tables import blob, container, metadata, object_, upload, version
from tane.web.errors import Unavailable

NAME = "objects"
SCHEMA_TABLE = "object_schema"

_opening = threading.Lock()


def _keep_etags_and_accounts(connection: Connection) -> None:
    """The MD5 of manifests beside them; whose account a blob lies for."""
    for table in (object_, version):
        connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN manifest_etag VARCHAR(32) DEFAULT '' NOT NULL"))
        for row in connection.execute(select(table.c.id).where(table.c.kind == "slo")).all():
            kept = connection.execute(select(table.c.manifest).where(table.c.id == row.id)).scalar_one()
            etag = hashlib.md5(kept.encode(), usedforsecurity=False).hexdigest()
            connection.execute(update(table).where(table.c.id == row.id).values(manifest_etag=etag))
    connection.execute(text("ALTER TABLE blob ADD COLUMN account_id INTEGER"))
    for table in (version, object_):
        owner = select(container.c.account_id).join(table, table.c.container_id == container.c.id)
        first = owner.where(table.c.blob_id == blob.c.id).limit(1).scalar_subquery()
        connection.execute(update(blob).where(blob.c.account_id.is_(None)).values(account_id=first))
    for index in blob.indexes:
        index.create(connection, checkfirst=True)


def _add_uploads(connection: Connection) -> None:
    upload.create(connection)


STEPS: tuple[Callable[[Connection], None], ...] = (metadata.create_all, _keep_etags_and_accounts, _add_uploads)
"""What makes each schema of the one before it. Where nothing is yet the first one makes the tables as they are now, and
the others are not needed."""


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
                found = Database(
                    core.config.database, clock=core.clock, readers=core.config.handler_threads, apart=NAME
                )
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
            raise OtherSchema(f"the rows of object storage are of schema {number}, this release knows {len(STEPS)}")
        if number == len(STEPS):
            return
        for step in STEPS[number:] if number else STEPS[:1]:
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
