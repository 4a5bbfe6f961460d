"""Reconcilers: functions without input that compare the database with the world and mend what differs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import structlog

from tane.jobs import leases

if TYPE_CHECKING:
    from tane.core import Core


log = structlog.get_logger()
LONGEST_REST = 0.5


@dataclass(frozen=True)
class Reconciler:
    """``run(core)`` is called at the start, whenever ``topic`` is notified, and every ``interval`` seconds.

    It returns one sentence about what it did, or None when there was nothing to do. ``scope``: "cloud" for what one
    process of a cloud does for all of them, "host" for what each does for its own machine and the hosts it reaches.
    """

    name: str
    run: Callable[[Core], Awaitable[str | None]]
    interval: float
    topic: str | None = None
    scope: Literal["cloud", "host"] = field(kw_only=True)


async def reconcile_forever(core: Core, reconcilers: Iterable[Reconciler]) -> None:
    """Run every reconciler until cancelled. One that fails is told in the log and tried again at its next turn."""
    owner = uuid.uuid4().hex
    async with asyncio.TaskGroup() as group:
        for reconciler in reconcilers:
            group.create_task(_loop(core, reconciler, owner), name=f"reconcile-{reconciler.name}")


async def _loop(core: Core, reconciler: Reconciler, owner: str) -> None:
    work = functools.partial(reconciler.run, core)
    topic = reconciler.topic or f"reconcile:{reconciler.name}"
    with core.db.signals.subscribe(topic) as wake:
        while True:
            begun = time.monotonic()
            try:
                if reconciler.scope == "cloud":
                    sentence = await leases.alone(core, topic, owner, work)
                else:
                    sentence = await work()
                if sentence:
                    log.info("reconciled", reconciler=reconciler.name, summary=sentence)
            except Exception:
                log.error("reconciler failed", reconciler=reconciler.name, error=traceback.format_exc())
                with contextlib.suppress(TimeoutError):
                    await asyncio.sleep(1.0)
            # Changes that come one after another are met by fewer passes, and these by at most half of the time.
            await asyncio.sleep(min(time.monotonic() - begun, LONGEST_REST))
            await wake.wait(reconciler.interval)
