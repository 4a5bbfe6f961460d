"""Claims jobs and runs their steps; a crash at any point leaves a job that the next runner carries on with."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import socket
import traceback
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from sqlalchemy.engine import Row

from tane.agent.errors import HostError
from tane.db import Subscription, Tx
from tane.jobs import store
from tane.jobs.loops import forever
from tane.jobs.operation import Cancelled, LeaseLost, Operation, Permanent, Retry, Run
from tane.shares import Full

if TYPE_CHECKING:
    from tane.core import Core

log = structlog.get_logger()

UNEXPECTED_TRIES = 3
UNDO_TRIES = 5
MAX_PAUSE = 30.0
RENEW_SECONDS = 20.0
IDLE_SECONDS = 30.0
LEAST_SHARE = 4
"""Jobs of one project that run at a time however few slots there are."""


def place(core: Core) -> str:
    """What the names of all runners of this machine and state folder begin with; one at a time runs there."""
    folder = hashlib.sha256(str(core.config.state_dir).encode()).hexdigest()[:8]
    return f"{socket.gethostname()[:20]}:{folder}:"


class Runner:
    """Runs the jobs of one database with at most ``slots`` at a time, of one project at most a quarter of them."""

    def __init__(self, core: Core, operations: Iterable[Operation[Any]], *, slots: int = 64) -> None:
        self.core = core
        self.operations = {operation.name: operation for operation in operations}
        self.owner = f"{place(core)}{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.slots = slots
        self.share = max(LEAST_SHARE, slots // 4)
        self._looked = datetime.min
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._freed = asyncio.Event()

    def take_back(self) -> int:
        """At the start: end the leases of the runner that was here before, so that its jobs go on at once.

        Those of runners elsewhere on the same database stay; when they are gone their leases run out.
        """
        with self.core.db.write() as tx:
            return store.release(tx, None if self.core.db.embedded else place(self.core))

    async def serve(self) -> None:
        """Run jobs until cancelled."""
        renewing = asyncio.create_task(forever("job leases", self._renew_later))
        try:
            with self.core.db.signals.subscribe(store.TOPIC) as wake:
                await forever("jobs", functools.partial(self._start_or_wait, wake))
        finally:
            renewing.cancel()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(renewing, *self._tasks.values(), return_exceptions=True)

    async def _start_or_wait(self, wake: Subscription) -> None:
        started = await self._start_due()
        if len(self._tasks) >= self.slots:
            self._freed.clear()
            await self._freed.wait()
        elif not started:
            await wake.wait(await self._pause())

    async def drain(self) -> None:
        """Run until no job is left that could run now or later; for tests and one-shot commands."""
        while True:
            await self._start_due()
            if self._tasks:
                await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
                continue
            due = await self.core.in_thread(self._next_due)
            if due is None:
                return
            await asyncio.sleep(max(0.0, min(0.05, (due - self.core.clock.now()).total_seconds())))

    async def _start_due(self) -> int:
        free = self.slots - len(self._tasks)
        rows = await self.core.in_thread(self._claim, free) if free > 0 else []
        for row in rows:
            task = asyncio.create_task(self._run(row), name=f"job-{row.id}")
            self._tasks[row.id] = task
            task.add_done_callback(functools.partial(self._ended, row.id))
        return len(rows)

    def _ended(self, job_id: int, task: asyncio.Task[None]) -> None:
        self._tasks.pop(job_id, None)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job runner failed", job_id=job_id, error="".join(traceback.format_exception(error)))

    def _claim(self, limit: int) -> list[Row[Any]]:
        with self.core.db.read() as tx:
            self._looked = tx.now
            if not store.is_due(tx):
                return []
        with self.core.db.write() as tx:
            self._looked = tx.now
            return store.claim(tx, self.owner, limit, self.share)

    def _next_due(self) -> datetime | None:
        """The next moment worth a look, after that of the last one."""
        with self.core.db.read() as tx:
            return store.next_due(tx, self._looked)

    async def _pause(self) -> float:
        due = await self.core.in_thread(self._next_due)
        if due is None:
            return IDLE_SECONDS
        return float(min(IDLE_SECONDS, max(0.01, (due - self.core.clock.now()).total_seconds())))

    async def _renew_later(self) -> None:
        await asyncio.sleep(RENEW_SECONDS)
        if self._tasks:
            await self.core.in_thread(self._renew, list(self._tasks))

    def _renew(self, job_ids: list[int]) -> None:
        with self.core.db.write() as tx:
            store.renew(tx, self.owner, job_ids)

    async def _run(self, row: Row[Any]) -> None:
        with structlog.contextvars.bound_contextvars(job_id=row.id, request_id=row.request_id):
            operation = self.operations.get(row.operation)
            if operation is None:
                log.error("no such operation", operation=row.operation)
                return
            with contextlib.suppress(LeaseLost):
                await Execution(self.core, operation, row).carry_on()


class Execution:
    """One claimed job, from the step its row names to its end or its next pause."""

    def __init__(self, core: Core, operation: Operation[Any], row: Row[Any]) -> None:
        self.core = core
        self.operation = operation
        self.row = row
        self.step: int = row.step
        self.state: str = row.state
        self.error: str | None = row.error
        self.run: Run[Any] = Run(
            core=core,
            job_id=row.id,
            params=msgspec.convert(row.params, operation.params),
            data=dict(row.data),
            attempt=row.attempt,
            guard=self._guard,
            request_id=row.request_id,
            error=row.error,
        )

    def _guard(self, tx: Tx) -> None:
        if not store.holds(tx, self.row.id, self.row.epoch):
            raise LeaseLost

    async def _write(self, work: Callable[[Tx], None]) -> None:
        await self.run.write(work)

    async def carry_on(self) -> None:
        while self.state == "running":
            if self.step >= len(self.operation.steps):
                await self._write(lambda tx: store.finish(tx, self.row.id, "done"))
                return
            if not await self._forward():
                return
        while self.state == "unwinding":
            if not await self._backward():
                return

    async def _forward(self) -> bool:
        """Run one step; False when the job pauses."""
        step = self.operation.steps[self.step]
        if self.run.attempt == 0:
            cancelled = await self.run.write(self._started, step.name)
            if cancelled:
                await self._turn_round("cancelled")
                return True
        elif await self.run.read(store.cancel_requested, self.row.id):
            await self._turn_round("cancelled")
            return True
        try:
            result = await step.do(self.run)
        except Retry as error:
            return await self._try_again(str(error), error.seconds)
        except Full as error:
            # Waiting in a slot would keep it from others.
            return await self._try_again(str(error), None)
        except HostError as error:
            if error.transient:
                return await self._try_again(str(error), None)
            await self._turn_round(str(error))
        except Cancelled:
            await self._turn_round("cancelled")
        except Permanent as error:
            await self._turn_round(str(error))
        except LeaseLost:
            raise
        except Exception as error:
            log.error("step failed", operation=self.operation.name, step=step.name, error=traceback.format_exc())
            if self.run.attempt + 1 < UNEXPECTED_TRIES:
                return await self._try_again(f"{type(error).__name__}: {error}", None)
            await self._turn_round(f"unexpected error in step '{step.name}': {type(error).__name__}")
        else:
            self.run.data.update(result or {})
            await self._write(self._done)
            self.step += 1
            self.run.attempt = 0
        return True

    def _started(self, tx: Tx, name: str) -> bool:
        store.note(tx, self.row.id, name, "started")
        return store.cancel_requested(tx, self.row.id)

    def _done(self, tx: Tx) -> None:
        store.note(tx, self.row.id, self.operation.steps[self.step].name, "done")
        store.change(tx, self.row.id, step=self.step + 1, attempt=0, data=self.run.data)

    async def _try_again(self, reason: str, seconds: float | None) -> bool:
        """Pause, or turn round when patience is over; False when paused."""
        waited = (self.core.clock.now() - self.row.created_at).total_seconds()
        if self.state == "running" and waited > self.operation.patience:
            await self._turn_round(reason)
            return True
        pause = seconds if seconds is not None else min(MAX_PAUSE, 0.2 * 2 ** min(self.run.attempt, 10))

        def sleep(tx: Tx) -> None:
            store.change(
                tx,
                self.row.id,
                attempt=self.run.attempt + 1,
                run_after=tx.now + timedelta(seconds=pause),
                lease_until=None,
                lease_owner=None,
                data=self.run.data,
            )
            if self.run.attempt < 3:
                store.note(tx, self.row.id, self._step_name(), "retry", reason)
            tx.notify(store.TOPIC)

        await self._write(sleep)
        return False

    def _step_name(self) -> str:
        return self.operation.steps[self.step].name if self.step < len(self.operation.steps) else ""

    async def _turn_round(self, reason: str) -> None:
        def turn(tx: Tx) -> None:
            store.note(tx, self.row.id, self._step_name(), "failed", reason)
            store.change(tx, self.row.id, state="unwinding", error=reason, attempt=0, data=self.run.data)

        await self._write(turn)
        self.state, self.error, self.run.error, self.run.attempt = "unwinding", reason, reason, 0

    async def _backward(self) -> bool:
        """Undo one step, or finish after the last; False when the job pauses or has ended."""
        try:
            if self.step < 0:
                await self.operation.failed(self.run, self.error or "")
                await self._write(lambda tx: store.finish(tx, self.row.id, "failed"))
                return False
            step = self.operation.steps[self.step]
            if step.undo is not None:
                await step.undo(self.run)
        except LeaseLost:
            raise
        except Retry as error:
            return await self._try_again(str(error), error.seconds)
        except (Permanent, HostError) as error:
            if self.step < 0 or self.run.attempt + 1 < UNDO_TRIES or getattr(error, "transient", False):
                return await self._try_again(str(error), None)
            # What cannot be undone must not keep the rest from being undone; reconcilers look for what is left.
            log.warning("undo given up", operation=self.operation.name, step=self._step_name(), error=str(error))
            await self._write(functools.partial(self._undone, "undo given up", str(error)))
            return True
        except Exception as error:
            log.error("undo failed", operation=self.operation.name, step=self.step, error=traceback.format_exc())
            return await self._try_again(f"{type(error).__name__}: {error}", None)
        await self._write(functools.partial(self._undone, "undone", None))
        return True

    def _undone(self, event: str, detail: str | None, tx: Tx) -> None:
        store.note(tx, self.row.id, self._step_name(), event, detail)
        self.step -= 1
        self.run.attempt = 0
        store.change(tx, self.row.id, step=self.step, attempt=0)
