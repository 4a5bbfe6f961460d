"""What a port may send, as nftables text: its own addresses, and no frame that a neighbour, a router or a DHCP server
would send. Pure: documents in, text out.

A filtered port sends IPv4, IPv6 and ARP only, untagged, with a MAC and an IP address of its own (its fixed addresses
and its allowed address pairs). Of IPv6 neighbour discovery it advertises only its own addresses, asks from ``::``
only for them (duplicate address detection), and sends no router advertisement, redirect or listener query; discovery
behind extension headers or in fragments is refused, as receivers must (RFC 6980), and so is a first fragment that
hides what it is a fragment of (RFC 7112). Reports of multicast listeners are ordinary traffic that the groups decide
over: our bridges do not snoop, so nobody else needs them.

Every port, filtered or not, sends untagged frames, asks for metadata from its own fixed address only, and every frame
to a DHCP server is a request for the port's own MAC, by DHCPv6 from the link-local address of that and none that gives
an address back, and not one of too many: others could be declined or released in their owner's name.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping

from tane.agent.network.plan import METADATA_ADDRESS, METADATA_ADDRESS_6
from tane.wire import grammar
from tane.wire.documents import Port

SERVER = 0xFFFF
"""The mark of a network's DHCP server, where ports have their numbers."""

# Raw matches: this nftables knows no field for them. ICMPv6 neighbour messages have their target 8 octets behind the
# start of the ICMPv6 header (RFC 4861, sections 4.3 and 4.4); BOOTP (RFC 951) has, behind the 8 octets of UDP: op,
# htype, hlen; giaddr at octet 24; chaddr at octet 28.
_TARGET = "@th,64,128"
_REQUEST = "@th,64,24 0x010106 @th,256,32 0"
_CLIENT = "@th,288,48"
_OTHERS = "@th,64,8 { 8, 9, 12, 13 }"
"""DHCPv6 messages (RFC 8415, section 7.3) of relays, which may name any client, and those that give an address back:
whose it is follows from a DUID there, which is no secret, and our addresses need not be given back."""

_EAGER = "add @eager { iifname limit rate over 20/second burst 100 packets } goto refuse"

_ROLES = "130, 134, 137, 138, 141, 142, 151, 153"
"""ICMPv6 types of those who have a role: listener query, router advertisement, redirect, router renumbering, inverse
discovery, multicast router discovery."""


