"""Security groups and anti-spoofing as nftables text. Pure: documents in, text out.

The bridge table checks what a port may send as, and marks a frame with the port it came from (upper half) and the port
it goes to (lower half). The filter table tracks connections, in a zone of its own per network so that tenants may use
the same addresses, and lets the marked ports' groups decide. Where the kernel tracks connections in the bridge family
the filter table is of that family; else it is of the inet family, which sees bridged frames through br_netfilter.

Packets of a connection's original direction are judged by the groups every time, also when the connection is
established; only replies pass by its state. So a rule that is gone stops its connections at once.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from tane.agent.documents import PROTOCOLS, Port, SecurityGroup, SecurityGroupRule
from tane.agent.network.plan import PortFilter, bridge_name

Family = Literal["bridge", "inet"]
TABLE = "tane"

_WITH_PORTS = {6, 17, 33, 132, 136}
_ICMP = {"IPv4": 1, "IPv6": 58}

# What a guest cannot live without, whatever its groups say: DHCP, and IPv6 neighbour and router discovery.
_BASE = {
    "egress": (
        "udp sport 68 udp dport 67 accept",
        "udp sport 546 udp dport 547 accept",
        "icmpv6 type { 131, 132, 133, 135, 136, 143 } accept",
    ),
    "ingress": (
        "udp sport 67 udp dport 68 accept",
        "udp sport 547 udp dport 546 accept",
        "icmpv6 type { 130, 134, 135, 136 } accept",
    ),
}


@dataclass(frozen=True, slots=True)
class SecurityPlan:
    """The text of both tables, what decides over each port, and the groups that make no sense."""

    rules: str
    filters: dict[str, PortFilter]
    failed: dict[str, str]


def zones(network_ids: Iterable[tuple[str, int]]) -> dict[str, int]:
    """(network id, segment id) → a connection tracking zone (1-65535) that no other network of the host has."""
    taken: dict[int, str] = {}
    for network_id, segment_id in sorted(network_ids, key=lambda pair: (pair[1], pair[0])):
        zone = segment_id % 65535 or 65535
        while zone in taken:
            zone = zone % 65535 + 1
        taken[zone] = network_id
    return {network_id: zone for zone, network_id in taken.items()}


def link_local(mac: str) -> str:
    """The IPv6 link-local address a guest makes of its MAC address (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:])))


def plan_security(
    ports: Iterable[Port], groups: Mapping[str, SecurityGroup], zone_of: Mapping[str, int], family: Family
) -> SecurityPlan:
    """The rules of all ``ports`` of the host; ``zone_of`` has every network of the host."""
    secured = sorted((port for port in ports if port.port_security_enabled), key=lambda port: port.id)
    marks = {port.id: number for number, port in enumerate(secured, start=1)}
    if len(marks) > 0xFFFF:
        raise ValueError("one host cannot filter more than 65535 ports")
    chains, failed = _group_chains(secured, groups)
    sets = _member_sets(chains, groups)
    digests = _group_digests(secured, groups)
    filters = {port.id: _port_filter(port, digests, zone_of[port.network_id]) for port in secured}
    text = "\n".join(
        [
            f"table bridge {TABLE}",
            f"delete table bridge {TABLE}",
            f"table bridge {TABLE} {{",
            *_spoof_rules(secured),
            *_marking_rules(secured, marks),
            *(() if family == "bridge" else ("}", f"table inet {TABLE}", f"delete table inet {TABLE}")),
            *(() if family == "bridge" else (f"table inet {TABLE} {{",)),
            *_filter_rules(secured, marks, zone_of, family),
            *sets,
            *(line for lines in chains.values() for line in lines),
            "}",
            "",
        ]
    )
    return SecurityPlan(text, filters, failed)


# --------------------------------------------------------------------------------------------------- anti-spoofing


def _bindings(port: Port) -> list[tuple[str, str]]:
    """(MAC, address or prefix) pairs the port may send as."""
    pairs = [(port.mac_address, fixed.ip_address) for fixed in port.fixed_ips]
    pairs += [(pair.mac_address, pair.ip_address) for pair in port.allowed_address_pairs]
    pairs += [(mac, link_local(mac)) for mac in sorted({port.mac_address, *(mac for mac, _ in pairs)})]
    return list(
        dict.fromkeys((mac.lower(), str(ipaddress.ip_network(address, strict=False))) for mac, address in pairs)
    )


def _set(name: str, kind: str, elements: Iterable[str], flags: str = "") -> list[str]:
    listed = ", ".join(elements)
    return [f"set {name} {{ type {kind};{flags}" + (f" elements = {{ {listed} }}" if listed else "") + " }"]


