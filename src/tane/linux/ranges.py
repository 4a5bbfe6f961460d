"""Which ranges of addresses a machine reaches by itself: those of its interfaces and of its routes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from pyroute2 import IPRoute

_TABLE_MAIN = 254


@dataclass(frozen=True, slots=True, order=True)
class Range:
    cidr: str
    interface: str


def reached(without: str) -> list[Range]:
    """The ranges the calling thread's namespace reaches but by its default routes, sorted; loopback and link-local ones
    are everywhere and not told.

    :param without: how the names of interfaces begin that do not count.
    :raises OSError: the kernel cannot be asked.
    """
    found: set[Range] = set()
    with IPRoute() as kernel:
        names = {link["index"]: str(link.get("IFLA_IFNAME")) for link in kernel.get_links()}
        for entry in kernel.get_addr():
            address = entry.get("IFA_LOCAL") or entry.get("IFA_ADDRESS")
            found |= _range(f"{address}/{entry['prefixlen']}", names.get(entry["index"], ""))
        for entry in kernel.get_routes(table=_TABLE_MAIN):
            if entry.get("RTA_DST") and entry["dst_len"]:
                found |= _range(f"{entry.get('RTA_DST')}/{entry['dst_len']}", names.get(entry.get("RTA_OIF"), ""))
    return sorted(item for item in found if not item.interface.startswith(without))


def _range(text: str, interface: str) -> set[Range]:
    try:
        cidr = ipaddress.ip_interface(text).network
    except ValueError:
        return set()  # An address of another family, which no network here has.
    if cidr.is_loopback or cidr.is_link_local or cidr.is_multicast:
        return set()
    return {Range(str(cidr), interface)}
