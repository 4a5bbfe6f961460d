"""Reaching a host's duties by its id. A host of this process is called directly."""

from __future__ import annotations

from dataclasses import dataclass

from tane.agent.duties import ComputeDuty, NetworkDuty, VolumeDuty
from tane.agent.errors import HostError


class HostUnreachable(HostError):
    """Nobody answers for the host; the caller may try again."""

    def __init__(self, host_id: str) -> None:
        super().__init__(f"host {host_id} is not reachable", transient=True)
        self.host_id = host_id


@dataclass
class HostAgent:
    """The duties of one host; a duty the host does not have is None."""

    host_id: str
    name: str
    compute: ComputeDuty | None = None
    network: NetworkDuty | None = None
    volume: VolumeDuty | None = None
    local_ip: str | None = None

    @property
    def roles(self) -> list[str]:
        duties = {"compute": self.compute, "network": self.network, "volume": self.volume}
        return [name for name, duty in duties.items() if duty is not None]


class Hosts:
    """Every host this controller can call."""

    def __init__(self) -> None:
        self._agents: dict[str, HostAgent] = {}

    def add(self, agent: HostAgent) -> None:
        self._agents[agent.host_id] = agent

    def remove(self, host_id: str) -> None:
        """Call the host no more."""
        self._agents.pop(host_id, None)

    def local(self) -> list[HostAgent]:
        """The hosts whose agent is in this process."""
        return list(self._agents.values())

    def agent(self, host_id: str) -> HostAgent:
        """:raises HostUnreachable: when nobody answers for the host."""
        agent = self._agents.get(host_id)
        if agent is None:
            raise HostUnreachable(host_id)
        return agent

    def compute(self, host_id: str) -> ComputeDuty:
        duty = self.agent(host_id).compute
        if duty is None:
            raise HostError(f"host {host_id} does not run servers")
        return duty

    def network(self, host_id: str) -> NetworkDuty:
        duty = self.agent(host_id).network
        if duty is None:
            raise HostError(f"host {host_id} has no network duty")
        return duty

    def volume(self, host_id: str) -> VolumeDuty:
        duty = self.agent(host_id).volume
        if duty is None:
            raise HostError(f"host {host_id} has no volume pool")
        return duty
