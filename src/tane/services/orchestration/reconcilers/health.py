"""Replaces failed members of groups that say so: one look at all of them every few seconds."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime

import structlog

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.compute import interface as compute
from tane.services.orchestration.domain import ahead, healing, health
from tane.services.orchestration.domain.healing import Group
from tane.services.orchestration.domain.health import Question, Watch
from tane.shares import Full
from tane.web.errors import Unavailable
from tane.wire.asking import Door
from tane.wire.errors import HostError

INTERVAL_SECONDS = 10.0
BREAK_SECONDS = 3 * INTERVAL_SECONDS
"""Where one step of a look comes so long after the one before, this cloud stood still: what did not answer before
counts for nothing."""
ASK_SECONDS = 20.0
"""So long a host has; what it told until then counts."""
PINGS, KNOCKS = 32, 64
"""As many as a host asks at once: what is asked in one call is answered together."""
PATIENCE = 10.0
SECONDS = 2.0
"""After so long the other groups of a project wait for the next look."""
MEMORY, AWAKE = "orchestration:health", "orchestration:awake"
Ask = Callable[[str, list[Question]], Awaitable[dict[str, str]]]
log = structlog.get_logger()


async def run(core: Core) -> str | None:
    """One look; a sentence when something was replaced, or cannot be."""
    watch: Watch = core.memory.setdefault(MEMORY, Watch())
    try:
        return await _look(core, watch, _awake(core, watch))
    finally:
        _awake(core, watch)


def _awake(core: Core, watch: Watch) -> datetime:
    """From when on this cloud has been awake. A look may take long: it is asked at each step of it."""
    since = compute.awake_since(core, AWAKE, BREAK_SECONDS)
    if watch.since != since:
        watch.misses, watch.since = {}, since
    return since


async def _look(core: Core, watch: Watch, since: datetime) -> str | None:
    connected = {agent.host_id for agent in core.hosts.reached()}
    lost = await core.in_thread(compute.lost_hosts, core, connected, since)
    groups = await core.in_thread(healing.survey, core, lost)
    await _ask(core, watch, groups)
    if _awake(core, watch) != since:
        return None
    watch.note([one for group in groups for one in group.members])
    by_project: dict[str, list[Group]] = {}
    for group in groups:
        by_project.setdefault(group.project_id, []).append(group)
    told = await asyncio.gather(*(_see_to(core, watch, project, mine) for project, mine in by_project.items()))
    return "; ".join(said for of_project in told for said in of_project) or None


# ---------------------------------------------------------------------------------------------------------- asking


async def _ask(core: Core, watch: Watch, groups: list[Group]) -> None:
    """Ask the hosts whether the servers answer. A host that does not answer tells nothing of them."""
    members = [(group, member) for group in groups for member in group.members]
    pings = {one for group, member in members for vital in member.servers for one in _pings(group, vital)}
    knocks = {one for group, member in members for vital in member.servers for one in _knocks(group, vital)}
    pinged, knocked = await asyncio.gather(
        _of_hosts(watch, pings, PINGS, lambda host, some: core.hosts.compute(host).ping([one.asked for one in some])),
        _of_hosts(watch, knocks, KNOCKS, lambda host, some: core.hosts.network(host).knock(_doors(some))),
    )
    told = pinged | knocked
    watch.turns.note(pings | knocks, told)
    for group, member in members:
        for check, text in (said for vital in member.servers for said in _said(group, vital, told)):
            member.told[check] = max(member.told.get(check, ""), text, key=len)


def _pings(group: Group, vital: compute.Vital) -> Iterator[Question]:
    if group.terms.agent and vital.state == "well" and vital.host_id is not None:
        yield Question(group.project_id, vital.host_id, vital.server_id)


def _knocks(group: Group, vital: compute.Vital) -> Iterator[Question]:
    if vital.host_id is not None:
        for port_id in group.doors.get(vital.server_id, ()):
            yield Question(group.project_id, vital.host_id, port_id, group.terms.port)


def _doors(asked: list[Question]) -> list[Door]:
    return [Door(port_id=one.asked, tcp_port=one.tcp_port) for one in asked if one.tcp_port is not None]


def _said(group: Group, vital: compute.Vital, told: dict[Question, str | None]) -> Iterator[tuple[str, str]]:
    """Why a server does not answer, empty where it does, for each check by which it could be asked."""
    yield from (("agent", text) for one in _pings(group, vital) if (text := told.get(one)) is not None)
    doors = list(_knocks(group, vital))
    known = [text for one in doors if (text := told.get(one)) is not None]
    # One of its addresses is enough; where one is left for the next look, nobody knows yet.
    if known and ("" in known or all(one in told for one in doors)):
        yield f"port {group.terms.port}", min(known, key=len)


async def _of_hosts(watch: Watch, wanted: set[Question], size: int, ask: Ask) -> dict[Question, str | None]:
    """What the hosts answer, put together: None for whom a host cannot ask, nothing of whom there was no time for."""

    async def one(host_id: str, mine: list[Question]) -> dict[Question, str | None]:
        found: dict[Question, str | None] = {}
        try:
            async with asyncio.timeout(ASK_SECONDS):
                for part in watch.turns.parts(mine, size):
                    told = await ask(host_id, part)
                    found |= {question: told.get(question.asked) for question in part}
        except (HostError, TimeoutError) as error:
            log.info("a host does not tell whether its guests answer", host=host_id, error=str(error) or "time-out")
        return found

    by_host: dict[str, list[Question]] = {}
    for question in wanted:
        by_host.setdefault(question.host_id, []).append(question)
    told = await asyncio.gather(*(one(host_id, mine) for host_id, mine in by_host.items()))
    return {question: text for of_host in told for question, text in of_host.items()}


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
    passed = {check for one in group.members for check, text in one.told.items() if not text}
    if not passed <= history.proven:
        await core.in_thread(healing.prove, core, group, passed)
        history = history._replace(proven=history.proven | passed)
    chosen = health.failed(group.terms, group.members, history, watch, core.clock.now())
    if not chosen:
        return None
    return await ahead.in_turn(core, lambda: project_id, healing.replace, core, group, chosen)


RECONCILER = Reconciler("orchestration.health", run, interval=INTERVAL_SECONDS, scope="cloud")
