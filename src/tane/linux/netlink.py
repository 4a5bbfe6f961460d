"""Links, bridge ports, addresses, routes and neighbours of one network namespace, over one netlink socket."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from tane.linux import netns
from tane.linux.rawnetlink import RawNetlink, attribute, attributes, text_address

_PERMANENT = 0x80
_STATIC = 0x40
_SELF = 0x02
_MASTER = 0x04
_STICKY = 0x40
_PROTO_STATIC = 4
MAIN = 254
"""The routing table that is asked when no policy says otherwise."""
_KERNELS_POLICIES = (0, 32766, 32767)
_TO_TABLE = 1
_ONLINK = 4
_SCOPE_LINK = 253
_IFA_F_NODAD = 0x02

# linux/rtnetlink.h, if_link.h, neighbour.h: the tables with an entry per guest are read without pyroute2, which takes
# half a millisecond for each.
_NEWLINK, _GETLINK, _GETNEIGH = 16, 18, 30
_IFINFO = struct.Struct("=BxHiII")
_NEIGH = struct.Struct("=BxxxiHBB")
_NO_STATISTICS = attribute(29, struct.pack("=I", 8))
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_FDB_MAX_LEARNED = 49
_VXLAN_ID, _VXLAN_LOCAL, _VXLAN_LOCAL6 = 1, 4, 17
_BRPORT_LEARNING, _BRPORT_UNICAST_FLOOD, _BRPORT_BCAST_FLOOD, _BRPORT_NEIGH_SUPPRESS = 8, 9, 30, 32
_BRPORT_ISOLATED = 33
_NDA_DST, _NDA_LLADDR, _NDA_MASTER = 1, 2, 9

MOST_LEARNED = 1024
"""MAC addresses that a bridge learns from frames; what is sent to others then goes to all ports that learn."""
VXLAN_PORT = 4789
"""IANA's (RFC 7348)."""


