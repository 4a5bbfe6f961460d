"""What only a database server has: other processes on the same database, and a server that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, select, text, update

from tane.app import Cloud, make_core
from tane.config import Config, ConfigError
from tane.core import Core
from tane.db import Database, DatabaseUnavailable, Signals
from tane.doctor import database_answers
from tane.jobs import Operation, Order, Run, Step, enqueue, leases, store
from tane.jobs.runner import Runner
from tane.jobs.tables import lease
from tane.quota import quota
from tests.databases import PostgreSQLDatabases, PrivateServer, private_server
from tests.support import ADMIN_PASSWORD, ApiCloud, fake_hosts, register

pytestmark = pytest.mark.postgresql
TOPIC = "port:a 'quoted' name"
SECONDS = 20.0


@pytest.fixture
def url(postgresql: PostgreSQLDatabases, tmp_path: Path) -> Iterator[str]:
    made = postgresql.new(tmp_path)
    yield made
    postgresql.drop(made)


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    """A server of the test's own, which it may stop."""
    with private_server() as made:
        yield made


def core_at(url: str, folder: Path) -> Core:
    folder.mkdir(exist_ok=True)
    core = make_core(Config(state_dir=folder, bcrypt_rounds=4, handler_threads=2, database_url=url), hosts=fake_hosts())
    register(core)
    return core


def tell(db: Database, topic: str) -> None:
    with db.write() as tx:
        tx.notify(topic)


async def heard(signals: Signals, work: Callable[[], None]) -> bool:
    with signals.subscribe(TOPIC) as subscription:
        await asyncio.to_thread(work)
        return await subscription.wait(SECONDS)


async def listening(db: Database) -> asyncio.Task[None]:
    """A task that listens: the first thing it does is to wake everyone."""
    with db.signals.subscribe("anything") as subscription:
        task = asyncio.create_task(db.listen())
        assert await subscription.wait(SECONDS)
    return task


def test_a_change_wakes_who_waits_in_another_process(url: str) -> None:
    one, other = Database(url), Database(url)

    async def main() -> None:
        task = await listening(other)
        assert await heard(other.signals, lambda: tell(one, TOPIC))
        with other.signals.subscribe(TOPIC) as subscription:
            with pytest.raises(RuntimeError), one.write() as tx:
                tx.notify(TOPIC)
                raise RuntimeError
            await asyncio.to_thread(tell, one, "another")
            assert not await subscription.wait(0.2), "what was rolled back was signalled"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    one.close()
    other.close()


def test_who_listens_learns_that_the_connection_was_lost(url: str) -> None:
    db = Database(url)

    async def main() -> None:
        task = await listening(db)
        with db.write() as tx:
            tx.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
        with pytest.raises(Exception, match=r"terminat|closed|lost"):
            await asyncio.wait_for(task, SECONDS)

    asyncio.run(main())
    db.close()


def test_a_read_is_one_view_however_long_it_takes(url: str) -> None:
    db = Database(url)
    with db.read() as reading:
        assert reading.scalar(select(quota.c.hard_limit)) is None
        with db.write() as tx:
            tx.execute(insert(quota).values(project_id="p", service="s", resource="r", hard_limit=1))
        assert reading.scalar(select(quota.c.hard_limit)) is None
    with db.read() as reading:
        assert reading.scalar(select(quota.c.hard_limit)) == 1
    db.close()


