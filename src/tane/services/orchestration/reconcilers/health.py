"""Replaces failed members of groups that say so: one look at all of them every few seconds."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.compute import interface as compute
from tane.services.orchestration.domain import ahead, healing, health
from tane.services.orchestration.domain.healing import Group
from tane.services.orchestration.domain.health import Watch
from tane.shares import Full
from tane.web.errors import Unavailable
from tane.wire.asking import MOST_ASKED, Door
from tane.wire.errors import HostError

INTERVAL_SECONDS = 10.0
BREAK_SECONDS = 3 * INTERVAL_SECONDS
"""A look that is so late tells that this cloud stood still: what did not answer before counts for nothing."""
ASK_SECONDS = 20.0
PATIENCE = 10.0
SECONDS = 2.0
"""After so long the other groups of a project wait for the next look."""
MEMORY, AWAKE = "orchestration:health", "orchestration:awake"
T = TypeVar("T")
log = structlog.get_logger()


async def run(core: Core) -> str | None:
    """One look; a sentence when something was replaced, or cannot be."""
    since = compute.awake_since(core, AWAKE, BREAK_SECONDS)
    watch: Watch = core.memory.setdefault(MEMORY, Watch())
    if watch.since != since:
        watch.misses, watch.since = {}, since
    connected = {agent.host_id for agent in core.hosts.reached()}
    lost = await core.in_thread(compute.lost_hosts, core, connected, since)
    groups = await core.in_thread(healing.survey, core, lost)
    await _ask(core, groups)
    watch.note([one for group in groups for one in group.members])
    by_project: dict[str, list[Group]] = {}
    for group in groups:
        by_project.setdefault(group.project_id, []).append(group)
    told = await asyncio.gather(*(_see_to(core, watch, project, mine) for project, mine in by_project.items()))
    return "; ".join(said for of_project in told for said in of_project) or None


# ---------------------------------------------------------------------------------------------------------- asking


async def _ask(core: Core, groups: list[Group]) -> None:
    """Ask the hosts whether the servers answer. A host that does not answer tells nothing of them."""
    hosts = {vital.server_id: vital.host_id for group in groups for one in group.members for vital in one.servers}
    pings: dict[str, list[str]] = {}
    doors: dict[str, list[Door]] = {}
    for group in groups:
        for member in group.members:
            for vital in member.servers:
                if group.terms.agent and vital.state == "well" and vital.host_id is not None:
                    pings.setdefault(vital.host_id, []).append(vital.server_id)
        for server_id, port_id in sorted(group.doors):
            host_id = hosts[server_id]
            if host_id is not None and group.terms.port is not None:
                doors.setdefault(host_id, []).append(Door(port_id=port_id, tcp_port=group.terms.port))
    pinged, knocked = await asyncio.gather(
        _of_each(pings, lambda host_id, some: core.hosts.compute(host_id).ping(some)),
        _of_each(doors, lambda host_id, some: core.hosts.network(host_id).knock(some)),
    )
    for group in groups:
        by_server: dict[str, list[str]] = {}
        for server_id, port_id in group.doors:
            if port_id in knocked:
                by_server.setdefault(server_id, []).append(knocked[port_id])
        for member in group.members:
            told = [pinged[one.server_id] for one in member.servers if group.terms.agent and one.server_id in pinged]
            # One of its addresses is enough.
            told += [min(by_server[one.server_id], key=len) for one in member.servers if one.server_id in by_server]
            member.silent = max(told, key=len) if told else None


async def _of_each(
    asked: dict[str, list[T]], ask: Callable[[str, list[T]], Awaitable[dict[str, str]]]
) -> dict[str, str]:
    """What the hosts answer, put together."""

    async def one(host_id: str, some: list[T]) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            async with asyncio.timeout(ASK_SECONDS):
                for start in range(0, len(some), MOST_ASKED):
                    found |= await ask(host_id, some[start : start + MOST_ASKED])
        except (HostError, TimeoutError) as error:
            log.info("a host does not tell whether its guests answer", host=host_id, error=str(error) or "time-out")
        return found

    told = await asyncio.gather(*(one(host_id, some) for host_id, some in asked.items()))
    return {name: text for of_host in told for name, text in of_host.items()}


# ---------------------------------------------------------------------------------------------------------- acting


async def _see_to(core: Core, watch: Watch, project_id: str, groups: list[Group]) -> list[str]:
    """The groups of one project. What one of them makes of it ends no other's turn."""
    until, told = time.monotonic() + SECONDS, []
    for group in groups:
        try:
            async with asyncio.timeout(PATIENCE):
                said = await _see_to_one(core, watch, project_id, group)
        except (Full, TimeoutError, Unavailable) as error:
            said = f"{group.row.name} waits for its turn: {error}"
        except Exception:
            log.error("the members of a group were not looked at", group=group.row.id, error=traceback.format_exc())
            said = None
        told += [said] if said else []
        if time.monotonic() > until:
            break
    return told


async def _see_to_one(core: Core, watch: Watch, project_id: str, group: Group) -> str | None:
    history = group.history
    if not history.proven and any(one.silent == "" for one in group.members):
        await core.in_thread(healing.prove, core, group)
        history = history._replace(proven=True)
    chosen = health.failed(group.terms, group.members, history, watch, core.clock.now())
    if not chosen:
        return None
    return await ahead.in_turn(core, lambda: project_id, healing.replace, core, group, chosen)


RECONCILER = Reconciler("orchestration.health", run, interval=INTERVAL_SECONDS, scope="cloud")
