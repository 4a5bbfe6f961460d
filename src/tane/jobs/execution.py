"""One claimed job, from the step its row names to its end or its next pause."""

from __future__ import annotations

import functools
import math
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import HostUnreachable
from tane.hosts import store as hosts
from tane.jobs import store
from tane.jobs.operation import Cancelled, LeaseLost, Operation, Permanent, Retry, Run, Step
from tane.shares import Full
from tane.wire.errors import HostError

if TYPE_CHECKING:
    from tane.core import Core

log = structlog.get_logger()

UNEXPECTED_TRIES = 3
UNDO_TRIES = 5
MAX_PAUSE = 30.0
DEBT_TRIES = 20
UNWIND_SECONDS = 120.0
"""How long a job that turned round tries again what may yet be undone, before it leaves it as a debt."""


class Unknown(Exception):
    """A job that this release does not understand; the message says what."""


class Execution:
    """Carries one job on. :raises Unknown: its parameters are not those of this release's operation."""

    def __init__(self, core: Core, operation: Operation[Any], row: Row[Any]) -> None:
        self.core = core
        self.operation = operation
        self.row = row
        self.state: str = row.state
        self.step: str = row.step
        self.begun: list[str] = list(row.begun)
        self.error: str | None = row.error
        self.deadline = row.deadline
        self._told: str | None = None
        """The step whose start is written already, and whether the job was ``_cancelled`` then."""
        self._cancelled = False
        self._asked = False
        """Whether the job is asked to turn round, by the transaction that is under way."""
        try:
            params = msgspec.convert(row.params, operation.order.params)
        except msgspec.ValidationError as error:
            raise Unknown(f"this release does not know its parameters: {error}") from None
        self.run: Run[Any] = Run(
            core=core,
            job_id=row.id,
            params=params,
            data=dict(row.data),
            attempt=row.attempt,
            guard=self._guard,
            request_id=row.request_id,
            error=row.error,
            owed=row.state in store.DEBTS,
        )

    def _guard(self, tx: Tx) -> None:
        there = store.held(tx, self.row.id, self.row.epoch)
        if there is None:
            raise LeaseLost
        self._asked = bool(there.cancel_requested)

    async def _write(self, work: Callable[[Tx], None]) -> None:
        await self.run.write(work)

    async def carry_on(self) -> None:
        if self.state in store.DEBTS:
            await self._settle()
            return
        while self.state == "running":
            if not await self._forward():
                return
        while self.state == "unwinding":
            if not await self._backward():
                return

    # ------------------------------------------------------------------------------------------------- forward

    async def _forward(self) -> bool:
        """Run one step; False when the job pauses or has ended."""
        name = self.step or self.operation.steps[0].name
        step = self.operation.step(name)
        if step is None:
            await self._turn_round(f"this release knows no step '{name}' of {self.operation.name}")
            return True
        if self._told == name:
            cancelled = self._cancelled
        elif self.run.attempt == 0:
            cancelled = await self.run.write(self._start, name)
        else:
            cancelled = await self.run.read(store.cancel_requested, self.row.id)
        if cancelled:
            await self._turn_round("cancelled")
            return True
        try:
            result = await step.do(self.run)
        except Retry as error:
            return await self._try_again(str(error), error.seconds, error)
        except Full as error:
            # Waiting in a slot would keep it from others.
            return await self._try_again(str(error), None)
        except HostUnreachable as error:
            return await self._without_host(step, error)
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
            log.error("step failed", operation=self.operation.name, step=name, error=traceback.format_exc())
            if self.run.attempt + 1 < UNEXPECTED_TRIES:
                return await self._try_again(f"{type(error).__name__}: {error}", None)
            await self._turn_round(f"unexpected error in step '{name}': {type(error).__name__}")
        else:
            return await self._go_on(result or {})
        return True

    def _start(self, tx: Tx, name: str, *before: store.Noted) -> bool:
        """Write that a step begins, after what came before it; whether the job is asked to turn round instead."""
        self.step = name
        if name not in self.begun:
            self.begun.append(name)
        store.note(tx, self.row.id, *before, (name, "started", None))
        store.change(tx, self.row.id, step=name, begun=self.begun, attempt=0, data=self.run.data)
        return self._asked

    async def _go_on(self, result: dict[str, Any], owed_by: str | None = None) -> bool:
        """The step is done, or left to the host that owes it; False after the last one, when the job has ended."""
        self.run.data.update(result)
        done, following = self.step, self.operation.after(self.step)

        def write(tx: Tx) -> None:
            if owed_by is not None:
                store.owe(tx, self.row, done, store.OWES_STEP, self.run.data, owed_by)
            noted = (done, "done", owed_by and f"left to host {owed_by}, which does not answer")
            if following is None:
                store.note(tx, self.row.id, noted)
                store.finish(tx, self.row.id, "done")
            else:
                self._cancelled = self._start(tx, following, noted)

        await self._write(write)
        self._told, self.run.attempt = following, 0
        return following is not None

    async def _without_host(self, step: Step[Any], error: HostUnreachable) -> bool:
        """A host does not answer: go on without it where that may be, wait for it while it may only be busy."""
        if step.owed:
            return await self._go_on({}, owed_by=error.host_id)
        if not self.core.hosts.awaited() and not await self.run.read(hosts.is_there, error.host_id):
            await self._turn_round(str(error))
            return True
        return await self._try_again(str(error), None)

    async def _try_again(self, reason: str, seconds: float | None, wish: Retry | None = None) -> bool:
        """Pause, or turn round when patience is over; False when paused."""
        if self.state == "running" and self.core.clock.now() > self.deadline:
            await self._turn_round(reason)
            return True
        pause = seconds if seconds is not None else min(MAX_PAUSE, 0.2 * 2 ** min(self.run.attempt, 10))

        def sleep(tx: Tx) -> None:
            ready = wish is not None and wish.unless is not None and wish.unless(tx)
            # Who was asked to turn round meanwhile must not sleep over it.
            ready = ready or (self.state == "running" and store.cancel_requested(tx, self.row.id))
            store.change(
                tx,
                self.row.id,
                attempt=self.run.attempt + 1,
                run_after=tx.now if ready else store.NEVER if pause == math.inf else tx.now + timedelta(seconds=pause),
                awaits=None if ready or wish is None else wish.awaits,
                lease_until=None,
                lease_owner=None,
                data=self.run.data,
            )
            if self.run.attempt < 3:
                store.note(tx, self.row.id, (self.step, "retry", reason))
            tx.notify(store.TOPIC)

        await self._write(sleep)
        return False

    # ------------------------------------------------------------------------------------------------ backward

    async def _turn_round(self, reason: str) -> None:
        # It may quote what a tenant wrote, and has to be written whatever that is.
        reason = store.storable(reason)

        def turn(tx: Tx) -> None:
            self.deadline = tx.now + timedelta(seconds=UNWIND_SECONDS)
            store.note(tx, self.row.id, (self.step, "failed", reason))
            store.change(
                tx,
                self.row.id,
                state="unwinding",
                error=reason,
                attempt=0,
                data=self.run.data,
                deadline=self.deadline,
            )

        await self._write(turn)
        self.state, self.error, self.run.error, self.run.attempt = "unwinding", reason, reason, 0

    async def _backward(self) -> bool:
        """Undo the step that was begun last, or finish after the first; False when the job pauses or has ended."""
        if not self.begun:
            return await self._fail()
        self.step = self.begun[-1]
        step = self.operation.step(self.step)
        if step is None:
            await self._give_up("this release knows no such step")
            return True
        try:
            if step.undo is not None:
                await step.undo(self.run)
        except LeaseLost:
            raise
        except HostUnreachable as error:
            await self._write(functools.partial(self._undone, "owed", str(error), host_id=error.host_id))
        except Retry as error:
            return await self._undo_again(str(error), error.seconds)
        except HostError as error:
            if error.transient:
                return await self._undo_again(str(error), None)
            return await self._undo_unless_hopeless(str(error))
        except Permanent as error:
            return await self._undo_unless_hopeless(str(error))
        except Exception as error:
            log.error("undo failed", operation=self.operation.name, step=self.step, error=traceback.format_exc())
            reason = f"{type(error).__name__}: {error}"
            if self.run.attempt + 1 < UNDO_TRIES:
                return await self._try_again(reason, None)
            # Whatever it is, it may pass: a full disk, a bug that a release mends.
            await self._write(functools.partial(self._undone, "owed", reason, host_id=""))
        else:
            await self._write(functools.partial(self._undone, "undone", None))
        return True

    async def _fail(self) -> bool:
        try:
            await self.operation.failed(self.run, self.error or "")
        except LeaseLost:
            raise
        except Exception as error:
            log.error("failure not recorded", operation=self.operation.name, error=traceback.format_exc())
            if self.run.attempt + 1 < UNDO_TRIES:
                return await self._try_again(f"{type(error).__name__}: {error}", None)
        await self._write(lambda tx: store.finish(tx, self.row.id, "failed"))
        return False

    async def _undo_again(self, reason: str, seconds: float | None) -> bool:
        """Pause, or leave the undo as a debt when the time for it is over; False when paused."""
        if self.core.clock.now() <= self.deadline:
            return await self._try_again(reason, seconds)
        await self._write(functools.partial(self._undone, "owed", reason, host_id=""))
        return True

    async def _undo_unless_hopeless(self, reason: str) -> bool:
        if self.run.attempt + 1 < UNDO_TRIES:
            return await self._try_again(reason, None)
        await self._give_up(reason)
        return True

    async def _give_up(self, reason: str) -> None:
        """What cannot be undone must not keep the rest from being undone; reconcilers look for what is left."""
        log.warning("undo given up", operation=self.operation.name, step=self.step, error=reason)
        await self._write(functools.partial(self._undone, "undo given up", reason))

    def _undone(self, event: str, detail: str | None, tx: Tx, host_id: str | None = None) -> None:
        """The step at hand is undone, given up, or owed (by ``host_id``; empty: by one that answers)."""
        if host_id is not None:
            store.owe(tx, self.row, self.step, store.OWES_UNDO, self.run.data, host_id)
        store.note(tx, self.row.id, (self.step, event, detail))
        self.begun = [name for name in self.begun if name != self.step]
        self.run.attempt = 0
        store.change(tx, self.row.id, begun=self.begun, attempt=0)

    # --------------------------------------------------------------------------------------------------- debts

    async def _settle(self) -> None:
        """Do, or undo, the one step that is owed; it waits again when its host has gone again."""
        step = self.operation.step(self.step)
        if step is None:
            raise Unknown(f"this release knows no step '{self.step}' of {self.operation.name}")
        try:
            if self.state == store.OWES_STEP:
                await step.do(self.run)
            elif step.undo is not None:
                await step.undo(self.run)
        except LeaseLost:
            raise
        except HostUnreachable as error:
            away = {"host_away": error.host_id, "run_after": store.NEVER, "lease_until": None, "lease_owner": None}
            await self._write(lambda tx: store.change(tx, self.row.id, **away))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            transient = isinstance(error, Retry | Full) or getattr(error, "transient", False)
            tries = UNDO_TRIES if isinstance(error, Permanent | HostError) else DEBT_TRIES
            if not transient and self.run.attempt + 1 >= tries:
                log.error("debt given up", operation=self.operation.name, step=self.step, error=traceback.format_exc())
                await self._write(lambda tx: store.forget_debt(tx, self.row.id))
                return
            await self._put_off(reason)
        else:
            log.info("debt settled", operation=self.operation.name, step=self.step, resource=self.row.resource)
            await self._write(lambda tx: store.forget_debt(tx, self.row.id))

    async def _put_off(self, reason: str) -> None:
        """Try the debt again in a while; it holds nothing up until then."""

        def write(tx: Tx) -> None:
            store.note(tx, self.row.id, (self.step, "retry", reason))
            store.change(
                tx,
                self.row.id,
                attempt=self.run.attempt + 1,
                run_after=tx.now + store.SOON,
                host_away="",
                lease_until=None,
                lease_owner=None,
            )

        await self._write(write)