@functools.lru_cache(maxsize=8192)
def link_local(mac: str) -> str:
    """The IPv6 link-local address a guest makes of its MAC address (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:])))


def bindings(port: Port) -> tuple[tuple[str, grammar.Network], ...]:
    """(MAC, network) pairs the port may send as. Those of one MAC do not overlap: the kernel refuses a whole
    transaction for a set whose intervals do."""
    pairs = [(port.mac_address, fixed.ip_address) for fixed in port.fixed_ips]
    pairs += [(pair.mac_address, pair.ip_address) for pair in port.allowed_address_pairs]
    return _bindings(port.mac_address, tuple(pairs))


# The same from pass to pass for almost every port, and dear for what it is.
@functools.lru_cache(maxsize=8192)
def _bindings(own: str, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, grammar.Network], ...]:
    by_mac: dict[str, list[grammar.Network]] = {own.lower(): []}
    for mac, address in pairs:
        by_mac.setdefault(mac.lower(), []).append(grammar.network(address))
    for mac, networks in by_mac.items():
        networks.append(grammar.network(link_local(mac)))
    return tuple((mac, network) for mac, networks in by_mac.items() for network in _apart(networks))


def _apart(networks: Iterable[grammar.Network]) -> list[grammar.Network]:
    found = list(networks)
    if len(found) <= 2 and len({network.version for network in found}) == len(found):
        return found
    v4 = [network for network in found if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in found if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6)]


def _set(name: str, kind: str, elements: Iterable[str], flags: str = "") -> str:
    listed = ", ".join(elements)
    return f"set {name} {{ {kind};{flags}" + (f" elements = {{ {listed} }}" if listed else "") + " }"


def _raw(network: grammar.Network) -> str:
    first, last = int(network.network_address), int(network.broadcast_address)
    return f"{first:#x}" if first == last else f"{first:#x}-{last:#x}"


def _sets(ports: Iterable[Port], secured: Iterable[Port]) -> list[str]:
    macs: list[str] = []
    v4: list[str] = []
    v6: list[str] = []
    targets: list[str] = []
    for port in secured:
        own = bindings(port)
        device = f'"{port.device}"'
        macs += [f"{device} . {mac}" for mac in dict.fromkeys(mac for mac, _ in own)]
        v4 += [f"{device} . {mac} . {network}" for mac, network in own if network.version == 4]
        v6 += [f"{device} . {mac} . {network}" for mac, network in own if network.version == 6]
        targets += [
            f"{device} . {_raw(network)}"
            for network in _apart(dict.fromkeys(network for _, network in own if network.version == 6))
        ]
    owned = [
        f'"{port.device}" . {port.mac_address} . {address}'
        for port in ports
        for address in dict.fromkeys(fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address)
    ]
    return [
        _set("secured", "type ifname", (f'"{port.device}"' for port in secured)),
        _set("macs", "type ifname . ether_addr", macs),
        _set("ipv4", "type ifname . ether_addr . ipv4_addr", v4, " flags interval;"),
        _set("ipv6", "type ifname . ether_addr . ipv6_addr", v6, " flags interval;"),
        _set("targets", f"typeof iifname . {_TARGET}", targets, " flags interval;"),
        _set("owned", "type ifname . ether_addr . ipv4_addr", owned),
        _set(
            "owned6",
            "type ifname . ether_addr . ipv6_addr",
            (f'"{port.device}" . {port.mac_address} . {link_local(port.mac_address)}' for port in ports),
        ),
        _set(
            "clients",
            f"typeof iifname . {_CLIENT}",
            (f"{name} . 0x{mac.replace(':', '')}" for name, mac in _macs(ports)),
        ),
        _set(
            "clients6",
            "type ifname . ether_addr . ipv6_addr",
            (f"{name} . {mac} . {link_local(mac)}" for name, mac in _macs(ports)),
        ),
        "set eager { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }",
    ]


def _macs(ports: Iterable[Port]) -> Iterable[tuple[str, str]]:
    for port in ports:
        macs = (port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs))
        for mac in dict.fromkeys(mac.lower() for mac in macs):
            yield f'"{port.device}"', mac


def spoof_rules(ports: list[Port], secured: list[Port]) -> list[str]:
    """Sets and chains of the bridge table; ``ports`` are all of the host, ``secured`` those that are filtered."""
    return [
        *_sets(ports, secured),
        "counter spoofed { }",
        "chain refuse { counter name spoofed drop; }",
        "chain spoof {",
        "ether type vmap { ip : goto spoof_ipv4, ip6 : goto spoof_ipv6, arp : goto spoof_arp }",
        "goto refuse",
        "}",
        *_ARP,
        *_IPV4,
        *_IPV6,
    ]


_ARP = (
    "chain spoof_arp {",
    "iifname . ether saddr != @macs goto refuse",
    "arp htype != 1 goto refuse",
    "arp ptype != ip goto refuse",
    "arp hlen != 6 goto refuse",
    "arp plen != 4 goto refuse",
    "arp operation != { request, reply } goto refuse",
    "iifname . arp saddr ether . arp saddr ip @ipv4 return",
    # A probe (RFC 5227): for the port's own addresses, else it could keep neighbours from using theirs.
    "arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether . arp daddr ip @ipv4 return",
    "goto refuse",
    "}",
)

_IPV4 = (
    "chain metadata {",
    "iifname . ether saddr . ip saddr @owned return",
    "goto refuse",
    "}",
    "chain metadata6 {",
    # Its neighbours are looked for as everybody's are.
    "icmpv6 type { 135, 136 } return",
    "iifname . ether saddr . ip6 saddr @owned6 return",
    "goto refuse",
    "}",
    "chain spoof_ipv4 {",
    "udp sport 67 udp dport 68 goto refuse",
    "iifname . ether saddr . ip saddr @ipv4 return",
    "ip saddr 0.0.0.0 udp sport 68 udp dport 67 iifname . ether saddr @macs return",
    "goto refuse",
    "}",
)

_IPV6 = (
    "chain spoof_ipv6 {",
    "ip6 nexthdr != { tcp, udp, icmpv6 } jump spoof_hidden",
    f"icmpv6 type vmap {{ 135 : goto spoof_solicit, 136 : goto spoof_advert,"
    f" {', '.join(f'{kind} : goto refuse' for kind in _ROLES.split(', '))} }}",
    "udp sport 547 udp dport 546 goto refuse",
    "iifname . ether saddr . ip6 saddr @ipv6 return",
    "goto refuse",
    "}",
    # What is behind extension headers: the kernel finds it, unless a fragment's header comes before.
    "chain spoof_hidden {",
    f"icmpv6 type {{ 133, 135, 136, {_ROLES} }} goto refuse",
    # A first fragment holds the header of its protocol, else what is reassembled from it was never looked at.
    "frag frag-off 0 @th,0,32 & 0 == 0 return",
    "frag frag-off 0 goto refuse",
    "}",
    "chain spoof_solicit {",
    "iifname . ether saddr . ip6 saddr @ipv6 return",
    f"ip6 saddr :: iifname . ether saddr @macs iifname . {_TARGET} @targets return",
    "goto refuse",
    "}",
    "chain spoof_advert {",
    f"iifname . ether saddr . ip6 saddr @ipv6 iifname . {_TARGET} @targets return",
    "goto refuse",
    "}",
)


def marking_rules(ports: list[Port], marks: Mapping[str, int], servers: Iterable[str]) -> list[str]:
    """The chains that call those, and mark each frame with the port it comes from (upper half) and goes to (lower).

    ``servers``: the devices behind which the networks' DHCP servers are.
    """
    legs = sorted(servers)
    arriving = [f'"{port.device}" : goto in_{marks[port.id]}' for port in ports]
    leaving = [f'"{port.device}" : goto out_{marks[port.id]}' for port in ports]
    arriving += [f'"{leg}" : goto from_server' for leg in legs]
    leaving += [f'"{leg}" : goto to_server' for leg in legs]
    lines = []
    for number in marks.values():
        lines.append(f"chain in_{number} {{ meta mark set {number << 16:#x}; }}")
        lines.append(f"chain out_{number} {{ meta mark set meta mark | {number:#x}; }}")
    return [
        *lines,
        f"chain from_server {{ meta mark set {SERVER << 16:#x}; }}",
        "chain to_server {",
        f"meta mark set meta mark | {SERVER:#x}",
        "udp dport 67 goto dhcp",
        "udp dport 547 goto dhcp6",
        "}",
        "chain dhcp6 {",
        _EAGER,
        f"{_OTHERS} goto refuse",
        "udp sport 546 iifname . ether saddr . ip6 saddr @clients6 return",
        "goto refuse",
        "}",
        "chain dhcp {",
        _EAGER,
        f"udp sport 68 {_REQUEST} iifname . {_CLIENT} @clients return",
        "goto refuse",
        "}",
        "chain prerouting { type filter hook prerouting priority -300; policy accept;",
        "meta mark set 0",
        # The networks carry no tags. Receivers take off those of VLAN 0, of both kinds and one behind the other, and
        # would see what is told apart by its type here.
        "ether type { 8021q, 8021ad } goto refuse",
        f"ip daddr {METADATA_ADDRESS} jump metadata",
        f"ip6 daddr {METADATA_ADDRESS_6} jump metadata6",
        "iifname @secured jump spoof",
        *([f"iifname vmap {{ {', '.join(arriving)} }}"] if arriving else []),
        "}",
        "chain forward_mark { type filter hook forward priority -200; policy accept;",
        "meta mark set meta mark & 0xffff0000",
        *([f"oifname vmap {{ {', '.join(leaving)} }}"] if leaving else []),
        "}",
        # The bridges have no addresses: nothing on them is for the host itself.
        "chain host { type filter hook input priority 0; policy drop; }",
    ]
