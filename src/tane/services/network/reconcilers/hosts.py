"""Each host has a task of its own that brings it to what the database says: a host that hangs, is slow or lost delays
no other.

A task is woken by changes that concern its host; those that only tell of ports elsewhere wait a moment, so that many
are one document. What hosts are to learn is read for all that ask at the same moment together.
"""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections import deque

import structlog

from tane.core import Core
from tane.hosts import CONNECTED
from tane.jobs import Reconciler
from tane.services.network.domain import applied as results
from tane.services.network.domain import parts
from tane.services.network.domain.convergence import LATER, topic
from tane.services.network.domain.desired import Held
from tane.services.network.domain.parts import Part
from tane.services.network.reconcilers import gateways, host
from tane.services.network.store import convergence as store
from tane.services.network.store import gateway_hosts, host_state
from tane.wire.documents import NetworkState
from tane.wire.errors import HostError, WholeNeeded

AGAIN_SECONDS = 30.0
"""How often a host applies what it has again, against drift."""
WHOLE_SECONDS = 300.0
"""How often its document is derived anew, against whatever may have been missed."""
AT_ONCE = 2
"""How many hosts' documents are derived at a time."""
LATER_SECONDS = 0.2
"""How long news of ports elsewhere wait for more, at least."""
TOLD_A_SECOND = 150
"""Such news concern nearly all hosts of a cloud with many: so many are told of them in a second, each of more."""
LOOK_SECONDS = 5.0
"""How often is looked for new hosts, lost signals and reports that are not written yet."""
LONGEST_REST = 0.5
"""Between documents of one host that follow one another: as long as the last one took, but no longer."""
LONGEST_PAUSE = 30.0
"""Between attempts at a host that does not answer; the first pause is a second, each is twice the one before."""
KEPT_SECONDS = 120.0
"""How long changes are kept; a host that is behind by more gets its whole document."""

log = structlog.get_logger()


class Fleet:
    """The tasks of all hosts, and what they share."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._followers: dict[str, Follower] = {}
        self._asked: dict[str, tuple[Held, asyncio.Future[Part | None]]] = {}
        self._reports: dict[str, tuple[str, int, str]] = {}
        self._tunnels: dict[str, str | None] = {}
        self._past: deque[tuple[float, int]] = deque()
        self.turns = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._connected())
            with self.core.db.signals.subscribe(LATER) as wake:
                while True:
                    try:
                        await self._look()
                    except Exception:
                        # Hosts that are followed go on: each looks by itself for what it should hold.
                        log.error("looking for hosts failed", error=traceback.format_exc())
                        await asyncio.sleep(1.0)
                    if await wake.wait(LOOK_SECONDS):
                        await asyncio.sleep(max(LATER_SECONDS, len(self._followers) / TOLD_A_SECOND))

    async def _connected(self) -> None:
        """A host that came in a moment ago is looked for now."""
        with self.core.db.signals.subscribe(CONNECTED) as wake:
            while True:
                if await wake.wait(AGAIN_SECONDS):
                    self.core.db.signals.notify(LATER)

    async def _look(self) -> None:
        """Start following new hosts, and wake those that are behind."""
        reports, self._reports = self._reports, {}
        known, wanted, tunnels = await self.core.in_thread(self._read_hosts, list(reports.values()))
        if tunnels != self._tunnels:
            self._tunnels = tunnels
            for host_id, follower in self._followers.items():
                # Where tunnels lead is in every document.
                follower.stale = True
                self.core.db.signals.notify(topic(host_id))
        for host_id in known - self._tasks.keys():
            self._followers[host_id] = follower = Follower(self, host_id)
            self._tasks[host_id] = self._group.create_task(follower.run(), name=f"network-{host_id}")
        for host_id in self._tasks.keys() - known:
            self._tasks.pop(host_id).cancel()
            del self._followers[host_id]
        for host_id, follower in self._followers.items():
            if follower.held is None or follower.held.revision < wanted.get(host_id, 0):
                self.core.db.signals.notify(topic(host_id))

    def _read_hosts(
        self, reports: list[tuple[str, int, str]]
    ) -> tuple[set[str], dict[str, int], dict[str, str | None]]:
        with self.core.db.read() as tx:
            tunnels = host_state.tunnels(tx)
            known = {row.id for row in gateway_hosts.with_networks(tx)}
            wanted = {row.host_id: row.wanted for row in store.hosts(tx)}
            number, forgotten = store.number(tx)
        old = self._old(number)
        if reports or old > forgotten:
            with self.core.db.write() as tx:
                store.applied(tx, reports)
                store.forget(tx, old)
        return known, wanted, tunnels

    def _old(self, number: int) -> int:
        """The revision up to which changes need not be kept."""
        now, old = time.monotonic(), 0
        if not self._past or now - self._past[-1][0] >= LOOK_SECONDS:
            self._past.append((now, number))
        while len(self._past) > 1 and now - self._past[1][0] > KEPT_SECONDS:
            self._past.popleft()
        if now - self._past[0][0] > KEPT_SECONDS:
            old = self._past[0][1]
        return old

    def report(self, host_id: str, revision: int, summary: str) -> None:
        """What the host has applied, to be written with the next look: nobody waits for it."""
        self._reports[host_id] = (host_id, revision, summary)

    async def news(self, host_id: str, held: Held) -> Part | None:
        """What the host has to learn that has ``held``; None when that is nothing."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._answer)
        future: asyncio.Future[Part | None] = loop.create_future()
        self._asked[host_id] = (held, future)
        return await future

    def _answer(self) -> None:
        asked, self._asked = self._asked, {}
        # Who asked in the moment in which the cloud stops no longer waits, and the group takes no more tasks.
        waiting = {host_id: (held, future) for host_id, (held, future) in asked.items() if not future.done()}
        if waiting:
            self._group.create_task(self._read_news(waiting))

    async def _read_news(self, asked: dict[str, tuple[Held, asyncio.Future[Part | None]]]) -> None:
        def read() -> dict[str, Part]:
            with self.core.db.read() as tx:
                return parts.load(tx, {host_id: held for host_id, (held, _) in asked.items()})

        try:
            found = await self.core.in_thread(read)
        except Exception as error:
            for _, future in asked.values():
                if not future.done():
                    future.set_exception(error)
            return
        for host_id, (_, future) in asked.items():
            if not future.done():
                future.set_result(found.get(host_id))


