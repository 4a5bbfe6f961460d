"""Compares the guests of every host with the servers' rows."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.compute.domain import power
from tane.wire.documents import GuestState

SEEN = "compute.hosts_seen"


async def run(core: Core) -> str | None:
    """One pass over the hosts of this process; a sentence when something differed."""
    seen: set[str] = core.memory.setdefault(SEEN, set())
    told: list[str] = []
    for agent in core.hosts.local():
        if agent.compute is None:
            continue
        states = await agent.compute.states()
        sentences, leftover = await core.in_thread(_compare, core, agent.host_id, states, agent.host_id not in seen)
        seen.add(agent.host_id)
        for guest_id in leftover:
            await agent.compute.destroy(guest_id)
            sentences.append(f"destroyed {guest_id}, whose server was deleted")
        told.extend(f"{agent.name}: {sentence}" for sentence in sentences)
    return "; ".join(told) or None


def _compare(
    core: Core, host_id: str, states: dict[str, GuestState], host_came_back: bool
) -> tuple[list[str], list[str]]:
    with core.db.write() as tx:
        return power.compare(tx, host_id, states, host_came_back=host_came_back)


RECONCILER = Reconciler("compute.power", run, interval=60.0, scope="host")
