"""Addresses that strangers name and the cloud goes to: never its own, its hosts' or its neighbours'."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from tane.web.connections import PORTS, Connection, Deadline

EMBEDDING = (ipaddress.ip_network("64:ff9b::/96"),)
"""IPv6 networks whose addresses stand for the IPv4 address in their last 32 bits."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """It is not gone there; the message may be shown."""


def meant(text: str) -> Address:
    """The address that a text names; of one of IPv6 that stands for one of IPv4, that. :raises ValueError:"""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in EMBEDDING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(text: str) -> bool:
    """Whether the address that a text means is of the Internet: not private, link-local, loopback or reserved.

    :raises ValueError: it is no address.
    """
    address = meant(text)
    if isinstance(address, ipaddress.IPv6Address) and (address.teredo is not None or address.is_site_local):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_internal(text: str, own: Collection[str]) -> bool:
    """:raises ValueError: it is no address."""
    known = set[Address]()
    for each in own:
        with contextlib.suppress(ValueError):
            known.add(meant(each))
    return not is_public(text) or meant(text) in known


def parts_of(url: str) -> SplitResult:
    """:raises Refused: it is no address of the web, or has a name and password in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused(f"{url} is no address of the web") from None
    control = any(ord(letter) <= 32 or ord(letter) == 127 for letter in url)
    if control or parts.scheme not in PORTS or not parts.hostname or parts.username is not None or port == 0:
        raise Refused(f"{url} is no address of the web")
    return parts


def judge(parts: SplitResult, allowed: Collection[str], own: Collection[str]) -> None:
    """Where the host is written as an address, whether it may be gone to. :raises Refused:"""
    host = (parts.hostname or "").rstrip(".")
    with contextlib.suppress(ValueError):
        if host not in allowed and _is_internal(host, own):
            raise Refused(f"{host} is an internal address")


def resolve(parts: SplitResult, allowed: Collection[str], own: Collection[str]) -> list[str]:
    """The addresses a connection may go to: all that the name has must be public and none may be the cloud's ``own``,
    unless the host is ``allowed``.

    :raises Refused: :raises OSError: the name cannot be resolved.
    """
    host = (parts.hostname or "").rstrip(".")
    judge(parts, allowed, own)
    try:
        found = socket.getaddrinfo(host, parts.port or PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise Refused(f"{host} is no name of a host") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if host not in allowed:
        for text in addresses:
            if _is_internal(text.split("%")[0], own):
                raise Refused(f"{host} leads to an internal address")
    return addresses


def post(url: str, body: bytes, allowed: Collection[str], own: Collection[str], seconds: float) -> int:
    """Send JSON; returns the status. No redirect is followed, nothing of the answer is read but its head, and all of it
    takes ``seconds`` at most; but the resolver has its own time, which comes first.

    :raises Refused: :raises OSError: nobody answers, or not in time.
    """
    parts = parts_of(url)
    begun = time.monotonic()
    addresses = resolve(parts, allowed, own)
    left = max(seconds - (time.monotonic() - begun), 0.0)
    return _post(parts, addresses, body, {"Content-Type": "application/json"}, left)[0]


def post_to_operator(
    url: str, body: bytes, headers: Mapping[str, str], seconds: float, most: int, authorities: Path | None = None
) -> tuple[int, bytes]:
    """Send to an address of the cloud's settings, which may be internal; (status, the answer). No redirect is followed.
    ``most``: bytes of an answer; ``authorities``: a file of certificates, other than the machine's. All of it takes
    ``seconds`` at most, but for the resolver as in :func:`post`.

    :raises Refused: it is no address. :raises OSError: nobody answers, not in time, or more than that.
    """
    parts = parts_of(url)
    begun = time.monotonic()
    addresses = resolve(parts, ((parts.hostname or "").rstrip("."),), ())
    left = max(seconds - (time.monotonic() - begun), 0.0)
    return _post(parts, addresses, body, headers, left, most, authorities)


def _post(
    parts: SplitResult,
    addresses: list[str],
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    most: int = 0,
    authorities: Path | None = None,
) -> tuple[int, bytes]:
    deadline = Deadline(seconds)
    connection = Connection(parts.scheme, parts.hostname or "", parts.port, addresses, deadline, authorities)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, {"User-Agent": "tane", **headers})
        with connection.getresponse() as answer:
            told = answer.read(most + 1) if most else b""
            # A head or a body that was cut off by the deadline looks like a whole one.
            deadline.left()
            if len(told) > most:
                raise OSError(f"{parts.hostname}: the answer is longer than {most} bytes")
            return answer.status, told
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{parts.hostname}: {error or type(error).__name__}") from None
    finally:
        deadline.close()
        connection.close()
