"""SQLite: one writer at a time and any number of readers (WAL), in the file of the state folder."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from tane.clock import Clock
from tane.db.documents import dump, load
from tane.db.recording import Recorded, SQLiteWords, asker, triggers
from tane.db.signals import Signals


class SQLite:
    """The engines of one SQLite file."""

    embedded = True
    glances_are_cheap = True

    def __init__(self, url: URL, readers: int, clock: Clock, apart: str = "") -> None:
        if apart and url.database:
            url = url.set(database=str(Path(url.database).with_name(f"{apart}.db")))
        self._clock = clock
        self._triggers: list[str] = []
        self._now: str | None = None
        """The moment of the transaction that writes, once it recorded an event."""
        self._told: dict[tuple[str, Any], str] = {}
        """What it has told: type and id → data."""
        self._file = url.database or ":memory:"
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        self.reader = _engine(url, "BEGIN", readers, ("query_only=ON",))
        # What is kept apart is acknowledged to clients at once: its commits wait for the disk.
        self.writer = _engine(url, "BEGIN IMMEDIATE", 1, ("synchronous=FULL",) if apart else ())
        event.listen(self.writer, "connect", self._recording)
        event.listen(self.writer, "begin", self._begun)
        self._glancer: sqlite3.Connection | None = None
        self._glancer_lock = threading.Lock()

    def glance(self, query: str) -> Any:
        """By a connection kept for this alone, without a transaction around it: some 5 µs."""
        with self._glancer_lock:
            if self._glancer is None:
                self._glancer = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None)
            row = self._glancer.execute(query).fetchone()
        return row[0] if row else None

    def record(self, recorded: Sequence[Recorded]) -> None:
        self._triggers = [
            f'CREATE TEMP TRIGGER "event_{number}" AFTER {trigger.after} ON main."{trigger.table}" '
            f"{f'WHEN {trigger.when}' if trigger.when else ''} BEGIN {trigger.statement}; END"
            for number, trigger in enumerate(triggers(recorded, SQLiteWords()))
        ]
        # The next connection has them.
        self.writer.dispose()

    def stop_recording(self, connection: Connection) -> None:
        """A connection that was made before anybody recorded has no triggers."""

    def _recording(self, connection: sqlite3.Connection, record: Any) -> None:
        connection.create_function("tane_at", 0, self._at)
        connection.create_function("tane_asker", 1, asker)
        connection.create_function("tane_is_news", 4, self._is_news)
        connection.create_function("tane_is_untold", 2, self._is_untold)
        for statement in self._triggers:
            connection.execute(statement)

    def _begun(self, connection: Connection) -> None:
        self._now = None
        self._told.clear()

    def _is_news(self, kind: str, resource_id: Any, action: str, data: str) -> bool:
        told = self._told.get((kind, resource_id))
        self._told[kind, resource_id] = data
        return action != "update" or data != told

    def _is_untold(self, kind: str, resource_id: Any) -> bool:
        return (kind, resource_id) not in self._told

    def _at(self) -> str:
        if self._now is None:
            self._now = self._clock.now().isoformat(" ", "microseconds")
        return self._now

    def recorded(self) -> bool:
        return self._now is not None

    def tell(self, connection: Connection, topics: Iterable[str]) -> None:
        """Nobody else to tell: one process has the file."""

    async def listen(self, signals: Signals) -> None:
        """Nobody else to hear."""
        await asyncio.Event().wait()

    def close(self) -> None:
        if self._glancer is not None:
            self._glancer.close()
        self.reader.dispose()
        self.writer.dispose()


def _engine(url: URL, begin: str, size: int, more: tuple[str, ...] = ()) -> Engine:
    engine = create_engine(
        url,
        # What rows hold is nobody's to read in an error that is logged.
        hide_parameters=True,
        pool_size=size,
        max_overflow=0 if size == 1 else size,
        json_serializer=dump,
        json_deserializer=load,
        connect_args={"check_same_thread": False, "timeout": 30.0},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        # The driver's own implicit BEGIN is switched off so that the event below decides how a transaction starts.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-4096", *more):
                cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.DatabaseError as error:
            # "file is not a database" has no class of its own: for everybody here it cannot be used.
            raise sqlite3.OperationalError(str(error)) from error
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
