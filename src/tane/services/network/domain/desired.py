"""The desired network state of one host, derived from the database in a constant number of queries.

All of them go by an index to what the host has: its ports, their networks and groups, its routers. The cost follows
the size of the host's networks, never the cloud's. External networks and routers are on their gateway hosts; a
distributed router is also on every host that has ports of its networks, with the same addresses (decision 20).
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.store import INNER, inner_address
from tane.services.network.domain import distributed
from tane.services.network.domain.common import tap_name
from tane.services.network.domain.convergence import groups_of
from tane.services.network.domain.dns_names import host_label
from tane.services.network.domain.security_rules import number_of
from tane.services.network.domain.service_ports import is_filtered
from tane.services.network.store import convergence, gateway_hosts, host_state
from tane.wire import documents as doc

Grouped = dict[str, list[Row[Any]]]
Members = dict[str, dict[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Held:
    """What a host is known to have: a revision, and the interests its document was made of."""

    revision: int
    resources: frozenset[str]


@dataclass
class Snapshot:
    """What the document of ``host_id`` is made of, as it was in one transaction.

    ``ports`` are the host's own, and those that will be: their rows name another host.
    ``revision`` is the host's, ``reported`` what it last said it holds, ``number`` the cloud's revision. ``routers``
    are also those that are switched off; ``gateway_of`` the routers and external networks whose gateway host this is,
    ``gateways`` the gateway host of each; ``speaks_for`` the networks whose state it reports (as resources: it is the
    first that holds them). With ``since`` the far ports and members are only those that a host with that revision
    lacks, where ``gone`` are forgotten.
    """

    host_id: str
    revision: int
    reported: int
    number: int
    tunnels: dict[str, str | None]
    hosts: list[Row[Any]]
    networks: dict[str, Row[Any]]
    subnets: Grouped
    ports: list[Row[Any]]
    addresses: Grouped
    groups: dict[str, tuple[str, ...]]
    rules: Grouped
    members: Members
    dhcp: dict[str, Row[Any]]
    routers: dict[str, Row[Any]]
    legs: Grouped
    gateway_of: set[str]
    gateways: dict[str, str]
    speaks_for: set[str]
    floating: Grouped
    far: list[Row[Any]]
    far_legs: list[Row[Any]]
    far_floating: list[Row[Any]]
    since: int | None
    gone: set[str]
    known: set[str]
    """The interests that are written."""

    @property
    def served(self) -> set[str]:
        """The networks of the host's own ports."""
        return {row.network_id for row in self.ports}

    def outside_subnet(self, network: Row[Any]) -> Row[Any] | None:
        """The subnet of an external network whose gateway is its gateway host itself."""
        if not network.external or network.network_type != "flat" or network.bridged:
            return None
        found = [row for row in self.subnets[network.id] if row.ip_version == 4 and row.gateway_ip is not None]
        return found[0] if found else None

    def interests(self) -> set[str]:
        """What a change must touch to concern this host, as ``store/convergence.py`` spells it."""
        own = {group_id for row in self.ports for group_id in self.groups.get(row.id, ())}
        return {
            convergence.host(self.host_id),
            *map(convergence.network, self.networks),
            *map(convergence.dhcp, self.served),
            *map(convergence.router, self.routers),
            *map(convergence.group, own),
            *map(convergence.members, self.members),
        }


