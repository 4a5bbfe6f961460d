"""Asks the operator's Prometheus for alarms of that type."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.alarm.domain import asking
from tane.shares import Full


async def ask(core: Core) -> str | None:
    """One pass; a sentence when an alarm changed its state."""
    try:
        # It may take long, as anybody who is not of the cloud.
        turned = await core.in_slow_thread(None, asking.evaluate, core)
    except Full:
        return None
    return f"{turned} alarms changed their state" if turned else None


RECONCILER = Reconciler("alarm.ask", ask, interval=5.0, scope="cloud")
