"""Which user of this machine is at the other end of a TCP connection, by the kernel's word.

Source: sock_diag(7); linux/inet_diag.h, linux/netlink.h.
"""

from __future__ import annotations

import socket
import struct

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_SOCKET_ID = struct.Struct("!HH16s16s")
_INTERFACE_AND_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_UID = struct.Struct("=I")
_UID_AT = _HEADER.size + 4 + _SOCKET_ID.size + len(_INTERFACE_AND_COOKIE) + 12
"""Behind the answer's own head, the socket's id, and three counts."""


def user_of(peer: tuple[str, int], own: tuple[str, int]) -> int | None:
    """The uid of the socket whose address is ``peer`` and whose other end is ``own``; None when it is not on this
    machine (or in another namespace of it), or the kernel does not tell."""
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    try:
        ends = [socket.inet_pton(family, address).ljust(16, b"\0") for address, _ in (peer, own)]
        named = _SOCKET_ID.pack(peer[1], own[1], *ends) + _INTERFACE_AND_COOKIE
        request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + named
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1)
            kernel.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _REQUEST, 0, 0) + request)
            answer = kernel.recv(4096)
    except (OSError, struct.error):
        return None
    if len(answer) < _UID_AT + _UID.size or _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return None
    return int(_UID.unpack_from(answer, _UID_AT)[0])
