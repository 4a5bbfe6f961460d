"""What a saga promises, shown on one that books things into a ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from tane.core import Core
from tane.db import Tx
from tane.jobs import Operation, Permanent, Retry, Run, Runner, Step, cancel, enqueue, store
from tane.jobs.testing import Scenario, fails_at_each_step, killed_between_writes, repeats_each_step


class Params(msgspec.Struct):
    name: str


Ledger = dict[str, set[str]]


def ledger(core: Core) -> Ledger:
    """Stands for the world outside the database."""
    found: Ledger = core.memory.setdefault("ledger", {"booked": set(), "errors": set(), "order": set()})
    return found


async def book_first(run: Run[Params]) -> dict[str, str]:
    ledger(run.core)["booked"].add("first")
    return {"first": run.params.name}


async def cancel_first(run: Run[Params]) -> None:
    ledger(run.core)["booked"].discard("first")


async def book_second(run: Run[Params]) -> None:
    assert run.data["first"] == run.params.name
    ledger(run.core)["booked"].add("second")


async def cancel_second(run: Run[Params]) -> None:
    ledger(run.core)["booked"].discard("second")


async def confirm(run: Run[Params]) -> None:
    await run.write(lambda tx: tx.notify("confirmed"))


async def failed(run: Run[Params], reason: str) -> None:
    ledger(run.core)["errors"] = {reason}


BOOKING = Operation(
    name="test.booking",
    params=Params,
    steps=(
        Step("first", book_first, cancel_first),
        Step("second", book_second, cancel_second),
        Step("confirm", confirm),
    ),
    failed=failed,
)


def state_of(core: Core, job_id: int = 1) -> str:
    with core.db.read() as tx:
        [row] = [row for row in store.history(tx, "thing:1") if row.id == job_id]
    return str(row.state)


@pytest.fixture
def scenario(new_core: Callable[[], Core]) -> Scenario:
    async def start() -> Core:
        core = new_core()
        with core.db.write() as tx:
            enqueue(tx, "test.booking", resource="thing:1", name="mia")
        return core

    def done(core: Core) -> None:
        assert ledger(core)["booked"] == {"first", "second"}
        assert state_of(core) == "done"

    def unwound(core: Core) -> None:
        assert ledger(core)["booked"] == set()
        assert state_of(core) == "failed"

    return Scenario(BOOKING, start, done, unwound)


def test_a_saga_that_fails_at_any_step_leaves_nothing(scenario: Scenario) -> None:
    assert asyncio.run(fails_at_each_step(scenario)) == 3


def test_a_saga_whose_steps_run_twice_ends_the_same(scenario: Scenario) -> None:
    assert asyncio.run(repeats_each_step(scenario)) == 2


def test_a_saga_killed_between_any_two_writes_is_resumed(scenario: Scenario) -> None:
    assert asyncio.run(killed_between_writes(scenario)) > 6


def test_the_harness_finds_a_step_that_is_not_undone(new_core: Callable[[], Core], scenario: Scenario) -> None:
    leaky = Operation(BOOKING.name, Params, (Step("first", book_first), *BOOKING.steps[1:]), failed)
    with pytest.raises(AssertionError):
        asyncio.run(fails_at_each_step(Scenario(leaky, scenario.start, scenario.done, scenario.unwound)))


def run_jobs(core: Core, *operations: Operation[Params]) -> None:
    asyncio.run(Runner(core, operations).drain())


def test_jobs_of_one_resource_run_in_order_and_of_others_side_by_side(new_core: Callable[[], Core]) -> None:
    core = new_core()
    seen: list[str] = []
    both_run = asyncio.Event()
    running: set[str] = set()

    async def note(run: Run[Params]) -> None:
        seen.append(run.params.name)
        running.add(run.params.name)
        if {"a1", "b1"} <= running:
            both_run.set()
        await asyncio.wait_for(both_run.wait(), 10)

    operation = Operation("test.note", Params, (Step("note", note),), failed)
    with core.db.write() as tx:
        for resource, name in (("a", "a1"), ("a", "a2"), ("b", "b1")):
            enqueue(tx, "test.note", resource=resource, name=name)
    run_jobs(core, operation)
    assert sorted(seen) == ["a1", "a2", "b1"]
    assert seen.index("a1") < seen.index("a2")


def test_a_cancelled_job_turns_round_before_its_next_step(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def ask_to_cancel(run: Run[Params]) -> None:
        def ask(tx: Tx) -> None:
            cancel(tx, "thing:1")

        await run.write(ask)

    operation = Operation(
        "test.cancelled", Params, (BOOKING.steps[0], Step("ask", ask_to_cancel), BOOKING.steps[1]), failed
    )
    with core.db.write() as tx:
        enqueue(tx, "test.cancelled", resource="thing:1", name="mia")
    run_jobs(core, operation)
    assert ledger(core)["booked"] == set()
    assert ledger(core)["errors"] == {"cancelled"}


def test_what_cannot_succeed_yet_is_tried_again(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def third_time(run: Run[Params]) -> None:
        if run.attempt < 2:
            raise Retry("not yet", seconds=0)

    with core.db.write() as tx:
        enqueue(tx, "test.retry", resource="thing:1", name="mia")
    run_jobs(core, Operation("test.retry", Params, (Step("try", third_time),), failed))
    assert state_of(core) == "done"


def test_a_step_that_can_never_succeed_gives_its_reason(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def never(run: Run[Params]) -> None:
        raise Permanent("the disk is full")

    with core.db.write() as tx:
        enqueue(tx, "test.never", resource="thing:1", name="mia")
    run_jobs(core, Operation("test.never", Params, (BOOKING.steps[0], Step("never", never)), failed))
    assert ledger(core) == {"booked": set(), "errors": {"the disk is full"}, "order": set()}


def test_a_runner_that_lost_its_lease_writes_nothing_more(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def slow(run: Run[Params]) -> None:
        def steal() -> None:
            with core.db.write() as tx:
                store.release(tx)
                assert store.claim(tx, "another runner", 1)

        if not ledger(core)["order"]:
            ledger(core)["order"].add("stolen")
            await run.core.in_thread(steal)
        await run.write(lambda tx: ledger(core)["booked"].add("written by the first runner"))

    with core.db.write() as tx:
        enqueue(tx, "test.slow", resource="thing:1", name="mia")

    async def first_runner() -> None:
        runner = Runner(core, [Operation("test.slow", Params, (Step("slow", slow),), failed)])
        assert await runner._start_due() == 1
        await asyncio.wait(runner._tasks.values())

    asyncio.run(first_runner())
    assert ledger(core)["booked"] == set()
    assert state_of(core) == "running"


def test_a_rolled_back_transaction_leaves_no_job(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with pytest.raises(RuntimeError), core.db.write() as tx:
        enqueue(tx, "test.booking", resource="thing:1", name="mia")
        raise RuntimeError("the request failed")
    with core.db.read() as tx:
        assert store.history(tx, "thing:1") == []


def test_what_cannot_be_undone_does_not_keep_the_rest_from_being_undone(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def never(run: Run[Params]) -> None:
        raise Permanent("the host is gone")

    operation = Operation("test.stuck", Params, (BOOKING.steps[0], Step("never", never, never)), failed)
    with core.db.write() as tx:
        enqueue(tx, "test.stuck", resource="thing:1", name="mia")
    run_jobs(core, operation)
    assert ledger(core) == {"booked": set(), "errors": {"the host is gone"}, "order": set()}
    with core.db.read() as tx:
        assert "undo given up" in {event.event for event in store.events(tx, 1)}
