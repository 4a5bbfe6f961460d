"""Frames as bytes, made by hand: what no honest stack would send."""

from __future__ import annotations

import ipaddress
import itertools
import socket
import struct

from tane.linux import netns

BROADCAST = "ff:ff:ff:ff:ff:ff"
_numbers = itertools.count(1)


def marker() -> bytes:
    """Eight octets that no other frame has."""
    return b"mk" + struct.pack("!HI", 0xBEEF, next(_numbers))


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def ethernet(source: str, target: str, kind: int, payload: bytes) -> bytes:
    return mac(target) + mac(source) + struct.pack("!H", kind) + payload


def tagged(frame: bytes, vlan: int, kind: int = 0x8100) -> bytes:
    return frame[:12] + struct.pack("!HH", kind, vlan) + frame[12:]


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# ------------------------------------------------------------------------------------------------------------- ARP


def arp(
    sender: tuple[str, str],
    target: tuple[str, str],
    *,
    operation: int = 1,
    hardware: int = 1,
    protocol: int = 0x0800,
    lengths: tuple[int, int] = (6, 4),
) -> bytes:
    head = struct.pack("!HHBBH", hardware, protocol, *lengths, operation)
    return head + mac(sender[0]) + ip(sender[1]) + mac(target[0]) + ip(target[1])


# ------------------------------------------------------------------------------------------------------------ IPv4


def ipv4(source: str, target: str, protocol: int, payload: bytes, *, options: bytes = b"", fragment: int = 0) -> bytes:
    """``fragment``: flags and offset as in the header."""
    length = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | length // 4,
        0,
        length + len(payload),
        77,
        fragment,
        64,
        protocol,
        0,
        ip(source),
        ip(target),
    )
    head += options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(source: int, target: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def bootp(client: str, *, relay: str = "0.0.0.0", operation: int = 1, kind: int = 1, end: bytes = b"") -> bytes:
    """A DHCP message (1 discover, 4 decline, 7 release) of a client."""
    head = struct.pack("!BBBBIHH", operation, 1, 6, 0, 0xABCD, 0, 0) + bytes(12) + ip(relay)
    return head + mac(client) + bytes(10 + 64 + 128) + b"\x63\x82\x53\x63" + bytes((53, 1, kind, 255)) + end


# ------------------------------------------------------------------------------------------------------------ IPv6


def ipv6(source: str, target: str, header: int, payload: bytes, *, hops: int = 255) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), header, hops) + ip(source) + ip(target) + payload


def udp6(source: str, target: str, ports: tuple[int, int], payload: bytes) -> bytes:
    bare = udp(*ports, payload)
    pseudo = ip(source) + ip(target) + struct.pack("!II", len(bare), 17)
    return bare[:6] + struct.pack("!H", checksum(pseudo + bare) or 0xFFFF) + bare[8:]


def icmpv6(source: str, target: str, kind: int, body: bytes) -> bytes:
    bare = struct.pack("!BBH", kind, 0, 0) + body
    pseudo = ip(source) + ip(target) + struct.pack("!II", len(bare), 58)
    return bare[:2] + struct.pack("!H", checksum(pseudo + bare)) + bare[4:]


def option(mark: bytes) -> bytes:
    """A neighbour discovery option nobody knows (RFC 4861, section 4.6: it is skipped)."""
    return bytes((253, 2)) + mark + bytes(6)


def advertisement(target: str, mark: bytes) -> bytes:
    return struct.pack("!I", 0x60000000) + ip(target) + option(mark)


def solicitation(target: str, mark: bytes) -> bytes:
    return bytes(4) + ip(target) + option(mark)


def router_advertisement(mark: bytes) -> bytes:
    return struct.pack("!BBHII", 64, 0, 1800, 0, 0) + option(mark)


def redirect(target: str, destination: str, mark: bytes) -> bytes:
    return bytes(4) + ip(target) + ip(destination) + option(mark)


def extended(how: str, header: int, payload: bytes) -> tuple[int, bytes]:
    """(next header, payload) of the same message behind extension headers."""
    padding = bytes((1, 4, 0, 0, 0, 0))
    if how == "plain":
        return header, payload
    if how == "hop-by-hop":
        return 0, bytes((header, 0)) + padding + payload
    if how == "destination options":
        return 60, bytes((header, 0)) + padding + payload
    if how == "destination options twice":
        return 60, bytes((60, 0)) + padding + bytes((header, 0)) + padding + payload
    if how == "routing":
        return 43, bytes((header, 0, 4, 0, 0, 0, 0, 0)) + payload
    if how == "atomic fragment":
        return 44, fragment_header(header, 0, more=False) + payload
    if how == "first fragment":
        return 44, fragment_header(header, 0, more=True) + payload
    if how == "options in a first fragment":
        return 44, fragment_header(60, 0, more=True) + bytes((header, 0)) + padding + payload
    raise ValueError(how)


HIDINGS = (
    "hop-by-hop",
    "destination options",
    "destination options twice",
    "routing",
    "atomic fragment",
    "first fragment",
    "options in a first fragment",
)


def fragment_header(header: int, offset: int, *, more: bool) -> bytes:
    """``offset`` in units of 8 octets."""
    return struct.pack("!BBHI", header, 0, offset << 3 | more, 0x51515151)


# --------------------------------------------------------------------------------------------------------- sending


class Wire:
    """A packet socket on an interface of a namespace: sends frames as they are, and hears all that arrive."""

    def __init__(self, namespace: str, interface: str = "eth0") -> None:
        with netns.entered(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind((interface, 3))
        self._socket.settimeout(0.4)

    def send(self, frame: bytes) -> None:
        self._socket.send(frame.ljust(60, b"\0"))

    def heard(self, last: bytes) -> bytes:
        """All that arrived until the mark ``last`` did, or nothing more came, in one piece."""
        return b"|".join(self.frames(last))

    def frames(self, last: bytes = b"never") -> list[bytes]:
        """The same, each by itself."""
        found: list[bytes] = []
        try:
            while not found or last not in found[-1]:
                data, (_, _, kind, *_) = self._socket.recvfrom(65536)
                if kind != socket.PACKET_OUTGOING:
                    found.append(data)
        except TimeoutError:
            pass
        return found

    def close(self) -> None:
        self._socket.close()
