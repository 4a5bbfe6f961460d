"""Makes servers of lost hosts again on others, where their flavor says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from tane.core import Core
from tane.hosts.registry import LOST
from tane.jobs import Reconciler
from tane.services.compute.domain import replacing

AWAKE = "compute:awake"
INTERVAL_SECONDS = 10.0
BREAK = timedelta(seconds=60)
"""A pass that is so late tells that this cloud stood still, or its clock was set."""


async def run(core: Core) -> str | None:
    """One pass; a sentence when something was ordered, or cannot be."""
    connected = {agent.host_id for agent in core.hosts.reached()}
    since = _awake_since(core)

    def work() -> list[str]:
        try:
            return [told for host in replacing.lost(core, connected, since) for told in replacing.replace(core, host)]
        except replacing.Silent as error:
            return [str(error)]

    return "; ".join(await core.in_thread(work)) or None


def _awake_since(core: Core) -> datetime:
    now = core.clock.now()
    since: datetime
    since, last = core.memory.get(AWAKE, (now, now))
    if not last <= now <= last + BREAK:
        since = now
    core.memory[AWAKE] = (since, now)
    return since


RECONCILER = Reconciler("compute.lost", run, interval=INTERVAL_SECONDS, topic=LOST, scope="cloud")
