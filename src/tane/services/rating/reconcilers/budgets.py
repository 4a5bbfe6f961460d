"""Compares budgets with what is spent."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.rating.domain import budgets


async def look(core: Core) -> str | None:
    """One pass; a sentence when a budget is nearly spent, spent, or new."""
    changed = await core.in_thread(budgets.look, core)
    return f"{changed} budgets changed their state" if changed else None


RECONCILER = Reconciler("rating.budgets", look, interval=60.0, scope="cloud")