def _spoof_rules(secured: list[Port]) -> list[str]:
    bindings = [(port.device, mac, address) for port in secured for mac, address in _bindings(port)]
    macs = dict.fromkeys((device, mac) for device, mac, _ in bindings)
    v4 = [f'"{device}" . {mac} . {address}' for device, mac, address in bindings if ":" not in address]
    v6 = [f'"{device}" . {mac} . {address}' for device, mac, address in bindings if ":" in address]
    return [
        *_set("secured", "ifname", (f'"{port.device}"' for port in secured)),
        *_set("macs", "ifname . ether_addr", (f'"{device}" . {mac}' for device, mac in macs)),
        *_set("ipv4", "ifname . ether_addr . ipv4_addr", v4, " flags interval;"),
        *_set("ipv6", "ifname . ether_addr . ipv6_addr", v6, " flags interval;"),
        "counter spoofed { }",
        "chain refuse { counter name spoofed drop; }",
        "chain spoof {",
        "iifname . ether saddr != @macs goto refuse",
        "ether type arp goto spoof_arp",
        "ether type ip goto spoof_ipv4",
        "ether type ip6 goto spoof_ipv6",
        "goto refuse",
        "}",
        "chain spoof_arp {",
        "iifname . arp saddr ether . arp saddr ip @ipv4 return",
        "arp saddr ip 0.0.0.0 iifname . arp saddr ether @macs return",
        "goto refuse",
        "}",
        "chain spoof_ipv4 {",
        "udp sport 67 udp dport 68 goto refuse",
        "iifname . ether saddr . ip saddr @ipv4 return",
        "ip saddr 0.0.0.0 udp sport 68 udp dport 67 return",
        "goto refuse",
        "}",
        "chain spoof_ipv6 {",
        "icmpv6 type nd-router-advert goto refuse",
        "udp sport 547 udp dport 546 goto refuse",
        "iifname . ether saddr . ip6 saddr @ipv6 return",
        "ip6 saddr :: icmpv6 type { 131, 132, 135, 143 } return",
        "goto refuse",
        "}",
    ]


def _marking_rules(secured: list[Port], marks: Mapping[str, int]) -> list[str]:
    arriving = ", ".join(f'"{port.device}" : goto in_{marks[port.id]}' for port in secured)
    leaving = ", ".join(f'"{port.device}" : goto out_{marks[port.id]}' for port in secured)
    lines = []
    for number in marks.values():
        lines.append(f"chain in_{number} {{ meta mark set {number << 16:#x}; }}")
        lines.append(f"chain out_{number} {{ meta mark set meta mark | {number:#x}; }}")
    lines += [
        "chain prerouting { type filter hook prerouting priority -300; policy accept;",
        "meta mark set 0",
        "iifname @secured jump spoof",
        *([f"iifname vmap {{ {arriving} }}"] if arriving else []),
        "}",
        "chain forward_mark { type filter hook forward priority -200; policy accept;",
        "meta mark set meta mark & 0xffff0000",
        *([f"oifname vmap {{ {leaving} }}"] if leaving else []),
        "}",
    ]
    return lines


# --------------------------------------------------------------------------------------------------------- groups


def _filter_rules(
    secured: list[Port], marks: Mapping[str, int], zone_of: Mapping[str, int], family: Family
) -> list[str]:
    bridge = "meta ibrname" if family == "bridge" else "iifname"
    listed = ", ".join(f'"{bridge_name(network_id)}" : {zone}' for network_id, zone in sorted(zone_of.items()))
    lines = [
        "chain zones { type filter hook prerouting priority -300; policy accept;",
        *([f"ct zone set {bridge} map {{ {listed} }}"] if listed else []),
        "}",
    ]
    sides = (("egress", 0, 0xFFFF0000, 16, "from"), ("ingress", 1, 0x0000FFFF, 0, "to"))
    for direction, priority, mask, shift, prefix in sides:
        verdicts = ", ".join(f"{marks[port.id] << shift:#x} : goto {prefix}_{marks[port.id]}" for port in secured)
        lines += [
            f"chain {direction} {{ type filter hook forward priority {priority}; policy accept;",
            # A frame between ports that are not filtered here, such as a distributed router's, may be half of a
            # connection whose other half this host never sees: not its business.
            f"meta mark & {mask:#010x} == 0 accept",
            "ct state established ct direction reply accept",
            "ct state related accept",
            "ct state invalid drop",
            *_BASE[direction],
            *([f"meta mark & {mask:#010x} vmap {{ {verdicts} }}"] if verdicts else []),
            "}",
        ]
        for port in secured:
            jumps = [f"jump {_chain(group_id, direction)}" for group_id in port.security_group_ids]
            lines += [f"chain {prefix}_{marks[port.id]} {{", *jumps, "counter drop", "}"]
    return lines


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _chain(group_id: str, direction: str) -> str:
    return f"{direction}_{_short(group_id)}"


def _member_set(group_id: str, ethertype: str) -> str:
    return f"{ethertype.lower()}_{_short(group_id)}"


