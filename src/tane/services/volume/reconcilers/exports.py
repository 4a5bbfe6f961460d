"""Keeps the exports of attached volumes alive: an exporter that died is started again before its guests give up."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler


async def run(core: Core) -> str | None:
    """One pass over the hosts of this process; a sentence when an exporter was started or cannot be."""
    told: list[str] = []
    for agent in core.hosts.local():
        if agent.volume is None:
            continue
        for volume_id, reason in (await agent.volume.revive_exports()).items():
            told.append(f"{agent.name}: {reason or f'exported volume {volume_id} again'}")
    return "; ".join(told) or None


RECONCILER = Reconciler("volume.exports", run, interval=5.0, scope="host")
