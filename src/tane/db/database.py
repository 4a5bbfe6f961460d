"""Transactions: one writer at a time and any number of readers, on SQLite (``sqlite.py``) or PostgreSQL.

A transaction is synchronous and short; callers on the event loop hop to a thread for the whole of it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, Row, Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from tane.clock import Clock, SystemClock
from tane.config import ConfigError
from tane.db import prepared
from tane.db.recording import TOPIC, Recorded
from tane.db.signals import Signals
from tane.shares import OWNER, TurnLock

T = TypeVar("T")


class Engines(Protocol):
    """What each kind of database does in its own way.

    ``embedded``: only one process has the database. ``glances_are_cheap``: a glance costs microseconds.
    """

    embedded: bool
    glances_are_cheap: bool
    reader: Engine
    writer: Engine

    def glance(self, query: str) -> Any: ...

    def record(self, recorded: Sequence[Recorded]) -> None:
        """From now on, record these changes as events."""

    def stop_recording(self, connection: Connection) -> None:
        """In a transaction that changes tables: what records their changes must not stand in its way. :meth:`record`
        begins anew."""

    def recorded(self) -> bool:
        """Whether the last write recorded events of which this process has to be told."""

    def tell(self, connection: Connection, topics: Iterable[str]) -> None:
        """In a transaction: signal other processes once it commits."""

    async def listen(self, signals: Signals) -> None:
        """Pass on what other processes signal, until cancelled."""

    def close(self) -> None: ...


MOST_SECONDS = 5.0
"""Of computing that one request may hold the writer, for which all others wait."""


class HeldTooLong(Exception):
    """One request would keep the database from all others for too long; nothing of it was written."""

    def __init__(self) -> None:
        super().__init__(
            f"The request is too large: it would keep others waiting for more than {MOST_SECONDS:.0f} seconds. "
            "Ask for less at once."
        )


class Tx:
    """One open transaction. ``now`` is the same moment throughout it."""

    def __init__(self, connection: Connection, now: datetime, *, writable: bool) -> None:
        self.connection = connection
        self.now = now
        self.writable = writable
        self.ends = math.inf
        """When this thread has computed for so long (``time.thread_time``), nothing more is done in it."""
        self._after_commit: list[Callable[[], None]] = []
        self._topics: set[str] = set()

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """:raises HeldTooLong: the transaction is a request's, and has taken too long."""
        if self.ends < math.inf and time.thread_time() > self.ends:
            raise HeldTooLong
        return self.connection.execute(statement, parameters)

    def first(self, statement: Executable) -> Row[Any] | None:
        """The first row, or None."""
        return self.execute(statement).first()

    def all(self, statement: Executable) -> list[Row[Any]]:
        return list(self.execute(statement).all())

    def scalar(self, statement: Executable) -> Any:
        """The first column of the first row, or None."""
        return self.execute(statement).scalar()

    def count(self, statement: Executable) -> int:
        """Execute a change and tell how many rows it touched."""
        return self.execute(statement).rowcount

    def row(self, table: Table, /, **key: Any) -> Row[Any] | None:
        """The first row whose columns are ``key``, or None."""
        return self.execute(*prepared.selecting(table, key)).first()

    def rows(self, table: Table, /, **key: Any) -> list[Row[Any]]:
        """All rows whose columns are ``key``, in no order."""
        return list(self.execute(*prepared.selecting(table, key)).all())

    def among(self, table: Table, column: str, values: Sequence[Any]) -> list[Row[Any]]:
        """All rows whose ``column`` is one of ``values`` (some hundreds at a time), in no order."""
        return list(self.execute(*prepared.among(table, column, values)).all())

    def add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows that all have the same columns."""
        if rows:
            self.execute(prepared.adding(table), rows)

    def insert(self, table: Table, /, **values: Any) -> CursorResult[Any]:
        """Add a row."""
        return self.execute(*prepared.inserting(table, values))

    def update(self, table: Table, key: Mapping[str, Any], /, **values: Any) -> int:
        """Change the rows whose columns are ``key``; tells how many these are."""
        return self.execute(*prepared.updating(table, key, values)).rowcount

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run ``action`` once the transaction is durable; never when it is rolled back."""
        self._after_commit.append(action)

    def notify(self, topic: str) -> None:
        """Signal ``topic`` once the transaction is durable."""
        self._topics.add(topic)


