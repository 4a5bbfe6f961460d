"""The network duty on Linux: plans a document, applies it on one worker thread, and serves metadata."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from msgspec import structs

from tane.agent.network import knocking
from tane.agent.network.engine import Engine
from tane.agent.network.kept import Kept
from tane.agent.network.metadata import Key, MetadataServers, open_socket
from tane.agent.network.plan import MetadataListener, NetworkSettings, Plan
from tane.agent.network.planner import plan
from tane.agent.network.relief import LOOK_SECONDS, SPARED, relieve
from tane.agent.network.report import Report
from tane.agent.network.security import Family
from tane.agent.network.tracked import numbers
from tane.linux import netns
from tane.wire.asking import Door
from tane.wire.documents import NetworkApplied, NetworkState, Port
from tane.wire.duties import MetadataSource
from tane.wire.grammar import as_reason

TRIES = 200
"""How often a pass asks the kernel whether it would take a part of the filter."""

_log = structlog.get_logger(__name__)


class LinuxNetwork:
    """:class:`tane.wire.duties.NetworkDuty` with bridges, namespaces, nftables and dnsmasq.

    The network namespace of the thread that makes the object is the outer one: where tunnels travel and, with
    ``host_link``, where the external networks are reachable.
    """

    def __init__(self, settings: NetworkSettings, metadata: MetadataSource) -> None:
        self.settings = settings
        self._engine = Engine(settings)
        self._metadata = MetadataServers(metadata, self._open_there)
        self._turn = asyncio.Lock()
        self._kept = Kept()
        outer = netns.open_current()

        def enter_outer() -> None:
            netns.enter(outer)
            os.close(outer)

        # Threads keep the namespace they were started in; this one goes into others and always comes back.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tane-network", initializer=enter_outer)
        self._worker.submit(os.getpid).result()
        self._watch: asyncio.Task[None] | None = None

    @property
    def kernel_writes(self) -> int:
        """How often the kernel was changed so far: netlink requests and nftables transactions."""
        return self._engine.writes

    async def apply(self, state: NetworkState) -> NetworkApplied:
        """Make the kernel hold exactly ``state``. Raises HostError when this host cannot have networks at all, or has
        seen a later document."""
        async with self._turn:
            self._kept.take(state)
            state = self._kept.whole()
            loop = asyncio.get_running_loop()
            planned, family = await loop.run_in_executor(self._worker, self._plan, state)
            self._metadata.release(planned.listeners)
            report, listeners = await loop.run_in_executor(self._worker, self._pass, state, planned, family)
            report.failed |= {
                owner: reason
                for owner, reason in (await self._metadata.apply(listeners)).items()
                if owner not in report.failed
            }
            failed = {owner: as_reason(text) for owner, text in report.failed.items()}
            summary = as_reason(report.sentence(state.revision), 4000)
            applied = NetworkApplied(revision=state.revision, failed=failed, summary=summary)
            if self._watch is None:
                self._watch = asyncio.create_task(self._watch_connections())
        _log.info("network applied", revision=applied.revision, summary=applied.summary)
        return applied

    async def relieve(self, *, spare: bool = False) -> dict[int, int]:
        """Make room for everybody's new connections, where one has most of those that are tracked
        (:func:`tane.agent.network.relief.relieve`). :raises OSError:"""
        forgotten = await asyncio.to_thread(relieve, self.settings.host_namespace, spare=spare)
        if forgotten:
            numbered = {
                number: port.project_id or port.id for port in self._kept.whole().ports for number in numbers(port)
            }
            for number, count in forgotten.items():
                whose = numbered.get(number, f"a network (mark {number:#x})")
                _log.warning("connections were forgotten: too many of one", project=whose, connections=count)
        return forgotten

    async def _watch_connections(self) -> None:
        for look in itertools.count():
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.relieve(spare=look % SPARED != 0)
            except Exception as error:
                # Whatever it is, nobody would begin to look again.
                _log.error("tracked connections cannot be counted", error=f"{type(error).__name__}: {error}")

    async def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None

    def _plan(self, state: NetworkState) -> tuple[Plan, Family]:
        family = self._engine.prepare()
        return plan(state, self.settings, family), family

    def _pass(self, state: NetworkState, planned: Plan, family: Family) -> tuple[Report, dict[Key, MetadataListener]]:
        report = self._engine.apply(planned)
        if (reason := self._engine.refused) is not None:
            planned, report = self._without_offenders(state, family, reason) or (planned, report)
        return report, self._engine.places(planned.listeners)

    def _without_offenders(self, state: NetworkState, family: Family, reason: str) -> tuple[Plan, Report] | None:
        """Another pass, without the ports whose own rules the kernel refuses: the others' go on working. None when no
        port is to blame."""

        def accepted(ports: tuple[Port, ...]) -> bool:
            return self._engine.accepts(plan(structs.replace(state, ports=ports), self.settings, family).rules)

        if not accepted(()):
            return None  # It takes no filter at all: no port is to blame.
        bad = offenders(state.ports, accepted, TRIES)
        rest = tuple(port for port in state.ports if port not in bad)
        if not accepted(rest):
            # They clash with one another: none of them is let onto the network.
            bad, rest = list(state.ports), ()
        planned = plan(structs.replace(state, ports=rest), self.settings, family)
        planned.failed |= {port.id: f"its packet filter was refused: {reason}" for port in bad}
        return planned, self._engine.apply(planned)

    async def _open_there(self, listener: MetadataListener) -> socket.socket:
        return await asyncio.get_running_loop().run_in_executor(self._worker, open_socket, listener)

    async def knock(self, doors: list[Door]) -> dict[str, str]:
        if self._kept.revision is None:
            return {}
        asked = knocking.places(self._kept.whole(), doors)
        loop = asyncio.get_running_loop()
        return await knocking.knock(
            asked, lambda place: loop.run_in_executor(self._worker, knocking.open_socket, place)
        )

    async def teardown(self) -> None:
        """Remove everything this cloud ever made on the host. Raises HostError with what could not be removed."""
        async with self._turn:
            await self._stop_watching()
            await self._metadata.stop()
            await asyncio.get_running_loop().run_in_executor(self._worker, self._engine.teardown)

    async def close(self) -> None:
        """Let go of the kernel and leave everything as it is, for the next agent to find."""
        async with self._turn:
            await self._stop_watching()
            await self._metadata.stop()
            await asyncio.get_running_loop().run_in_executor(self._worker, self._engine.close)
            self._worker.shutdown()


def offenders(ports: tuple[Port, ...], accepted: Callable[[tuple[Port, ...]], bool], tries: int) -> list[Port]:
    """Ports without which ``accepted`` says yes, found by halving. After ``tries`` questions a part that is refused
    counts as a whole."""
    found: list[Port] = []
    parts = [ports]
    while parts:
        part = parts.pop()
        tries -= 1
        if not part or accepted(part):
            continue
        if len(part) == 1 or tries <= 0:
            found += part
            continue
        middle = len(part) // 2
        parts += [part[middle:], part[:middle]]
    return found
