"""Compares the guests of every host with the servers' rows."""

from __future__ import annotations

from tane.core import Core
from tane.hosts import CONNECTED, HostAgent
from tane.hosts.everywhere import of_each
from tane.jobs import Reconciler
from tane.services.compute.domain import power
from tane.services.compute.store import migrations
from tane.wire.documents import GuestState


async def run(core: Core) -> str | None:
    """One pass over the hosts that this process reaches; a sentence when something differed."""
    return await of_each(core, "compute", _look)


async def _look(core: Core, agent: HostAgent) -> list[str]:
    compute = core.hosts.compute(agent.host_id)
    states, kept = await compute.states(), await compute.kept()
    told, leftover = await core.in_thread(_compare, core, agent, states, kept)
    for guest_id in leftover:
        await compute.destroy(guest_id)
        told.append(f"destroyed {guest_id}, whose server was deleted or is elsewhere")
    for move_id in await core.in_thread(_over, core, sorted(kept)) if kept else ():
        await compute.forget(move_id)
        told.append(f"deleted what was set aside for move {move_id}, which is over")
    return told


def _over(core: Core, move_ids: list[str]) -> list[str]:
    with core.db.read() as tx:
        return migrations.over(tx, move_ids)


def _compare(
    core: Core, agent: HostAgent, states: dict[str, GuestState], kept: set[str]
) -> tuple[list[str], list[str]]:
    with core.db.read() as tx:
        if power.alike(tx, agent.host_id, states, started=agent.started):
            return [], []
    with core.db.write() as tx:
        return power.compare(tx, agent.host_id, states, started=agent.started, kept=kept)


RECONCILER = Reconciler("compute.power", run, interval=60.0, topic=CONNECTED, scope="host")
