"""The saga harnesses every operation is parametrised over.

A :class:`Scenario` makes a fresh world with the operation's job written, and knows what the world must look like when
the operation has succeeded and when it was unwound. The harnesses then prove that the operation

- unwinds to a clean slate when any of its steps fails (:func:`fails_at_each_step`),
- leads to the same world when each step and each undo runs twice (:func:`repeats_each_step`),
- resumes when the process is killed between any two writes (:func:`killed_between_writes`), also while it unwinds
  (:func:`killed_while_unwinding`),
- ends when its host is lost at any step, lets its resource be deleted meanwhile, and leaves nothing on the host once
  it is back (:func:`loses_its_host`).

An undo that was given up fails them all.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tane.core import FILE_THREADS, OWN_THREADS, Core
from tane.hosts import HostUnreachable
from tane.hosts import store as hosts
from tane.jobs import store, upkeep
from tane.jobs.operation import Operation, Permanent, Run, Step
from tane.jobs.runner import Runner
from tane.jobs.tables import job, job_event, job_history


class Killed(BaseException):
    """Stands for kill -9: passes every ``except Exception``."""


Check = Callable[[Core], None]


@dataclass
class Scenario:
    """``start()`` gives a fresh core in which one job of ``operation`` is written. ``operations`` are all those
    that may run in it (an operation may start others). ``done(core)`` and ``unwound(core)`` assert the final world.

    ``delete(core)`` deletes the resource in whatever state it is, and ``deleted(core)`` asserts that
    it is gone from the cloud; ``clean(core)`` that no host holds anything of it.
    """

    operation: Operation[Any]
    start: Callable[[], Awaitable[Core]]
    done: Check
    unwound: Check
    operations: Sequence[Operation[Any]] = ()
    delete: Callable[[Core], Awaitable[None]] | None = None
    deleted: Check | None = None
    clean: Check | None = None

    def runner(self, core: Core, replaced: Operation[Any] | None = None) -> Runner:
        mine = replaced or self.operation
        others = [operation for operation in self.operations if operation.name != mine.name]
        return Runner(core, [mine, *others])

    async def run(self, core: Core, replaced: Operation[Any] | None = None) -> None:
        """Run all jobs to their end, and see that no undo was given up."""
        await asyncio.wait_for(self.runner(core, replaced).drain(), 60)
        with core.db.read() as tx:
            assert store.next_due(tx) is None, "jobs are left"
            given_up = tx.all(select(job_event).where(job_event.c.event == "undo given up"))
            assert not given_up, f"undo given up: {[(event.step, event.detail) for event in given_up]}"
            put_off = tx.all(select(job).where(job.c.state.in_(store.DEBTS), job.c.host_away == ""))
            assert not put_off, f"cannot be settled: {[(debt.operation, debt.step) for debt in put_off]}"


async def fails_at_each_step(scenario: Scenario) -> int:
    """Let each step fail after it did its work; returns how many worlds were tried."""
    steps = scenario.operation.steps
    for index in range(len(steps)):
        core = await scenario.start()
        try:
            await scenario.run(core, _replace(scenario.operation, index, _then_fail(steps[index])))
            scenario.unwound(core)
        finally:
            core.close()
    return len(steps)


async def repeats_each_step(scenario: Scenario) -> int:
    """Run every step twice; then, in a world for each step, all undos twice; returns how many worlds were tried."""
    twice = dataclasses.replace(scenario.operation, steps=tuple(_twice(step) for step in scenario.operation.steps))
    core = await scenario.start()
    try:
        await scenario.run(core, twice)
        scenario.done(core)
    finally:
        core.close()
    for index, step in enumerate(twice.steps):
        core = await scenario.start()
        try:
            await scenario.run(core, _replace(twice, index, _then_fail(step)))
            scenario.unwound(core)
        finally:
            core.close()
    return 1 + len(twice.steps)


async def killed_between_writes(scenario: Scenario, *, every: int = 1, most: int = 200) -> int:
    """Kill the runner before its 1st, 2nd, … write (or each third, ``every``) and let another carry on; returns before
    which it was not killed any more."""
    return await _killed(scenario, scenario.operation, scenario.done, range(1, most, every))


async def killed_while_unwinding(scenario: Scenario, *, every: int = 1, most: int = 200) -> int:
    """The same with an operation whose last step fails."""
    steps = scenario.operation.steps
    failing = _replace(scenario.operation, len(steps) - 1, _then_fail(steps[-1]))
    return await _killed(scenario, failing, scenario.unwound, range(1, most, every))


async def _killed(scenario: Scenario, operation: Operation[Any], ended: Check, numbers: range) -> int:
    for number in numbers:
        core = await scenario.start()
        try:
            if not await _run_until_write(scenario.runner(core, operation), core, number):
                ended(core)
                return number
            with core.db.write() as tx:
                store.release(tx)
            await scenario.run(core, operation)
            ended(core)
        finally:
            core.close()
    raise AssertionError(f"the operation had not ended after {numbers.stop} writes")


async def loses_its_host(scenario: Scenario, only: str | None = None, *, every: int = 1) -> int:
    """Lose every host as each step begins, and as its answer is awaited; returns how many worlds were tried. ``only``:
    lose that host alone, as each step begins and when it has ended. ``every``: in each third (…) of these worlds.

    The operation ends all the same. In half of the worlds the resource is deleted then. When the hosts are back, what
    they owe is settled, and the world is as if they had never been away.
    """
    deletions = (False, True) if scenario.delete is not None else (False,)
    worlds = itertools.product(enumerate(scenario.operation.steps), (_lost_before, _lost_after), deletions)
    tried = list(worlds)[::every]
    for (index, step), lost, delete in tried:
        core = await scenario.start()
        try:
            operation = _replace(scenario.operation, index, lost(step, only))
            await _lose_and_find(scenario, core, operation, delete)
        finally:
            core.close()
    return len(tried)


async def _lose_and_find(scenario: Scenario, core: Core, operation: Operation[Any], delete: bool) -> None:
    agents = core.hosts.reached()
    await scenario.run(core, operation)
    if delete:
        assert scenario.delete is not None and scenario.deleted is not None
        await scenario.delete(core)
        await scenario.run(core)
        scenario.deleted(core)
    for agent in agents:
        core.hosts.add(agent)
    with core.db.write() as tx:
        for agent in agents:
            hosts.change(tx, agent.host_id, forced_down=False)
    await upkeep.call_in_debts(core)
    await scenario.run(core)
    with core.db.read() as tx:
        assert not tx.all(select(job)), "a debt was not settled"
        ended = select(job_history.c.state).where(job_history.c.operation == operation.name)
        state = tx.scalar(ended.order_by(job_history.c.id.desc()).limit(1))
    if delete:
        assert scenario.clean is not None
        scenario.clean(core)
    elif state == "done":
        scenario.done(core)
    else:
        scenario.unwound(core)


def _lost_before(step: Step[Any], only: str | None) -> Step[Any]:
    async def do(run: Run[Any]) -> dict[str, Any] | None:
        await run.core.in_thread(_lose, run.core, only)
        return await step.do(run)

    return dataclasses.replace(step, do=do)


def _lost_after(step: Step[Any], only: str | None) -> Step[Any]:
    """The host has done the work, and nobody will hear of it; or one of several is gone once the step is done."""

    async def do(run: Run[Any]) -> dict[str, Any] | None:
        host = next(iter(run.core.hosts.reached()), None)
        if only is not None:
            result = await step.do(run)
            await run.core.in_thread(_lose, run.core, only)
            return result
        if host is not None:
            await step.do(run)
            await run.core.in_thread(_lose, run.core, only)
            raise HostUnreachable(host.host_id)
        return await step.do(run)

    return dataclasses.replace(step, do=do)


def _lose(core: Core, only: str | None) -> None:
    with core.db.write() as tx:
        for agent in [agent for agent in core.hosts.reached() if only in (None, agent.host_id)]:
            hosts.change(tx, agent.host_id, forced_down=True)
            core.hosts.remove(agent.host_id)


async def _run_until_write(runner: Runner, core: Core, number: int) -> bool:
    """Run until write ``number`` is about to commit, and die there; False when the operation ended before."""
    writes = 0
    died = asyncio.Event()
    loop = asyncio.get_running_loop()

    def count() -> None:
        nonlocal writes
        writes += 1
        if writes >= number:
            loop.call_soon_threadsafe(died.set)
            raise Killed

    core.db.before_write = count
    running = asyncio.create_task(_survive(runner.drain()))
    waiting = asyncio.create_task(died.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    for task in asyncio.all_tasks():
        if task.get_name().startswith("job-"):
            task.cancel()
            await asyncio.wait({task})
    await _threads_end(core)
    core.db.before_write = None
    return died.is_set()


async def _threads_end(core: Core) -> None:
    """What the dead runner asked for in threads ends before others write, or its lease would come after its death."""
    pools = (core.own_threads, core.file_threads)
    core.own_threads, core.file_threads = ThreadPoolExecutor(OWN_THREADS), ThreadPoolExecutor(FILE_THREADS)
    for pool in pools:
        await asyncio.to_thread(pool.shutdown)


async def _survive(work: Awaitable[None]) -> None:
    try:
        await work
    except Killed:
        return


def _then_fail(step: Step[Any]) -> Step[Any]:
    async def do(run: Run[Any]) -> None:
        run.data.update(await step.do(run) or {})
        raise Permanent("the harness lets this step fail")

    return dataclasses.replace(step, do=do)


def _twice(step: Step[Any]) -> Step[Any]:
    async def do(run: Run[Any]) -> dict[str, Any] | None:
        await step.do(run)
        return await step.do(run)

    async def undo(run: Run[Any]) -> None:
        assert step.undo is not None
        await step.undo(run)
        await step.undo(run)

    return dataclasses.replace(step, do=do, undo=None if step.undo is None else undo)


def _replace(operation: Operation[Any], index: int, step: Step[Any]) -> Operation[Any]:
    steps = list(operation.steps)
    steps[index] = step
    return dataclasses.replace(operation, steps=tuple(steps))
