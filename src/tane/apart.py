"""A service's own database, beside the control plane's: neither waits for the other's writer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from tane.config import Config
from tane.core import Core
from tane.db import Database, Tx
from tane.linux.files import first_used
from tane.web.errors import Unavailable

Step = Callable[[Connection], None]


class OtherSchema(Unavailable):
    """The rows are of a newer release, or gone; the message may be shown."""


@dataclass(frozen=True)
class Apart:
    """``name``: of its file or schema; ``schema_table``: the table that says which schema its rows are of; ``whose``:
    as messages name it. ``steps`` make each schema of the one before it; where nothing is yet and ``whole`` is set the
    first one makes the tables as they are now, and the others are not needed. ``readers``: connections, by default as
    many as requests are served at a time. ``beside``: folders of the state folder, of what belongs to its rows."""

    name: str
    schema_table: str
    whose: str
    steps: tuple[Step, ...]
    whole: bool = False
    readers: int | None = None
    beside: tuple[str, ...] = ()
    _opening: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def of(self, core: Core) -> Database:
        """The database, opened and brought to this release's schema when it is first asked for.

        :raises OtherSchema: also where it is empty and ``beside`` is not: what began anew there would sweep that away.
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
        if not self.may_exist(core.config):
            # Before an empty file is made: who only looks goes on without it.
            self._refuse_loss(core.config)
        readers = self.readers or core.config.handler_threads
        found = Database(core.config.database, clock=core.clock, readers=readers, apart=self.name)
        try:
            if not self.begun(found):
                self._refuse_loss(core.config)
            self.prepare(found)
        except BaseException:
            found.close()
            raise
        return found

    def _refuse_loss(self, config: Config) -> None:
        if self.left(config) is not None:
            raise OtherSchema(
                f"The rows of {self.whose} are gone, and what belongs to them is not. "
                "Who operates the cloud finds by `tane doctor` what to do."
            )

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

    def begun(self, database: Database) -> bool:
        """Whether there are tables in it."""
        with database.read() as tx:
            return inspect(tx.connection).has_table(self.schema_table)

    def left(self, config: Config) -> Path | None:
        """A folder that holds what belongs to rows."""
        return first_used(config.state_dir, self.beside)

    def exists(self, core: Core) -> bool:
        """Whether there is anything yet: who only looks need not make it."""
        return self.name in core.memory or self.may_exist(core.config)

    def may_exist(self, config: Config) -> bool:
        """Whether there is a file of it, or another kind of database than files."""
        url = make_url(config.database)
        if url.get_backend_name() != "sqlite":
            return True
        return url.database is not None and Path(url.database).with_name(f"{self.name}.db").exists()
