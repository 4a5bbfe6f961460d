"""What guests are told of their network by DHCP, DHCPv6, DNS and router advertisements: dnsmasq's files, made from
documents. Pure: documents in, text out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tane.agent.network.plan import METADATA_ADDRESS, DhcpServer, dhcp_namespace, leg_name, router_namespace
from tane.wire import grammar
from tane.wire.documents import DhcpPort, Network, Port, Router, Subnet

LEASE_SECONDS = 86400
ADVERTISED_EVERY = 60
"""Seconds between unasked router advertisements; a router that is gone is the guests' for three times as long."""

# What dnsmasq takes for a name where it could also be an address, a time or a key word (dnsmasq(8), --dhcp-host).
_NAME = re.compile(r"(?!(?:ignore|infinite|[0-9]+[smhdwSMHDW]?)\Z)[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")


def plan_dhcp(network: Network, dhcp_port: DhcpPort, ports: Iterable[Port]) -> DhcpServer | None:
    """What dnsmasq of ``network`` has to know; None when no subnet wants DHCP. Raises ValueError."""
    served_by = {fixed.subnet_id: fixed.ip_address for fixed in dhcp_port.fixed_ips}
    subnets = [subnet for subnet in network.subnets if subnet.id in served_by and _is_served(subnet)]
    if not subnets:
        return None
    domain = network.dns_domain.rstrip(".")
    config = [
        "bind-interfaces",
        f"interface={leg_name('ns-', dhcp_port.id)}",
        "except-interface=lo",
        "no-resolv",
        "no-hosts",
        "dhcp-authoritative",
        "dhcp-ignore=tag:!known",
        # Who asks is told by the MAC, which a guest cannot choose.
        "dhcp-ignore-clid",
        "no-ping",
        "quiet-dhcp",
        f"dhcp-option-force=option:mtu,{network.mtu}",
    ]
    if domain:
        config += [f"domain={domain}", f"local=/{domain}/", "expand-hosts"]
    version6 = any(subnet.ip_version == 6 for subnet in subnets)
    if version6:
        config.append("quiet-dhcp6")
    options: list[str] = []
    for number, subnet in enumerate(sorted(subnets, key=lambda subnet: subnet.id)):
        tag = f"subnet{number}"
        config.append(_range(tag, subnet))
        if subnet.ip_version == 6:
            options += _options6(f"tag:{tag}", subnet, domain)
        else:
            options += _options(f"tag:{tag}", subnet, served_by[subnet.id], network.subnets)
    ordered = sorted(ports, key=lambda port: port.id)
    hosts, addresses = _hosts(ordered, {subnet.id: subnet for subnet in subnets})
    return DhcpServer(
        owner=network.id,
        namespace=dhcp_namespace(network.id),
        config=tuple(config),
        hosts=tuple(hosts),
        options=tuple(options),
        names=tuple(_names(ordered, domain)),
        addresses=addresses,
        version6=version6,
    )


def _is_served(subnet: Subnet) -> bool:
    """Of IPv6 a network's server has what is to be asked for; addresses that guests make themselves need none."""
    if not subnet.enable_dhcp:
        return False
    return subnet.ip_version == 4 or subnet.ipv6_address_mode.startswith("dhcpv6")


def _range(tag: str, subnet: Subnet, mode: str = "static") -> str:
    cidr = grammar.network(subnet.cidr)
    size = cidr.netmask if cidr.version == 4 else cidr.prefixlen
    return f"dhcp-range=set:{tag},{cidr.network_address},{mode},{size},{LEASE_SECONDS}s"


def _name_of(port: Port, address: str) -> str:
    if _NAME.match(port.hostname):
        return port.hostname
    return "host-" + address.replace(".", "-").replace(":", "-")


def _hosts(ports: Iterable[Port], subnets: Mapping[str, Subnet]) -> tuple[list[str], dict[str, str]]:
    """dnsmasq's lines of those it serves, and (address → MAC). Lines without an address are for information alone, and
    come last: for who is on several, the first that fits is taken."""
    hosts, informed, addresses = [], [], {}
    for port in ports:
        for fixed in port.fixed_ips:
            subnet, ip = subnets.get(fixed.subnet_id), fixed.ip_address
            if subnet is None:
                continue
            who = f"{port.mac_address},{_name_of(port, ip)}"
            if subnet.ip_version == 6 and subnet.ipv6_address_mode == "dhcpv6-stateless":
                informed.append(who)
                continue
            hosts.append(f"{who},[{ip}]" if subnet.ip_version == 6 else f"{who},{ip}")
            addresses[ip] = port.mac_address.lower()
    return [*hosts, *dict.fromkeys(informed)], addresses


