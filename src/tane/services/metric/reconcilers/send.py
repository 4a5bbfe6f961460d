"""Sends what was measured to the operator's Prometheus."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.metric.domain import outgoing
from tane.shares import Full


async def send(core: Core) -> str | None:
    """One pass; a sentence when samples were given up."""
    try:
        # Whoever is at the other end may take long.
        _, lost = await core.in_slow_thread(None, outgoing.send, core)
    except Full:
        return None
    return f"{lost} samples for Prometheus were given up: tane doctor says why" if lost else None


RECONCILER = Reconciler("metric.send", send, interval=5.0, scope="cloud")
