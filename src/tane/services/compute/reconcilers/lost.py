"""Makes servers of lost hosts again on others, where their flavor says so."""

from __future__ import annotations

from datetime import datetime

from tane.core import Core
from tane.hosts.registry import LOST
from tane.jobs import Reconciler
from tane.services.compute.domain import replacing

AWAKE = "compute:awake"
INTERVAL_SECONDS = 10.0
BREAK_SECONDS = 2 * INTERVAL_SECONDS
"""A pass that is so late tells that this cloud stood still."""
STEP_SECONDS = 5.0
"""By so much, less than the margin of leases, the clock may get away from the machine's own time; else it was set."""


async def run(core: Core) -> str | None:
    """One pass; a sentence when something was ordered, or cannot be."""
    connected = {agent.host_id for agent in core.hosts.reached()}
    since = _awake_since(core)

    def work() -> list[str]:
        gone, doubt = replacing.lost(core, connected, since)
        return [told for host in gone for told in replacing.replace(core, host)] + ([doubt] if doubt else [])

    return "; ".join(await core.in_thread(work)) or None


def _awake_since(core: Core) -> datetime:
    now, uptime = core.clock.now(), core.clock.uptime()
    since: datetime
    since, then, last = core.memory.get(AWAKE, (now, uptime, uptime))
    if uptime - last > BREAK_SECONDS or abs((now - since).total_seconds() - (uptime - then)) > STEP_SECONDS:
        since, then = now, uptime
    core.memory[AWAKE] = (since, then, uptime)
    return since


RECONCILER = Reconciler("compute.lost", run, interval=INTERVAL_SECONDS, topic=LOST, scope="cloud")
