"""A host's network that only exists in memory: for tests and simulated hosts."""

from __future__ import annotations

from pathlib import Path

from tane.agent.network import knocking
from tane.agent.network.kept import Kept
from tane.agent.network.plan import NetworkSettings
from tane.agent.network.planner import plan
from tane.wire.asking import Door
from tane.wire.documents import NetworkApplied, NetworkState
from tane.wire.errors import HostError


class FakeNetwork:
    """:class:`tane.wire.duties.NetworkDuty` that plans a document like a real host and applies nothing.

    ``refuse`` maps resource ids to the reason this host gives for not applying them; ``broken`` is raised by
    :meth:`apply` when it is set. ``state`` is the whole of the last document. ``plans=False`` takes every document
    unseen: many simulated hosts in one process would otherwise do there what real hosts do elsewhere. ``closed`` maps
    ports to why they answer to no knock; the other guests do.
    """

    def __init__(self, local_ip: str | None = None, *, plans: bool = True) -> None:
        self._plans = plans
        self._kept = Kept()
        self.passes = 0
        self.refuse: dict[str, str] = {}
        self.closed: dict[str, str] = {}
        self.broken: HostError | None = None
        self._settings = NetworkSettings(state_dir=Path("/nonexistent"), cloud_id="fake", local_ip=local_ip)

    async def apply(self, state: NetworkState) -> NetworkApplied:
        if self.broken is not None:
            raise self.broken
        self._kept.take(state)
        failed = dict(self.refuse)
        if self._plans:
            failed = {**plan(self._kept.whole(), self._settings, "bridge").failed, **failed}
        self.passes += 1
        return NetworkApplied(
            revision=state.revision, failed=failed, summary=f"Revision {state.revision}: kept in memory."
        )

    @property
    def state(self) -> NetworkState | None:
        return None if self._kept.revision is None else self._kept.whole()

    async def knock(self, doors: list[Door]) -> dict[str, str]:
        asked = {} if self.state is None else knocking.places(self.state, doors)
        return {port_id: self.closed.get(port_id, "") for port_id in asked}

    async def teardown(self) -> None:
        self._kept = Kept()
