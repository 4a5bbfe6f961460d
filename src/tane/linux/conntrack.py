"""Tracked connections of one network namespace, over netlink (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tane.linux import netns

_NETLINK_NETFILTER = 12
_GET = (1 << 8) | 1
_DELETE = (1 << 8) | 2
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_TUPLE_ORIG, _TUPLE_REPLY, _ID, _ZONE = 1, 2, 12, 18
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_ADDRESSES = {1: socket.AF_INET, 2: socket.AF_INET, 3: socket.AF_INET6, 4: socket.AF_INET6}
_PROTO_NUM = 1
_TYPE_MASK = 0x3FFF


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry: its zone, IP protocol number, and every address of both directions."""

    zone: int
    protocol: int
    addresses: frozenset[str]
    key: bytes
    """The kernel's own identification of the entry, sent back to delete it."""


class Conntrack:
    """The connection table of the namespace that ``namespace`` is a descriptor of. Not thread-safe."""

    def __init__(self, namespace: int) -> None:
        with netns.entered(namespace):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)

    def connections(self) -> list[Connection]:
        """Every entry of the namespace. Raises OSError."""
        found = []
        self._send(_GET, _REQUEST | _DUMP, b"\0\0\0\0")
        for kind, body in self._answers():
            if kind == _DONE:
                break
            found.append(_connection(body))
        return found

    def delete(self, wanted: Callable[[Connection], bool]) -> int:
        """Delete the entries for which ``wanted`` says yes; returns how many went."""
        deleted = 0
        for connection in filter(wanted, self.connections()):
            self._send(_DELETE, _REQUEST | _ACK, connection.key)
            try:
                next(self._answers())
                deleted += 1
            except FileNotFoundError:
                continue  # it ended by itself meanwhile
        return deleted

    def close(self) -> None:
        self._socket.close()

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body)

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        while True:
            data = self._socket.recv(1 << 18)
            offset = 0
            while offset + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                body = data[offset + 16 : offset + length]
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    if number == errno.ENOENT:
                        raise FileNotFoundError(number, "no such connection")
                    if number:
                        raise OSError(number, f"connection tracking: {os.strerror(number)}")
                yield kind, body
                offset += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(type, value, whole attribute) of a netlink attribute list."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        padded = (length + 3) & ~3
        yield kind & _TYPE_MASK, data[offset + 4 : offset + length], data[offset : offset + padded]
        offset += max(4, padded)


def _connection(body: bytes) -> Connection:
    zone = protocol = 0
    addresses = set()
    key = body[:4]
    for kind, value, whole in _attributes(body[4:]):
        if kind in (_TUPLE_ORIG, _TUPLE_REPLY):
            for part, inner, _ in _attributes(value):
                if part == _TUPLE_IP:
                    addresses |= {socket.inet_ntop(_ADDRESSES[field], raw) for field, raw, _ in _attributes(inner)}
                elif part == _TUPLE_PROTO:
                    protocol = next((raw[0] for field, raw, _ in _attributes(inner) if field == _PROTO_NUM), protocol)
        elif kind == _ZONE:
            zone = struct.unpack(">H", value)[0]
        if kind in (_TUPLE_ORIG, _ZONE, _ID):
            key += whole
    return Connection(zone=zone, protocol=protocol, addresses=frozenset(addresses), key=key)
