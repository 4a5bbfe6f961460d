"""Tracked connections of one network namespace, over netlink (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import collections
import ipaddress
import re
import struct
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from tane.linux.rawnetlink import RawNetlink, attribute, attributes, text_address

_NETLINK_NETFILTER = 12
_GET = (1 << 8) | 1
_DELETE = (1 << 8) | 2
_NESTED = 0x8000
_TUPLE_ORIG, _TUPLE_REPLY, _MARK, _ID, _ZONE, _MARK_MASK = 1, 2, 8, 12, 18, 21
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_PROTO_NUM = 1
_SOURCE, _TARGET, _SOURCE_6, _TARGET_6 = 1, 2, 3, 4
_HEADER = struct.Struct("=HH").unpack_from


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry: its zone, IP protocol number, and every address of both directions. ``source``: where it is begun,
    ``shown``: the address that the other end answers to, the same unless the source is translated."""

    zone: int
    protocol: int
    addresses: frozenset[str]
    source: str
    shown: str
    key: bytes
    """The kernel's own identification of the entry, sent back to delete it."""


class Conntrack:
    """The connection table of the namespace that ``namespace`` is a descriptor of. Not thread-safe."""

    def __init__(self, namespace: int) -> None:
        self._netlink = RawNetlink(namespace, _NETLINK_NETFILTER)

    def connections(self) -> list[Connection]:
        """Every entry of the namespace. Raises OSError."""
        return [_connection(body) for body in self._netlink.dump(_GET, b"\0\0\0\0")]

    def delete(self, addresses: Iterable[str], wanted: Callable[[Connection], bool]) -> int:
        """Delete the entries with one of these addresses for which ``wanted`` says yes; returns how many went.
        Raises OSError."""
        # Guests fill the table: of all that is of others no more is read than whether an address is in it.
        marks = [ipaddress.ip_address(text).packed for text in addresses]
        if not marks:
            return 0
        about = re.compile(b"|".join(map(re.escape, marks)), re.DOTALL).search
        found = [body for body in self._netlink.dump(_GET, b"\0\0\0\0") if about(body)]
        return sum(self._delete(one) for one in filter(wanted, map(_connection, found)))

    def forget_sources(self, kept: Collection[str]) -> int:
        """Delete the entries whose source is translated to an address that is none of ``kept``; returns how many went.
        Raises OSError."""
        fine = {None, *(ipaddress.ip_address(text).packed for text in kept)}
        found = [body for body in self._netlink.dump(_GET, b"\0\0\0\0") if _shown_otherwise(body) not in fine]
        return sum(self._delete(_connection(body)) for body in found)

    def _delete(self, connection: Connection) -> bool:
        """False when it ended by itself meanwhile."""
        try:
            self._netlink.change(_DELETE, connection.key)
        except FileNotFoundError:
            return False
        return True

    def marked(self) -> dict[int, int]:
        """How many entries bear each mark. Raises OSError."""
        found: collections.Counter[int] = collections.Counter()
        for body in self._netlink.dump(_GET, b"\0\0\0\0"):
            found[_mark(body)] += 1
        return dict(found)

    def forget(self, mark: int) -> None:
        """Delete all entries that bear a mark, in one request. Raises OSError."""
        wanted = attribute(_MARK, mark.to_bytes(4, "big")) + attribute(_MARK_MASK, b"\xff\xff\xff\xff")
        self._netlink.change(_DELETE, b"\0\0\0\0" + wanted)

    def close(self) -> None:
        self._netlink.close()


def _find(body: bytes, kind: int, offset: int, end: int) -> tuple[int, int]:
    """Where the content of an attribute stands among those from ``offset`` to ``end``; an empty place: nowhere."""
    while offset + 4 <= end:
        length, found = _HEADER(body, offset)
        if found & ~_NESTED == kind:
            return offset + 4, offset + length
        offset += max(4, (length + 3) & ~3)
    return end, end


# Of an entry, of which there may be very many, nothing else is looked at by these two.


def _mark(body: bytes) -> int:
    begin, end = _find(body, _MARK, 4, len(body))
    return int.from_bytes(body[begin:end], "big")


def _shown_otherwise(body: bytes) -> bytes | None:
    """The address that the other end answers to, where it is not the source's own."""
    source = _address(body, _TUPLE_ORIG, (_SOURCE, _SOURCE_6))
    shown = _address(body, _TUPLE_REPLY, (_TARGET, _TARGET_6))
    return shown if shown != source else None


def _address(body: bytes, direction: int, kinds: tuple[int, ...]) -> bytes:
    place = _find(body, _TUPLE_IP, *_find(body, direction, 4, len(body)))
    ends = (_find(body, kind, *place) for kind in kinds)
    return next((body[begin:end] for begin, end in ends if begin < end), b"")


def _connection(body: bytes) -> Connection:
    parts = attributes(body[4:])
    protocol = 0
    ends: list[dict[int, str]] = []
    for direction in (_TUPLE_ORIG, _TUPLE_REPLY):
        inner = attributes(parts.get(direction, b""))
        ends.append({kind: text_address(raw) for kind, raw in attributes(inner.get(_TUPLE_IP, b"")).items()})
        protocol = attributes(inner.get(_TUPLE_PROTO, b"")).get(_PROTO_NUM, bytes([protocol]))[0]
    key = body[:4] + attribute(_TUPLE_ORIG | _NESTED, parts[_TUPLE_ORIG])
    key += b"".join(attribute(kind, parts[kind]) for kind in (_ZONE, _ID) if kind in parts)
    zone = struct.unpack(">H", parts[_ZONE])[0] if _ZONE in parts else 0
    begun, answered = ends
    source = begun.get(_SOURCE, begun.get(_SOURCE_6, ""))
    shown = answered.get(_TARGET, answered.get(_TARGET_6, ""))
    addresses = frozenset((*begun.values(), *answered.values()))
    return Connection(zone=zone, protocol=protocol, addresses=addresses, source=source, shown=shown, key=key)