@dataclass(frozen=True, slots=True)
class BridgePort:
    """How a link takes part in a bridge; ``flood_broadcast`` is for multicast too; ``isolated`` ports hear
    nothing of each other."""

    bridge: str
    learning: bool = True
    flood_unknown: bool = True
    flood_broadcast: bool = True
    neigh_suppress: bool = False
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link as the kernel has it."""

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    port: BridgePort | None = None
    vxlan_id: int | None = None
    vxlan_local: str | None = None
    master: int | None = None
    """The index of the bridge it is in."""


@dataclass(frozen=True, slots=True)
class Address:
    link: str
    address: str
    """With prefix length, ``10.0.0.1/24``."""


@dataclass(frozen=True, slots=True)
class Route:
    """``gateway`` "": the destination is on the link itself. ``link`` None: where the kernel's own routes lead to the
    gateway."""

    destination: str
    gateway: str
    link: str | None = None
    table: int = MAIN


@dataclass(frozen=True, slots=True)
class Policy:
    """Which table decides the way of IPv4 packets: of those from ``source``, or of all; the lowest priority comes first
    (ip-rule(8)). ``specific``: its default routes do not count."""

    priority: int
    table: int
    source: str | None = None
    specific: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    link: str
    ip: str
    mac: str


@dataclass(frozen=True, slots=True)
class Fdb:
    """A bridge's static entry for ``mac`` on ``link``, which no frame from elsewhere moves, or with ``remote`` the
    VXLAN's: which host to send it to."""

    link: str
    mac: str
    remote: str | None = None


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Netlink:
    """The namespace that ``namespace`` is a descriptor of. Not thread-safe.

    Errors are pyroute2's ``NetlinkError``. ``writes`` counts the requests that change something. Reading methods return
    what this module's writing methods make; what the kernel adds by itself is left out.
    """

    def __init__(self, namespace: int) -> None:
        with netns.entered(namespace):
            self._ip = IPRoute()
        self._raw = RawNetlink(namespace, socket.NETLINK_ROUTE)
        self.writes = 0
        self._indexes: dict[str, int] = {}

    def close(self) -> None:
        self._ip.close()
        self._raw.close()

    # ------------------------------------------------------------------------------------------------- reading

    def links(self) -> dict[str, LinkState]:
        """Every link by name."""
        raw = [_RawLink(body) for body in self._raw.dump(_GETLINK, _IFINFO.pack(0, 0, 0, 0, 0) + _NO_STATISTICS)]
        self._indexes = {link.name: link.index for link in raw}
        names = self._names()
        return {link.name: link.state(names) for link in raw}

    def link(self, name: str) -> LinkState:
        """One link; raises LookupError."""
        request = _IFINFO.pack(0, 0, self.index(name), 0, 0) + _NO_STATISTICS
        return _RawLink(self._raw.get(_GETLINK, request)).state(self._names())

    def addresses(self) -> set[Address]:
        """Those that :meth:`add_address` added; of IPv4 all."""
        names = self._names()
        found = set()
        for entry in self._ip.get_addr():
            # IFA_ADDRESS is the far end of a point-to-point address; IFA_LOCAL is what was set, where there is one.
            address = entry.get("IFA_LOCAL") or entry.get("IFA_ADDRESS")
            if entry["scope"] == _SCOPE_LINK and ":" in address and not entry["flags"] & _IFA_F_NODAD:
                # The kernel's own.
                continue
            if entry["index"] in names:
                found.add(Address(names[entry["index"]], f"{address}/{entry['prefixlen']}"))
        return found

    def routes(self) -> set[Route]:
        """Routes of all tables that were added by :meth:`add_route`; each with its link's name."""
        names = self._names()
        found = set()
        for entry in self._ip.get_routes():
            if entry["proto"] != _PROTO_STATIC:
                continue
            everything = "::/0" if entry["family"] == socket.AF_INET6 else "0.0.0.0/0"
            destination = entry.get("RTA_DST")
            found.add(
                Route(
                    f"{destination}/{entry['dst_len']}" if destination else everything,
                    entry.get("RTA_GATEWAY") or "",
                    names.get(entry.get("RTA_OIF")),
                    entry.get("RTA_TABLE"),
                )
            )
        return found

    def policies(self) -> set[Policy]:
        """Policies of IPv4 that were added by :meth:`add_policy`."""
        found = set()
        for entry in self._ip.get_rules(family=socket.AF_INET):
            priority = entry.get("FRA_PRIORITY") or 0
            if priority in _KERNELS_POLICIES:
                continue
            source = entry.get("FRA_SRC")
            specific = entry.get("FRA_SUPPRESS_PREFIXLEN") == 0
            address = f"{source}/{entry['src_len']}" if source else None
            found.add(Policy(priority, entry.get("FRA_TABLE"), address, specific))
        return found

    def neighbours(self) -> set[Neighbour]:
        """Permanent neighbour entries."""
        names = self._names()
        return {
            Neighbour(names[index], text_address(parts[_NDA_DST]), _mac(parts[_NDA_LLADDR]))
            for index, _, _, parts in self._neighbour_table(socket.AF_UNSPEC, _PERMANENT)
            if index in names and _NDA_LLADDR in parts
        }

    def fdb(self) -> set[Fdb]:
        """Static bridge entries and VXLAN destinations."""
        names = self._names()
        found = set()
        for index, state, flags, parts in self._neighbour_table(socket.AF_BRIDGE, _PERMANENT, _STATIC):
            if index not in names:
                continue
            link, mac = names[index], _mac(parts[_NDA_LLADDR])
            if _NDA_DST in parts and state == _PERMANENT:
                found.add(Fdb(link, mac, text_address(parts[_NDA_DST])))
            elif _NDA_MASTER in parts and state == _STATIC and flags & _STICKY:
                found.add(Fdb(link, mac))
        return found

    def _neighbour_table(self, family: int, *wanted: int) -> Iterator[tuple[int, int, int, dict[int, bytes]]]:
        """(interface index, state, flags, attributes) of each entry in a ``wanted`` state. Those that frames of guests
        made may be many: they are passed over unread."""
        for body in self._raw.dump(_GETNEIGH, _NEIGH.pack(family, 0, 0, 0, 0)):
            _, index, state, flags, _ = _NEIGH.unpack_from(body)
            if state in wanted:
                yield index, state, flags, attributes(body[_NEIGH.size :])

    def _names(self) -> dict[int, str]:
        return {index: name for name, index in self._indexes.items()}

    def index(self, name: str) -> int:
        """The interface index; raises LookupError when there is no such link."""
        if name not in self._indexes:
            found = self._ip.link_lookup(ifname=name)
            if not found:
                raise LookupError(f"there is no interface {name}")
            self._indexes[name] = found[0]
        return self._indexes[name]

    # ------------------------------------------------------------------------------------------------- writing

    def add_bridge(self, name: str, mac: str, mtu: int) -> None:
        """A bridge without STP, forwarding at once. Its MAC is fixed: else the kernel would change it with the ports
        and flush all permanent neighbours."""
        options = {"br_stp_state": 0, "br_forward_delay": 0, "br_mcast_snooping": 0}
        self._link("add", ifname=name, kind="bridge", address=mac, **options)
        # A kernel before 6.7 passes over what it does not know.
        most = attribute(_INFO_DATA, attribute(_FDB_MAX_LEARNED, struct.pack("=I", MOST_LEARNED)))
        info = attribute(_IFLA_LINKINFO, attribute(_INFO_KIND, b"bridge") + most)
        self.writes += 1
        self._raw.change(_NEWLINK, _IFINFO.pack(socket.AF_UNSPEC, 0, self.index(name), 0, 0) + info)
        # Only an MTU that is set afterwards is kept when ports with others come.
        self.set_link(name, mtu=mtu)

    def add_veth(self, name: str, mtu: int, peer: tuple[int, str, str]) -> None:
        """A veth pair; ``peer`` is the other end's namespace descriptor, name and MAC."""
        descriptor, peer_name, mac = peer
        other = {"ifname": peer_name, "address": mac, "mtu": mtu, "net_ns_fd": descriptor}
        self._link("add", ifname=name, kind="veth", mtu=mtu, peer=other)

    def add_vxlan(self, name: str, mtu: int, vni: int, local: str, *, into: int, port: int = VXLAN_PORT) -> None:
        """A VXLAN end whose packets travel in this namespace and which appears in the namespace ``into``."""
        key = "vxlan_local6" if ":" in local else "vxlan_local"
        tunnel = {key: local, "vxlan_id": vni, "vxlan_port": port, "vxlan_learning": False, "vxlan_ttl": 64}
        self._link("add", ifname=name, kind="vxlan", mtu=mtu, net_ns_fd=into, **tunnel)

    def delete_link(self, name: str) -> None:
        """Delete a link; that it went by itself, as veth ends do, is no error."""
        try:
            self._link("del", index=self.index(name))
        except NetlinkError as error:
            if error.code != errno.ENODEV:
                raise
        self._indexes.pop(name, None)

    def set_link(self, name: str, **changes: Any) -> None:
        """Change ``mtu``, ``address`` or ``state`` ("up"/"down")."""
        self._link("set", index=self.index(name), **changes)

    def set_port(self, name: str, port: BridgePort) -> None:
        """Put the link into its bridge with these flags."""
        self._link("set", index=self.index(name), master=self.index(port.bridge))
        self.writes += 1
        self._ip.brport(
            "set",
            index=self.index(name),
            learning=int(port.learning),
            unicast_flood=int(port.flood_unknown),
            mcast_flood=int(port.flood_broadcast),
            bcast_flood=int(port.flood_broadcast),
            neigh_suppress=int(port.neigh_suppress),
            isolated=int(port.isolated),
        )

    def add_address(self, address: Address) -> None:
        ip, prefixlen = address.address.split("/")
        # Duplicate address detection would keep an IPv6 address unusable for a second.
        flags = _IFA_F_NODAD if ":" in ip else 0
        self._request("addr", "add", address=ip, prefixlen=int(prefixlen), index=self.index(address.link), flags=flags)

    def delete_address(self, address: Address) -> None:
        ip, prefixlen = address.address.split("/")
        self._request("addr", "del", address=ip, prefixlen=int(prefixlen), index=self.index(address.link))

    def add_route(self, route: Route) -> None:
        """Add or replace the route to a destination; with a link, its gateway need not be in the link's prefix."""
        where = {"oif": self.index(route.link)} if route.link else {}
        if route.link and route.gateway:
            where["flags"] = _ONLINK
        self._request("route", "replace", **_route(route), **where)

    def delete_route(self, route: Route) -> None:
        self._request("route", "del", **_route(route))

    def add_policy(self, policy: Policy) -> None:
        self._request("rule", "add", **_policy(policy))

    def delete_policy(self, policy: Policy) -> None:
        self._request("rule", "del", **_policy(policy))

    def add_neighbour(self, entry: Neighbour) -> None:
        self._request("neigh", "replace", **self._neighbour(entry), lladdr=entry.mac, state=_PERMANENT)

    def delete_neighbour(self, entry: Neighbour) -> None:
        self._request("neigh", "del", **self._neighbour(entry))

    def add_fdb(self, entry: Fdb) -> None:
        state = _PERMANENT if entry.remote else _STATIC
        self._request("neigh", "replace", **self._fdb(entry), state=state)

    def delete_fdb(self, entry: Fdb) -> None:
        self._request("neigh", "del", **self._fdb(entry))

    def _neighbour(self, entry: Neighbour) -> dict[str, Any]:
        return {"ifindex": self.index(entry.link), "dst": entry.ip, "family": _family(entry.ip)}

    def _fdb(self, entry: Fdb) -> dict[str, Any]:
        common = {"family": socket.AF_BRIDGE, "ifindex": self.index(entry.link), "lladdr": entry.mac}
        if entry.remote is None:
            # A static entry moves to the port its MAC is seen on; a sticky one stays (bridge(8)).
            return {**common, "flags": _MASTER | _STICKY}
        return {**common, "flags": _SELF, "dst": entry.remote}

    def _link(self, command: str, **arguments: Any) -> None:
        self._request("link", command, **arguments)

    def _request(self, what: str, command: str, **arguments: Any) -> None:
        self.writes += 1
        getattr(self._ip, what)(command, **arguments)


