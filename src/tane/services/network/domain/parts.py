"""What hosts have to learn of ports that changed, in a constant number of queries for any number of hosts.

Most changes are of this kind: a port came somewhere, or went. A host is then told of that port alone; what is more than
that (a network, group or router that it does not have yet or no longer, settings) asks for the whole document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.convergence import groups_of
from tane.services.network.domain.desired import Held, port_document
from tane.services.network.store import convergence, host_state
from tane.services.network.tables import KEPT_OWNERS
from tane.wire import documents as doc


@dataclass
class Part:
    """The news of one host: ``state`` follows the revision it has, None when a part of ports is not enough. ``ports``
    are the rows of its own ports in it, ``networks_up`` the switches of their networks."""

    state: doc.NetworkState | None = None
    ports: list[Row[Any]] = field(default_factory=list)
    networks_up: Mapping[str, bool] = field(default_factory=dict)


def load(tx: Tx, hosts: Mapping[str, Held]) -> dict[str, Part]:
    """Host id → its news since what it holds. Hosts without news are left out."""
    found: dict[str, Part] = {}
    wanted = {row.host_id: row.wanted for row in convergence.hosts(tx)}
    _, forgotten = convergence.number(tx)
    following: dict[str, Held] = {}
    for host_id, held in hosts.items():
        if held.revision < forgotten or host_id not in wanted:
            found[host_id] = Part()
        elif held.revision < wanted[host_id]:
            following[host_id] = held
    if following:
        news = _News(tx, following, wanted)
        found.update({host_id: news.part(host_id) for host_id in following})
    return found


class _News:
    """What happened since the oldest of the revisions that the hosts have."""

    def __init__(self, tx: Tx, hosts: Mapping[str, Held], wanted: Mapping[str, int]) -> None:
        self.hosts, self.wanted = hosts, wanted
        self.changes = convergence.since(tx, min(held.revision for held in hosts.values()))
        port_ids = {row.port_id for row in self.changes if row.port_id is not None}
        self.ports = {row.id: row for row in host_state.ports_by_id(tx, port_ids)}
        self.addresses: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in host_state.addresses_of(tx, port_ids):
            self.addresses[row.port_id].append(row)
        self.groups = groups_of(tx, port_ids)
        self.coming = host_state.coming(tx, port_ids)
        network_ids = {row.network_id for row in self.changes if row.network_id is not None}
        self.tunnels = host_state.tunnels(tx)
        networks = host_state.networks(tx, network_ids)
        self.networks_up = {row.id: row.admin_state_up for row in networks}
        self.bridged = {row.id for row in networks if row.bridged}
        left = {row.network_id for row in self.changes if self._has_left(row)}
        self.served = host_state.still_served(tx, list(hosts), left) if left else set()
        self._far: dict[str, doc.RemotePort | None] = {}

    def _has_left(self, change: Row[Any]) -> bool:
        """Whether a host no longer has the port that the change tells it of."""
        if change.port_id is None or not change.resource.startswith(convergence.host("")):
            return False
        row = self.ports.get(change.port_id)
        return row is None or convergence.host(row.host_id or "") != change.resource

    def part(self, host_id: str) -> Part:
        has, base = self.hosts[host_id].resources, self.hosts[host_id].revision
        mine = [row for row in self.changes if row.revision > base and row.resource in has]
        if any(row.port_id is None or self._leaves_network(host_id, row) for row in mine):
            return Part()
        port_ids = list(dict.fromkeys(row.port_id for row in mine))
        there = [self.ports[port_id] for port_id in port_ids if port_id in self.ports]
        own = [row for row in there if row.host_id == host_id]
        if any(row.device_owner in KEPT_OWNERS for row in there) or not all(self._fits(has, row) for row in own):
            return Part()
        if any((row.id, host_id) in self.coming for row in there):
            return Part()
        far = [row for row in there if row.host_id not in (None, host_id)]
        if self.tunnels.get(host_id) is None and far:
            return Part()
        state = doc.NetworkState(
            revision=self.wanted[host_id],
            since=base,
            gone=tuple(port_ids),
            ports=tuple(self._port(row) for row in own),
            remote_ports=tuple(found for row in far if (found := self._remote(has, row)) is not None),
            security_groups=self._members(has, there),
        )
        return Part(state, own, self.networks_up)

    def _leaves_network(self, host_id: str, change: Row[Any]) -> bool:
        """Whether with the port its network goes from the host, too."""
        return (
            self._has_left(change)
            and convergence.dhcp(change.network_id) in self.hosts[host_id].resources
            and (host_id, change.network_id) not in self.served
        )

    def _fits(self, has: Set[str], row: Row[Any]) -> bool:
        """Whether the host has the network and groups of its new port already."""
        needed = {convergence.dhcp(row.network_id), *map(convergence.group, self.groups.get(row.id, ()))}
        return needed <= has

    def _port(self, row: Row[Any]) -> doc.Port:
        groups = tuple(sorted(self.groups.get(row.id, ())))
        return port_document(row, self.addresses[row.id], groups, network_up=self.networks_up[row.network_id])

    def _remote(self, has: Set[str], row: Row[Any]) -> doc.RemotePort | None:
        """The same object for every host that has the port's network."""
        if convergence.network(row.network_id) not in has or row.network_id in self.bridged:
            return None
        if row.id not in self._far:
            host_ip = self.tunnels.get(row.host_id)
            self._far[row.id] = None if host_ip is None else self._far_document(row, host_ip)
        return self._far[row.id]

    def _far_document(self, row: Row[Any], host_ip: str) -> doc.RemotePort:
        return doc.RemotePort(
            port_id=row.id,
            network_id=row.network_id,
            mac_address=row.mac_address,
            ip_addresses=tuple(held.ip_address for held in self.addresses[row.id]),
            host_ip=host_ip,
        )

    def _members(self, has: Set[str], there: list[Row[Any]]) -> tuple[doc.SecurityGroup, ...]:
        members: dict[str, dict[str, tuple[str, ...]]] = {}
        for row in there:
            if row.host_id is None:
                continue
            for group_id in self.groups.get(row.id, ()):
                if convergence.members(group_id) in has:
                    pairs = [pair["ip_address"] for pair in row.allowed_address_pairs]
                    held = [held.ip_address for held in self.addresses[row.id]]
                    members.setdefault(group_id, {})[row.id] = (*held, *pairs)
        return tuple(doc.SecurityGroup(id=group_id, members=found) for group_id, found in members.items())
