"""From a network document to the kernel objects it stands for. Pure: nothing here touches the machine."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from tane.agent.network import intake
from tane.agent.network.dhcp import plan_advertisements, plan_dhcp
from tane.agent.network.guard import dhcp_rules, outside_rules, router_rules, tunnel_rules
from tane.agent.network.nat import floating_addresses, nat_rules
from tane.agent.network.plan import (
    HOSTS_LINK,
    HOSTS_VNI,
    METADATA_ADDRESS,
    METADATA_ADDRESS_6,
    METADATA_PORT,
    OUTER,
    ROUTER_METADATA_PORT,
    Leg,
    Link,
    MetadataListener,
    Namespace,
    NetworkSettings,
    Plan,
    bridge_name,
    dhcp_namespace,
    leg_name,
    router_namespace,
    vxlan_name,
)
from tane.agent.network.security import Family, plan_security, zones
from tane.agent.network.spoofing import link_local
from tane.linux.netlink import MAIN, BridgePort, Fdb, Neighbour, Policy, Route
from tane.wire import grammar
from tane.wire.documents import (
    ExternalNetwork,
    FloatingIp,
    HostsNetwork,
    Network,
    NetworkState,
    Port,
    RemotePort,
    Router,
    RouterGateway,
    RouterInterface,
    RouterTransit,
    SecurityGroup,
)

ROUTER_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.arp_ignore": "1",
    "net.ipv4.conf.all.arp_announce": "2",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.default.accept_redirects": "0",
    "net.ipv4.conf.all.accept_source_route": "0",
    "net.ipv4.conf.default.accept_source_route": "0",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv6.conf.default.accept_ra": "0",
}
_INSIDE_FIRST, _BY_FLOATING_IP = 100, 200
"""Policies: first the router's own networks and routes, then the way of the guest's floating IP, then all others'."""
DHCP_SYSCTLS = {
    "net.ipv4.ip_forward": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.default.accept_redirects": "0",
}


def plan(state: NetworkState, settings: NetworkSettings, family: Family) -> Plan:
    """Everything ``state`` asks of this host. What makes no sense is left out and told in ``failed``."""
    return _Planner(state, settings).plan(family)


class _Nonsense(ValueError):
    """Something in the document that no host could do."""


_Item = TypeVar("_Item")


