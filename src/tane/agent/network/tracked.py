"""Shares of the connections that the host tracks for its guests, as nftables text. Pure: documents in, text out.

All networks of the host share the kernel's table of connections, and while it is full nobody's new ones pass. Each
connection bears the number of the project whose port begins it; of the project to whose port it is begun from where no
port of this host is, so that a stranger's flood counts apart from what the project begins; else of the network that it
passes, to a router or from one. How many begin in a second is bounded by the kernel, and whoever has more than a share
of a half full table is made to begin anew (:mod:`tane.agent.network.relief`). The kernel could count them (``ct
count``), and would look through all of a share for each new connection: 0.6 ms of 32,768.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

from tane.wire.documents import Port

TABLE = "tane_tracked"
"""A release that wants other sets takes another name: the kernel refuses a set that is there with other properties."""
PER_SECOND, AT_ONCE = 2000, 10000
"""New connections of one number: so many fill no table before it is looked at again."""
_BEGUN_TO = 1 << 31
# What the groups refuse (priorities 0 and 1) takes no place, and nothing of what may begin in a second. What was
# counted stays when the ports change, which any tenant may order: the table is brought up to date in place.
_TABLE = """table {family} {table} {{
map begins {{ type mark : mark; }}
map is_begun_to {{ type mark : mark; }}
map passes {{ type ifname : mark; }}
set new {{ type mark; size 65535; flags dynamic,timeout; timeout 1m; }}
chain forward {{ type filter hook forward priority 10; policy accept; }}
}}
"""
_RULES = (
    # Only the first packet is of a connection that is not in the kernel's table yet.
    "ct status and confirmed == confirmed accept",
    "ct mark 0 ct mark set meta mark & 0xffff0000 map @begins",
    "ct mark 0 ct mark set meta mark & 0x0000ffff map @is_begun_to",
    "ct mark 0 ct mark set {bridge} map @passes",
    f"ct mark != 0 add @new {{{{ ct mark limit rate over {PER_SECOND}/second burst {AT_ONCE} packets }}}} drop",
)


def tracked_rules(
    ports: Iterable[Port], marks: Mapping[str, int], bridges: Mapping[str, str], family: Literal["bridge", "inet"]
) -> str:
    """The table for all ``ports`` of the host, whose frames are told apart by ``marks``
    (:func:`tane.agent.network.spoofing.marking_rules`), and its ``bridges``, by the network's id."""
    maps: dict[str, list[str]] = {"begins": [], "is_begun_to": [], "passes": []}
    for port in ports:
        begins, begun_to = numbers(port)
        maps["begins"].append(f"{marks[port.id] << 16:#x} : {begins:#x}")
        maps["is_begun_to"].append(f"{marks[port.id]:#x} : {begun_to:#x}")
    for network_id, bridge in sorted(bridges.items()):
        maps["passes"].append(f'"{bridge}" : {_number(network_id):#x}')
    lines = [f"flush map {family} {TABLE} {name}" for name in maps]
    lines += [f"add element {family} {TABLE} {name} {{ {', '.join(of)} }}" for name, of in maps.items() if of]
    lines.append(f"flush chain {family} {TABLE} forward")
    bridge = "meta ibrname" if family == "bridge" else "iifname"
    lines += [f"add rule {family} {TABLE} forward {rule.format(bridge=bridge)}" for rule in _RULES]
    return _TABLE.format(family=family, table=TABLE) + "\n".join([*lines, ""])


def numbers(port: Port) -> tuple[int, int]:
    """Those of what the port begins, and of what is begun to it: of its project."""
    number = _number(port.project_id or port.id)
    return number, number | _BEGUN_TO


def _number(name: str) -> int:
    """Of 31 bits, and never 0, which is none."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") & (_BEGUN_TO - 1) | 1
