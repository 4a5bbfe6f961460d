"""What may reach a host's own network stacks, as nftables text: the namespaces of routers and DHCP servers, and the
machine itself by its legs in the external networks. Pure: documents in, text out.

Everything that is not named here is refused, so that a listener on a wildcard address, ours or the machine's, is no way
in. Frames between guests do not come by here (:mod:`tane.agent.network.spoofing`), nor does what is forwarded.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tane.agent.network.knocking import FIRST_PORT, LAST_PORT
from tane.agent.network.plan import METADATA_ADDRESS, METADATA_ADDRESS_6, METADATA_PORT, ROUTER_METADATA_PORT
from tane.wire import grammar
from tane.wire.documents import Network

TABLE = "tane_guard"
LINK_LOCAL = "169.254.0.0/16"
"""Never forwarded (RFC 3927, section 2.7): behind the machine's gateway may be another cloud's metadata service."""

# What keeps IP itself working: errors of connections we have, and neighbours of IPv6.
_ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept"
_ERRORS_6 = "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept"
_ASKING = ("icmp type echo-request", "icmpv6 type echo-request", "meta l4proto { tcp, udp }")
_RATE = "limit rate over 50/second burst 200 packets"
_ECHO = "icmp type echo-request accept"
_ECHO_6 = "icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept"


def _table(name: str, *lines: str) -> str:
    return "\n".join([f"table inet {name}", f"delete table inet {name}", f"table inet {name} {{", *lines, "}", ""])


def router_rules(
    behind: Iterable[grammar.Network], *, translates: bool, outside: Iterable[grammar.Network] = ()
) -> str:
    """A router answers pings and, on its legs in tenants' networks, requests that it redirected to the metadata
    service itself. What it refuses it says so, as a router without any listener would. ``translates``: addresses behind
    it are reached from outside by floating IPs only; a router that does not is an ordinary one. ``behind``: the
    networks of its legs: what leaves untranslated is from them. Its routes do not count, as their owner may set one to
    anywhere, and send from there. ``outside``: the ranges of its legs in external networks."""
    behind = [*behind]
    return _table(
        TABLE,
        *_NEIGHBOURS,
        "set solicitors { type ipv6_addr; size 4096; flags dynamic,timeout; timeout 1m; }",
        "chain input { type filter hook input priority filter; policy drop;",
        'iifname "lo" accept',
        "ct state established,related accept",
        *(f'iifname "qr-*" {asking} jump answered' for asking in _ASKING),
        _ECHO,
        _ECHO_6,
        # Each is answered by a daemon that the whole network has.
        'iifname "qr-*" icmpv6 type nd-router-solicit'
        " add @solicitors { ip6 saddr limit rate over 5/second burst 20 packets } drop",
        'iifname "qr-*" icmpv6 type nd-router-solicit accept',
        f'iifname "qr-*" tcp dport {ROUTER_METADATA_PORT} ct status dnat accept',
        "meta l4proto { tcp, udp } reject",
        "}",
        "chain forward { type filter hook forward priority filter; policy accept;",
        # Address translation passes over what belongs to no connection: it would leave with the sender's own words.
        'oifname "qg-*" ct state invalid drop',
        *_only_from(behind, (6,) if translates else (4, 6)),
        *(['iifname "qg-*" ct state new ct status and dnat != dnat drop'] if translates else []),
        *(f"{_protocol(found)} daddr {found} ct state != established jump sent" for found in {*behind, *outside}),
        "}",
    )


_NEIGHBOURS = (
    "set recent { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 5s; }",
    "set recent6 { type ipv6_addr; size 65535; flags dynamic,timeout; timeout 5s; }",
    "set eager { type ifname . ether_addr; size 65535; flags dynamic,timeout; timeout 1m; }",
    "set strangers { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; }",
    "set strangers6 { type ipv6_addr; size 65535; flags dynamic,timeout; timeout 1m; }",
    "chain sent {",
    "ip daddr @recent return",
    "ip6 daddr @recent6 return",
    f'iifname "qr-*" add @eager {{ iifname . ether saddr {_RATE} }} drop',
    f'iifname "qg-*" add @strangers {{ ip saddr {_RATE} }} drop',
    f'iifname "qg-*" add @strangers6 {{ ip6 saddr & ffff:ffff:ffff:ffff:: {_RATE} }} drop',
    "add @recent { ip daddr }",
    "add @recent6 { ip6 daddr }",
    "}",
    "chain answered {",
    "ip saddr @recent return",
    "ip6 saddr @recent6 return",
    f"add @eager {{ iifname . ether saddr {_RATE} }} drop",
    "add @recent { ip saddr }",
    "add @recent6 { ip6 saddr }",
    "}",
)
"""Addresses that one begins to send to, and such whose packets are answered: each may be a neighbour to be asked for,
of whom nobody may be there, and waits for three seconds in a table that all namespaces of the machine share. Who makes
too many of them is dropped, by the MAC address (of ports with filters the own one), from outside by its network; nobody
else is, and nothing that belongs to a connection."""


def _protocol(network: grammar.Network) -> str:
    return "ip" if network.version == 4 else "ip6"


def _only_from(behind: Iterable[grammar.Network], versions: Iterable[int]) -> Iterable[str]:
    networks = [*behind]
    for version in versions:
        own = ipaddress.collapse_addresses([network for network in networks if network.version == version])  # type: ignore[type-var]
        listed = ", ".join(map(str, own))
        kind, protocol = {4: ("ipv4", "ip"), 6: ("ipv6", "ip6")}[version]
        others = f"{protocol} saddr != {{ {listed} }}" if listed else f"meta nfproto {kind}"
        yield f'oifname "qg-*" {others} drop'


def dhcp_rules(network: Network) -> str:
    """A DHCP server's namespace answers pings, its clients, requests for metadata, and the names of the network for
    whoever is in it; and it takes the answers to what it asks guests (:mod:`tane.agent.network.knocking`)."""
    return _table(
        TABLE,
        *_NEIGHBOURS,
        "chain input { type filter hook input priority filter; policy drop;",
        'iifname "lo" accept',
        "udp sport 68 udp dport 67 accept",
        "udp sport 546 udp dport 547 accept",
        *(f"{asking} jump answered" for asking in _ASKING),
        f"ip daddr {METADATA_ADDRESS} tcp dport {METADATA_PORT} accept",
        f"ip6 daddr {METADATA_ADDRESS_6} tcp dport {METADATA_PORT} accept",
        *_names(network),
        # Answers of guests that were asked whether they listen: nobody begins a connection by these.
        f"tcp dport {FIRST_PORT}-{LAST_PORT} tcp flags & (syn | ack) != syn accept",
        _ECHO,
        _ECHO_6,
        _ERRORS,
        _ERRORS_6,
        "}",
    )


def _names(network: Network) -> Iterable[str]:
    for version, protocol in ((4, "ip"), (6, "ip6")):
        listed = sorted({subnet.cidr for subnet in network.subnets if subnet.ip_version == version})
        if listed:
            # Not TCP: dnsmasq serves such a client alone, for as long as it likes, and its answers are short.
            yield f"{protocol} saddr {{ {', '.join(listed)} }} udp dport 53 accept"


def outside_table(cloud_id: str) -> str:
    """The name of the table in the namespace where the external networks end, which may be the machine's own."""
    return f"tane_{cloud_id}"


