"""Fixtures: a migrated database copied per test, a cloud in process, callers with each role."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tane.app import Cloud, make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tane.linux import programs
from tests import databases, statements, watched
from tests.databases import Databases, PostgreSQLDatabases, SQLiteDatabases
from tests.support import ApiCloud, fake_hosts, register

SERVER = "TANE_TEST_DATABASE"
"""Names a PostgreSQL server whose role may make databases: postgresql://tane@/postgres?host=/run/postgresql"""

BY_NIGHT = "postgresql_by_night"
"""The mark of tests in these modules that say little of the database and take long."""
ON_BOTH = {
    *("db.test_database", "db.test_migrations", "jobs.test_loops", "jobs.test_sagas", "test_fuzz"),
    *(
        "api.test_events",
        "api.test_values",
        "api.test_identity_tokens",
        "api.test_images",
        "api.test_metrics",
        "api.test_networks",
        "api.test_object_basics",
        "api.test_object_large",
        "api.test_orchestration_engine",
        "api.test_orchestration_stacks",
        "api.test_servers",
        "api.test_volumes",
        "services.test_rating_life",
    ),
}
"""Modules whose tests run on both kinds of database wherever PostgreSQL is installed."""


class NewDatabase(Protocol):
    def __call__(self, folder: Path, *, empty: bool = False) -> str: ...


# Tests may be run without the launcher, which does the same.
programs.complete_path()
sys.addaudithook(watched.refuse_unknown_programs)
statements.share()


LONG_FIRST = ("e2e", "host", "guest", "hostile", "services", "jobs")
"""Folders whose files take minutes: begun first, so that no worker runs one alone at the end."""


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need more than this machine gives are skipped with the reason, but never where all must run; those of
    the night are left to their own command, and counted as deselected."""
    if "nightly" not in config.getoption("markexpr"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("nightly")])
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
    items.sort(key=_place)
    if os.environ.get("TANE_REQUIRE_ALL"):
        return
    for mark, problem in (
        ("root", missing_for_root()),
        ("guest", missing_for_guests()),
        ("postgresql", missing_for_postgresql()),
    ):
        if problem:
            for item in items:
                if item.get_closest_marker(mark):
                    item.add_marker(pytest.mark.skip(reason=problem))


def missing_for_root() -> str | None:
    """Why tests of namespaces cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root: namespaces, bridges, nftables"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", "ip link add name tane0 type bridge && ip tuntap add dev tane1 mode tap"],
        capture_output=True,
        text=True,
        check=False,
    )
    missing = programs.missing([*programs.NETWORKS, "nft", "ping"])
    if done.returncode != 0:
        return f"the kernel does not allow namespaces with bridges and taps: {done.stderr.strip()}"
    return f"not installed: {', '.join(missing)}" if missing else None


def missing_for_guests() -> str | None:
    """Why tests with real guests cannot run here, or None."""
    missing = programs.missing([*programs.GUESTS, *programs.GUEST_IMAGE, *programs.TOUR])
    return f"not installed: {', '.join(missing)}" if missing else None


def missing_for_postgresql() -> str | None:
    """Why tests on PostgreSQL cannot run here, or None."""
    if os.environ.get(SERVER) or databases.programs() is not None:
        return None
    return f"PostgreSQL is not installed (Debian: postgresql), and {SERVER} names no server"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of an in-process cloud run on SQLite, those in ``ON_BOTH`` also on PostgreSQL; with ``TANE_TEST_DATABASE``
    all run on the server it names."""
    if "database_kind" not in metafunc.fixturenames:
        return
    postgresql = pytest.param("postgresql", marks=pytest.mark.postgresql)
    if os.environ.get(SERVER):
        metafunc.parametrize("database_kind", [postgresql], indirect=True, scope="session")
    elif metafunc.module.__name__.removeprefix("tests.") in ON_BOTH:
        # The same requests on the other database are for the night: they take as long again.
        night = metafunc.module.__name__ == "tests.test_fuzz" or metafunc.definition.get_closest_marker(BY_NIGHT)
        later = [pytest.mark.nightly] if night else []
        other = pytest.param("postgresql", marks=[pytest.mark.postgresql, *later])
        metafunc.parametrize("database_kind", ["sqlite", other], indirect=True, scope="session")


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    """The kind of database the test runs on."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQLDatabases]:
    """Databases of the server that is named, else of one that is started for this."""
    with ExitStack() as stack:
        url = os.environ.get(SERVER) or stack.enter_context(databases.private_server()).url()
        made = PostgreSQLDatabases(url, tmp_path_factory.mktemp("template"))
        stack.callback(made.close)
        yield made


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> SQLiteDatabases:
    return SQLiteDatabases(tmp_path_factory.mktemp("template"))


@pytest.fixture
def new_database(database_kind: str, request: pytest.FixtureRequest) -> Iterator[NewDatabase]:
    """Makes databases for a cloud in a folder: ``new_database(folder)``, or ``new_database(folder, empty=True)``."""
    source: Databases = request.getfixturevalue(database_kind)
    made: list[str] = []

    def make(folder: Path, *, empty: bool = False) -> str:
        made.append(source.empty(folder) if empty else source.new(folder))
        return made[-1]

    yield make
    for url in made:
        source.drop(url)


@pytest.fixture
def new_core(new_database: NewDatabase, tmp_path: Path) -> Iterator[Callable[[], Core]]:
    """Makes cores of their own databases, each with one simulated host."""
    made: list[Core] = []

    def make() -> Core:
        folder = tmp_path / f"cloud{len(made)}"
        folder.mkdir()
        config = Config(state_dir=folder, bcrypt_rounds=4, handler_threads=2, database_url=new_database(folder))
        core = make_core(config, hosts=fake_hosts())
        register(core)
        made.append(core)
        return core

    yield make
    for core in made:
        core.close()


@pytest.fixture
def cloud(new_database: NewDatabase, tmp_path: Path) -> Iterator[ApiCloud]:
    """A whole cloud in process, with simulated hosts; jobs run when the test says so."""
    config = Config(state_dir=tmp_path, bcrypt_rounds=4, handler_threads=2, database_url=new_database(tmp_path))
    core = make_core(config, clock=ManualClock(), hosts=fake_hosts())
    register(core)
    with asyncio.Runner() as runner:
        api = ApiCloud(Cloud(core), runner)
        yield api
        api.close()
    core.close()
