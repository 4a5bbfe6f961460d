"""Makes servers of lost hosts again on others, where their flavor says so."""

from __future__ import annotations

from tane.core import Core
from tane.hosts.registry import LOST
from tane.jobs import Reconciler
from tane.services.compute.domain import replacing

AWAKE = "compute:awake"
INTERVAL_SECONDS = 10.0
BREAK_SECONDS = 2 * INTERVAL_SECONDS
"""A pass that is so late tells that this cloud stood still."""


async def run(core: Core) -> str | None:
    """One pass; a sentence when something was ordered, or cannot be."""
    connected = {agent.host_id for agent in core.hosts.reached()}
    since = replacing.awake_since(core, AWAKE, BREAK_SECONDS)

    def work() -> list[str]:
        gone, doubt = replacing.lost(core, connected, since)
        return [told for host in gone for told in replacing.replace(core, host)] + ([doubt] if doubt else [])

    return "; ".join(await core.in_thread(work)) or None


RECONCILER = Reconciler("compute.lost", run, interval=INTERVAL_SECONDS, topic=LOST, scope="cloud")
