"""The three saga harnesses every operation is parametrised over.

A :class:`Scenario` makes a fresh world with the operation's job written, and knows what the world must look like when
the operation has succeeded and when it was unwound. The harnesses then prove that the operation

- unwinds to a clean slate when any of its steps fails (:func:`fails_at_each_step`),
- leads to the same world when each step and each undo runs twice (:func:`repeats_each_step`),
- resumes when the process is killed between any two writes (:func:`killed_between_writes`).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.jobs import store
from tane.jobs.operation import Operation, Permanent, Run, Step
from tane.jobs.runner import Runner


class Killed(BaseException):
    """Stands for kill -9: passes every ``except Exception``."""


@dataclass
class Scenario:
    """``start()`` gives a fresh core in which one job of ``operation`` is written. ``operations`` are all those
    that may run in it (an operation may start others). ``done(core)`` and ``unwound(core)`` assert the final world."""

    operation: Operation[Any]
    start: Callable[[], Awaitable[Core]]
    done: Callable[[Core], None]
    unwound: Callable[[Core], None]
    operations: Sequence[Operation[Any]] = ()

    def runner(self, core: Core, replaced: Operation[Any] | None = None) -> Runner:
        mine = replaced or self.operation
        others = [operation for operation in self.operations if operation.name != mine.name]
        return Runner(core, [mine, *others])


async def fails_at_each_step(scenario: Scenario) -> int:
    """Let each step fail after it did its work; returns how many worlds were tried."""
    steps = scenario.operation.steps
    for index in range(len(steps)):
        core = await scenario.start()
        try:
            broken = _replace(scenario.operation, index, _then_fail(steps[index]))
            await asyncio.wait_for(scenario.runner(core, broken).drain(), 60)
            _nothing_pending(core)
            scenario.unwound(core)
        finally:
            core.close()
    return len(steps)


async def repeats_each_step(scenario: Scenario) -> int:
    """Run every step twice, then, in other worlds, every undo twice; returns how many worlds were tried."""
    twice = dataclasses.replace(scenario.operation, steps=tuple(_twice(step) for step in scenario.operation.steps))
    core = await scenario.start()
    try:
        await asyncio.wait_for(scenario.runner(core, twice).drain(), 60)
        _nothing_pending(core)
        scenario.done(core)
    finally:
        core.close()
    last = len(twice.steps) - 1
    core = await scenario.start()
    try:
        await asyncio.wait_for(scenario.runner(core, _replace(twice, last, _then_fail(twice.steps[last]))).drain(), 60)
        _nothing_pending(core)
        scenario.unwound(core)
    finally:
        core.close()
    return 2


async def killed_between_writes(scenario: Scenario, *, most: int = 200) -> int:
    """Kill the runner before its 1st, 2nd, … write and let another carry on; returns how many worlds were tried."""
    for number in range(1, most):
        core = await scenario.start()
        try:
            if not await _run_until_write(scenario, core, number):
                scenario.done(core)
                return number
            with core.db.write() as tx:
                store.release(tx)
            await asyncio.wait_for(scenario.runner(core).drain(), 60)
            _nothing_pending(core)
            scenario.done(core)
        finally:
            core.close()
    raise AssertionError(f"the operation had not ended after {most} writes")


async def _run_until_write(scenario: Scenario, core: Core, number: int) -> bool:
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
    running = asyncio.create_task(_survive(scenario.runner(core).drain()))
    waiting = asyncio.create_task(died.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    for task in asyncio.all_tasks():
        if task.get_name().startswith("job-"):
            task.cancel()
            await asyncio.wait({task})
    core.db.before_write = None
    return died.is_set()


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


def _nothing_pending(core: Core) -> None:
    with core.db.read() as tx:
        assert store.next_due(tx) is None, "jobs are left"
