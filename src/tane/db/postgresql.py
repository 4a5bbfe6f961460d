"""PostgreSQL: one writer at a time by an advisory lock, readers in snapshots, NOTIFY between processes.

What SQLite and PostgreSQL do differently by nature is made alike here, so that the rest need not know: whole numbers
have 64 bits, a sum of whole numbers is a whole number, and texts are compared and sorted by their characters' numbers,
whatever the locale of the server.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.adapt import Buffer, Loader
from sqlalchemy import URL, BigInteger, Connection, Engine, Integer, String, Text, create_engine, event, text
from sqlalchemy.ext.compiler import compiles

from tane.db.documents import dump, load
from tane.db.recording import EVENT_TABLE, TOPIC, PostgreSQLWords, Recorded, asker, triggers
from tane.db.signals import Signals

WRITER_LOCK_ID = 0x74616E65
CHANNEL = "tane"
SILENCE_SECONDS = 20.0
"""After so long without a signal the listener asks the server whether it is there."""

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# The lock in the same round trip. READ COMMITTED, so that what is read once it is held is what the last writer left.
WRITE = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({})"
    ", set_config('tane.user', {}, true), set_config('tane.request', {}, true)"
)
RECORDING = """
CREATE OR REPLACE FUNCTION tane_at() RETURNS timestamp STABLE LANGUAGE sql AS
$tane$ SELECT now() AT TIME ZONE 'UTC' $tane$;
CREATE OR REPLACE FUNCTION tane_asker(what text) RETURNS text STABLE LANGUAGE sql AS
$tane$ SELECT NULLIF(current_setting('tane.' || what, true), '') $tane$;
CREATE OR REPLACE FUNCTION tane_is_news(kind text, id text, action text, data json) RETURNS boolean LANGUAGE plpgsql AS
$tane$ BEGIN
  -- Not one of our writers: whatever somebody changes by hand is news.
  IF to_regclass('pg_temp.tane_told') IS NULL THEN RETURN true; END IF;
  INSERT INTO pg_temp.tane_told VALUES (kind, id, data::text)
    ON CONFLICT ON CONSTRAINT tane_told_pkey DO UPDATE SET data = excluded.data WHERE tane_told.data <> excluded.data;
  RETURN FOUND OR action <> 'update';
END $tane$;
CREATE OR REPLACE FUNCTION tane_is_untold(of_kind text, of_id text) RETURNS boolean LANGUAGE plpgsql AS
$tane$ BEGIN
  IF to_regclass('pg_temp.tane_told') IS NULL THEN RETURN true; END IF;
  RETURN NOT EXISTS (SELECT FROM pg_temp.tane_told WHERE kind = of_kind AND id = of_id);
END $tane$
"""
TOLD = "CREATE TEMP TABLE tane_told (kind text, id text, data text, PRIMARY KEY (kind, id)) ON COMMIT DELETE ROWS"
"""Of the writer's connection: what the transaction has told."""
FORGOTTEN = text(
    "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE starts_with(tgname, 'tane_event_') ORDER BY tgname"
)

SESSION = {
    # A writer that was frozen must not hold up the others for good; its transaction is gone when it wakes.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
    "timezone": "UTC",
}
# libpq's words (PostgreSQL documentation, "Parameter Key Words"): a server that vanished is noticed within 20 seconds.
CONNECTION = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 20_000}


@compiles(Integer, "postgresql")
def _whole_number(kind: Integer, compiler: Any, **more: Any) -> str:
    return "BIGINT"


@compiles(String, "postgresql")
def _string(kind: String, compiler: Any, **more: Any) -> str:
    return _by_character(compiler.visit_VARCHAR(kind, **more), more)


@compiles(Text, "postgresql")
def _text(kind: Text, compiler: Any, **more: Any) -> str:
    return _by_character(compiler.visit_TEXT(kind, **more), more)


def _by_character(plain: str, more: dict[str, Any]) -> str:
    """The type of a column with its collation; that of a parameter as it is."""
    return f'{plain} COLLATE "C"' if more.get("type_expression") is not None else plain


class _Number(Loader):
    """PostgreSQL's sum of BIGINT is a NUMERIC."""

    def load(self, data: Buffer) -> int | float:
        digits = bytes(data).decode()
        return int(digits) if digits.lstrip("-").isdigit() else float(digits)


