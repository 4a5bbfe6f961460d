"""The addresses of this machine, as the calling thread's namespace has them."""

from __future__ import annotations

import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor

# Addresses of documentation (RFC 5737, RFC 3849): the way to them is the default route, and no packet is sent.
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


ETHERNET = 1500


def primary() -> str:
    """The address under which others most likely reach this machine: that of its default route; else loopback's."""
    for family, elsewhere in _ELSEWHERE.items():
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            try:
                asking.connect((elsewhere, 9))
            except OSError:
                continue
            return str(asking.getsockname()[0])
    return "127.0.0.1"


def every() -> list[str]:
    """All addresses of all interfaces, loopback's too, but link-local ones, which name no machine. Raises OSError."""
    # Here and not above: every command loads this module, and few ask this.
    from pyroute2 import IPRoute

    with IPRoute() as kernel:
        found = {str(entry.get("IFA_LOCAL") or entry.get("IFA_ADDRESS")) for entry in kernel.get_addr()}
    return sorted(address for address in found if not ipaddress.ip_address(address).is_link_local)


def mtu(address: str) -> int:
    """The largest packet that the interface of an address sends; Ethernet's when none has it. Raises OSError."""
    # The library has an event loop of its own, which is not to be run on a thread that runs one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_mtu, address).result()


def _mtu(address: str) -> int:
    from pyroute2 import IPRoute

    with IPRoute() as kernel:
        sizes = {link["index"]: int(link.get("IFLA_MTU")) for link in kernel.get_links()}
        for entry in kernel.get_addr():
            if str(entry.get("IFA_LOCAL") or entry.get("IFA_ADDRESS")) == address:
                return sizes.get(entry["index"], ETHERNET)
    return ETHERNET


def of_others(text: str) -> bool:
    """Whether it is an address by which other machines may reach this one: none of loopback, and no name."""
    try:
        return not ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
