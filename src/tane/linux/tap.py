"""Persistent TAP devices and gratuitous ARP, in the calling thread's network namespace."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct

_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_TUNSETOWNER = 0x400454CC
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_ETH_P_ARP = 0x0806


def create(name: str) -> None:
    """Make a single-queue TAP device that stays when nobody has it open; raises OSError when the name is taken.

    It is root's: a device without an owner may be attached to by whoever may open ``/dev/net/tun``, which is everybody.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
        fcntl.ioctl(descriptor, _TUNSETOWNER, 0)
        fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
    finally:
        os.close(descriptor)


def opened(name: str) -> int:
    """A descriptor of an existing TAP device, for a program that may not open it itself. The caller closes it.

    Raises OSError when it is in use already, or is missing.
    """
    socket.if_nametoindex(name)
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def announce(interface: str, mac_address: str, ip_address: str) -> None:
    """Broadcast a gratuitous ARP (RFC 5944, section 4.6) so that neighbours learn the address's new place at once."""
    address = ipaddress.IPv4Address(ip_address).packed
    mac = bytes.fromhex(mac_address.replace(":", ""))
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, address, b"\0" * 6, address)
    frame = b"\xff" * 6 + mac + struct.pack("!H", _ETH_P_ARP) + arp
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packet:
        packet.bind((interface, 0))
        packet.send(frame)