def _group_chains(
    secured: list[Port], groups: Mapping[str, SecurityGroup]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Chain name → its lines, for every group of a port; and the groups with a rule that cannot be."""
    chains: dict[str, list[str]] = {}
    failed: dict[str, str] = {}
    for group_id in sorted({group_id for port in secured for group_id in port.security_group_ids}):
        group = groups.get(group_id)
        lines: dict[str, list[str]] = {"egress": [], "ingress": []}
        if group is None:
            failed[group_id] = "the security group of a port is not in the document, so it allows nothing"
        for rule in group.rules if group else ():
            try:
                lines[rule.direction].append(rule_text(rule, groups))
            except ValueError as error:
                failed[group_id] = str(error)
        for direction, allowed in lines.items():
            name = _chain(group_id, direction)
            chains[name] = [f"chain {name} {{", *dict.fromkeys(allowed), "}"]
    return chains, failed


def rule_text(rule: SecurityGroupRule, groups: Mapping[str, SecurityGroup]) -> str:
    """One allow rule as nftables text. Raises ValueError when it names something that does not exist."""
    parts = ["meta protocol " + ("ip" if rule.ethertype == "IPv4" else "ip6")]
    side = "saddr" if rule.direction == "ingress" else "daddr"
    network = "ip" if rule.ethertype == "IPv4" else "ip6"
    if rule.remote_ip_prefix is not None:
        prefix = ipaddress.ip_network(rule.remote_ip_prefix, strict=False)
        if f"IPv{prefix.version}" != rule.ethertype:
            raise ValueError(f"the rule's prefix {rule.remote_ip_prefix} is not {rule.ethertype}")
        if prefix.prefixlen:
            parts.append(f"{network} {side} {prefix}")
    elif rule.remote_group_id is not None:
        if rule.remote_group_id not in groups:
            raise ValueError(f"the rule's remote group {rule.remote_group_id} is not in the document")
        parts.append(f"{network} {side} @{_member_set(rule.remote_group_id, rule.ethertype)}")
    return " ".join([*parts, *_protocol_match(rule), "accept"])


def _protocol_match(rule: SecurityGroupRule) -> list[str]:
    number = _protocol_number(rule)
    if number is None:
        return []
    parts = [f"meta l4proto {number}"]
    low, high = rule.port_range_min, rule.port_range_max
    if number == _ICMP[rule.ethertype]:
        name = "icmp" if number == 1 else "icmpv6"
        parts += [f"{name} type {low}"] if low is not None else []
        parts += [f"{name} code {high}"] if low is not None and high is not None else []
    elif number in _WITH_PORTS and (low is not None or high is not None):
        first, last = low if low is not None else 0, high if high is not None else 65535
        if first > last:
            raise ValueError(f"the rule's port range {first}-{last} is empty")
        if (first, last) != (0, 65535):
            parts.append(f"th dport {first}" if first == last else f"th dport {first}-{last}")
    return parts


def _protocol_number(rule: SecurityGroupRule) -> int | None:
    name = (rule.protocol or "any").lower()
    if name == "any":
        return None
    if name.isdecimal() and int(name) <= 255:
        number = int(name)
    elif name in PROTOCOLS:
        number = PROTOCOLS[name]
    else:
        raise ValueError(f"the rule's protocol {rule.protocol} is unknown")
    if number == 0:
        return None
    # "icmp" in an IPv6 rule means ICMPv6 (Networking API, security group rules).
    return 58 if rule.ethertype == "IPv6" and number == 1 else number


def _members(group: SecurityGroup, ethertype: str) -> list[str]:
    networks = {ipaddress.ip_network(member, strict=False) for member in group.members}
    return sorted(str(network) for network in networks if f"IPv{network.version}" == ethertype)


def _member_sets(chains: Mapping[str, list[str]], groups: Mapping[str, SecurityGroup]) -> list[str]:
    """The sets of remote groups' addresses that some chain refers to."""
    used = {word[1:] for lines in chains.values() for line in lines for word in line.split() if word[0] == "@"}
    lines = []
    for group in sorted(groups.values(), key=lambda group: group.id):
        for ethertype, kind in (("IPv4", "ipv4_addr"), ("IPv6", "ipv6_addr")):
            name = _member_set(group.id, ethertype)
            if name in used:
                lines += _set(name, kind, _members(group, ethertype), " flags interval; auto-merge;")
    return lines


def _group_digests(ports: Iterable[Port], groups: Mapping[str, SecurityGroup]) -> dict[str, str]:
    """What each group in use lets through, in short. Once a group: its members may be every port of a project."""
    members = {group.id: sorted(group.members) for group in groups.values()}
    digests = {}
    for group_id in {group_id for port in ports for group_id in port.security_group_ids if group_id in groups}:
        rules = groups[group_id].rules
        remote = sorted({rule.remote_group_id for rule in rules if rule.remote_group_id in members})
        digests[group_id] = _short(repr((rules, [(other, members[other]) for other in remote])))
    return digests


def _port_filter(port: Port, digests: Mapping[str, str], zone: int) -> PortFilter:
    own = [digests[group_id] for group_id in port.security_group_ids if group_id in digests]
    addresses = frozenset(fixed.ip_address for fixed in port.fixed_ips)
    return PortFilter(zone, addresses, _short(repr((own, _bindings(port)))))