def load(tx: Tx, host_id: str, held: Held | None = None) -> Snapshot:
    """Read what the host's document is made of; of ports elsewhere and members only what is not ``held``."""
    number, forgotten = convergence.number(tx)
    hosts = host_state.hosts(tx)
    tunnels = {row.id: row.local_ip for row in hosts}
    if held is not None and (held.revision < forgotten or tunnels.get(host_id) is None):
        held = None
    resources = held.resources if held is not None else frozenset()
    gone = _gone(tx, held) if held is not None else set()
    revision, reported = convergence.wanted(tx, host_id)
    coming = [row for row in host_state.coming_ports(tx, host_id) if row.host_id != host_id]
    ports = [*host_state.ports(tx, host_id), *coming]
    served = {row.network_id for row in ports}
    external = host_state.external_networks(tx, host_id)
    at_home = host_state.routers_of_gateway(tx, host_id)
    gateway_of = {row.id for row in at_home} | set(external)
    routers = {row.id: row for row in [*at_home, *host_state.distributed_routers(tx, served)]}
    legs = _by(host_state.legs(tx, routers), "router_id")
    running = {row.id for row in routers.values() if row.admin_state_up}
    inside = [leg.network_id for key in running for leg in legs[key] if key in gateway_of or distributed.is_inside(leg)]
    floating = host_state.floating_ips(tx, routers)
    outside = {row.floating_network_id for row in floating if row.host_id == host_id and row.router_id in running}
    network_ids = {*served, *external, *inside, *outside}
    gateways = gateway_hosts.of(tx, {*routers, *network_ids})
    dhcp = host_state.dhcp_ports(tx, served)
    addresses = _by(host_state.addresses(tx, host_id), "port_id")
    addresses.update(_by(host_state.addresses_of(tx, [row.id for row in [*dhcp, *coming]]), "port_id"))
    groups = {**_groups(host_state.groups(tx, host_id)), **groups_of(tx, [row.id for row in coming])}
    rules = _by(host_state.rules(tx, {group_id for held in groups.values() for group_id in held}), "security_group_id")
    networks = {row.id: row for row in host_state.networks(tx, network_ids)}
    # To what hosts reach by bridges of their own no tunnel leads: they learn for themselves what is there.
    joined = {row.id for row in networks.values() if not row.bridged}
    abroad = [network_id for network_id in joined if networks[network_id].external]
    new = {network_id for network_id in joined if convergence.network(network_id) not in resources}
    far = host_state.far_ports(tx, new, host_id)
    far += host_state.far_ports_of(tx, gone, joined - new, host_id)
    far_legs = [
        row
        for row in host_state.far_legs(tx, joined, host_id)
        if row.device_id not in routers or row.network_id in abroad
    ]
    shared = {*map(convergence.network, network_ids), *map(convergence.dhcp, served)}
    first = convergence.first_holders(tx, shared)
    return Snapshot(
        host_id=host_id,
        revision=revision,
        reported=reported,
        number=number,
        tunnels=tunnels,
        hosts=hosts,
        networks=networks,
        subnets=_by(host_state.subnets(tx, network_ids), "network_id"),
        ports=ports,
        addresses=addresses,
        groups=groups,
        rules=rules,
        members=_members(tx, rules, resources, gone),
        dhcp={row.network_id: row for row in dhcp},
        routers=dict(sorted(routers.items())),
        legs=legs,
        gateway_of=gateway_of,
        gateways=gateways,
        speaks_for={resource for resource in shared if first.get(resource, host_id) >= host_id},
        floating=_by(floating, "router_id"),
        far=far,
        far_legs=far_legs,
        far_floating=host_state.far_floating(tx, abroad, host_id),
        since=held.revision if held is not None else None,
        gone=gone,
        known=convergence.interests(tx, host_id),
    )


def _gone(tx: Tx, held: Held) -> set[str]:
    """The ports of which the host has to learn anew."""
    changes = convergence.since(tx, held.revision)
    return {row.port_id for row in changes if row.port_id is not None and row.resource in held.resources}


def _by(found: Iterable[Row[Any]], column: str) -> Grouped:
    grouped: Grouped = defaultdict(list)
    for row in found:
        grouped[getattr(row, column)].append(row)
    return grouped


