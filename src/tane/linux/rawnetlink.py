"""Reading large tables over netlink: requests, multi-part answers and attributes as bytes (man 7 netlink)."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

from tane.linux import netns

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_TYPE_MASK = 0x3FFF


class RawNetlink:
    """A netlink socket of one protocol in the namespace that ``namespace`` is a descriptor of. Not thread-safe."""

    def __init__(self, namespace: int, protocol: int) -> None:
        with netns.entered(namespace):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._number = 0

    def close(self) -> None:
        self._socket.close()

    def dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        """The bodies of all answers to a dump request; nothing else is asked before the last. Raises OSError."""
        self._send(kind, _REQUEST | _DUMP, body)
        for answer, content in self._answers():
            if answer == _DONE:
                return
            yield content

    def get(self, kind: int, body: bytes) -> bytes:
        """The body of the one answer. Raises OSError."""
        self._send(kind, _REQUEST, body)
        return next(self._answers())[1]

    def change(self, kind: int, body: bytes) -> None:
        """A request that is only acknowledged. Raises OSError, FileNotFoundError when its object is gone."""
        self._send(kind, _REQUEST | _ACK, body)
        next(self._answers())

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._number += 1
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, flags, self._number, 0) + body)

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        while True:
            data = self._socket.recv(1 << 18)
            offset = 0
            while offset + 16 <= len(data):
                length, kind, _, number = struct.unpack_from("=IHHI", data, offset)
                body = data[offset + 16 : offset + length]
                offset += (length + 3) & ~3
                if number != self._number:
                    continue  # what is left of an answer nobody read to its end
                if kind == _ERROR and (code := -struct.unpack_from("=i", body)[0]):
                    if code == errno.ENOENT:
                        raise FileNotFoundError(code, os.strerror(code))
                    raise OSError(code, os.strerror(code))
                yield kind, body


def attributes(data: bytes) -> dict[int, bytes]:
    """A list of attributes by type; nested ones are parsed by calling this on their value."""
    found = {}
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        found[kind & _TYPE_MASK] = data[offset + 4 : offset + length]
        offset += max(4, (length + 3) & ~3)
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute as bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def text_address(raw: bytes) -> str:
    """An IPv4 or IPv6 address in its usual spelling."""
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
