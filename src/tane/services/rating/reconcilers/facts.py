"""Writes down what was used, as events tell it."""

from __future__ import annotations

import asyncio
import time

from tane.core import Core
from tane.db.recording import TOPIC
from tane.jobs import Reconciler
from tane.services.rating.domain import facts

REST_SECONDS = 1.0
COUNTED, FORGOT = "rating.objects_counted", "rating.forgot"
DAY_SECONDS, HOUR_SECONDS = 86_400.0, 3600.0


async def follow(core: Core) -> str | None:
    """One pass; a sentence when old facts were forgotten."""
    await core.in_thread(facts.follow, core)
    if _due(core, COUNTED, HOUR_SECONDS):
        await core.in_thread(facts.count_objects, core)
    forgotten = await core.in_thread(facts.forget_old, core) if _due(core, FORGOT, DAY_SECONDS) else 0
    # What happens within a second is written by one pass.
    await asyncio.sleep(REST_SECONDS)
    return f"forgot {forgotten} facts of what was used long ago" if forgotten else None


def _due(core: Core, name: str, seconds: float) -> bool:
    last = core.memory.get(name)
    if last is not None and time.monotonic() - last < seconds:
        return False
    core.memory[name] = time.monotonic()
    return True


RECONCILER = Reconciler("rating.facts", follow, interval=60.0, topic=TOPIC, scope="cloud")