class Database:
    """One database.

    ``before_write``, when set, is called just before each commit: the saga harness uses it to stop the world there.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, readers: int = 8, apart: str = "") -> None:
        """``apart``: the name of a part of the cloud whose rows have a writer of their own, and whose commits are on
        the disk when they return: of SQLite another file, of PostgreSQL another schema of the same database.

        :raises ConfigError: for a URL of a database that is not known here.
        """
        self.clock = clock or SystemClock()
        self.signals = Signals()
        self.before_write: Callable[[], None] | None = None
        self._writer_lock = TurnLock()
        self._local = threading.local()
        self.engines = _engines(url, readers, self.clock, apart)

    @property
    def name(self) -> str:
        """The URL as it may be shown: without its password."""
        return self.engines.writer.url.set(drivername=self.engines.writer.dialect.name).render_as_string()

    @property
    def embedded(self) -> bool:
        """Whether only one process can have the database."""
        return self.engines.embedded

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent view of the database; nothing may be written in it."""
        if (joined := getattr(self._local, "joined", None)) is not None:
            yield joined
            return
        with _again(lambda: _begun(self.engines.reader)) as connection:
            yield Tx(connection, self.clock.now(), writable=False)

    def lasting(self, look: Callable[[Tx], set[T]]) -> set[T]:
        """What ``look``, which compares rows with what lies beside the database, finds in two views one after another.

        A view is of the moment it began in: what came or went since then looks like a fault in it, and in the next one
        does not.
        """
        with self.read() as tx:
            found = look(tx)
        if found:
            with self.read() as tx:
                found &= look(tx)
        return found

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that commits when the block ends and rolls back when it raises.

        Writers follow one another, so what is read inside cannot change before the commit. Those who wait take turns by
        whom they work for (:data:`tane.shares.OWNER`). Blocks must not nest, but in :meth:`joining`.

        :raises HeldTooLong: by what is executed in it, when a request has taken too long.
        """
        if (joined := getattr(self._local, "joined", None)) is not None:
            yield joined
            return
        if getattr(self._local, "writing", False):
            raise RuntimeError("a write transaction is open in this thread already")
        with self._writer_lock:
            self._local.writing = True
            try:
                with _again(lambda: _begun(self.engines.writer)) as connection:
                    tx = Tx(connection, self.clock.now(), writable=True)
                    if OWNER.get() is not None:
                        tx.ends = time.thread_time() + MOST_SECONDS
                    yield tx
                    if self.before_write is not None:
                        self.before_write()
                    if tx._topics:
                        self.engines.tell(connection, tx._topics)
                    connection.commit()
                    if self.engines.recorded():
                        tx._topics.add(TOPIC)
            finally:
                self._local.writing = False
        for action in tx._after_commit:
            action()
        for topic in tx._topics:
            self.signals.notify(topic)

    @contextmanager
    def joining(self, tx: Tx) -> Iterator[None]:
        """Blocks that read or write in this thread meanwhile take part in ``tx``, a transaction of this thread: what
        they do is committed, or rolled back, with it. An error in one of them must end the whole of it.
        """
        before = getattr(self._local, "joined", None)
        self._local.joined = tx
        try:
            yield
        finally:
            self._local.joined = before

    def record(self, recorded: Sequence[Recorded]) -> None:
        """From now on, each change of what is declared is an event, written with it. The tables exist."""
        self.engines.record(recorded)

    @property
    def glances_are_cheap(self) -> bool:
        """Whether :meth:`glance` costs microseconds, so that the event loop may call it."""
        return self.engines.glances_are_cheap

    def glance(self, query: str) -> Any:
        """The first column of the first row of what is committed now, or None."""
        return _again(lambda: self.engines.glance(query))

    async def listen(self) -> None:
        """Pass the signals of other processes on, until cancelled.

        Raises the driver's error when the connection is lost: to be called again.
        """
        await self.engines.listen(self.signals)

    def close(self) -> None:
        self.engines.close()


def _engines(url: str, readers: int, clock: Clock, apart: str) -> Engines:
    try:
        parsed: URL = make_url(url)
    except ArgumentError:
        raise ConfigError(f"database_url: {url!r} is none: sqlite:///FILE or postgresql://USER@HOST/NAME") from None
    backend = parsed.get_backend_name()
    # Each is loaded only when it is used: neither's driver costs the other's start.
    if backend == "sqlite":
        from tane.db.sqlite import SQLite

        return SQLite(parsed, readers, clock, apart)
    if backend in ("postgresql", "postgres"):
        from tane.db.postgresql import PostgreSQL

        return PostgreSQL(parsed, readers, apart)
    raise ConfigError(f"database_url: databases of the kind {backend!r} are not known: sqlite or postgresql")


def _begun(engine: Engine) -> Connection:
    """A connection in a transaction, which ends with the connection's block: rolled back unless it was committed."""
    connection = engine.connect()
    try:
        connection.begin()
    except BaseException:
        connection.close()
        raise
    return connection


def _again(attempt: Callable[[], T]) -> T:
    """A kept connection may have been closed by the server, which was restarted. Nothing was done in it then: all kept
    ones are dropped, and a second attempt gets a new one."""
    try:
        return attempt()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return attempt()
