"""Deletes events that were kept long enough."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.event.domain import following


async def run(core: Core) -> str | None:
    """One pass; a sentence when something was deleted."""
    forgotten = await core.in_thread(following.forget_old, core)
    return f"forgot {forgotten} old events" if forgotten else None


RECONCILER = Reconciler("event.retention", run, interval=300.0, scope="cloud")