def tunnels_table(cloud_id: str) -> str:
    """The name of the table in the agent's own namespace that guards the tunnels between hosts."""
    return f"tane_{cloud_id}_tunnels"


def tunnel_rules(cloud_id: str, port: int, own: str, ends: Iterable[str]) -> str:
    """Frames for a tunnel that ends at ``own`` come from the other hosts (``ends``) alone, and to that address: the
    kernel listens on every address of the machine, and would take those of anybody whose packets get here, guests and
    local users among them, into whatever network they name. To the other hosts they go from tunnels alone: those are
    sockets of no namespace that this table sees, and local users' are."""
    protocol, version = ("ip6", 6) if ":" in own else ("ip", 4)
    # No tunnel leads to one of the other version.
    listed = ", ".join(end for end in sorted(set(ends)) if grammar.address(end).version == version)
    return _table(
        tunnels_table(cloud_id),
        "chain input { type filter hook input priority filter; policy accept;",
        *([f"udp dport {port} {protocol} saddr {{ {listed} }} {protocol} daddr {own} accept"] if listed else []),
        f"udp dport {port} counter drop",
        "}",
        "chain output { type filter hook output priority filter; policy accept;",
        *([f"udp dport {port} {protocol} daddr {{ {listed} }} meta skuid >= 0 counter drop"] if listed else []),
        "}",
    )


def outside_rules(cloud_id: str, offered_ports: Iterable[int], tunnel_port: int) -> str:
    """From the external networks the machine answers pings and what it asked for itself, and offers the cloud's own
    ports. What it forwards for them is left to the machine's own rules, but for the hosts' tunnels."""
    legs = f'iifname "tx-{cloud_id}-*"'
    offered = ", ".join(str(port) for port in sorted(set(offered_ports)))
    return _table(
        outside_table(cloud_id),
        "chain input { type filter hook input priority filter; policy accept;",
        f"{legs} jump guests",
        "}",
        "chain guests {",
        "ct state established,related accept",
        _ECHO,
        *([f"tcp dport {{ {offered} }} accept"] if offered else []),
        "drop",
        "}",
        "chain forward { type filter hook forward priority filter; policy accept;",
        f"{legs} ip daddr {LINK_LOCAL} drop",
        # The other end would take it for this host's.
        f"{legs} udp dport {tunnel_port} drop",
        "}",
    )


def nothing(name: str) -> str:
    """Takes a table away."""
    return f"table inet {name}\ndelete table inet {name}\n"
