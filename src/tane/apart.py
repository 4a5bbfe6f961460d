"""A service's own database, beside the control plane's: neither waits for the other's writer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from tane.core import Core
from tane.db import Database, Tx
from tane.web.errors import Unavailable

Step = Callable[[Connection], None]


class OtherSchema(Unavailable):
    """The rows are of a newer release; the message may be shown."""


@dataclass(frozen=True)
class Apart:
    """``name``: of its file or schema; ``schema_table``: the table that says which schema its rows are of; ``whose``:
    as messages name it. ``steps`` make each schema of the one before it; where nothing is yet and ``whole`` is set the
    first one makes the tables as they are now, and the others are not needed. ``readers``: connections, by default as
    many as requests are served at a time."""

    name: str
    schema_table: str
    whose: str
    steps: tuple[Step, ...]
    whole: bool = False
    readers: int | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def of(self, core: Core) -> Database:
        """The database, opened and brought to this release's schema when it is first asked for.

        :raises OtherSchema:
        """
        found = core.memory.get(self.name)
        if found is None:
            with self._opening:
                found = core.memory.get(self.name)
                if found is None:
                    found = self._open(core)
                    core.closing.append(found.close)
                    core.memory[self.name] = found
        opened: Database = found
        return opened

    def _open(self, core: Core) -> Database:
        readers = self.readers or core.config.handler_threads
        found = Database(core.config.database, clock=core.clock, readers=readers, apart=self.name)
        try:
            self.prepare(found)
        except BaseException:
            found.close()
            raise
        return found

    def prepare(self, database: Database) -> None:
        """Make the tables, or what a newer release has more of them. :raises OtherSchema:"""
        newest = len(self.steps)
        with database.write() as tx:
            number = self._number(tx)
            if number > newest:
                raise OtherSchema(f"the rows of {self.whose} are of schema {number}, this release knows {newest}")
            if number == newest:
                return
            for step in self.steps[:1] if self.whole and not number else self.steps[number:]:
                step(tx.connection)
            tx.execute(text(f"DELETE FROM {self.schema_table}"))
            tx.execute(text(f"INSERT INTO {self.schema_table} (number) VALUES ({newest})"))

    def _number(self, tx: Tx) -> int:
        if not inspect(tx.connection).has_table(self.schema_table):
            tx.execute(text(f"CREATE TABLE {self.schema_table} (number BIGINT NOT NULL)"))
        return int(tx.scalar(text(f"SELECT max(number) FROM {self.schema_table}")) or 0)

    def exists(self, core: Core) -> bool:
        """Whether there is anything yet: who only looks need not make it."""
        if self.name in core.memory:
            return True
        file = make_url(core.config.database).database
        return not core.db.embedded or (file is not None and Path(file).with_name(f"{self.name}.db").exists())
