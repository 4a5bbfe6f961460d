"""Compares budgets with what is spent."""

from __future__ import annotations

import time

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.rating.domain import budgets

NEXT = "rating.budgets_next"
SHARE = 100.0


async def look(core: Core) -> str | None:
    """One pass, where it is due; a sentence when a budget is nearly spent, spent, or new. Of a core it takes a
    hundredth at most: where there is much to add up, it looks less often."""
    begun = time.monotonic()
    if begun < core.memory.get(NEXT, 0.0):
        return None
    changed = await core.in_thread(budgets.look, core)
    core.memory[NEXT] = time.monotonic() + SHARE * (time.monotonic() - begun)
    return f"{changed} budgets changed their state" if changed else None


RECONCILER = Reconciler("rating.budgets", look, interval=60.0, scope="cloud")
