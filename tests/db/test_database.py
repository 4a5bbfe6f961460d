"""Transactions and the schema."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from tane.core import Core
from tane.quota import quota

ROW = {"project_id": "p", "service": "s", "resource": "r", "hard_limit": 1}


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


def test_what_joins_a_transaction_is_committed_or_rolled_back_with_it(new_core: Callable[[], Core]) -> None:
    db = new_core().db
    with pytest.raises(RuntimeError), db.write() as tx, db.joining(tx):
        with db.write() as inner:
            inner.execute(insert(quota).values(**ROW))
        with db.read() as inner:
            assert inner.first(select(quota)) is not None
        raise RuntimeError
    with db.read() as tx:
        assert tx.first(select(quota)) is None
    with db.write() as tx, db.joining(tx), db.write() as inner:
        inner.execute(insert(quota).values(**ROW))
    with db.read() as tx:
        assert tx.first(select(quota)) is not None
    with pytest.raises(RuntimeError, match="open in this thread"), db.write(), db.write():
        pass