def _groups(found: Iterable[Row[Any]]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for row in found:
        grouped[row.port_id].append(row.security_group_id)
    return {port_id: tuple(group_ids) for port_id, group_ids in grouped.items()}


def _members(tx: Tx, rules: Grouped, resources: Set[str], gone: Set[str]) -> Members:
    """The addresses of the ports of each group that a rule names; of a group that is held already, of those in ``gone``
    only."""
    remote = {rule.remote_group_id for found in rules.values() for rule in found if rule.remote_group_id is not None}
    members: Members = {group_id: {} for group_id in remote}
    row: Any
    new = {group_id for group_id in remote if convergence.members(group_id) not in resources}
    for row in host_state.members(tx, new) + host_state.members_of(tx, gone, remote - new):
        group_id, port_id, address = row
        found = members[group_id]
        found[port_id] = (*found[port_id], address) if port_id in found else (address,)
    for row in host_state.member_pairs(tx, new) + host_state.member_pairs_of(tx, gone, remote - new):
        group_id, port_id, pairs = row
        found = members[group_id]
        found[port_id] = (*found.get(port_id, ()), *(pair["ip_address"] for pair in pairs))
    return members


def document(snapshot: Snapshot) -> tuple[doc.NetworkState, dict[str, str]]:
    """What the host should hold, and the resources it cannot be told about: id → reason."""
    return _Writer(snapshot).write()


class _Writer:
    def __init__(self, snapshot: Snapshot) -> None:
        self.all = snapshot
        self.transits = distributed.transits(snapshot)
        self.answered = distributed.answered(snapshot, self.transits)
        self.problems: dict[str, str] = {}

    def write(self) -> tuple[doc.NetworkState, dict[str, str]]:
        routers = [row for row in self.all.routers.values() if row.admin_state_up]
        external = [
            row for row in self.all.networks.values() if row.id in self.all.gateway_of and self.all.outside_subnet(row)
        ]
        state = doc.NetworkState(
            revision=self.all.revision,
            since=self.all.since,
            frame=self.all.since is not None,
            gone=tuple(sorted(self.all.gone)),
            networks=(
                *(self._network(row) for _, row in sorted(self.all.networks.items())),
                *(transit.network for transit in self.transits.values()),
            ),
            ports=tuple(self._port(row) for row in self.all.ports),
            remote_ports=(
                *remote_ports(self.all.far, self.all.tunnels),
                *remote_ports([*self.all.far_legs, *self.all.far_floating], self.all.tunnels, of_router=True),
                *distributed.outside(self.all),
                *(transit.peer for transit in self.transits.values() if transit.peer is not None),
            ),
            routers=tuple(self._router(row) for row in routers),
            security_groups=tuple(self._groups()),
            external=tuple(self._external(row) for row in external),
            hosts=self._hosts(),
        )
        self._tell_of_tunnels()
        self._tell_of_floating_ips()
        return state, self.problems

    def _hosts(self) -> doc.HostsNetwork | None:
        """The network between the hosts; None where this one has no tunnels, or nobody to reach by them."""
        own = next((row for row in self.all.hosts if row.id == self.all.host_id), None)
        address = None if own is None else inner_address(own)
        peers = tuple(
            doc.HostPeer(host_ip=row.local_ip, address=there)
            for row in self.all.hosts
            if row is not own and (there := inner_address(row)) is not None
        )
        if address is None or not peers:
            return None
        return doc.HostsNetwork(address=address, prefixlen=INNER.prefixlen, peers=peers)

    def _tell_of_tunnels(self) -> None:
        """A host without an address for tunnels cannot have ports of a network that is elsewhere, too."""
        if self.all.tunnels.get(self.all.host_id) is not None:
            return
        elsewhere = {row.network_id for row in [*self.all.far, *self.all.far_legs]}
        elsewhere |= distributed.cut_off(self.all)
        for row in self.all.ports:
            if row.network_id in elsewhere:
                self.problems[row.id] = "its host has no local_ip: no tunnel leads to it"

    def _tell_of_floating_ips(self) -> None:
        """What is here for a server on another host is of no use where no tunnel leads there."""
        for found in (row for rows in self.all.floating.values() for row in rows):
            ends = [self.all.tunnels.get(host_id) for host_id in (found.host_id, self.all.host_id)]
            elsewhere = found.host_id not in (None, self.all.host_id)
            if elsewhere and None in ends and distributed.place_of(self.all, found)[0] == self.all.host_id:
                self.problems[found.id] = "no tunnel leads to its server's host: one of the two has no local_ip"

    # ------------------------------------------------------------------------------------------------ networks

    def _external(self, row: Row[Any]) -> doc.ExternalNetwork:
        outside = self.all.outside_subnet(row)
        assert outside is not None and outside.gateway_ip is not None
        return doc.ExternalNetwork(network_id=row.id, cidr=outside.cidr, gateway_ip=outside.gateway_ip)

    def _network(self, row: Row[Any]) -> doc.Network:
        dhcp = self.all.dhcp.get(row.id)
        return doc.Network(
            id=row.id,
            segment_id=row.segment_id,
            mtu=row.mtu,
            tunnel=row.id in self.answered,
            physical_network=row.physical_network if row.bridged else "",
            external=row.external,
            dns_domain=row.dns_domain,
            subnets=tuple(_subnet(found) for found in self.all.subnets[row.id]),
            dhcp_port=dhcp
            and doc.DhcpPort(id=dhcp.id, mac_address=dhcp.mac_address, fixed_ips=self._fixed_ips(dhcp.id)),
        )

    # --------------------------------------------------------------------------------------------------- ports

    def _fixed_ips(self, port_id: str) -> tuple[doc.FixedIp, ...]:
        return tuple(
            doc.FixedIp(subnet_id=row.subnet_id, ip_address=row.ip_address) for row in self.all.addresses[port_id]
        )

    def _port(self, row: Row[Any]) -> doc.Port:
        up = self.all.networks[row.network_id].admin_state_up
        groups, comes = self.all.groups.get(row.id, ()), row.host_id != self.all.host_id
        return port_document(row, self.all.addresses[row.id], groups, network_up=up, comes=comes)

    # ------------------------------------------------------------------------------------------------- routers

    def _router(self, row: Row[Any]) -> doc.Router:
        legs = [leg for leg in self.all.legs[row.id] if leg.admin_state_up]
        gateway = distributed.gateway_leg(legs) if row.id in self.all.gateway_of else None
        transit = self.transits.get(row.id)
        return doc.Router(
            id=row.id,
            interfaces=tuple(
                doc.RouterInterface(
                    port_id=leg.port_id,
                    network_id=leg.network_id,
                    mac_address=leg.mac_address,
                    ip_address=leg.ip_address,
                    prefixlen=ipaddress.ip_network(leg.cidr).prefixlen,
                )
                for leg in legs
                if distributed.is_inside(leg)
            ),
            gateway=_gateway(row, gateway) if gateway is not None else None,
            transit=transit.leg if transit is not None else None,
            routes=tuple(doc.HostRoute(**route) for route in row.routes if self._leads(row, legs, route)),
            floating_ips=tuple(distributed.floating_ips(self.all, row.id)),
            admin_state_up=row.admin_state_up,
        )

    def _leads(self, row: Row[Any], legs: list[Row[Any]], route: dict[str, str]) -> bool:
        """Whether this part of a router has the way to the next hop; else what goes there goes by the gateway's."""
        if row.id in self.all.gateway_of:
            return True
        hop = ipaddress.ip_address(route["nexthop"])
        return any(distributed.is_inside(leg) and hop in ipaddress.ip_network(leg.cidr) for leg in legs)

    # ------------------------------------------------------------------------------------------ security groups

    def _groups(self) -> Iterable[doc.SecurityGroup]:
        """The groups of this host's ports and those their rules name, these with the addresses of all their ports."""
        own = {group_id for row in self.all.ports for group_id in self.all.groups.get(row.id, ())}
        for group_id in sorted(own | set(self.all.members)):
            rules = tuple(_rule(rule) for rule in self.all.rules[group_id]) if group_id in own else ()
            yield doc.SecurityGroup(id=group_id, rules=rules, members=self.all.members.get(group_id, {}))


def port_document(
    row: Row[Any], addresses: Iterable[Row[Any]], groups: tuple[str, ...], *, network_up: bool, comes: bool = False
) -> doc.Port:
    """A port as its own host is told of it, or (``comes``) the one where it will be."""
    return doc.Port(
        id=row.id,
        network_id=row.network_id,
        mac_address=row.mac_address,
        device=tap_name(row.id),
        fixed_ips=tuple(doc.FixedIp(subnet_id=held.subnet_id, ip_address=held.ip_address) for held in addresses),
        admin_state_up=row.admin_state_up and network_up,
        port_security_enabled=is_filtered(row),
        allowed_address_pairs=tuple(
            doc.AddressPair(ip_address=pair["ip_address"], mac_address=pair["mac_address"])
            for pair in row.allowed_address_pairs
        ),
        security_group_ids=groups,
        hostname=host_label(row.dns_name),
        project_id=row.project_id or None,
        comes=comes,
    )


def remote_ports(
    far: Iterable[Any], tunnels: dict[str, str | None], *, of_router: bool = False
) -> tuple[doc.RemotePort, ...]:
    """Ports elsewhere, from a row for each of their addresses; those to which no tunnel leads are left out."""
    found: dict[str, doc.RemotePort] = {}
    for row in far:
        port_id, network_id, mac, there, address, *_ = row
        host_ip = tunnels.get(there)
        if host_ip is None:
            continue
        ips = () if address is None else (address,)
        if port_id in found:
            found[port_id].ip_addresses += ips
            continue
        found[port_id] = doc.RemotePort(
            port_id=port_id,
            network_id=network_id,
            mac_address=mac,
            ip_addresses=ips,
            host_ip=host_ip,
            of_router=of_router,
        )
    return tuple(found.values())


def _gateway(row: Row[Any], leg: Row[Any]) -> doc.RouterGateway:
    return doc.RouterGateway(
        port_id=leg.port_id,
        network_id=leg.network_id,
        mac_address=leg.mac_address,
        ip_address=leg.ip_address,
        prefixlen=ipaddress.ip_network(leg.cidr).prefixlen,
        next_hop=leg.gateway_ip,
        enable_snat=row.enable_snat,
    )


def _subnet(row: Row[Any]) -> doc.Subnet:
    return doc.Subnet(
        id=row.id,
        cidr=row.cidr,
        ip_version=row.ip_version,
        gateway_ip=row.gateway_ip,
        enable_dhcp=row.enable_dhcp,
        dns_nameservers=tuple(row.dns_nameservers),
        host_routes=tuple(doc.HostRoute(**route) for route in row.host_routes),
        ipv6_ra_mode=row.ipv6_ra_mode or "",
        ipv6_address_mode=row.ipv6_address_mode or "",
    )


def _rule(row: Row[Any]) -> doc.SecurityGroupRule:
    """Protocols as numbers, so that no host has to know our names; 0 ("ip", "hopopt") is any."""
    number = number_of(row.protocol)
    return doc.SecurityGroupRule(
        direction=row.direction,
        ethertype=row.ethertype,
        protocol=str(number) if number else None,
        port_range_min=row.port_range_min,
        port_range_max=row.port_range_max,
        remote_ip_prefix=row.remote_ip_prefix,
        remote_group_id=row.remote_group_id,
    )
