"""Databases for tests: each a copy of one that has the schema and the first administrator, on SQLite or PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy.engine import make_url

from tane.app import Cloud, make_core
from tane.config import Config
from tane.linux.programs import find
from tests.support import ADMIN_PASSWORD

START_SECONDS = 60.0
MEMORY_BYTES = 2 << 30


class Databases(Protocol):
    """Makes databases. A test gives each back when nobody uses it any more."""

    def new(self, folder: Path) -> str:
        """The setting ``database_url`` of a prepared database for the cloud whose state folder this is."""

    def empty(self, folder: Path) -> str:
        """The same for a database without any table."""

    def drop(self, url: str) -> None: ...


class SQLiteDatabases:
    """Files in the clouds' own folders: they go with these."""

    def __init__(self, folder: Path) -> None:
        prepare(Config(state_dir=folder, bcrypt_rounds=4))
        self._template = folder / "tane.db"

    def new(self, folder: Path) -> str:
        shutil.copy(self._template, folder / "tane.db")
        return f"sqlite:///{folder}/tane.db"

    def empty(self, folder: Path) -> str:
        return f"sqlite:///{folder}/tane.db"

    def drop(self, url: str) -> None:
        """Nothing is left but the file."""


class PostgreSQLDatabases:
    """Databases of a server whose role may make some (``CREATEDB``)."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = make_url(server).set(drivername="postgresql")
        with self._connect() as connection:
            recent = connection.info.server_version >= 150_000
        # Not the columns' order of characters, so that the tests see it when a column does not have its own.
        self._empty = "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        self._empty += " LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" if recent else ""
        self._template = self.empty(folder)
        self._copy = f'TEMPLATE "{make_url(self._template).database}"' + (" STRATEGY FILE_COPY" if recent else "")
        prepare(Config(state_dir=folder, bcrypt_rounds=4, database_url=self._template))

    def new(self, folder: Path) -> str:
        return self._make(self._copy)

    def empty(self, folder: Path) -> str:
        return self._make(self._empty)

    def drop(self, url: str) -> None:
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    def close(self) -> None:
        self.drop(self._template)

    def _make(self, how: str) -> str:
        name = f"tane_test_{uuid.uuid4().hex[:12]}"
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" {how}')
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._server.render_as_string(hide_password=False), autocommit=True)


def prepare(config: Config) -> None:
    core = make_core(config)
    Cloud(core).prepare(ADMIN_PASSWORD)
    core.close()


def programs() -> Path | None:
    """The folder of PostgreSQL's programs (Debian keeps them off the path), or None where it is not installed."""
    found = find("initdb")
    return Path(found).parent if found else None


def memory() -> Path | None:
    """The folder that is kept in memory, where there is room: each test's database is a thousand files, which a disk
    takes ten times as long to copy."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shutil.disk_usage(shared).free < MEMORY_BYTES:
        return None
    return shared


class PrivateServer:
    """A server of the test's own, on a socket in a folder of its own. It does not care for power cuts."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None, "PostgreSQL is not installed"
        self._programs = found
        # Not pytest's folder: that one is closed to the user PostgreSQL has to run as, and too long for a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="tane-pg-", dir=memory()))
        self.process: subprocess.Popen[bytes] | None = None
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = next(entry for entry in pwd.getpwall() if entry.pw_name in ("postgres", "nobody"))
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as_user = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self._run("initdb", "-D", "data", "-U", "tane", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-locale")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://tane@/{database}?host={self.folder}"

    def start(self) -> None:
        """Returns when it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "300",
            "shared_buffers": "32MB",
        }
        # It ends with us, however we end.
        command = ["setpriv", "--pdeathsig", "INT", *self._as_user, str(self._programs / "postgres"), "-D", "data"]
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *words], cwd=self.folder, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """As an administrator does: whoever is connected is thrown out."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
            self.process = None

    def _run(self, program: str, *arguments: str) -> None:
        command = ["setpriv", *self._as_user] if self._as_user else []
        subprocess.run(
            [*command, str(self._programs / program), *arguments], cwd=self.folder, check=True, capture_output=True
        )


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """A running server, gone afterwards."""
    server = PrivateServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)
