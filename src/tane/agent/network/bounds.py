"""What guests' frames may leave behind in the kernel, as nftables text: MAC addresses in bridges, and fragments that
wait for the rest of their packet. Pure: documents in, text out.

Both are kept in memory that all networks of the host share, before any rule looks at what a port may send. The table is
brought up to date in place: what it counts and remembers stays when the ports change, which any tenant may order.
"""

from __future__ import annotations

from collections.abc import Iterable

from tane.wire.documents import Port

TABLE = "tane_bounds"
"""A release that wants other sets takes another name: the kernel refuses a set that is there with other properties."""
LONGEST_FRAGMENT = 9216
"""Bytes; a device of a guest takes longer ones than any network has."""

_COUNTED = "size 65535; flags dynamic,timeout; timeout 1m;"
_TABLE = f"""table bridge {TABLE} {{
set guests {{ type ifname; }}
set open {{ type ifname; }}
set fragments {{ type ifname; {_COUNTED} }}
set fragment_bytes {{ type ifname; {_COUNTED} }}
set newcomers {{ type ifname; size 65535; flags dynamic,timeout; timeout 10m; }}
set learned {{ type ifname . ether_addr; size 1048576; flags dynamic,timeout; timeout 5m; }}
chain fragment {{ }}
chain newcomer {{ }}
chain prerouting {{ type filter hook prerouting priority -310; policy accept; }}
}}
"""
_CHAINS = {
    "fragment": (
        f"meta length != 0-{LONGEST_FRAGMENT} drop",
        "add @fragments { iifname limit rate over 500/second burst 500 packets } drop",
        "add @fragment_bytes { iifname limit rate over 1 mbytes/second burst 1 mbytes } drop",
    ),
    # Bridges keep each MAC address for five minutes; of Linux 6.7 and later they bound themselves, too (netlink.py).
    "newcomer": (
        "add @newcomers { iifname limit rate over 5/second burst 256 packets } drop",
        "add @learned { iifname . ether saddr }",
    ),
    # The kernel puts fragments together at priority -200.
    "prerouting": (
        "iifname @guests ip frag-off & 0x3fff != 0 jump fragment",
        "iifname @guests exthdr frag exists jump fragment",
        "iifname @open iifname . ether saddr != @learned jump newcomer",
    ),
}


def bound_rules(ports: Iterable[Port]) -> str:
    """The table for all ``ports`` of the host. Those without filters send as whom they like."""
    sets: dict[str, list[str]] = {"guests": [], "open": []}
    for port in ports:
        sets["guests"].append(f'"{port.device}"')
        if not port.port_security_enabled:
            sets["open"].append(f'"{port.device}"')
    lines = [f"flush set bridge {TABLE} {name}" for name in sets]
    lines += [f"add element bridge {TABLE} {name} {{ {', '.join(of)} }}" for name, of in sets.items() if of]
    for chain, rules in _CHAINS.items():
        lines.append(f"flush chain bridge {TABLE} {chain}")
        lines += [f"add rule bridge {TABLE} {chain} {rule}" for rule in rules]
    return _TABLE + "\n".join([*lines, ""])