def _names(ports: Iterable[Port], domain: str) -> Iterable[str]:
    for port in ports:
        for fixed in port.fixed_ips:
            name = _name_of(port, fixed.ip_address)
            yield f"{fixed.ip_address} {name}.{domain} {name}" if domain else f"{fixed.ip_address} {name}"


def _options(tag: str, subnet: Subnet, server: str, neighbours: Iterable[Subnet]) -> list[str]:
    routes = [(METADATA_ADDRESS + "/32", server)]
    routes += [(route.destination, route.nexthop) for route in subnet.host_routes]
    routes += [
        (other.cidr, "0.0.0.0") for other in neighbours if other.ip_version == subnet.ip_version and other is not subnet
    ]
    if subnet.gateway_ip:
        # A client that is given classless routes ignores the router option (RFC 3442).
        routes.append(("0.0.0.0/0", subnet.gateway_ip))
    classless = ",".join(f"{destination},{gateway}" for destination, gateway in routes)
    # An empty router option keeps dnsmasq from naming itself.
    lines = [f"{tag},option:router" + (f",{subnet.gateway_ip}" if subnet.gateway_ip else "")]
    lines += [f"{tag},option:classless-static-route,{classless}", f"{tag},249,{classless}"]
    # The option has room for IPv4 addresses only.
    servers = [server for server in subnet.dns_nameservers if ":" not in server]
    if servers:
        lines.append(f"{tag},option:dns-server,{','.join(servers)}")
    return lines


def _options6(tag: str, subnet: Subnet, domain: str) -> list[str]:
    """Routes come by advertisements, never by DHCPv6 (RFC 8415)."""
    lines = [f"{tag},option6:domain-search,{domain}"] if domain else []
    return [*lines, *_name_servers6(tag, subnet)]


def _name_servers6(tag: str, subnet: Subnet) -> list[str]:
    servers = [f"[{server}]" for server in subnet.dns_nameservers if ":" in server]
    return [f"{tag},option6:dns-server,{','.join(servers)}"] if servers else []


# ------------------------------------------------------------------------------------------- router advertisements

_ADVERTISED = {"slaac": "ra-only", "dhcpv6-stateless": "ra-stateless", "dhcpv6-stateful": "static"}
"""An IPv6 mode → the kind of range for which dnsmasq sets the flags A, M and O so (RFC 4861, section 4.2)."""


def plan_advertisements(router: Router, networks: Mapping[str, Network]) -> DhcpServer | None:
    """What dnsmasq of ``router`` has to know to advertise it in the subnets that want that; None when none does.

    It would answer DHCPv6, too, as far as the range has addresses; that is the network's own server's, and the guard of
    the router's namespace lets nobody ask for it there. A name server's address it tells from the subnet alone.
    """
    config, options = [], []
    wanted = [
        (leg_name("qr-", interface.port_id), subnet)
        for interface in router.interfaces
        for subnet in networks[interface.network_id].subnets
        if subnet.ipv6_ra_mode and grammar.address(interface.ip_address) in grammar.network(subnet.cidr)
    ]
    for number, (device, subnet) in enumerate(wanted):
        config += [f"interface={device}", f"ra-param={device},{ADVERTISED_EVERY}"]
        config.append(_range(f"subnet{number}", subnet, _ADVERTISED[subnet.ipv6_ra_mode]))
        options += _name_servers6(f"tag:{device}", subnet)
    if not config:
        return None
    fixed = ["port=0", "bind-interfaces", "except-interface=lo", "enable-ra", "quiet-ra", "quiet-dhcp6"]
    return DhcpServer(
        owner=router.id,
        namespace=router_namespace(router.id),
        config=tuple(dict.fromkeys([*fixed, *config])),
        hosts=(),
        options=tuple(options),
        names=(),
        addresses={},
        version6=True,
    )
