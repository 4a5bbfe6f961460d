"""What a saga promises, shown on one that books things into a ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import select, update

from tane.core import Core
from tane.db import Tx
from tane.hosts import HostUnreachable
from tane.jobs import Operation, Order, Permanent, Retry, Run, Runner, Step, cancel, enqueue, execution, store, upkeep
from tane.jobs.tables import job, job_history
from tane.jobs.testing import Scenario, fails_at_each_step, killed_between_writes, repeats_each_step
from tane.wire.errors import HostError


class Params(msgspec.Struct):
    name: str


def order(name: str) -> Order[Params]:
    return Order(name, Params)


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
    order("test.booking"),
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


def error_of(core: Core, resource: str) -> str:
    with core.db.read() as tx:
        [row] = store.history(tx, resource)
    assert row.state == "failed"
    return str(row.error)


@pytest.fixture
def scenario(new_core: Callable[[], Core]) -> Scenario:
    async def start() -> Core:
        core = new_core()
        with core.db.write() as tx:
            enqueue(tx, order("test.booking"), Params("mia"), resource="thing:1")
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
    assert asyncio.run(repeats_each_step(scenario)) == 4


def test_a_saga_killed_between_any_two_writes_is_resumed(scenario: Scenario) -> None:
    assert asyncio.run(killed_between_writes(scenario)) > 6


def test_the_harness_finds_a_step_that_is_not_undone(new_core: Callable[[], Core], scenario: Scenario) -> None:
    leaky = Operation(BOOKING.order, (Step("first", book_first), *BOOKING.steps[1:]), failed)
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

    operation = Operation(order("test.note"), (Step("note", note),), failed)
    with core.db.write() as tx:
        for resource, name in (("a", "a1"), ("a", "a2"), ("b", "b1")):
            enqueue(tx, order("test.note"), Params(name), resource=resource)
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
        order("test.cancelled"), (BOOKING.steps[0], Step("ask", ask_to_cancel), BOOKING.steps[1]), failed
    )
    with core.db.write() as tx:
        enqueue(tx, order("test.cancelled"), Params("mia"), resource="thing:1")
    run_jobs(core, operation)
    assert ledger(core)["booked"] == set()
    assert ledger(core)["errors"] == {"cancelled"}


def test_what_cannot_succeed_yet_is_tried_again(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def third_time(run: Run[Params]) -> None:
        if run.attempt < 2:
            raise Retry("not yet", seconds=0)

    with core.db.write() as tx:
        enqueue(tx, order("test.retry"), Params("mia"), resource="thing:1")
    run_jobs(core, Operation(order("test.retry"), (Step("try", third_time),), failed))
    assert state_of(core) == "done"


def test_a_step_that_can_never_succeed_gives_its_reason(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def never(run: Run[Params]) -> None:
        raise Permanent("the disk is full")

    with core.db.write() as tx:
        enqueue(tx, order("test.never"), Params("mia"), resource="thing:1")
    run_jobs(core, Operation(order("test.never"), (BOOKING.steps[0], Step("never", never)), failed))
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
        enqueue(tx, order("test.slow"), Params("mia"), resource="thing:1")

    async def first_runner() -> None:
        runner = Runner(core, [Operation(order("test.slow"), (Step("slow", slow),), failed)])
        assert await runner._start_due() == 1
        await asyncio.wait(runner._tasks.values())

    asyncio.run(first_runner())
    assert ledger(core)["booked"] == set()
    assert state_of(core) == "running"


def test_a_rolled_back_transaction_leaves_no_job(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with pytest.raises(RuntimeError), core.db.write() as tx:
        enqueue(tx, order("test.booking"), Params("mia"), resource="thing:1")
        raise RuntimeError("the request failed")
    with core.db.read() as tx:
        assert store.history(tx, "thing:1") == []


def test_what_cannot_be_undone_does_not_keep_the_rest_from_being_undone(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def never(run: Run[Params]) -> None:
        raise Permanent("the host is gone")

    operation = Operation(order("test.stuck"), (BOOKING.steps[0], Step("never", never, never)), failed)
    with core.db.write() as tx:
        enqueue(tx, order("test.stuck"), Params("mia"), resource="thing:1")
    run_jobs(core, operation)
    assert ledger(core) == {"booked": set(), "errors": {"the host is gone"}, "order": set()}
    with core.db.read() as tx:
        assert "undo given up" in {event.event for event in store.events(tx, 1)}


def test_a_job_fails_whatever_its_reason_quotes(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def odd(run: Run[Params]) -> None:
        raise Permanent("no volume of size 'a\0b\ud800'")

    with core.db.write() as tx:
        enqueue(tx, order("test.odd"), Params("mia"), resource="thing:1")
    run_jobs(core, Operation(order("test.odd"), (Step("odd", odd),), failed))
    assert error_of(core, "thing:1") == "no volume of size 'a\ufffdb?'"


def test_a_job_that_breaks_its_runner_leaves_its_slot_to_others(
    new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    core = new_core()
    with core.db.write() as tx:
        enqueue(tx, BOOKING.order, Params("mia"), resource="thing:1")

    async def broken(self: execution.Execution) -> None:
        raise ValueError("nobody thought of this")

    monkeypatch.setattr(execution.Execution, "carry_on", broken)

    async def once() -> None:
        runner = Runner(core, (BOOKING,))
        await runner._start_due()
        await asyncio.gather(*runner._tasks.values())

    asyncio.run(once())
    with core.db.read() as tx:
        row = tx.first(select(job))
        assert row is not None
        assert (row.lease_owner, row.state) == (None, "running") and row.run_after > tx.now


def test_a_job_that_this_release_does_not_know_fails_with_the_reason(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with core.db.write() as tx:
        enqueue(tx, order("test.of_the_future"), Params("mia"), resource="thing:1")
        enqueue(tx, order("test.booking"), Params("mia"), resource="thing:2")
        tx.execute(update(job).where(job.c.resource == "thing:2").values(params={"nom": "mia"}))
    run_jobs(core, BOOKING)
    assert error_of(core, "thing:1") == "this release does not know the operation"
    assert error_of(core, "thing:2").startswith("this release does not know its parameters: Object missing")


def test_a_step_that_a_release_took_away_turns_the_job_round(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with core.db.write() as tx:
        enqueue(tx, BOOKING.order, Params("mia"), resource="thing:1")
        tx.execute(update(job).values(step="third", begun=["first", "third"]))
    ledger(core)["booked"].add("first")
    run_jobs(core, BOOKING)
    assert ledger(core)["booked"] == set()
    assert error_of(core, "thing:1") == "this release knows no step 'third' of test.booking"


def test_a_step_that_a_release_put_in_is_not_skipped_to(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with core.db.write() as tx:
        enqueue(tx, BOOKING.order, Params("mia"), resource="thing:1")
        tx.execute(update(job).values(step="second", begun=["first", "second"], data={"first": "mia"}))

    async def refuse(run: Run[Params]) -> None:
        raise Permanent("this step came before the one at work")

    newer = Operation(BOOKING.order, (BOOKING.steps[0], Step("between", refuse), *BOOKING.steps[1:]), failed)
    run_jobs(core, newer)
    assert state_of(core) == "done"


def unreachable(core: Core) -> HostUnreachable:
    return HostUnreachable(core.hosts.reached()[0].host_id)


def test_an_undo_whose_host_is_away_is_owed_and_settled_before_what_was_ordered_later(
    new_core: Callable[[], Core],
) -> None:
    core = new_core()
    seen: list[str] = []
    away = [True]

    async def take_back(run: Run[Params]) -> None:
        if away[0]:
            raise unreachable(core)
        seen.append("taken back")

    async def refuse(run: Run[Params]) -> None:
        raise Permanent("no")

    async def later(run: Run[Params]) -> None:
        seen.append(run.params.name)

    first = Operation(order("test.first"), (Step("do", refuse, take_back),), failed)
    second = Operation(order("test.second"), (Step("do", later),), failed)
    with core.db.write() as tx:
        enqueue(tx, first.order, Params("a"), resource="thing:1")
        enqueue(tx, second.order, Params("while away"), resource="thing:1")
    run_jobs(core, first, second)
    assert seen == ["while away"] and state_of(core) == "failed"
    away[0] = False
    with core.db.write() as tx:
        enqueue(tx, second.order, Params("when back"), resource="thing:1")
    told = asyncio.run(upkeep.call_in_debts(core))
    assert told == "called in 1 debts of hosts that are back, forgot 0 of hosts that are gone"
    run_jobs(core, first, second)
    assert seen == ["while away", "taken back", "when back"]
    assert asyncio.run(upkeep.call_in_debts(core)) is None


@pytest.mark.parametrize("just_started", [True, False])
def test_a_host_that_is_down_is_waited_for_when_the_cloud_itself_has_just_come_back(
    new_core: Callable[[], Core], just_started: bool
) -> None:
    """Machines start together: servers go on when the host of their volumes is there, too."""
    core = new_core()
    if just_started:
        core.hosts.opened = time.monotonic()
    tries: list[str] = []

    async def attach(run: Run[Params]) -> None:
        tries.append("asked")
        if len(tries) == 1:
            raise HostUnreachable("f4e3a6a0-0000-4000-8000-000000000000")

    operation = Operation(order("test.start"), (Step("do", attach),), failed)
    with core.db.write() as tx:
        enqueue(tx, operation.order, Params("a"), resource="thing:1")
    run_jobs(core, operation)
    assert state_of(core) == ("done" if just_started else "failed")


def test_the_debts_of_a_host_that_is_gone_for_good_are_forgotten(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def owed(run: Run[Params]) -> None:
        raise HostUnreachable("f4e3a6a0-0000-4000-8000-000000000000")

    operation = Operation(order("test.owed"), (Step("do", owed, owed=True),), failed)
    with core.db.write() as tx:
        enqueue(tx, operation.order, Params("a"), resource="thing:1")
    run_jobs(core, operation)
    assert state_of(core) == "done"
    asyncio.run(upkeep.call_in_debts(core))
    with core.db.read() as tx:
        assert tx.all(select(job)) == []


def test_an_undo_that_its_host_puts_off_for_long_holds_nothing_up(
    new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "UNWIND_SECONDS", -1.0)
    monkeypatch.setattr(store, "SOON", timedelta(0))
    core = new_core()
    tries: list[bool] = []

    async def busy(run: Run[Params]) -> None:
        tries.append(run.owed)
        if len(tries) < 3:
            raise HostError("the daemon is busy", transient=True)

    async def refuse(run: Run[Params]) -> None:
        raise Permanent("no")

    operation = Operation(order("test.busy"), (Step("do", refuse, busy),), failed)
    with core.db.write() as tx:
        enqueue(tx, operation.order, Params("a"), resource="thing:1")
    run_jobs(core, operation)
    assert tries == [False, True, True] and state_of(core) == "failed"


def test_a_job_past_its_deadline_turns_round_and_is_told(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def never_yet(run: Run[Params]) -> None:
        raise Retry("not yet", seconds=0)

    slow = Operation(Order("test.slow", Params, patience=-1.0), (Step("do", never_yet),), failed)
    with core.db.write() as tx:
        enqueue(tx, slow.order, Params("a"), resource="thing:1")
    told = asyncio.run(upkeep.tell_overdue(core))
    assert told == "past their deadline: test.slow of thing:1 (job 1, running)"
    assert asyncio.run(upkeep.tell_overdue(core)) is None, "it is told once"
    run_jobs(core, slow)
    assert error_of(core, "thing:1") == "not yet"


def test_a_job_that_pauses_is_cancelled_at_once(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def much_later(run: Run[Params]) -> None:
        raise Retry("not yet", seconds=3600)

    patient = Operation(order("test.patient"), (Step("do", much_later),), failed)
    with core.db.write() as tx:
        enqueue(tx, patient.order, Params("a"), resource="thing:1")

    async def scene() -> None:
        runner = Runner(core, [patient])
        await runner._start_due()
        await asyncio.wait(runner._tasks.values())
        with core.db.write() as tx:
            assert cancel(tx, "thing:1") == 1
        await asyncio.wait_for(runner.drain(), 10)

    asyncio.run(scene())
    assert error_of(core, "thing:1") == "cancelled"


def test_history_is_forgotten_when_it_is_old(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with core.db.write() as tx:
        enqueue(tx, BOOKING.order, Params("mia"), resource="thing:1")
    run_jobs(core, BOOKING)
    assert asyncio.run(upkeep.prune(core)) is None
    with core.db.write() as tx:
        tx.execute(update(job_history).values(finished_at=tx.now - timedelta(days=91)))
    assert asyncio.run(upkeep.prune(core)) == "forgot 1 jobs that ended long ago"
    with core.db.read() as tx:
        assert store.history(tx, "thing:1") == [] and store.events(tx, 1) == []


def test_of_history_only_so_much_is_kept(new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "MOST_HISTORY", 2)
    core = new_core()
    with core.db.write() as tx:
        for number in range(5):
            enqueue(tx, BOOKING.order, Params("mia"), resource=f"thing:{number}")
    run_jobs(core, BOOKING)
    assert asyncio.run(upkeep.prune(core)) == "forgot 3 jobs that ended long ago"
    with core.db.read() as tx:
        assert [bool(store.history(tx, f"thing:{number}")) for number in range(5)] == [False, False, False, True, True]


def test_a_debt_that_is_put_off_holds_nothing_up(new_core: Callable[[], Core]) -> None:
    core = new_core()
    seen: list[str] = []
    away = [True]

    async def never_yet(run: Run[Params]) -> None:
        if away[0]:
            raise unreachable(core)
        seen.append("tried")
        raise HostError("the guest does not give it back", transient=True)

    async def refuse(run: Run[Params]) -> None:
        raise Permanent("no")

    async def later(run: Run[Params]) -> None:
        seen.append(run.params.name)

    first = Operation(order("test.first"), (Step("do", refuse, never_yet),), failed)
    second = Operation(order("test.second"), (Step("do", later),), failed)
    with core.db.write() as tx:
        enqueue(tx, first.order, Params("a"), resource="thing:1")
    run_jobs(core, first, second)
    away[0] = False
    asyncio.run(upkeep.call_in_debts(core))

    async def scene() -> None:
        runner = Runner(core, [first, second])
        await runner._start_due()
        await asyncio.wait(runner._tasks.values())
        with core.db.write() as tx:
            enqueue(tx, second.order, Params("deleted"), resource="thing:1")
        await runner._start_due()
        await asyncio.wait(runner._tasks.values())

    asyncio.run(scene())
    assert seen == ["tried", "deleted"]


def test_what_is_due_at_once_for_one_resource_runs_one_after_another(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with core.db.write() as tx:
        for name in ("a", "b", "c"):
            enqueue(tx, BOOKING.order, Params(name), resource="thing:1")
        tx.execute(update(job).where(job.c.id < 3).values(host_away="", state=store.OWES_UNDO, step="first"))
        assert [row.id for row in store.claim(tx, "me", 10)] == [1]
        assert [row.id for row in store.claim(tx, "me", 10)] == []


def test_a_job_that_awaits_another_resource_runs_when_a_job_there_ends(new_core: Callable[[], Core]) -> None:
    core = new_core()
    tries: list[str] = []

    async def wait(run: Run[Params]) -> None:
        tries.append("wait")
        if "second" not in ledger(run.core)["booked"]:
            raise Retry("not booked", float("inf"), awaits="thing:2")

    waiting = Operation(order("test.waiting"), (Step("wait", wait),), failed)

    async def story() -> None:
        runner = Runner(core, [waiting, BOOKING])
        with core.db.write() as tx:
            enqueue(tx, order("test.waiting"), Params("rose"), resource="thing:1")
        # It is not due any more, whatever time passes.
        await asyncio.wait_for(runner.drain(), 10)
        assert tries == ["wait"]
        with core.db.write() as tx:
            enqueue(tx, order("test.booking"), Params("rose"), resource="thing:2")
        await asyncio.wait_for(runner.drain(), 10)

    asyncio.run(story())
    assert tries == ["wait", "wait"] and state_of(core) == "done"


def test_what_came_while_a_pause_was_written_is_not_missed(new_core: Callable[[], Core]) -> None:
    core = new_core()
    tries: list[str] = []

    async def wait(run: Run[Params]) -> None:
        tries.append("wait")
        if len(tries) == 1:
            raise Retry("not yet", float("inf"), awaits="thing:2", unless=lambda tx: True)

    waiting = Operation(order("test.waiting"), (Step("wait", wait),), failed)
    with core.db.write() as tx:
        enqueue(tx, order("test.waiting"), Params("rose"), resource="thing:1")
    asyncio.run(asyncio.wait_for(Runner(core, [waiting]).drain(), 10))
    assert len(tries) == 2 and state_of(core) == "done"


def test_a_job_that_pauses_for_ever_can_be_woken_and_turned_round(new_core: Callable[[], Core]) -> None:
    core = new_core()

    async def wait(run: Run[Params]) -> None:
        raise Retry("never", float("inf"), awaits="thing:2")

    waiting = Operation(order("test.waiting"), (Step("wait", wait),), failed)

    async def story() -> None:
        runner = Runner(core, [waiting])
        with core.db.write() as tx:
            enqueue(tx, order("test.waiting"), Params("rose"), resource="thing:1")
        await asyncio.wait_for(runner.drain(), 10)
        with core.db.write() as tx:
            assert store.wake(tx, "thing:1") == 1
        await asyncio.wait_for(runner.drain(), 10)
        with core.db.write() as tx:
            cancel(tx, "thing:1")
        await asyncio.wait_for(runner.drain(), 10)

    asyncio.run(story())
    assert state_of(core) == "failed"
