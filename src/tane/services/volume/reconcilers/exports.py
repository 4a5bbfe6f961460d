"""Keeps the exports of attached volumes alive: an exporter that died is started again before its guests give up."""

from __future__ import annotations

from tane.core import Core
from tane.hosts import CONNECTED, HostAgent
from tane.hosts.everywhere import of_each
from tane.jobs import Reconciler


async def run(core: Core) -> str | None:
    """One pass over the hosts that this process reaches; a sentence when an exporter was started or cannot be."""
    return await of_each(core, "volume", _look)


async def _look(core: Core, agent: HostAgent) -> list[str]:
    revived = await core.hosts.volume(agent.host_id).revive_exports()
    return [reason or f"exported volume {volume_id} again" for volume_id, reason in revived.items()]


RECONCILER = Reconciler("volume.exports", run, interval=5.0, topic=CONNECTED, scope="host")
