"""Moves external networks and routers away from gateway hosts that are switched off, forced down or lost; at once where
this process was the one that a lost host was connected to."""

from __future__ import annotations

from tane.core import Core
from tane.hosts.registry import LOST
from tane.jobs import Reconciler
from tane.services.network.domain import gateway_hosts
from tane.services.network.domain.convergence import GATEWAYS as TOPIC


async def assign(core: Core) -> str | None:
    moved = await core.in_thread(_assign, core)
    if not moved:
        return None
    return (
        f"{len(moved)} external networks and routers have a new gateway host: {', '.join(sorted(set(moved.values())))}"
    )


def _assign(core: Core) -> dict[str, str]:
    """A pass that finds all in place writes nothing."""
    lost = core.hosts.lost()
    with core.db.read() as tx:
        if not gateway_hosts.pending(tx, lost):
            return {}
    with core.db.write() as tx:
        return gateway_hosts.assign(tx, lost)


LOST_GATEWAYS = Reconciler("network.lost_gateways", assign, interval=3600.0, topic=LOST, scope="host")
GATEWAYS = Reconciler("network.gateways", assign, interval=10.0, topic=TOPIC, scope="cloud")
