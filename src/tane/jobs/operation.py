"""How an operation is written: named steps, each with its undo, and what happens when all was undone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

import msgspec

from tane.db import Tx
from tane.jobs.order import Order

if TYPE_CHECKING:
    from tane.core import Core

P = TypeVar("P", bound=msgspec.Struct)
A = ParamSpec("A")
T = TypeVar("T")


class Retry(Exception):
    """The step cannot succeed yet; run it again after ``seconds`` (with growing pauses when None; never when infinite).

    ``awaits``: the resource whose next job to end, or whose :func:`tane.jobs.wake`, lets it run at once. ``unless(tx)``
    is asked in the transaction that writes the pause: when it holds, what is awaited has come meanwhile.
    """

    def __init__(
        self,
        reason: str,
        seconds: float | None = None,
        *,
        awaits: str | None = None,
        unless: Callable[[Tx], bool] | None = None,
    ) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.awaits = awaits
        self.unless = unless


class Permanent(Exception):
    """The step can never succeed: undo what was done. The message becomes the resource's fault."""


class Cancelled(Permanent):
    """Someone asked for the operation to be turned round."""


class LeaseLost(Exception):
    """Another runner has taken the job over; this one must write nothing more."""


@dataclass
class Run(Generic[P]):
    """One execution of an operation, as its steps see it.

    ``data`` holds what earlier steps returned; it survives a crash. ``attempt`` counts tries of the present
    step from 0. ``owed``: the step is a debt, done long after the operation went on: the rows tell of later times.
    """

    core: Core
    job_id: int
    params: P
    data: dict[str, Any]
    attempt: int
    guard: Callable[[Tx], None]
    request_id: str | None = None
    error: str | None = None
    owed: bool = False

    async def read(self, function: Callable[Concatenate[Tx, A], T], *args: A.args, **kwargs: A.kwargs) -> T:
        """Run ``function(tx, …)`` in a read transaction in a thread."""

        def work() -> T:
            with self.core.db.read() as tx:
                return function(tx, *args, **kwargs)

        return await self.core.in_thread(work)

    async def write(self, function: Callable[Concatenate[Tx, A], T], *args: A.args, **kwargs: A.kwargs) -> T:
        """Run ``function(tx, …)`` in a write transaction in a thread.

        :raises LeaseLost: when another runner owns the job by now; nothing was written then.
        """

        def work() -> T:
            with self.core.db.write() as tx:
                self.guard(tx)
                return function(tx, *args, **kwargs)

        return await self.core.in_thread(work)

    async def wait(
        self, topic: str, ready: Callable[[Tx], bool], *, within: float, poll: float = 1.0, what: str = ""
    ) -> None:
        """Wait until ``ready(tx)`` holds, looking again whenever ``topic`` is notified and every ``poll`` seconds.

        :raises Permanent: after ``within`` seconds, or when the job is asked to turn round meanwhile.
        """
        deadline = asyncio.get_running_loop().time() + within
        with self.core.db.signals.subscribe(topic) as subscription:
            while not await self.read(ready):
                if await self.read(self.cancelled):
                    raise Cancelled("cancelled")
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    raise Permanent(f"timed out after {within:.0f} s waiting for {what or topic}")
                await subscription.wait(min(poll, left))

    async def unless_cancelled(self, work: Coroutine[Any, Any, T], *, poll: float = 1.0) -> T:
        """What ``work`` gives, however long it takes. :raises Cancelled: the job is asked to turn round meanwhile; the
        work is broken off."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=poll))[0]:
                if await self.read(self.cancelled):
                    raise Cancelled("cancelled")
            return await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    def cancelled(self, tx: Tx) -> bool:
        """Whether somebody asked the job to turn round."""
        from tane.jobs import store

        return store.cancel_requested(tx, self.job_id)


StepFunction = Callable[[Run[P]], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True)
class Step(Generic[P]):
    """One step. ``do`` may run twice and must then lead to the same state; what it returns is kept in ``run.data``.

    ``undo`` is run for every step that was started, finished or not, in reverse order.

    ``owed``: when a host does not answer, the operation goes on without the step, which is done when the host is back.
    An ``undo`` is always owed in this way. What may be owed finds all it needs in ``run.params`` and ``run.data``: the
    rows may be gone by then.
    """

    name: str
    do: StepFunction[P]
    undo: Callable[[Run[P]], Awaitable[None]] | None = None
    owed: bool = False


@dataclass(frozen=True)
class Operation(Generic[P]):
    """A saga: how an order is carried out. ``failed(run, reason)`` runs after the last undo and leaves the resource in
    its error state."""

    order: Order[P]
    steps: tuple[Step[P], ...]
    failed: Callable[[Run[P], str], Awaitable[None]]

    @property
    def name(self) -> str:
        return self.order.name

    def step(self, name: str) -> Step[P] | None:
        return next((step for step in self.steps if step.name == name), None)

    def after(self, name: str) -> str | None:
        """The name of the step that follows; None after the last one."""
        names = [step.name for step in self.steps]
        return next(iter(names[names.index(name) + 1 :]), None)
