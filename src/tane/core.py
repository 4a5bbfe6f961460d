"""What every part of the cloud is handed: settings, database, hosts, policy. One instance per process."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from tane.clock import Clock
from tane.config import Config
from tane.db import Database
from tane.hosts import Hosts
from tane.web.policy import Policy

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Core:
    """The shared parts. Handlers get it as ``request.core``, operations as ``run.core``."""

    config: Config
    db: Database
    hosts: Hosts
    policy: Policy
    clock: Clock
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, thread_name_prefix="tane"))
    slow_threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(8, thread_name_prefix="tane-slow")
    )
    memory: dict[str, Any] = field(default_factory=dict)
    """What a service keeps in this process to be faster (caches); never the truth."""

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a synchronous function (a transaction, a hash) off the event loop, in the caller's context."""
        return await self._run(self.threads, functools.partial(function, *args, **kwargs))

    async def in_slow_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what waits for strangers (a download): it must not keep requests from their threads."""
        return await self._run(self.slow_threads, functools.partial(function, *args, **kwargs))

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(threads, context.run, work)

    def close(self) -> None:
        self.threads.shutdown(wait=True, cancel_futures=True)
        self.slow_threads.shutdown(wait=True, cancel_futures=True)
        self.db.close()