class _Planner:
    def __init__(self, state: NetworkState, settings: NetworkSettings) -> None:
        self._state = state
        self._settings = settings
        self._plan = Plan()
        self._networks: dict[str, Network] = {}
        self._ports: dict[str, Port] = {}
        self._members: dict[str, list[Port]] = {}
        self._remotes: dict[str, list[RemotePort]] = {}
        self._sources: dict[str, tuple[dict[str, str], dict[str, str]]] = {}

    def plan(self, family: Family) -> Plan:
        state = self._state
        self._each(state.networks, self._network, lambda network: network.id)
        self._each(state.ports, self._port, lambda port: port.id)
        self._own_macs()
        self._each(state.remote_ports, self._remote_port, lambda remote: remote.network_id)
        if state.hosts is not None:
            self._each([state.hosts], self._hosts, lambda hosts: HOSTS_LINK)
        running = [router for router in state.routers if router.admin_state_up]
        self._each(running, self._router, lambda router: router.id)
        self._each(state.external, self._external, lambda external: external.network_id)
        self._each(self._networks.values(), self._dhcp, lambda network: network.id)
        self._security(family)
        own = self._settings.local_ip
        if own is not None and any(link.kind == "vxlan" for link in self._plan.links.values()):
            # Before, the port may be somebody else's.
            ends = {entry.remote for entry in self._plan.fdb if entry.remote is not None}
            self._plan.tunnel_rules = tunnel_rules(self._settings.cloud_id, self._settings.tunnel_port, own, ends)
        return self._plan

    def _each(self, items: Iterable[_Item], add: Callable[[_Item], None], owner: Callable[[_Item], str]) -> None:
        """Plan each item; one that makes no sense does not keep the others out."""
        for item in items:
            try:
                add(item)
            except ValueError as error:
                self._plan.failed[owner(item)] = str(error)

    def _tell(self, owner: str, reason: str) -> None:
        """A part of something is left out."""
        self._plan.failed.setdefault(owner, reason)

    # ------------------------------------------------------------------------------------------------ networks

    def _network(self, document: Network) -> None:
        network = intake.network(document, self._tell)
        mac = grammar.derived_mac(network.id)
        self._add(Link(network.id, bridge_name(network.id), "bridge", network.mtu, mac=mac))
        self._networks[network.id] = network
        if network.physical_network:
            self._trunk(network)
        elif network.tunnel:
            self._tunnel(network)

    def _trunk(self, network: Network) -> None:
        """The network's way to the machine's own bridge. What serves it on each host, with the same MAC, is isolated
        from it: outside nobody could tell one host's from another's."""
        bridge = self._settings.bridges.get(network.physical_network)
        if not bridge:
            raise _Nonsense(
                f"this host has no bridge in the physical network {network.physical_network}: name one in its "
                "bridge_mappings"
            )
        port = BridgePort(bridge_name(network.id), isolated=True)
        # Not the lowest MAC of the bridge's ports: it would become the machine's own (as with libvirt's taps).
        mac = f"fe{grammar.derived_mac(f'trunk of {network.id}')[2:]}"
        leg = Leg(OUTER, self._settings.trunk_leg(network.id), mac, (), master=bridge)
        if any(link.leg and link.leg.name == leg.name for link in self._plan.links.values()):
            raise _Nonsense(f"another network has the machine's interface {leg.name} already")
        self._add(Link(network.id, f"pt{network.id[:13]}", "veth", network.mtu, port=port, leg=leg))

    def _tunnel(self, network: Network) -> str:
        """The network's end on this host of the tunnels to others; its name."""
        if self._settings.local_ip is None:
            raise _Nonsense("it has ports on other hosts, and this host has no local_ip for the tunnel to them")
        name = vxlan_name(network.id)
        if name not in self._plan.links:
            quiet = BridgePort(
                bridge_name(network.id), learning=False, flood_unknown=False, flood_broadcast=False, neigh_suppress=True
            )
            self._add(Link(network.id, name, "vxlan", network.mtu, port=quiet, vni=network.segment_id))
        return name

    def _bridge(self, network_id: str) -> str:
        if network_id not in self._networks:
            raise _Nonsense(f"network {network_id} is not on this host")
        return bridge_name(network_id)

    def _add(self, link: Link) -> None:
        if link.name in self._plan.links:
            other = self._plan.links[link.name].owner
            raise _Nonsense(f"its interface {link.name} has the same name as that of {other}")
        self._plan.links[link.name] = link

    def _port(self, document: Port) -> None:
        port = intake.port(document)
        bridge = self._bridge(port.network_id)
        macs = {port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs)}
        # Only a guest that can have no other MAC than its own needs neither learning nor flooding.
        single = port.port_security_enabled and len(macs) == 1
        link = Link(
            port.id,
            port.device,
            "tap",
            self._networks[port.network_id].mtu,
            up=port.admin_state_up,
            port=BridgePort(bridge, learning=not single, flood_unknown=not single),
        )
        self._add(link)
        self._ports[port.id] = port
        if port.comes:
            return
        self._members.setdefault(port.network_id, []).append(port)

    def _own_macs(self) -> None:
        """Entries that no port which learns can take away, for MACs that one port alone may send as."""
        claims: Counter[tuple[str, str]] = Counter()
        here = [port for port in self._ports.values() if not port.comes]
        for port in here:
            macs = {port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs)}
            claims.update((port.network_id, mac) for mac in macs)
        for port in here:
            if claims[port.network_id, port.mac_address] == 1:
                self._plan.fdb[Fdb(port.device, port.mac_address)] = port.id

    def _remote_port(self, document: RemotePort) -> None:
        remote = intake.remote_port(document)
        bridge, network = self._bridge(remote.network_id), self._networks[remote.network_id]
        if network.physical_network:
            raise _Nonsense("no tunnel leads to a network that hosts reach by bridges of their own")
        name = self._tunnel(network)
        mac = remote.mac_address
        self._plan.fdb[Fdb(name, mac, remote.host_ip)] = network.id
        self._plan.fdb[Fdb(name, mac)] = network.id
        for ip in remote.ip_addresses:
            self._plan.neighbours[Neighbour(bridge, ip, mac)] = network.id
        self._remotes.setdefault(network.id, []).append(remote)

    def _hosts(self, document: HostsNetwork) -> None:
        """The hosts' own network: it has no bridge, and nobody but the host itself is in it."""
        if self._settings.local_ip is None:
            raise _Nonsense("this host has no local_ip for tunnels to others")
        family = grammar.address(self._settings.local_ip).version
        document = intake.hosts(document, family, lambda why: self._tell(HOSTS_LINK, why))
        address = f"{document.address}/{document.prefixlen}"
        own = grammar.derived_mac(f"host {document.address}")
        self._add(
            Link(HOSTS_LINK, HOSTS_LINK, "vxlan", self._settings.tunnel_mtu, mac=own, vni=HOSTS_VNI, address=address)
        )
        for peer in document.peers:
            mac = grammar.derived_mac(f"host {peer.address}")
            self._plan.fdb[Fdb(HOSTS_LINK, mac, peer.host_ip)] = HOSTS_LINK
            self._plan.neighbours[Neighbour(HOSTS_LINK, peer.address, mac)] = HOSTS_LINK

    def _leg(self, owner: str, port_id: str, network_id: str, leg: Leg, *, isolated: bool = False) -> None:
        """Connect another namespace to a network by a veth pair."""
        name, mtu = leg_name("tap", port_id), self._networks[network_id].mtu
        port = BridgePort(bridge_name(network_id), learning=False, flood_unknown=False, isolated=isolated)
        self._add(Link(owner, name, "veth", mtu, port=port, leg=leg))
        self._plan.fdb[Fdb(name, leg.mac)] = owner

    def _listen(self, space: Namespace, network_id: str, device: str, address: str, port: int) -> None:
        """Serve metadata on a leg, to the ports of its network on this host and nobody else."""
        if network_id not in self._sources:
            members = self._members.get(network_id, ())
            pairs = [(fixed.ip_address, member.id) for member in members for fixed in member.fixed_ips]
            if _has_six(self._networks[network_id]):
                pairs += [(link_local(member.mac_address), member.id) for member in members]
            times = Counter(ip for ip, _ in pairs)
            # An address of two ports would tell the one's secrets to the other.
            sources = {ip: port_id for ip, port_id in pairs if times[ip] == 1}
            projects = {member.id: member.project_id for member in members if member.project_id}
            self._sources[network_id] = sources, projects
        self._plan.listeners.append(
            MetadataListener(space.name, space.owner, device, address, port, *self._sources[network_id])
        )

    # ------------------------------------------------------------------------------------------------- routers

    def _router(self, document: Router) -> None:
        router = intake.router(document, self._tell)
        legs: list[RouterInterface | RouterGateway | RouterTransit] = [*router.interfaces]
        legs += [leg for leg in (router.gateway, router.transit) if leg is not None]
        for leg in legs:
            self._bridge(leg.network_id)
        floating = floating_addresses(router)
        for found in router.floating_ips:
            if found.floating_ip_address not in floating:
                self._plan.failed[found.id] = f"router {router.id} has no gateway to an external network"
        translates = router.gateway.enable_snat if router.gateway is not None else bool(floating)
        behind = [grammar.network(_with_prefix(interface)) for interface in router.interfaces]
        outside = [] if router.gateway is None else [grammar.interface(_with_prefix(router.gateway)).network]
        outside += [grammar.network(found.leg.cidr) for found in router.floating_ips if found.leg is not None]
        space = Namespace(
            router_namespace(router.id),
            router.id,
            sysctls=dict(ROUTER_SYSCTLS),
            rules=nat_rules(router, floating) + router_rules(behind, translates=translates, outside=outside),
            floating=floating,
            sources=frozenset([router.gateway.ip_address] if router.gateway is not None else []),
            routed=True,
        )
        for route in router.routes:
            space.routes[Route(route.destination, route.nexthop)] = router.id
        self._router_interfaces(router, space)
        if router.gateway is not None:
            self._router_gateway(router.gateway, router.floating_ips, space)
        if router.transit is not None:
            self._router_transit(router.transit, space)
        self._each(
            [found for found in router.floating_ips if found.leg is not None],
            lambda found: self._floating_leg(found, space),
            lambda found: found.id,
        )
        self._plan.namespaces[space.name] = space
        if (advertiser := plan_advertisements(router, self._networks)) is not None:
            self._plan.dhcp.append(advertiser)

    def _router_interfaces(self, router: Router, space: Namespace) -> None:
        by_port: dict[str, list[RouterInterface]] = {}
        for interface in router.interfaces:
            by_port.setdefault(interface.port_id, []).append(interface)
        for port_id, interfaces in by_port.items():
            name, first = leg_name("qr-", port_id), interfaces[0]
            addresses = tuple(_with_prefix(interface) for interface in interfaces)
            self._leg(router.id, port_id, first.network_id, Leg(space.name, name, first.mac_address, addresses))
            self._listen(space, first.network_id, name, "0.0.0.0", ROUTER_METADATA_PORT)
            for interface in interfaces:
                subnet = grammar.interface(_with_prefix(interface)).network
                for ip, mac in self._neighbours(interface.network_id):
                    if grammar.address(ip) in subnet:
                        space.neighbours[Neighbour(name, ip, mac)] = router.id

    def _neighbours(self, network_id: str) -> list[tuple[str, str]]:
        """(address, MAC) of every port of the network in the whole cloud: a router need not ask for them."""
        local = [
            (fixed.ip_address, port.mac_address)
            for port in self._members.get(network_id, ())
            for fixed in port.fixed_ips
        ]
        remote = [(ip, port.mac_address) for port in self._remotes.get(network_id, ()) for ip in port.ip_addresses]
        return local + remote

    def _router_gateway(self, gateway: RouterGateway, floating: Iterable[FloatingIp], space: Namespace) -> None:
        name = leg_name("qg-", gateway.port_id)
        here = (f"{found.floating_ip_address}/32" for found in floating if found.leg is None)
        addresses = (_with_prefix(gateway), *here)
        leg = Leg(space.name, name, gateway.mac_address, tuple(dict.fromkeys(addresses)), announce=True)
        self._leg(space.owner, gateway.port_id, gateway.network_id, leg)
        if gateway.next_hop is not None:
            space.routes[Route(_everything(gateway.next_hop), gateway.next_hop, name)] = space.owner

    def _router_transit(self, transit: RouterTransit, space: Namespace) -> None:
        """What this part of the router does not know goes to the part that has the gateway."""
        name = leg_name("rt-", space.owner)
        leg = Leg(space.name, name, transit.mac_address, (_with_prefix(transit),))
        self._leg(space.owner, space.owner, transit.network_id, leg)
        if transit.next_hop is not None:
            space.routes[Route(_everything(transit.next_hop), transit.next_hop, name)] = space.owner

    def _floating_leg(self, floating: FloatingIp, space: Namespace) -> None:
        """A floating IP's own way outside, which what its guest sends takes unless the router leads there itself."""
        leg = floating.leg
        assert leg is not None
        self._bridge(leg.network_id)
        name, table = leg_name("qg-", leg.port_id), _table_of(leg.port_id)
        if any(policy.table == table for policy in space.policies):
            raise _Nonsense("another floating IP of its router has the same routing table")
        own = Leg(space.name, name, leg.mac_address, (f"{floating.floating_ip_address}/32",), announce=True)
        self._leg(floating.id, leg.port_id, leg.network_id, own)
        space.routes[Route(leg.cidr, "", name, table)] = floating.id
        if leg.next_hop is not None:
            space.routes[Route(_everything(leg.next_hop), leg.next_hop, name, table)] = floating.id
        space.policies[Policy(_INSIDE_FIRST, MAIN, specific=True)] = space.owner
        space.policies[Policy(_BY_FLOATING_IP, table, f"{floating.fixed_ip_address}/32")] = floating.id

    def _external(self, document: ExternalNetwork) -> None:
        external = intake.external(document)
        bridge = self._bridge(external.network_id)
        address = f"{external.gateway_ip}/{grammar.network(external.cidr).prefixlen}"
        outside = self._settings.outside_namespace
        name, mac = f"ex{external.network_id[:13]}", grammar.outside_mac(external.network_id)
        leg = Leg(outside, self._settings.outside_leg(external.network_id), mac, (address,))
        if any(link.leg and link.leg.name == leg.name for link in self._plan.links.values()):
            raise _Nonsense(f"another external network has the host's interface {leg.name} already")
        mtu = self._networks[external.network_id].mtu
        self._add(Link(external.network_id, name, "veth", mtu, port=BridgePort(bridge), leg=leg))
        self._plan.fdb[Fdb(name, mac)] = external.network_id
        settings = self._settings
        self._plan.outside_rules = outside_rules(settings.cloud_id, settings.offered_ports, settings.tunnel_port)
        if outside:
            self._plan.namespaces.setdefault(outside, Namespace(outside, external.network_id))

    # ------------------------------------------------------------------------------------- DHCP and filtering

    def _dhcp(self, network: Network) -> None:
        port = network.dhcp_port
        if port is None:
            return
        prefixes = {subnet.id: grammar.network(subnet.cidr).prefixlen for subnet in network.subnets}
        addresses = [
            f"{fixed.ip_address}/{prefixes[fixed.subnet_id]}" for fixed in port.fixed_ips if fixed.subnet_id in prefixes
        ]
        space = Namespace(dhcp_namespace(network.id), network.id, sysctls=dict(DHCP_SYSCTLS), rules=dhcp_rules(network))
        six = _has_six(network)
        addresses += [f"{METADATA_ADDRESS}/32", *([f"{METADATA_ADDRESS_6}/64"] if six else [])]
        leg = Leg(space.name, leg_name("ns-", port.id), port.mac_address, tuple(addresses))
        members = self._members.get(network.id, ())
        server = plan_dhcp(network, port, members)
        # Nobody is asked whose an address is: another could answer, and be told what is a server's own; or leave it
        # unanswered, as of the link-local ones by which it is known who asks.
        for member in members:
            for fixed in member.fixed_ips:
                if fixed.subnet_id in prefixes:
                    space.neighbours[Neighbour(leg.name, fixed.ip_address, member.mac_address)] = network.id
            if six:
                space.neighbours[Neighbour(leg.name, link_local(member.mac_address), member.mac_address)] = network.id
        self._leg(network.id, port.id, network.id, leg, isolated=bool(network.physical_network))
        self._plan.namespaces[space.name] = space
        if server is not None:
            self._plan.dhcp.append(server)
        for address in (METADATA_ADDRESS, METADATA_ADDRESS_6)[: 1 + six]:
            self._listen(space, network.id, leg.name, address, METADATA_PORT)

    def _security(self, family: Family) -> None:
        groups: dict[str, SecurityGroup] = {}
        for document in self._state.security_groups:
            try:
                group = intake.group(document, self._tell)
            except ValueError as error:
                self._plan.failed[document.id] = str(error)
            else:
                groups[group.id] = group
        zone_of = zones((network.id, network.segment_id) for network in self._networks.values())
        servers = [
            leg_name("tap", network.dhcp_port.id)
            for network in self._networks.values()
            if network.dhcp_port is not None and dhcp_namespace(network.id) in self._plan.namespaces
        ]
        security = plan_security(self._ports.values(), groups, zone_of, family, servers)
        self._plan.rules, self._plan.filters = security.rules, security.filters
        for owner, reason in security.failed.items():
            self._tell(owner, reason)


def _has_six(network: Network) -> bool:
    return any(subnet.ip_version == 6 for subnet in network.subnets)


def _everything(next_hop: str) -> str:
    return "::/0" if ":" in next_hop else "0.0.0.0/0"


def _table_of(port_id: str) -> int:
    """The routing table of a floating IP's leg, beyond the kernel's own."""
    return 0x10000 + (zlib.crc32(port_id.encode()) & 0x7FFFFFFF)


def _with_prefix(leg: RouterInterface | RouterGateway | RouterTransit) -> str:
    return str(grammar.interface(f"{leg.ip_address}/{leg.prefixlen}"))
