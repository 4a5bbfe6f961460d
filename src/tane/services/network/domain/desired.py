"""The desired network state of each host, derived from the database in a constant number of queries.

The gateway host is the first host with the network role: external networks and routers that have a gateway are there.
A router without gateway is on every host that has ports of its networks, with the same addresses (distributed).
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.agent import documents as doc
from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.network.domain.agents import switched_off
from tane.services.network.domain.common import tap_name
from tane.services.network.domain.dns_names import host_label
from tane.services.network.domain.security_rules import number_of
from tane.services.network.domain.service_ports import is_filtered
from tane.services.network.store.routers import all_legs
from tane.services.network.tables import (
    DHCP,
    KEPT_OWNERS,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    ROUTER_OWNERS,
    floating_ip,
    network,
    network_revision,
    port,
    port_address,
    port_security_group,
    router,
    security_group_rule,
    subnet,
)

Grouped = dict[str, list[Row[Any]]]


@dataclass
class Snapshot:
    """Everything the documents are made of, as it was in one transaction."""

    revision: int
    hosts: list[Row[Any]]
    networks: dict[str, Row[Any]]
    subnets: Grouped
    ports: list[Row[Any]]
    addresses: Grouped
    groups: dict[str, list[str]]
    rules: Grouped
    routers: dict[str, Row[Any]]
    legs: Grouped
    floating: Grouped
    on_host: dict[str, list[Row[Any]]] = field(default_factory=dict)
    dhcp: dict[str, Row[Any]] = field(default_factory=dict)

    @property
    def gateway_host(self) -> str | None:
        return self.hosts[0].id if self.hosts else None


def load(tx: Tx) -> Snapshot:
    """Read the whole network state of the cloud."""
    placed = select(port).where(port.c.host_id.is_not(None) | port.c.device_owner.in_((DHCP, *ROUTER_OWNERS)))
    groups: dict[str, list[str]] = defaultdict(list)
    for row in tx.all(select(port_security_group).order_by(port_security_group.c.security_group_id)):
        groups[row.port_id].append(row.security_group_id)
    snapshot = Snapshot(
        revision=tx.scalar(select(network_revision.c.number)) or 0,
        hosts=_by_rank(tx),
        networks={row.id: row for row in tx.all(select(network))},
        subnets=_by(tx.all(select(subnet).order_by(subnet.c.created_at, subnet.c.id)), "network_id"),
        ports=tx.all(placed.order_by(port.c.id)),
        addresses=_by(tx.all(select(port_address).order_by(port_address.c.id)), "port_id"),
        groups=groups,
        rules=_by(tx.all(select(security_group_rule).order_by(security_group_rule.c.id)), "security_group_id"),
        routers={row.id: row for row in tx.all(select(router).order_by(router.c.id))},
        legs=_by(all_legs(tx), "router_id"),
        floating=_by(
            tx.all(select(floating_ip).where(floating_ip.c.router_id.is_not(None)).order_by(floating_ip.c.id)),
            "router_id",
        ),
    )
    snapshot.dhcp = {row.network_id: row for row in snapshot.ports if row.device_owner == DHCP}
    for row in snapshot.ports:
        if row.host_id is not None and row.device_owner not in KEPT_OWNERS:
            snapshot.on_host.setdefault(row.host_id, []).append(row)
    return snapshot


def _by_rank(tx: Tx) -> list[Row[Any]]:
    """The hosts with networks, the oldest first; those whose agents are switched off come last."""
    off = switched_off(tx)
    found = [row for row in hosts.all_hosts(tx) if "network" in row.roles]
    return sorted(found, key=lambda row: (row.id in off, row.created_at, row.id))


def _by(found: Iterable[Row[Any]], column: str) -> Grouped:
    grouped: Grouped = defaultdict(list)
    for row in found:
        grouped[getattr(row, column)].append(row)
    return grouped


def document(snapshot: Snapshot, host: Row[Any]) -> tuple[doc.NetworkState, dict[str, str]]:
    """What the host should hold, and the resources it cannot be told about: id → reason."""
    return _Writer(snapshot, host).write()


class _Writer:
    def __init__(self, snapshot: Snapshot, host: Row[Any]) -> None:
        self.all = snapshot
        self.host = host
        self.is_gateway = host.id == snapshot.gateway_host
        self.local = snapshot.on_host.get(host.id, [])
        self.problems: dict[str, str] = {}

    def write(self) -> tuple[doc.NetworkState, dict[str, str]]:
        served = {row.network_id for row in self.local}
        routers = [row for row in self.all.routers.values() if self._has_router(row, served)]
        reached = {leg.network_id for row in routers for leg in self.all.legs[row.id]}
        external = [row for row in self.all.networks.values() if self.is_gateway and self._has_leg(row)]
        network_ids = sorted(served | reached | {row.id for row in external})
        state = doc.NetworkState(
            revision=self.all.revision,
            networks=tuple(self._network(self.all.networks[i], served=i in served) for i in network_ids),
            ports=tuple(self._port(row) for row in self.local),
            remote_ports=tuple(self._remote_ports(set(network_ids), {row.id for row in routers})),
            routers=tuple(self._router(row) for row in routers),
            security_groups=tuple(self._groups()),
            external=tuple(self._external(row) for row in external),
        )
        return state, self.problems

    # ------------------------------------------------------------------------------------------------ networks

    def _has_leg(self, row: Row[Any]) -> bool:
        return bool(row.external and row.network_type == "flat" and self._outside_subnet(row.id) is not None)

    def _outside_subnet(self, network_id: str) -> Row[Any] | None:
        """The subnet whose gateway is the gateway host itself."""
        found = [row for row in self.all.subnets[network_id] if row.ip_version == 4 and row.gateway_ip is not None]
        return found[0] if found else None

    def _external(self, row: Row[Any]) -> doc.ExternalNetwork:
        outside = self._outside_subnet(row.id)
        assert outside is not None and outside.gateway_ip is not None
        return doc.ExternalNetwork(network_id=row.id, cidr=outside.cidr, gateway_ip=outside.gateway_ip)

    def _network(self, row: Row[Any], *, served: bool) -> doc.Network:
        dhcp = self.all.dhcp.get(row.id) if served else None
        return doc.Network(
            id=row.id,
            segment_id=row.segment_id,
            mtu=row.mtu,
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
        return doc.Port(
            id=row.id,
            network_id=row.network_id,
            mac_address=row.mac_address,
            device=tap_name(row.id),
            fixed_ips=self._fixed_ips(row.id),
            admin_state_up=row.admin_state_up and self.all.networks[row.network_id].admin_state_up,
            port_security_enabled=is_filtered(row),
            allowed_address_pairs=tuple(
                doc.AddressPair(ip_address=pair["ip_address"], mac_address=pair["mac_address"])
                for pair in row.allowed_address_pairs
            ),
            security_group_ids=tuple(self.all.groups[row.id]),
            hostname=host_label(row.dns_name),
        )

    def _remote_ports(self, network_ids: set[str], router_ids: set[str]) -> Iterable[doc.RemotePort]:
        """Ports of this host's networks elsewhere: bound to another host, or of a router that only the gateway host
        has."""
        known = {row.id: row for row in self.all.hosts}
        for row in self.all.ports:
            if row.network_id not in network_ids or row.device_owner == DHCP:
                continue
            there = row.host_id
            if row.device_owner in ROUTER_OWNERS:
                if row.device_id in router_ids:
                    continue
                there = self.all.gateway_host
            if there is None or there == self.host.id:
                continue
            if there not in known or known[there].local_ip is None:
                self.problems[row.id] = "its host has no local_ip: no tunnel leads to it"
                continue
            yield doc.RemotePort(
                network_id=row.network_id,
                mac_address=row.mac_address,
                ip_addresses=tuple(address.ip_address for address in self.all.addresses[row.id]),
                host_ip=known[there].local_ip,
            )

    # ------------------------------------------------------------------------------------------------- routers

    def _has_router(self, row: Row[Any], served: set[str]) -> bool:
        """A router that is switched off is nowhere."""
        if not row.admin_state_up:
            return False
        if self.is_gateway:
            return True
        return row.gateway_port_id is None and any(leg.network_id in served for leg in self.all.legs[row.id])

    def _router(self, row: Row[Any]) -> doc.Router:
        legs = self.all.legs[row.id]
        outside = [leg for leg in legs if leg.device_owner == ROUTER_GATEWAY]
        outside.sort(key=lambda leg: leg.ip_version != 4)
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
                if leg.device_owner == ROUTER_INTERFACE
            ),
            gateway=_gateway(row, outside[0]) if outside else None,
            routes=tuple(doc.HostRoute(**route) for route in row.routes),
            floating_ips=tuple(
                doc.FloatingIp(
                    id=found.id,
                    floating_ip_address=found.floating_ip_address,
                    fixed_ip_address=found.fixed_ip_address,
                    port_id=found.fixed_port_id,
                )
                for found in self.all.floating[row.id]
            ),
            admin_state_up=row.admin_state_up,
        )

    # ------------------------------------------------------------------------------------------ security groups

    def _groups(self) -> Iterable[doc.SecurityGroup]:
        """The groups of this host's ports and those their rules name, with the addresses of all their ports."""
        own = {group_id for row in self.local for group_id in self.all.groups[row.id]}
        remote = {rule.remote_group_id for group_id in own for rule in self.all.rules[group_id]} - {None}
        members: dict[str, list[str]] = defaultdict(list)
        for row in self.all.ports:
            for group_id in self.all.groups.get(row.id, ()):
                if group_id in remote:
                    members[group_id] += [address.ip_address for address in self.all.addresses[row.id]]
                    members[group_id] += [pair["ip_address"] for pair in row.allowed_address_pairs]
        for group_id in sorted(own | remote):
            rules = tuple(_rule(rule) for rule in self.all.rules[group_id]) if group_id in own else ()
            yield doc.SecurityGroup(id=group_id, rules=rules, members=tuple(dict.fromkeys(members[group_id])))


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
