"""One project's jobs, many or endless, never keep another project's from running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import event

from tane.core import Core
from tane.jobs import Operation, Order, Run, Runner, Step, enqueue, store
from tane.web.context import Context

SLOTS = 16


class Params(msgspec.Struct):
    name: str = ""


ENDLESS = Order("test.endless", Params)


async def failed(run: Run[Params], reason: str) -> None:
    """Nothing to undo."""


def endless(started: list[str], let_go: asyncio.Event) -> Operation[Params]:
    """What a download from a server that hardly sends anything is to the runner."""

    async def hold(run: Run[Params]) -> None:
        started.append(run.params.name)
        await let_go.wait()

    return Operation(ENDLESS, (Step("hold", hold),), failed)


def order(core: Core, project_id: str | None, count: int, owner: str | None = None) -> None:
    with core.db.write() as tx:
        for number in range(count):
            enqueue(
                tx,
                ENDLESS,
                Params(project_id or "cloud"),
                resource=f"thing:{project_id}:{number}",
                by=Context("req-1", project_id=project_id) if project_id else None,
                owner=owner,
            )


def test_the_endless_jobs_of_one_project_leave_the_others_their_slots(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def scene() -> None:
        started: list[str] = []
        let_go = asyncio.Event()
        runner = Runner(core, [endless(started, let_go)], slots=SLOTS)
        order(core, "greedy", 70)
        serving = asyncio.create_task(runner.serve())
        await until(lambda: len(started) == 4)
        order(core, "patient", 1)
        order(core, None, 5)
        await until(lambda: "patient" in started and started.count("cloud") == 5)
        assert started.count("greedy") == 4
        let_go.set()
        await until(lambda: started.count("greedy") == 70)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(scene())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # Nobody tells us.
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("slots", "share"), [(4, 4), (16, 4), (64, 16), (400, 100)])
def test_a_project_has_a_quarter_of_the_slots(new_core: Callable[[], Core], slots: int, share: int) -> None:
    core = new_core()
    runner = Runner(core, [], slots=slots)
    order(core, "greedy", slots + 10)
    with core.db.write() as tx:
        assert len(store.claim(tx, "one", slots, runner.share)) == share
        assert store.claim(tx, "one", slots, runner.share) == []
        # Another process on the same database has slots of its own.
        assert len(store.claim(tx, "two", slots, runner.share)) == min(share, slots + 10 - share)


def test_who_holds_fewest_comes_first(new_core: Callable[[], Core]) -> None:
    core = new_core()
    for project in ("a", "b", "c"):
        order(core, project, 10)
    order(core, "d", 1)
    with core.db.write() as tx:
        assert sorted(row.project_id for row in store.claim(tx, "one", 4, 4)) == ["a", "b", "c", "d"]
        assert sorted(row.project_id for row in store.claim(tx, "one", 3, 4)) == ["a", "b", "c"]


def test_a_projects_slow_jobs_do_not_hold_up_what_an_administrator_does_with_its_servers(
    new_core: Callable[[], Core],
) -> None:
    """A host is emptied though its tenants have filled their slots; what is done is theirs to see."""
    core = new_core()
    order(core, "greedy", 10)
    order(core, "operators", 3, owner="greedy")
    with core.db.write() as tx:
        found = store.claim(tx, "one", SLOTS, 4)
        assert [row.ordered_by for row in found].count("greedy") == 4
        assert [row.project_id for row in found if row.ordered_by == "operators"] == ["greedy"] * 3


def test_jobs_that_must_wait_do_not_keep_the_runner_busy(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def scene() -> int:
        started: list[str] = []
        let_go = asyncio.Event()
        runner = Runner(core, [endless(started, let_go)], slots=SLOTS)
        looks = 0
        claim = runner._claim

        def counted(limit: int) -> object:
            nonlocal looks
            looks += 1
            return claim(limit)

        runner._claim = counted  # type: ignore[method-assign,assignment]
        order(core, "greedy", 40)
        serving = asyncio.create_task(runner.serve())
        await until(lambda: len(started) == 4)
        before = looks
        await asyncio.sleep(0.5)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return looks - before

    assert asyncio.run(scene()) <= 3


def test_claiming_is_one_query_however_many_jobs_wait(new_core: Callable[[], Core]) -> None:
    core = new_core()
    for project in range(20):
        order(core, f"p{project}", 20)
    with core.db.write() as tx:
        seen: list[str] = []
        listening = (tx.connection, "before_cursor_execute", lambda *told: seen.append(told[2]))
        event.listen(*listening)
        assert len(store.claim(tx, "one", 64, 16)) == 64
        event.remove(*listening)
    assert len(seen) == 2, "one to choose, one to take"
