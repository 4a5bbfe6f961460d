"""Transactions and the schema."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from tane.core import Core
from tane.db import Database, metadata
from tane.db.migrate import OtherSchema, migrate
from tane.quota import quota
from tests.conftest import NewDatabase

ROW = {"project_id": "p", "service": "s", "resource": "r", "hard_limit": 1}


@pytest.mark.parametrize("revision", ["0004", "9999"])
def test_a_database_of_another_release_is_refused_with_a_sentence(
    new_database: NewDatabase, tmp_path: Path, revision: str
) -> None:
    database = Database(new_database(tmp_path, empty=True))
    migrate(database)
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    with pytest.raises(OtherSchema, match=f"schema {revision}, this one has"):
        migrate(database)
    database.close()


def test_the_migrations_lead_to_the_tables_the_services_declare(new_database: NewDatabase, tmp_path: Path) -> None:
    database = Database(new_database(tmp_path, empty=True))
    assert migrate(database)
    assert not migrate(database)
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx.connection), metadata) == []
    database.close()


def test_a_change_is_seen_only_when_it_is_whole(new_core: Callable[[], Core]) -> None:
    db = new_core().db
    with db.write() as tx:
        tx.execute(insert(quota).values(**ROW))
        with db.read() as other:
            assert other.first(select(quota)) is None
    with db.read() as tx:
        assert tx.first(select(quota)) is not None


def test_nothing_is_signalled_when_a_change_is_rolled_back(new_core: Callable[[], Core]) -> None:
    db = new_core().db
    told: list[str] = []
    with pytest.raises(RuntimeError), db.write() as tx:
        tx.after_commit(lambda: told.append("committed"))
        raise RuntimeError
    assert told == []


def test_a_read_cannot_write(new_core: Callable[[], Core]) -> None:
    with pytest.raises(DBAPIError), new_core().db.read() as tx:
        tx.execute(insert(quota).values(**ROW))


def test_writers_follow_one_another(new_core: Callable[[], Core]) -> None:
    db = new_core().db
    with db.write() as tx:
        tx.execute(insert(quota).values(**ROW))

    def add_one() -> None:
        for _ in range(20):
            with db.write() as tx:
                row = tx.first(select(quota))
                assert row is not None
                tx.execute(quota.update().values(hard_limit=row.hard_limit + 1))

    threads = [threading.Thread(target=add_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as tx:
        assert tx.scalar(select(quota.c.hard_limit)) == 81


def test_a_glance_sees_what_is_committed_and_nothing_else(new_core: Callable[[], Core]) -> None:
    db = new_core().db
    query = "SELECT hard_limit FROM quota WHERE project_id = 'p'"
    with db.write() as tx:
        tx.execute(insert(quota).values(**ROW))
        assert db.glance(query) is None
    assert db.glance(query) == 1
