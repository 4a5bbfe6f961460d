"""Moves external networks and routers away from gateway hosts that are switched off, forced down or lost."""

from __future__ import annotations

from tane.core import Core
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
    with core.db.read() as tx:
        if not gateway_hosts.pending(tx):
            return {}
    with core.db.write() as tx:
        return gateway_hosts.assign(tx)


GATEWAYS = Reconciler("network.gateways", assign, interval=10.0, topic=TOPIC, scope="cloud")
