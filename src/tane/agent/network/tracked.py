"""Shares of the connections that the host tracks for its guests, as nftables text. Pure: documents in, text out.

All networks of the host share the kernel's table of connections, and while it is full nobody's new ones pass. Each
connection bears the number of the project whose port begins it, or to whose port it is begun from where no port of this
host is: a stranger's flood counts apart from what the project begins. How many begin in a second is bounded by the
kernel; whoever has more than his share when half of the table is in use is made to begin anew by the engine
(:meth:`tane.agent.network.engine.Engine.relieve`). The kernel could count them (``ct count``), and would look through
all of a share for each new connection: 0.6 ms of 32,768.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tane.wire.documents import Port

TABLE = "tane_tracked"
"""A release that wants other sets takes another name: the kernel refuses a set that is there with other properties."""
PER_SECOND, AT_ONCE = 2000, 10000
"""New connections of one number: so many fill no table before the engine looks again."""
LOOK_SECONDS = 5.0
SHARES = 8
"""Of the table. A project has two: of what it begins and of what is begun to it."""
_LIMIT = Path("/proc/sys/net/netfilter/nf_conntrack_max")
_USUAL = 262144
_BEGUN_TO = 1 << 31
# What was counted stays when the ports change, which any tenant may order: the table is brought up to date in place.
_TABLE = """table {family} {table} {{
map begins {{ type mark : mark; }}
map is_begun_to {{ type mark : mark; }}
set new {{ type mark; size 65535; flags dynamic,timeout; timeout 1m; }}
chain forward {{ type filter hook forward priority -10; policy accept; }}
}}
"""
_RULES = (
    # Only the first packet is of a connection that is not in the kernel's table yet.
    "ct status and confirmed == confirmed accept",
    "ct mark 0 ct mark set meta mark & 0xffff0000 map @begins",
    "ct mark 0 ct mark set meta mark & 0x0000ffff map @is_begun_to",
    f"ct mark != 0 add @new {{ ct mark limit rate over {PER_SECOND}/second burst {AT_ONCE} packets }} drop",
)


def share() -> int:
    """What one number may have of this machine's table when that is half full."""
    try:
        return int(_LIMIT.read_text()) // SHARES
    except (OSError, ValueError):
        # Connection tracking is not loaded yet: the kernel's own choice on a machine of 4 GB and more.
        return _USUAL // SHARES


def tracked_rules(ports: Iterable[Port], marks: Mapping[str, int], family: str) -> str:
    """The table for all ``ports`` of the host, whose frames are told apart by ``marks``
    (:func:`tane.agent.network.spoofing.marking_rules`)."""
    maps: dict[str, list[str]] = {"begins": [], "is_begun_to": []}
    for port in ports:
        begins, begun_to = numbers(port)
        maps["begins"].append(f"{marks[port.id] << 16:#x} : {begins:#x}")
        maps["is_begun_to"].append(f"{marks[port.id]:#x} : {begun_to:#x}")
    lines = [f"flush map {family} {TABLE} {name}" for name in maps]
    lines += [f"add element {family} {TABLE} {name} {{ {', '.join(of)} }}" for name, of in maps.items() if of]
    lines.append(f"flush chain {family} {TABLE} forward")
    lines += [f"add rule {family} {TABLE} forward {rule}" for rule in _RULES]
    return _TABLE.format(family=family, table=TABLE) + "\n".join([*lines, ""])


def numbers(port: Port) -> tuple[int, int]:
    """Those of what the port begins, and of what is begun to it: of its project, and never 0, which is none."""
    found = hashlib.sha256((port.project_id or port.id).encode()).digest()
    number = int.from_bytes(found[:4], "big") & (_BEGUN_TO - 1) | 1
    return number, number | _BEGUN_TO
