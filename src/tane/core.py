"""What every part of the cloud is handed: settings, database, hosts, policy. One instance per process."""

from __future__ import annotations

import asyncio
import contextvars
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
    memory: dict[str, Any] = field(default_factory=dict)
    """What a service keeps in this process to be faster (caches); never the truth."""

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a synchronous function (a transaction, a hash) off the event loop, in the caller's context."""
        context, loop = contextvars.copy_context(), asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: context.run(function, *args, **kwargs))

    def close(self) -> None:
        self.threads.shutdown(wait=True, cancel_futures=True)
        self.db.close()
