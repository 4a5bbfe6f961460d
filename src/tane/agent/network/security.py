"""Security groups as nftables text. Pure: documents in, text out.

The bridge table checks what a port may send (:mod:`tane.agent.network.spoofing`), and marks a frame with the port it
came from (upper half) and the port it goes to (lower half). The filter table tracks connections, in a zone of its own
per network so that tenants may use the same addresses, and lets the marked ports' groups decide. Where the kernel
tracks connections in the bridge family the filter table is of that family; else it is of the inet family, which sees
bridged frames through br_netfilter.

Packets of a connection's original direction are judged by the groups every time, also when the connection is
established; only replies pass by its state. So a rule that is gone stops its connections at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from tane.agent.network.bounds import bound_rules
from tane.agent.network.plan import PortFilter, bridge_name
from tane.agent.network.spoofing import SERVER, bindings, marking_rules, spoof_rules
from tane.agent.network.tracked import tracked_rules
from tane.wire import grammar
from tane.wire.documents import PROTOCOLS, Port, SecurityGroup, SecurityGroupRule

Family = Literal["bridge", "inet"]
TABLE = "tane"

_WITH_PORTS = {6, 17, 33, 132, 136}
_ICMP = {"IPv4": 1, "IPv6": 58}

_TO_SERVER = f"meta mark & 0x0000ffff == {SERVER:#x}"
_FROM_SERVER = f"meta mark & 0xffff0000 == {SERVER << 16:#x}"
# What a guest cannot live without, whatever its groups say: DHCP with its network's own server, and IPv6 neighbour and
# router discovery.
_BASE = {
    "egress": (
        f"udp sport 68 udp dport 67 {_TO_SERVER} accept",
        f"udp sport 546 udp dport 547 {_TO_SERVER} accept",
        "icmpv6 type { 133, 135, 136 } accept",
    ),
    "ingress": (
        f"udp sport 67 udp dport 68 {_FROM_SERVER} accept",
        f"udp sport 547 udp dport 546 {_FROM_SERVER} accept",
        "icmpv6 type { 134, 135, 136 } accept",
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


def plan_security(
    ports: Iterable[Port],
    groups: Mapping[str, SecurityGroup],
    zone_of: Mapping[str, int],
    family: Family,
    servers: Iterable[str] = (),
) -> SecurityPlan:
    """The rules of all ``ports`` of the host; ``zone_of`` has every network of the host, ``servers`` are the devices of
    the networks' DHCP servers."""
    every = sorted(ports, key=lambda port: port.id)
    secured = [port for port in every if port.port_security_enabled]
    marks = {port.id: number for number, port in enumerate(every, start=1)}
    if len(marks) >= SERVER:
        raise ValueError(f"one host cannot filter more than {SERVER - 1} ports")
    chains, failed = _group_chains(secured, groups)
    sets = _member_sets(chains, groups)
    digests = _group_digests(secured, groups)
    filters = {port.id: _port_filter(port, digests, zone_of[port.network_id]) for port in secured}
    text = bound_rules(every) + tracked_rules(every, marks, {one: bridge_name(one) for one in zone_of}, family)
    text += "\n".join(
        [
            f"table bridge {TABLE}",
            f"delete table bridge {TABLE}",
            f"table bridge {TABLE} {{",
            *spoof_rules(every, secured),
            *marking_rules(every, marks, servers),
            *(() if family == "bridge" else ("}", f"table inet {TABLE}", f"delete table inet {TABLE}")),
            *(() if family == "bridge" else (f"table inet {TABLE} {{",)),
            *_filter_rules(every, marks, zone_of, family),
            *sets,
            *(line for lines in chains.values() for line in lines),
            "}",
            "",
        ]
    )
    return SecurityPlan(text, filters, failed)


# --------------------------------------------------------------------------------------------------------- groups


def _filter_rules(every: list[Port], marks: Mapping[str, int], zone_of: Mapping[str, int], family: Family) -> list[str]:
    secured = [port for port in every if port.port_security_enabled]
    unfiltered = [0, SERVER, *(marks[port.id] for port in every if not port.port_security_enabled)]
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
            # ARP has no connections, and is judged as it comes in.
            *(["ether type arp accept"] if family == "bridge" else []),
            # A frame between ports that are not filtered here, such as a distributed router's, may be half of a
            # connection whose other half this host never sees: not its business.
            f"meta mark & {mask:#010x} {{ {', '.join(f'{number << shift:#x}' for number in unfiltered)} }} accept",
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
        prefix = grammar.network(rule.remote_ip_prefix)
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
    highest = 0xFF if number == _ICMP[rule.ethertype] else 0xFFFF
    for bound in (low, high):
        if bound is not None and not 0 <= bound <= highest:
            raise ValueError(f"the rule's bound {bound} is not between 0 and {highest}")
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


def _addresses(group: SecurityGroup) -> set[str]:
    return {address for addresses in group.members.values() for address in addresses}


def _members(group: SecurityGroup, ethertype: str) -> list[str]:
    networks = {grammar.network(address) for address in _addresses(group)}
    return sorted(str(network) for network in networks if f"IPv{network.version}" == ethertype)


def _member_sets(chains: Mapping[str, list[str]], groups: Mapping[str, SecurityGroup]) -> list[str]:
    """The sets of remote groups' addresses that some chain refers to."""
    used = {word[1:] for lines in chains.values() for line in lines for word in line.split() if word[0] == "@"}
    lines = []
    for group in sorted(groups.values(), key=lambda group: group.id):
        for ethertype, kind in (("IPv4", "ipv4_addr"), ("IPv6", "ipv6_addr")):
            name = _member_set(group.id, ethertype)
            if name in used:
                listed = ", ".join(_members(group, ethertype))
                elements = f" elements = {{ {listed} }}" if listed else ""
                lines.append(f"set {name} {{ type {kind}; flags interval; auto-merge;{elements} }}")
    return lines


def _group_digests(ports: Iterable[Port], groups: Mapping[str, SecurityGroup]) -> dict[str, str]:
    """What each group in use lets through, in short. Once a group: its members may be every port of a project."""
    members = {group.id: sorted(_addresses(group)) for group in groups.values()}
    digests = {}
    for group_id in {group_id for port in ports for group_id in port.security_group_ids if group_id in groups}:
        rules = groups[group_id].rules
        remote = sorted({rule.remote_group_id for rule in rules if rule.remote_group_id in members})
        digests[group_id] = _short(repr((rules, [(other, members[other]) for other in remote])))
    return digests


def _port_filter(port: Port, digests: Mapping[str, str], zone: int) -> PortFilter:
    own = [digests[group_id] for group_id in port.security_group_ids if group_id in digests]
    addresses = frozenset(fixed.ip_address for fixed in port.fixed_ips)
    return PortFilter(zone, addresses, _short(repr((own, bindings(port)))))
