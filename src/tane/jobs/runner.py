"""Claims jobs and runs their steps; a crash at any point leaves a job that the next runner carries on with."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import socket
import traceback
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.engine import Row

from tane.db import Subscription
from tane.db.recording import ASKER
from tane.jobs import store
from tane.jobs.execution import Execution, Unknown
from tane.jobs.loops import forever
from tane.jobs.operation import LeaseLost, Operation
from tane.wire.calls import TICKET, Ticket

if TYPE_CHECKING:
    from tane.core import Core

log = structlog.get_logger()

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
                # The last one may have ended after the look, and others have waited for it.
                if await self._start_due():
                    continue
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
        ASKER.set(lambda: row)
        TICKET.set(Ticket(row.id, row.epoch))
        with structlog.contextvars.bound_contextvars(job_id=row.id, request_id=row.request_id):
            try:
                operation = self.operations.get(row.operation)
                if operation is None:
                    raise Unknown("this release does not know the operation")
                await Execution(self.core, operation, row).carry_on()
            except Unknown as error:
                log.error("job given up", operation=row.operation, resource=row.resource, error=str(error))
                await self.core.in_thread(self._give_up, row, str(error))
            except LeaseLost:
                log.info("another runner has the job")
            except Exception:
                # What it is must not hold the slot of others for as long as the lease.
                log.error("job runner failed", operation=row.operation, error=traceback.format_exc())
                await self.core.in_thread(self._put_off, row)

    def _put_off(self, row: Row[Any]) -> None:
        with self.core.db.write() as tx:
            if store.held(tx, row.id, row.epoch) is not None:
                store.change(tx, row.id, run_after=tx.now + store.SOON, lease_until=None, lease_owner=None)

    def _give_up(self, row: Row[Any], reason: str) -> None:
        with self.core.db.write() as tx:
            if store.held(tx, row.id, row.epoch) is not None:
                store.note(tx, row.id, (row.step, "failed", reason))
                store.finish(tx, row.id, "failed", reason)