class PostgreSQL:
    """The engines of one PostgreSQL database."""

    embedded = False
    glances_are_cheap = False

    def __init__(self, url: URL, readers: int, apart: str = "") -> None:
        url = url.set(drivername="postgresql+psycopg")
        lock = WRITER_LOCK_ID + zlib.crc32(apart.encode())
        # Unlimited beyond the kept ones: a thread may read while it reads, and a limit is where such threads would wait
        # for one another. There are only as many as there are threads.
        self.reader = _engine(url, READ, readers, -1, apart)
        self.writer = _engine(url, sql.SQL(WRITE), 1, 0, apart, lock)
        self._sender = secrets.token_hex(8)

    def glance(self, query: str) -> Any:
        """One round trip, without a transaction around it."""
        with self.reader.connect().execution_options(glance=True) as connection:
            return connection.execute(text(query)).scalar()

    def record(self, recorded: Sequence[Recorded]) -> None:
        """The comment of the table tells which declarations stand in the database."""
        wanted = [RECORDING, *_recording(recorded)]
        digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
        stands = text(f"SELECT obj_description('{EVENT_TABLE}'::regclass, 'pg_class')")
        with self.reader.connect() as connection:
            if connection.execute(stands).scalar() == digest:
                return
        with self.writer.connect() as connection, connection.begin():
            self.stop_recording(connection)
            for statement in wanted:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"COMMENT ON TABLE {EVENT_TABLE} IS '{digest}'")

    def stop_recording(self, connection: Connection) -> None:
        for name, table in connection.execute(FORGOTTEN).all():
            connection.exec_driver_sql(f"DROP TRIGGER {name} ON {table}")
            connection.exec_driver_sql(f"DROP FUNCTION {name}()")
        if connection.execute(text(f"SELECT to_regclass('{EVENT_TABLE}')")).scalar() is not None:
            connection.exec_driver_sql(f"COMMENT ON TABLE {EVENT_TABLE} IS NULL")

    def recorded(self) -> bool:
        """The triggers signal themselves."""
        return False

    def tell(self, connection: Connection, topics: Iterable[str]) -> None:
        """Signal every other process once this transaction commits."""
        connection.execute(
            text("SELECT pg_notify(:channel, topic) FROM unnest(CAST(:topics AS text[])) AS topic"),
            {"channel": CHANNEL, "topics": [f"{self._sender} {topic}" for topic in topics]},
        )

    async def listen(self, signals: Signals) -> None:
        """Pass on what other processes signal. :raises psycopg.OperationalError: when the connection is lost."""
        _, arguments = self.reader.dialect.create_connect_args(self.reader.url)
        async with await psycopg.AsyncConnection.connect(**{**CONNECTION, **arguments}, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            # What was signalled while nobody listened is lost: everyone looks for himself.
            signals.notify_all()
            while True:
                async for told in connection.notifies(timeout=SILENCE_SECONDS):
                    sender, _, topic = told.payload.partition(" ")
                    if sender != self._sender:
                        signals.notify(topic)
                await connection.execute("SELECT 1")

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


def _engine(
    url: URL, begin: str | sql.SQL, size: int, overflow: int, apart: str = "", lock: int = WRITER_LOCK_ID
) -> Engine:
    wanted = {name: value for name, value in CONNECTION.items() if name not in url.query}
    engine = create_engine(
        url,
        # What rows hold is nobody's to read in an error that is logged.
        hide_parameters=True,
        pool_size=size,
        max_overflow=overflow,
        json_serializer=dump,
        json_deserializer=load,
        connect_args=wanted,
    )
    # Identities become BIGSERIAL, and parameters are not cast to INTEGER, which would refuse what the columns hold.
    engine.dialect.colspecs = {**engine.dialect.colspecs, Integer: BigInteger}

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        # The driver's own implicit BEGIN is switched off so that the event below decides how a transaction starts.
        connection.autocommit = True
        connection.adapters.register_loader("numeric", _Number)
        connection.execute("; ".join(f"SET {name} = '{value}'" for name, value in SESSION.items()))
        if apart:
            schema = sql.Identifier(f"tane_{apart}")
            if not isinstance(begin, str):
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
            connection.execute(sql.SQL("SET search_path = {}").format(schema))
        elif not isinstance(begin, str):
            connection.execute(TOLD)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        if connection.get_execution_options().get("glance"):
            return
        if isinstance(begin, str):
            connection.exec_driver_sql(begin)
        else:
            by = (sql.Literal(lock), sql.Literal(asker("user") or ""), sql.Literal(asker("request") or ""))
            connection.exec_driver_sql(begin.format(*by).as_string(connection.connection.driver_connection))

    return engine


def _recording(recorded: Sequence[Recorded]) -> Iterator[str]:
    """A function and a trigger for each. A signal of the database itself is everybody's: see :meth:`listen`."""
    for number, trigger in enumerate(triggers(recorded, PostgreSQLWords())):
        name, when = f"tane_event_{number:03}", f"WHEN ({trigger.when})" if trigger.when else ""
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $tane$ BEGIN {trigger.statement}; "
            f"PERFORM pg_notify('{CHANNEL}', 'database {TOPIC}'); RETURN NULL; END $tane$"
        )
        yield (
            f'CREATE TRIGGER {name} AFTER {trigger.after} ON "{trigger.table}" FOR EACH ROW {when} '
            f"EXECUTE FUNCTION {name}()"
        )
