"""What every part of the cloud is handed: settings, database, hosts, policy. One instance per process."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tane.clock import Clock
from tane.config import Config
from tane.db import Database
from tane.hosts import Hosts
from tane.shares import OWNER, UNBOUNDED, Shares, Turns
from tane.web import connections
from tane.web.policy import Policy

if TYPE_CHECKING:
    from tane.web.routes import Service

P = ParamSpec("P")
T = TypeVar("T")
SLOW_THREADS = 16
OWN_THREADS, FILE_THREADS = 6, 4
LONG_THREADS, MOST_WAITING, MOST_OF_ONE = 3, 256, 64
OF_ONE = 5 / 8
"""Of the threads, for the requests of one owner at a time: others would else wait for all of these, and share the
interpreter with more of them."""


@dataclass
class Core:
    """The shared parts. Handlers get it as ``request.core``, operations as ``run.core``."""

    config: Config
    db: Database
    hosts: Hosts
    policy: Policy
    clock: Clock
    services: Sequence[Service] = ()
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, thread_name_prefix="tane"))
    """In which requests are answered."""
    own_threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(OWN_THREADS, thread_name_prefix="tane-own")
    )
    """The cloud's own work (jobs, reconcilers, what hosts say) waits for no request."""
    file_threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="tane-files")
    )
    requests: Turns = field(init=False)
    """Whose request is answered next; how many there may be is counted where they come in (:mod:`tane.web.limits`)."""
    slow_threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="tane-slow")
    )
    slow: Shares = field(default_factory=lambda: Shares(SLOW_THREADS, SLOW_THREADS // 4))
    """Who holds the slow threads: of one project's strangers at most a quarter wait at a time."""
    hashing_threads: ThreadPoolExecutor = field(init=False)
    hashing: Turns = field(init=False)
    """Who may hash a password now; addresses take turns."""
    long_threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(LONG_THREADS, thread_name_prefix="tane-long")
    )
    long: Turns = field(default_factory=lambda: Turns(LONG_THREADS, MOST_WAITING, MOST_OF_ONE, most=LONG_THREADS - 1))
    """Who may compute for long now; owners take turns, and none has all threads."""
    measuring: Turns = field(default_factory=lambda: Turns(1, UNBOUNDED, UNBOUNDED))
    """Whose samples, of all hosts, are taken in now."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What a service keeps in this process to be faster (caches); never the truth."""
    closing: list[Callable[[], None]] = field(default_factory=list)
    """What services opened for themselves is closed by these, last of all."""

    def __post_init__(self) -> None:
        threads = self.config.handler_threads
        self.requests = Turns(threads, UNBOUNDED, UNBOUNDED, most=max(1, int(threads * OF_ONE)))
        limits, places = self.config.limits, max(1, self.config.password_threads)
        self.hashing_threads = ThreadPoolExecutor(places, thread_name_prefix="tane-hash")
        self.hashing = Turns(places, limits.logins, limits.logins_per_address)

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a synchronous function (a transaction, a hash) off the event loop, in the caller's context. Those who ask
        (:data:`tane.shares.OWNER`) take turns; the cloud's own work waits for nobody."""
        work, owner = functools.partial(function, *args, **kwargs), OWNER.get()
        if owner is None:
            return await self._run(self.own_threads, work)
        return await self._in_turn(self.requests, owner, self.threads, work)

    async def in_file_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what a job does with whole files or objects: it may take hours, and may wait for what goes on in
        the cloud's own threads, so that it must not be in one of these."""
        return await self._run(self.file_threads, functools.partial(function, *args, **kwargs))

    async def in_slow_thread(
        self, project_id: str | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for what waits for strangers (a download): it must not keep requests from their threads.

        :raises Full: at once, when no thread is free or ``project_id`` holds its share of them. A job pauses by it, a
            request is answered 503.
        """
        context, work = contextvars.copy_context(), functools.partial(function, *args, **kwargs)
        with ExitStack() as place:
            place.enter_context(self.slow.taken(project_id))
            future = self.slow_threads.submit(context.run, work)
            # A thread goes on when nobody waits for it any more: the place is given up with its end.
            held = place.pop_all()
            future.add_done_callback(lambda _: held.close())
        return await asyncio.wrap_future(future)

    async def in_hashing_thread(self, address: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what hashes a password, which takes a core for a quarter of a second: guesses of strangers must
        keep neither requests from their threads nor others' logins from their turn.

        :raises Full: too many wait, in all or of this address.
        """
        async with self.hashing.turn(address):
            return await self._run(self.hashing_threads, functools.partial(function, *args, **kwargs))

    async def in_long_thread(self, owner: str | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what computes for seconds (:class:`tane.shares.TakesLong`): who asks for much of that waits for
        the own things only.

        :raises Full: too many wait, in all or of this owner.
        """
        return await self._in_turn(self.long, owner, self.long_threads, functools.partial(function, *args, **kwargs))

    async def _in_turn(self, turns: Turns, owner: str | None, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        await turns.enter(owner)
        try:
            future = threads.submit(contextvars.copy_context().run, work)
        except BaseException:
            turns.leave(owner)
            raise
        try:
            return await asyncio.wrap_future(future)
        finally:
            if future.done():
                turns.leave(owner)
            else:
                # A thread goes on when nobody waits for it any more, and has its place until it ends.
                loop = asyncio.get_running_loop()
                future.add_done_callback(lambda _: _soon(loop, turns.leave, owner))

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(threads, context.run, work)

    def close(self) -> None:
        with connections.ending():
            self.threads.shutdown(wait=True, cancel_futures=True)
            self.own_threads.shutdown(wait=True, cancel_futures=True)
            self.file_threads.shutdown(wait=True, cancel_futures=True)
            self.slow_threads.shutdown(wait=True, cancel_futures=True)
            self.hashing_threads.shutdown(wait=True, cancel_futures=True)
            self.long_threads.shutdown(wait=True, cancel_futures=True)
        for close in self.closing:
            close()
        self.db.close()


def _soon(loop: asyncio.AbstractEventLoop, function: Callable[[str | None], None], owner: str | None) -> None:
    with contextlib.suppress(RuntimeError):  # The loop has ended, and nobody waits for a turn.
        loop.call_soon_threadsafe(function, owner)
