"""What of a document can be used: each item has the form its type says, makes sense, and is spelled canonically.

Nothing of a document reaches the kernel, a file or a program but by the functions here. An item that is refused raises
ValueError; of an item with parts only the broken part is left out where the rest still means something, and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import structs

from tane.wire import grammar
from tane.wire.documents import (
    AddressPair,
    DhcpPort,
    ExternalNetwork,
    FixedIp,
    FloatingIp,
    FloatingLeg,
    HostPeer,
    HostRoute,
    HostsNetwork,
    Network,
    Port,
    RemotePort,
    Router,
    RouterGateway,
    RouterInterface,
    RouterTransit,
    SecurityGroup,
    Subnet,
)
from tane.wire.grammar import checked

Tell = Callable[[str, str], None]
"""Takes a resource id and the reason why it, or a part of it, is left out."""
_Item = TypeVar("_Item")
_Leg = TypeVar("_Leg", RouterInterface, RouterGateway, RouterTransit)

_MIN_MTU, _MAX_MTU = 68, 65535
_SEGMENTS = 1 << 24


def _kept(items: Iterable[_Item], use: Callable[[_Item], _Item], tell: Callable[[_Item, str], None]) -> list[_Item]:
    kept = []
    for item in items:
        try:
            kept.append(use(item))
        except ValueError as error:
            tell(item, str(error))
    return kept


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} {value} is not between {low} and {high}")


def _address(text: str) -> str:
    return str(grammar.address(text))


def _ipv4(text: str) -> str:
    found = grammar.address(text)
    if found.version != 4:
        raise ValueError(f"{text} is not an IPv4 address")
    return str(found)


# -------------------------------------------------------------------------------------------------------- networks


def network(document: Network, tell: Tell) -> Network:
    """Without the subnets and the DHCP port that make no sense. Raises ValueError."""
    bare = checked(structs.replace(document, subnets=(), dhcp_port=None))
    _within("the MTU", bare.mtu, _MIN_MTU, _MAX_MTU)
    _within("the segment", bare.segment_id, 0, _SEGMENTS - 1)
    subnets = _kept(document.subnets, lambda item: _subnet(item, tell), lambda item, why: tell(item.id, why))
    server = [document.dhcp_port] if document.dhcp_port is not None else []
    served = _kept(server, _dhcp_port, lambda _, why: tell(document.id, f"its DHCP port: {why}"))
    return structs.replace(bare, subnets=tuple(subnets), dhcp_port=served[0] if served else None)


def _subnet(document: Subnet, tell: Tell) -> Subnet:
    bare = checked(structs.replace(document, host_routes=()))
    cidr = grammar.network(bare.cidr, strict=True)
    if cidr.version != bare.ip_version:
        raise ValueError(f"{cidr} is not of IP version {bare.ip_version}")
    if bare.gateway_ip is not None and grammar.address(bare.gateway_ip).version != cidr.version:
        raise ValueError(f"the gateway {bare.gateway_ip} is not of IP version {cidr.version}")

    def route(item: HostRoute) -> HostRoute:
        return _route(item, cidr.version)

    modes = {bare.ipv6_ra_mode, bare.ipv6_address_mode} - {""}
    fits = cidr.version == 6 and (cidr.prefixlen == 64 or (cidr.prefixlen > 64 and modes == {"dhcpv6-stateful"}))
    if modes and not fits:
        tell(bare.id, f"guests of {cidr} get no addresses by {' and '.join(sorted(modes))}: its prefix does not fit")
        bare = structs.replace(bare, ipv6_ra_mode="", ipv6_address_mode="")
    return structs.replace(
        bare,
        cidr=str(cidr),
        gateway_ip=_address(bare.gateway_ip) if bare.gateway_ip is not None else None,
        dns_nameservers=tuple(_address(server) for server in bare.dns_nameservers),
        host_routes=tuple(_kept(document.host_routes, route, lambda _, why: tell(bare.id, f"a route: {why}"))),
    )


def _route(document: HostRoute, version: int | None = None) -> HostRoute:
    route = checked(document)
    destination, hop = grammar.network(route.destination), grammar.address(route.nexthop)
    if destination.version != hop.version or version not in (None, hop.version):
        raise ValueError(f"{hop} cannot be the next hop to {destination} here: the IP versions differ")
    return HostRoute(destination=str(destination), nexthop=str(hop))


def _dhcp_port(document: DhcpPort) -> DhcpPort:
    port = checked(document)
    return structs.replace(port, mac_address=grammar.mac(port.mac_address), fixed_ips=_fixed(port.fixed_ips))


def _fixed(addresses: Iterable[FixedIp]) -> tuple[FixedIp, ...]:
    return tuple(FixedIp(subnet_id=item.subnet_id, ip_address=_address(item.ip_address)) for item in addresses)


def external(document: ExternalNetwork) -> ExternalNetwork:
    """Raises ValueError."""
    leg = checked(document)
    cidr, gateway = grammar.network(leg.cidr), grammar.address(leg.gateway_ip)
    if cidr.version != gateway.version:
        raise ValueError(f"the gateway {gateway} is not of the IP version of {cidr}")
    return structs.replace(leg, cidr=str(cidr), gateway_ip=str(gateway))


def hosts(document: HostsNetwork, family: int, tell: Callable[[str], None]) -> HostsNetwork:
    """``family``: the IP version of this host's end of tunnels. One host that told nonsense of itself takes the way to
    the others from nobody."""
    address = grammar.address(document.address)
    _within("prefixlen", document.prefixlen, 1, address.max_prefixlen)

    def peer(one: HostPeer) -> HostPeer:
        there, end = grammar.address(one.address), grammar.address(one.host_ip)
        if there.version != address.version:
            raise ValueError(f"{there} is not in the hosts' network of {address}")
        if end.version != family:
            raise ValueError(f"no tunnel leads to {end} from an address of IPv{family}")
        return HostPeer(host_ip=str(end), address=str(there))

    peers = _kept(document.peers, peer, lambda _, why: tell(why))
    return HostsNetwork(address=str(address), prefixlen=document.prefixlen, peers=tuple(peers))


# ----------------------------------------------------------------------------------------------------------- ports


def port(document: Port) -> Port:
    """Raises ValueError."""
    bound = checked(document)
    pairs = [
        AddressPair(ip_address=str(grammar.network(pair.ip_address)), mac_address=grammar.mac(pair.mac_address))
        for pair in bound.allowed_address_pairs
    ]
    return structs.replace(
        bound,
        mac_address=grammar.mac(bound.mac_address),
        fixed_ips=_fixed(bound.fixed_ips),
        allowed_address_pairs=tuple(pairs),
    )


def remote_port(document: RemotePort) -> RemotePort:
    """Raises ValueError."""
    far = checked(document)
    return structs.replace(
        far,
        mac_address=grammar.mac(far.mac_address),
        ip_addresses=tuple(map(_address, far.ip_addresses)),
        host_ip=_address(far.host_ip),
    )


def group(document: SecurityGroup, tell: Tell) -> SecurityGroup:
    """Without the rules and members that make no sense: what a group allows is only made less. Raises ValueError."""
    bare = checked(structs.replace(document, rules=(), members={}))

    def said(_: object, why: str) -> None:
        tell(bare.id, why)

    rules = _kept(document.rules, checked, said)
    members = {
        port_id: tuple(_kept(addresses, lambda address: str(grammar.network(address)), said))
        for port_id, addresses in document.members.items()
    }
    return structs.replace(bare, rules=tuple(rules), members=members)


# --------------------------------------------------------------------------------------------------------- routers


def router(document: Router, tell: Tell) -> Router:
    """Without the floating IPs and routes that make no sense. Raises ValueError."""
    bare = checked(structs.replace(document, floating_ips=(), routes=()))
    routes = _kept(document.routes, _route, lambda _, why: tell(bare.id, f"a route: {why}"))
    floating = _kept(document.floating_ips, _floating, lambda item, why: tell(item.id, why))
    gateway = None
    if bare.gateway is not None:
        hop = bare.gateway.next_hop
        gateway = structs.replace(_leg(bare.gateway), next_hop=_address(hop) if hop is not None else None)
    transit = None
    if bare.transit is not None:
        hop = bare.transit.next_hop
        transit = structs.replace(_leg(bare.transit), next_hop=_address(hop) if hop is not None else None)
    return structs.replace(
        bare,
        interfaces=tuple(map(_leg, bare.interfaces)),
        gateway=gateway,
        transit=transit,
        routes=tuple(routes),
        floating_ips=tuple(floating),
    )


def _leg(leg: _Leg) -> _Leg:
    address = grammar.interface(f"{leg.ip_address}/{leg.prefixlen}")
    return structs.replace(leg, mac_address=grammar.mac(leg.mac_address), ip_address=str(address.ip))


def _floating(document: FloatingIp) -> FloatingIp:
    floating = checked(document)
    return structs.replace(
        floating,
        floating_ip_address=_ipv4(floating.floating_ip_address),
        fixed_ip_address=_ipv4(floating.fixed_ip_address),
        leg=_floating_leg(floating.leg) if floating.leg is not None else None,
    )


def _floating_leg(leg: FloatingLeg) -> FloatingLeg:
    cidr = grammar.network(leg.cidr)
    if cidr.version != 4:
        raise ValueError(f"{cidr} is not of IP version 4")
    hop = _ipv4(leg.next_hop) if leg.next_hop is not None else None
    return structs.replace(leg, mac_address=grammar.mac(leg.mac_address), cidr=str(cidr), next_hop=hop)