def test_writers_of_two_processes_follow_one_another(url: str) -> None:
    processes = [Database(url), Database(url)]
    with processes[0].write() as tx:
        tx.execute(insert(quota).values(project_id="p", service="s", resource="r", hard_limit=0))

    def add(db: Database) -> None:
        for _ in range(20):
            with db.write() as tx:
                tx.execute(quota.update().values(hard_limit=tx.scalar(select(quota.c.hard_limit)) + 1))

    threads = [threading.Thread(target=add, args=(db,)) for db in processes * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with processes[0].read() as reading:
        assert reading.scalar(select(quota.c.hard_limit)) == 80
    for db in processes:
        db.close()


def test_texts_have_their_own_order_whatever_the_locale_of_the_database(url: str) -> None:
    db = Database(url)
    with db.write() as tx:
        for name in ("b", "B", "a", "_", "é"):
            tx.execute(insert(quota).values(project_id=name, service="s", resource="r", hard_limit=1 << 40))
        found = [row.project_id for row in tx.all(select(quota.c.project_id).order_by(quota.c.project_id))]
        assert tx.scalar(text("SELECT sum(hard_limit) FROM quota")) == 5 << 40
    assert found == ["B", "_", "a", "b", "é"]
    db.close()


def test_two_first_starts_at_once_make_one_cloud(postgresql: PostgreSQLDatabases, tmp_path: Path) -> None:
    url = postgresql.empty(tmp_path)
    failures: list[BaseException] = []

    def start(number: int) -> None:
        try:
            core = core_at(url, tmp_path / str(number))
            Cloud(core).prepare(ADMIN_PASSWORD)
            core.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    db = Database(url)
    with db.read() as tx:
        assert tx.scalar(text("""SELECT count(*) FROM "user" WHERE name = 'admin'""")) == 1
    db.close()
    postgresql.drop(url)


class Params(msgspec.Struct):
    pass


WORK = Order("test.work", Params)


def test_a_start_takes_back_its_own_jobs_and_not_those_of_another_process(url: str, tmp_path: Path) -> None:
    one, other = core_at(url, tmp_path / "one"), core_at(url, tmp_path / "other")
    done: list[str] = []

    async def work(run: Run[Params]) -> None:
        done.append("worked")

    async def failed(run: Run[Params], reason: str) -> None:
        done.append(reason)

    operations = [Operation(WORK, (Step("work", work),), failed)]
    with one.db.write() as tx:
        enqueue(tx, WORK, Params(), resource="thing:1")
    crashed = Runner(one, operations)
    with one.db.write() as tx:
        assert store.claim(tx, crashed.owner, 1)
    assert Runner(other, operations).take_back() == 0
    again = Runner(one, operations)
    assert again.take_back() == 1
    asyncio.run(again.drain())
    assert done == ["worked"]
    one.close()
    other.close()


def test_jobs_start_in_a_process_that_was_told_of_them_by_another(url: str, tmp_path: Path) -> None:
    """Long before the idle runner looks by itself."""
    one, other = core_at(url, tmp_path / "one"), core_at(url, tmp_path / "other")

    async def main() -> None:
        ran = asyncio.Event()

        async def work(run: Run[Params]) -> None:
            ran.set()

        async def failed(run: Run[Params], reason: str) -> None:
            raise AssertionError(reason)

        runner = Runner(other, [Operation(WORK, (Step("work", work),), failed)])
        tasks = [asyncio.create_task(runner.serve()), await listening(other.db)]

        def write() -> None:
            with one.db.write() as tx:
                enqueue(tx, WORK, Params(), resource="thing:1")

        await asyncio.to_thread(write)
        await asyncio.wait_for(ran.wait(), SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    one.close()
    other.close()


def test_requests_are_answered_503_while_the_server_is_away_and_as_ever_once_it_is_back(
    server: PrivateServer, tmp_path: Path
) -> None:
    core = core_at(server.url(), tmp_path / "cloud")
    Cloud(core).prepare(ADMIN_PASSWORD)
    with asyncio.Runner() as runner:
        api = ApiCloud(Cloud(core), runner)
        admin = api.admin
        admin.get("/compute/v2.1/servers")
        server.stop()
        answer = admin.get("/compute/v2.1/servers", expect=503)
        assert "database cannot be used" in answer.json()["serviceUnavailable"]["message"]
        admin.post("/network/v2.0/networks", {"network": {}}, 503)
        server.start()
        # The very first request: none pays for the connections that were lost.
        admin.get("/compute/v2.1/servers")
        admin.post("/network/v2.0/networks", {"network": {}}, 201)
        server.stop()
        server.start()
        admin.post("/network/v2.0/networks", {"network": {}}, 201)
        admin.get("/compute/v2.1/servers")
        api.close()
    core.close()


def test_threads_that_read_while_they_read_do_not_wait_for_one_another(url: str) -> None:
    db = Database(url, readers=1)
    together = threading.Barrier(4, timeout=SECONDS)
    done: list[int] = []

    def nested() -> None:
        with db.read() as outer:
            outer.scalar(select(quota.c.hard_limit))
            together.wait()
            with db.read() as inner:
                inner.scalar(select(quota.c.hard_limit))
            done.append(1)

    threads = [threading.Thread(target=nested) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    db.close()


def test_the_doctor_tells_whether_the_database_answers(server: PrivateServer, tmp_path: Path) -> None:
    db = Database(server.url())
    assert database_answers(db).level == "warning"
    core = core_at(server.url(), tmp_path / "cloud")
    found = database_answers(db)
    assert found.level == "note"
    assert "answers" in found.what
    core.close()
    server.stop()
    found = database_answers(db)
    assert found.level == "problem"
    assert "does not answer" in found.what
    db.close()


def test_a_database_that_is_not_there_is_told_without_its_password() -> None:
    db = Database("postgresql://tane:secret@127.0.0.1:9/cloud")
    with pytest.raises(DatabaseUnavailable), db.read():
        pass
    assert db.name == "postgresql://tane:***@127.0.0.1:9/cloud"
    assert "secret" not in database_answers(db).what
    db.close()


@pytest.mark.parametrize("url", ["mysql://tane@/cloud", "what is this"])
def test_a_url_of_no_known_database_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match="database_url"):
        Database(url)


def test_of_two_processes_one_does_the_clouds_own_work_and_the_other_takes_over(url: str, tmp_path: Path) -> None:
    one, other = core_at(url, tmp_path / "one"), core_at(url, tmp_path / "other")

    async def work() -> str:
        return "worked"

    async def main() -> None:
        assert await leases.alone(one, "sweep", "one", work) == "worked"
        assert await leases.alone(other, "sweep", "other", work) is None
        assert await leases.alone(other, "another", "other", work) == "worked"
        with other.db.write() as tx:
            tx.execute(update(lease).values(held_until=tx.now - timedelta(seconds=1)))
        assert await leases.alone(other, "sweep", "other", work) == "worked"
        assert await leases.alone(one, "sweep", "one", work) is None

    asyncio.run(main())
    one.close()
    other.close()
