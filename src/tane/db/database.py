"""Transactions. On SQLite one writer at a time and any number of readers (WAL); on PostgreSQL a pool.

A transaction is synchronous and short; callers on the event loop hop to a thread for the whole of it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, CursorResult, Engine, Executable, Row, create_engine, event, text
from sqlalchemy.engine import make_url

from tane.clock import Clock, SystemClock
from tane.db.signals import Signals

WRITER_LOCK_ID = 0x74616E65


class Tx:
    """One open transaction. ``now`` is the same moment throughout it."""

    def __init__(self, connection: Connection, now: datetime, *, writable: bool) -> None:
        self.connection = connection
        self.now = now
        self.writable = writable
        self._after_commit: list[Callable[[], None]] = []
        self._topics: set[str] = set()

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        return self.connection.execute(statement, parameters)

    def first(self, statement: Executable) -> Row[Any] | None:
        """The first row, or None."""
        return self.connection.execute(statement).first()

    def all(self, statement: Executable) -> list[Row[Any]]:
        return list(self.connection.execute(statement).all())

    def scalar(self, statement: Executable) -> Any:
        """The first column of the first row, or None."""
        return self.connection.execute(statement).scalar()

    def count(self, statement: Executable) -> int:
        """Execute a change and tell how many rows it touched."""
        return self.connection.execute(statement).rowcount

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run ``action`` once the transaction is durable; never when it is rolled back."""
        self._after_commit.append(action)

    def notify(self, topic: str) -> None:
        """Signal ``topic`` once the transaction is durable."""
        self._topics.add(topic)


class Database:
    """The engine(s) of one database.

    ``before_write``, when set, is called just before each commit: the saga harness uses it to stop the world there.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, readers: int = 8) -> None:
        self.url = url
        self.clock = clock or SystemClock()
        self.signals = Signals()
        self.before_write: Callable[[], None] | None = None
        self._writer_lock = threading.Lock()
        self._local = threading.local()
        self._glancer: sqlite3.Connection | None = None
        self._glancer_lock = threading.Lock()
        self._sqlite = make_url(url).get_backend_name() == "sqlite"
        if self._sqlite:
            database = make_url(url).database
            if database:
                Path(database).parent.mkdir(parents=True, exist_ok=True)
            self._reader = _sqlite_engine(url, "BEGIN", readers, ("query_only=ON",))
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", 1)
        else:
            self._reader = self._writer = create_engine(
                url, pool_size=readers, max_overflow=readers, json_serializer=_dump, json_deserializer=_load
            )

    @property
    def engine(self) -> Engine:
        """The engine migrations run on."""
        return self._writer

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent view of the database; nothing may be written in it."""
        with self._reader.connect() as connection, connection.begin() as transaction:
            if not self._sqlite:
                connection.execute(text("SET TRANSACTION READ ONLY"))
            yield Tx(connection, self.clock.now(), writable=False)
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that commits when the block ends and rolls back when it raises.

        Writers follow one another, so what is read inside cannot change before the commit. Blocks must not nest.
        """
        if getattr(self._local, "writing", False):
            raise RuntimeError("a write transaction is open in this thread already")
        with self._writer_lock if self._sqlite else _nothing():
            self._local.writing = True
            try:
                with self._writer.begin() as connection:
                    if not self._sqlite:
                        connection.execute(text(f"SELECT pg_advisory_xact_lock({WRITER_LOCK_ID})"))
                    tx = Tx(connection, self.clock.now(), writable=True)
                    yield tx
                    if self.before_write is not None:
                        self.before_write()
            finally:
                self._local.writing = False
        for action in tx._after_commit:
            action()
        for topic in tx._topics:
            self.signals.notify(topic)

    @property
    def glances_are_cheap(self) -> bool:
        """Whether :meth:`glance` costs microseconds, so that the event loop may call it."""
        return self._sqlite

    def glance(self, query: str) -> Any:
        """The first column of the first row of what is committed now, or None.

        On SQLite by a connection kept for this alone, without a transaction around it: some 5 µs.
        """
        if not self._sqlite:
            with self._reader.connect() as connection:
                return connection.execute(text(query)).scalar()
        with self._glancer_lock:
            if self._glancer is None:
                database = make_url(self.url).database or ":memory:"
                self._glancer = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
            row = self._glancer.execute(query).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        if self._glancer is not None:
            self._glancer.close()
        self._reader.dispose()
        self._writer.dispose()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _load(value: str) -> Any:
    return msgspec.json.decode(value)


def _sqlite_engine(url: str, begin: str, size: int, more: tuple[str, ...] = ()) -> Engine:
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0 if size == 1 else size,
        json_serializer=_dump,
        json_deserializer=_load,
        connect_args={"check_same_thread": False, "timeout": 30.0},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        # The driver's own implicit BEGIN is switched off so that the event below decides how a transaction starts.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-4096", *more):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
