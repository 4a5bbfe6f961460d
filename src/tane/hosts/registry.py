"""Reaching a host's duties by its id. The way is the same to a host of this process."""

from __future__ import annotations

import functools
import math
import time
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, cast

from tane.wire.calls import Answering, Distant, Loopback
from tane.wire.certificates import Authority
from tane.wire.duties import ComputeDuty, NetworkDuty, ObjectDuty, VolumeDuty
from tane.wire.errors import HostError

CONNECTED = "hosts:connected"
"""The topic of a host that this process did not reach a moment ago."""


LOST = "hosts:lost"
"""The topic of a host that has been away for :data:`LOST_SECONDS`."""
LOST_SECONDS = 7.0
"""An agent that starts anew, or whose network hiccups, is back by then. It is more than what lies between two pings of
a line: lines that all broke at one moment are all known to be broken by then."""
AWAITED_SECONDS = 60.0
"""After a start of the cloud. Agents try every few seconds, and those of machines that start with it start later."""


class HostUnreachable(HostError):
    """Nobody answers for the host; the caller may try again."""

    def __init__(self, host_id: str) -> None:
        super().__init__(f"host {host_id} is not reachable", transient=True)
        self.host_id = host_id


class Calls(NamedTuple):
    """What can be asked of a host; a duty it does not have is None."""

    compute: ComputeDuty | None
    network: NetworkDuty | None
    volume: VolumeDuty | None
    objects: ObjectDuty | None


@dataclass
class HostAgent:
    """The duties of one host; a duty the host does not have is None. ``started``: drawn by each start of its agent.
    ``distant``: the duties are calls over a line already."""

    host_id: str
    name: str
    compute: ComputeDuty | None = None
    network: NetworkDuty | None = None
    volume: VolumeDuty | None = None
    local_ip: str | None = None
    started: str = field(default_factory=lambda: str(uuid.uuid4()))
    distant: bool = False
    objects: ObjectDuty | None = None

    @functools.cached_property
    def calls(self) -> Calls:
        """The duties as they are called, whether their agent is in this process or not."""
        if self.distant:
            return Calls(self.compute, self.network, self.volume, self.objects)
        line = Loopback(
            Answering(
                {
                    "compute": (ComputeDuty, self.compute),
                    "network": (NetworkDuty, self.network),
                    "volume": (VolumeDuty, self.volume),
                    "object": (ObjectDuty, self.objects),
                }
            )
        )
        return Calls(
            cast(ComputeDuty, Distant(ComputeDuty, "compute", line)) if self.compute else None,
            cast(NetworkDuty, Distant(NetworkDuty, "network", line)) if self.network else None,
            cast(VolumeDuty, Distant(VolumeDuty, "volume", line)) if self.volume else None,
            cast(ObjectDuty, Distant(ObjectDuty, "object", line)) if self.objects else None,
        )

    @property
    def roles(self) -> list[str]:
        duties = {"compute": self.compute, "network": self.network, "volume": self.volume, "object": self.objects}
        return [name for name, duty in duties.items() if duty is not None]


class Door(Protocol):
    """Where agents of other machines come in. ``join_host``: under which address they find it."""

    address: str
    port: int
    join_host: str

    async def open(self) -> Authority:
        """Listen from now on; whose certificates are shown there. :raises OSError: the port cannot be had."""
        ...

    def cut(self, host_id: str) -> None:
        """End the line of a host that was removed."""
        ...


class Hosts:
    """Every host this controller can call. ``door``: None where no other can join."""

    def __init__(self) -> None:
        self._agents: dict[str, HostAgent] = {}
        self._left: dict[str, float] = {}
        self.door: Door | None = None
        self.opened = -math.inf
        """When (monotonic) this process began to let hosts in."""

    def awaited(self) -> bool:
        """Whether a host that is not reached may be on its way: none is taken for down so soon after a start."""
        return time.monotonic() - self.opened < AWAITED_SECONDS

    def add(self, agent: HostAgent) -> None:
        self._agents[agent.host_id] = agent
        self._left.pop(agent.host_id, None)
        if agent.distant:
            # If it was this end that was cut off, the others are on their way, too.
            self._left = dict.fromkeys(self._left, time.monotonic())

    def remove(self, host_id: str) -> None:
        """Call the host no more."""
        if self._agents.pop(host_id, None) is not None:
            self._left[host_id] = time.monotonic()

    def lost(self) -> set[str]:
        """Hosts that were connected to this process and have been away for :data:`LOST_SECONDS`. None when all that
        come over the network went and they are more than one: then it is rather this end that is cut off."""
        before, known = time.monotonic() - LOST_SECONDS, self._left.copy()
        away = {host_id for host_id, left in known.items() if left <= before}
        cut_off = len(known) > 1 and not any(agent.distant for agent in self.reached())
        return set() if cut_off else away

    def reached(self) -> list[HostAgent]:
        """The hosts that this process reaches: its own, and those whose agents are connected to it."""
        return list(self._agents.values())

    def agent(self, host_id: str) -> HostAgent:
        """:raises HostUnreachable: when nobody answers for the host."""
        agent = self._agents.get(host_id)
        if agent is None:
            raise HostUnreachable(host_id)
        return agent

    def compute(self, host_id: str) -> ComputeDuty:
        calls = self.agent(host_id).calls
        if calls.compute is None:
            raise HostError(f"host {host_id} does not run servers")
        return calls.compute

    def network(self, host_id: str) -> NetworkDuty:
        calls = self.agent(host_id).calls
        if calls.network is None:
            raise HostError(f"host {host_id} has no network duty")
        return calls.network

    def volume(self, host_id: str) -> VolumeDuty:
        calls = self.agent(host_id).calls
        if calls.volume is None:
            raise HostError(f"host {host_id} has no volume pool")
        return calls.volume

    def objects(self, host_id: str) -> ObjectDuty:
        calls = self.agent(host_id).calls
        if calls.objects is None:
            raise HostError(f"host {host_id} keeps no objects")
        return calls.objects
