"""Measures what rows tell, once an interval."""

from __future__ import annotations

import time

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.metric.domain import inventory

LAST = "metric.inventory"
LOOK_SECONDS = 10.0


async def take(core: Core) -> str | None:
    """One pass, where it is due; a sentence when resources ended."""
    interval, last = core.config.metric.interval, core.memory.get(LAST)
    if not interval or (last is not None and time.monotonic() - last < interval):
        return None
    core.memory[LAST] = time.monotonic()
    _, gone = await core.in_thread(inventory.take, core)
    return f"{gone} measured resources ended" if gone else None


RECONCILER = Reconciler("metric.inventory", take, interval=LOOK_SECONDS, scope="cloud")