def _route(route: Route) -> dict[str, Any]:
    way = {"gateway": route.gateway} if route.gateway else {"scope": _SCOPE_LINK}
    return {
        **way,
        "dst": route.destination,
        "family": _family(route.destination),
        "proto": _PROTO_STATIC,
        "table": route.table,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    wanted: dict[str, Any] = {"family": socket.AF_INET, "priority": policy.priority, "table": policy.table}
    if policy.source is not None:
        wanted["src"] = policy.source
    if policy.specific:
        wanted["FRA_SUPPRESS_PREFIXLEN"] = 0
    return {**wanted, "action": _TO_TABLE}


def _mac(raw: bytes) -> str:
    return raw.hex(":")


class _RawLink:
    """An answer to RTM_GETLINK; its master's name is known only when all links are."""

    def __init__(self, body: bytes) -> None:
        _, _, self.index, self._flags, _ = _IFINFO.unpack_from(body)
        self._parts = attributes(body[_IFINFO.size :])
        self.name = self._parts[_IFLA_IFNAME].rstrip(b"\0").decode()

    def state(self, names: dict[int, str]) -> LinkState:
        info = attributes(self._parts.get(_IFLA_LINKINFO, b""))
        kind = info.get(_INFO_KIND, b"").rstrip(b"\0").decode()
        tunnel = attributes(info.get(_INFO_DATA, b"")) if kind == "vxlan" else {}
        local = tunnel.get(_VXLAN_LOCAL) or tunnel.get(_VXLAN_LOCAL6)
        return LinkState(
            index=self.index,
            name=self.name,
            kind=kind,
            mac=_mac(self._parts.get(_IFLA_ADDRESS, b"")),
            mtu=_number(self._parts[_IFLA_MTU]),
            up=bool(self._flags & 1),
            port=self._port(info, names),
            vxlan_id=_number(tunnel[_VXLAN_ID]) if tunnel else None,
            vxlan_local=text_address(local) if local else None,
            master=_number(self._parts[_IFLA_MASTER]) if _IFLA_MASTER in self._parts else None,
        )

    def _port(self, info: dict[int, bytes], names: dict[int, str]) -> BridgePort | None:
        if _IFLA_MASTER not in self._parts or info.get(_INFO_SLAVE_KIND, b"").rstrip(b"\0") != b"bridge":
            return None
        flags = attributes(info[_INFO_SLAVE_DATA])
        return BridgePort(
            bridge=names.get(_number(self._parts[_IFLA_MASTER]), ""),
            learning=bool(flags[_BRPORT_LEARNING][0]),
            flood_unknown=bool(flags[_BRPORT_UNICAST_FLOOD][0]),
            flood_broadcast=bool(flags[_BRPORT_BCAST_FLOOD][0]),
            neigh_suppress=bool(flags[_BRPORT_NEIGH_SUPPRESS][0]),
            isolated=bool(flags[_BRPORT_ISOLATED][0]),
        )


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, sys.byteorder)
