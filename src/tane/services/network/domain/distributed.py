"""A distributed router: on each host that has ports of its networks, with the same addresses.

What goes between its networks never leaves the hosts of its two ends. A floating IP is a leg of its own in the external
network, on the host of its port; everything else goes to the gateway host, by a network of the router's own that joins
its parts, and comes back from there to the port directly.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.tables import ROUTER_GATEWAY, ROUTER_INTERFACE, network, router
from tane.wire import documents as doc
from tane.wire.grammar import derived_mac, outside_mac

if TYPE_CHECKING:
    from tane.services.network.domain.desired import Snapshot

SEGMENTS = (2**23, 2**24 - 2)
"""VXLAN ids of the networks between routers' parts; tenants' networks have smaller ones."""
TRANSIT = ipaddress.IPv4Network("169.254.192.0/18")
"""Addresses there, one a host, by its number (RFC 3927: nobody is asked to forward them)."""
TRANSIT_6 = ipaddress.IPv6Network("fd74:616e:6500::/64")


def draw_segment(tx: Tx) -> int:
    """A VXLAN id that nothing has."""
    while True:
        drawn = SEGMENTS[0] + secrets.randbelow(SEGMENTS[1] - SEGMENTS[0] + 1)
        of_router = tx.first(select(router.c.id).where(router.c.transit_segment == drawn))
        # Networks of before may have one of these numbers.
        of_network = tx.first(select(network.c.id).where(network.c.segment_id == drawn))
        if of_router is None and of_network is None:
            return drawn


@dataclass(frozen=True)
class Transit:
    """What a host has of the network between a router's parts. ``peer``: the part that has the gateway, elsewhere."""

    network: doc.Network
    leg: doc.RouterTransit
    peer: doc.RemotePort | None


def is_inside(leg: Row[Any]) -> bool:
    """Whether a router's leg is in a network of its tenant."""
    return bool(leg.device_owner == ROUTER_INTERFACE)


def gateway_leg(legs: Iterable[Row[Any]]) -> Row[Any] | None:
    """Of a router's legs the one that leads outside, by IPv4 if it has both."""
    outside = [leg for leg in legs if leg.device_owner == ROUTER_GATEWAY]
    return min(outside, key=lambda leg: leg.ip_version != 4, default=None)


def transits(snapshot: Snapshot) -> dict[str, Transit]:
    """Router id → the way between its parts, of those that need one on this host."""
    found = ((row.id, _transit(snapshot, row)) for row in snapshot.routers.values() if row.admin_state_up)
    return {router_id: transit for router_id, transit in found if transit is not None}


def answered(snapshot: Snapshot, transits: Mapping[str, Transit]) -> set[str]:
    """The networks into which the gateway's part of a router answers from elsewhere, whoever else is there."""
    away = [router_id for router_id, transit in transits.items() if transit.peer is not None]
    return {leg.network_id for router_id in away for leg in snapshot.legs[router_id] if is_inside(leg)}


def _transit(snapshot: Snapshot, row: Row[Any]) -> Transit | None:
    gateway, at = gateway_leg(snapshot.legs[row.id]), snapshot.gateways.get(row.id)
    tunnels = {host.id: host for host in snapshot.hosts if host.local_ip is not None and _has_number(host)}
    here = tunnels.get(snapshot.host_id)
    if row.transit_segment is None or gateway is None or here is None or at not in tunnels or len(tunnels) < 2:
        return None
    central = tunnels[at]
    addresses = TRANSIT if gateway.ip_version == 4 else TRANSIT_6
    inside = [snapshot.networks[leg.network_id].mtu for leg in snapshot.legs[row.id] if is_inside(leg)]
    if not inside:
        return None
    leg = doc.RouterTransit(
        network_id=row.id,
        mac_address=_mac(row.id, here.id),
        ip_address=str(addresses[here.number]),
        prefixlen=addresses.prefixlen,
        next_hop=None if central is here else str(addresses[central.number]),
    )
    peer = doc.RemotePort(
        port_id=row.id,
        network_id=row.id,
        mac_address=_mac(row.id, central.id),
        ip_addresses=(str(addresses[central.number]),),
        host_ip=central.local_ip,
        of_router=True,
    )
    between = doc.Network(id=row.id, segment_id=row.transit_segment, mtu=max(inside), tunnel=True)
    return Transit(between, leg, None if central is here else peer)


def _has_number(host: Row[Any]) -> bool:
    return host.number is not None and 0 < host.number < TRANSIT.num_addresses - 1


def cut_off(snapshot: Snapshot) -> set[str]:
    """Networks of routers whose gateway is on another host, to which no tunnel leads from here."""
    found: set[str] = set()
    for row in snapshot.routers.values():
        at = snapshot.gateways.get(row.id)
        away = row.gateway_port_id is not None and at not in (None, snapshot.host_id)
        if row.admin_state_up and away and row.transit_segment is not None:
            found.update(leg.network_id for leg in snapshot.legs[row.id] if is_inside(leg))
    return found


def _mac(router_id: str, host_id: str) -> str:
    return derived_mac(f"router {router_id} on {host_id}")


# ----------------------------------------------------------------------------------------------------- floating IPs


def place_of(snapshot: Snapshot, found: Row[Any]) -> tuple[str | None, bool]:
    """The host that has a floating IP, and whether on a leg of its own: that of its port where the router is there too
    and a tunnel leads there, else the router's gateway host."""
    gateway = snapshot.gateways.get(found.router_id)
    if found.host_id is None or snapshot.routers[found.router_id].transit_segment is None:
        return gateway, False
    ends = [snapshot.tunnels.get(host_id or "") for host_id in (found.host_id, gateway)]
    return (found.host_id, True) if found.host_id == gateway or None not in ends else (gateway, False)


def floating_ips(snapshot: Snapshot, router_id: str) -> Iterator[doc.FloatingIp]:
    """Those of a router that this host has."""
    for found in snapshot.floating[router_id]:
        host_id, own_leg = place_of(snapshot, found)
        if host_id != snapshot.host_id:
            continue
        leg = doc.FloatingLeg(
            port_id=found.floating_port_id,
            network_id=found.floating_network_id,
            mac_address=found.mac_address,
            cidr=found.cidr,
            next_hop=found.gateway_ip,
        )
        yield doc.FloatingIp(
            id=found.id,
            floating_ip_address=found.floating_ip_address,
            fixed_ip_address=found.fixed_ip_address,
            port_id=found.fixed_port_id,
            leg=leg if own_leg else None,
        )


def outside(snapshot: Snapshot) -> Iterator[doc.RemotePort]:
    """Where the external networks of this host lead out of the cloud: by other hosts' own legs."""
    for row in snapshot.networks.values():
        subnet, at = snapshot.outside_subnet(row), snapshot.gateways.get(row.id)
        host_ip = snapshot.tunnels.get(at or "")
        if subnet is None or host_ip is None or at == snapshot.host_id:
            continue
        yield doc.RemotePort(
            port_id=f"outside-{row.id}",
            network_id=row.id,
            mac_address=outside_mac(row.id),
            ip_addresses=(subnet.gateway_ip,),
            host_ip=host_ip,
            of_router=True,
        )