class Follower:
    """One host. ``held`` is what it is known to have: None at the start, and when that is not certain. ``stale``: its
    whole document is due, whatever it is being told now."""

    def __init__(self, fleet: Fleet, host_id: str) -> None:
        self.fleet = fleet
        self.core = fleet.core
        self.host_id = host_id
        self.held: Held | None = None
        self.stale = False
        self._failing = False
        self._pause = 0.0
        now = time.monotonic()
        # Hosts that are met together do not come back together.
        self._again_at = now + AGAIN_SECONDS * random.uniform(0.5, 1.0)
        self._whole_at = now + WHOLE_SECONDS * random.uniform(0.5, 1.0)

    async def run(self) -> None:
        with self.core.db.signals.subscribe(topic(self.host_id)) as wake:
            while True:
                begun = time.monotonic()
                try:
                    await self._turn()
                    self._answers()
                except host.Silent as error:
                    await self._rest(str(error))
                    continue
                except Exception:
                    log.error("network of a host failed", host=self.host_id, error=traceback.format_exc())
                    await self._rest("an error")
                    continue
                # A host that is changed all the time works on its network for half of it, and by fewer documents.
                await asyncio.sleep(min(time.monotonic() - begun, LONGEST_REST))
                await wake.wait(max(min(self._again_at, self._whole_at) - time.monotonic(), 0.0))

    async def _turn(self) -> None:
        """Bring the host to what is wanted now."""
        now = time.monotonic()
        if now >= self._whole_at or self.stale:
            self._whole_at = now + WHOLE_SECONDS
            self.held, self.stale = None, False
        if self.held is None:
            await host.enter(self.core, self.host_id)
            await self._tell_all()
            return
        part = await self.fleet.news(self.host_id, self.held)
        if part is None:
            if now < self._again_at:
                return
            part = Part(host.nothing_new(self.held.revision))
        if part.state is None or self._failing or not await self._tell(part.state, part):
            await self._tell_all()

    async def _tell(self, state: NetworkState, part: Part) -> bool:
        """False when that is not enough."""
        host.reachable(self.core, self.host_id)
        held, self.held = self.held, None
        assert held is not None
        try:
            answer = await host.apply(self.core, self.host_id, state)
        except HostError:
            return False
        if answer.failed:
            return False
        found = results.ports(self.host_id, part.ports, {}, part.networks_up)
        if found:
            await self.core.in_thread(self._write, found, answer.revision, answer.summary)
        else:
            self.fleet.report(self.host_id, answer.revision, answer.summary)
        self.held = Held(answer.revision, held.resources)
        self._again_at = time.monotonic() + AGAIN_SECONDS
        return True

    def _write(self, found: list[results.Change], revision: int, summary: str) -> None:
        with self.core.db.write() as tx:
            results.write(tx, found)
            store.applied(tx, [(self.host_id, revision, summary)])

    async def _tell_all(self) -> None:
        held, self.held = self.held, None
        try:
            answer, held, count = await host.apply_all(self.core, self.host_id, self.fleet.turns, held)
        except WholeNeeded:
            answer, held, count = await host.apply_all(self.core, self.host_id, self.fleet.turns)
        self.held = held
        self._failing = bool(answer.failed)
        self._again_at = time.monotonic() + AGAIN_SECONDS
        if count:
            log.info("network of a host", host=self.host_id, revision=answer.revision, resources_changed=count)

    def _answers(self) -> None:
        if self._pause:
            log.info("network of a host goes on", host=self.host_id)
        self._pause = 0.0

    async def _rest(self, reason: str) -> None:
        self.held = None
        if not self._pause:
            log.warning("network of a host waits", host=self.host_id, reason=reason)
        self._pause = min(2 * self._pause or 1.0, LONGEST_PAUSE)
        await asyncio.sleep(self._pause * random.uniform(0.8, 1.0))


async def follow(core: Core) -> str | None:
    """Keep every host as the database says, until cancelled."""
    await Fleet(core).run()
    return None


async def converge(core: Core) -> str | None:
    """Bring every host to what is wanted now, once, by whole documents."""
    await gateways.assign(core)
    known = sorted(await core.in_thread(_network_hosts, core))
    turns = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(_once(core, host_id, turns) for host_id in known))
    silent = [host_id for host_id, count in zip(known, outcomes, strict=True) if count is None]
    count = sum(count or 0 for count in outcomes)
    if not count and not silent:
        return None
    text = f"{len(known) - len(silent)} hosts, {count} resources changed state"
    return f"{text}; no answer from {', '.join(silent)}" if silent else text


def _network_hosts(core: Core) -> list[str]:
    with core.db.read() as tx:
        return [row.id for row in gateway_hosts.with_networks(tx)]


async def _once(core: Core, host_id: str, turns: asyncio.Semaphore) -> int | None:
    """How many resources changed state; None when the host does not answer."""
    await host.enter(core, host_id)
    try:
        return (await host.apply_all(core, host_id, turns))[2]
    except host.Silent:
        return None


HOSTS = Reconciler("network.hosts", follow, interval=LOOK_SECONDS, topic="network:hosts", scope="host")
