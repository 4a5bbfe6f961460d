"""The grammar of every string that reaches a file, a program or the kernel.

The API reads addresses with the parsers here and keeps what they return, the canonical form; the documents of
:mod:`tane.wire.documents` have fields of the types here, and an agent uses none before :func:`checked`. Patterns end
in ``\\Z``: ``$`` would let a line break pass.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ADDRESS = r"[0-9A-Fa-f:.]{2,45}"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"

IpAddress = Annotated[str, Meta(pattern=rf"^{_ADDRESS}\Z")]
"""An IPv4 or IPv6 address without zone; :func:`address` tells whether it is one."""
Cidr = Annotated[str, Meta(pattern=rf"^{_ADDRESS}(/[0-9]{{1,3}})?\Z")]
"""A network, or an address that stands for the network of it alone; :func:`network` tells whether it is one."""
MacAddress = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\Z")]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}\Z")]
"""The id of a resource; it becomes part of names of files, namespaces and interfaces."""
DeviceName = Annotated[str, Meta(pattern=r"^(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,15}\Z")]
"""The name of a network interface (Linux: at most 15 characters)."""
HostName = Annotated[str, Meta(max_length=253, pattern=rf"^({_LABEL}(\.{_LABEL})*)?\Z")]
"""A host's name (RFC 1123, with underscores, which clients use), or nothing."""
DomainName = Annotated[str, Meta(max_length=254, pattern=rf"^({_LABEL}(\.{_LABEL})*\.?)?\Z")]
"""A DNS domain, or nothing."""
BlockDevice = Annotated[str, Meta(pattern=r"^(/dev/[A-Za-z0-9/_-]{1,64})?\Z")]
"""The path a guest may know a disk by, or nothing."""
Digest = Annotated[str, Meta(pattern=r"^(?:[0-9a-f]{64}|[0-9a-f]{128})\Z")]
"""SHA-256 or SHA-512 in hex."""
BlobId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
"""The drawn id of an object's bytes; it becomes the name of a file."""
Key = Annotated[str, Meta(pattern=r"^[0-9a-f]{16,128}\Z")]
"""A secret in hex."""
Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
"""One word without any separator: the name of a format, a user, a protocol."""
Line = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00-\x1f\x7f\x85\u2028\u2029]*\Z")]
"""Text for people on one line: no control characters."""
Reason = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f\x85\u2028\u2029]*\Z")]
"""Why something could not be done on a host, as :func:`as_reason` makes it: it is written into rows."""
Port = Annotated[int, Meta(ge=1, le=65535)]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_Document = TypeVar("_Document", bound=msgspec.Struct)


def checked(document: _Document) -> _Document:
    """The document when every field of it, and of what it holds, has the form its type says.

    :raises ValueError: naming the field and the rule.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(document), type(document))
    except msgspec.ValidationError as error:
        raise ValueError(f"{type(document).__name__}: {error}") from None


def as_reason(text: str, most: int = 500) -> str:
    """A text on one line of at most ``most`` characters, without halves of such."""
    line = _CONTROL.sub(" ", text.encode(errors="replace").decode()).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def address(text: str) -> Address:
    """The one parser of IP addresses. ``str()`` of what it returns is the canonical form (RFC 5952 for IPv6).

    No zone (``fe80::1%eth0``), no spaces, no leading zeros, no prefix.

    :raises ValueError: anything else.
    """
    if not re.fullmatch(_ADDRESS, text):
        raise ValueError(f"{text!r} is not an IP address")
    return ipaddress.ip_address(text)


def network(text: str, *, strict: bool = False) -> Network:
    """The one parser of networks: an address, or an address and the length of a prefix in decimal digits.

    :param strict: refuse bits behind the prefix; else they are cut off.
    :raises ValueError: anything else.
    """
    if not re.fullmatch(rf"{_ADDRESS}(/[0-9]{{1,3}})?", text):
        raise ValueError(f"{text!r} is not an IP network")
    return ipaddress.ip_network(text, strict=strict)


def interface(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    """An address with the network it lies in, written like a network.

    :raises ValueError: anything else.
    """
    if not re.fullmatch(rf"{_ADDRESS}(/[0-9]{{1,3}})?", text):
        raise ValueError(f"{text!r} is not an IP address with a prefix length")
    return ipaddress.ip_interface(text)


def mac(text: str) -> str:
    """The canonical form of a unicast MAC address: lower case, colons.

    :raises ValueError: anything else, a group address or the address of zeros.
    """
    canonical = text.lower().replace("-", ":")
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", canonical):
        raise ValueError(f"{text!r} is not a MAC address")
    if canonical == "00:00:00:00:00:00" or int(canonical[:2], 16) & 1:
        raise ValueError(f"{text!r} is not the MAC address of one interface")
    return canonical


def is_label(text: str) -> bool:
    """Whether ``text`` is one label of a host's or a domain's name."""
    return re.fullmatch(_LABEL, text) is not None


def derived_mac(text: str) -> str:
    """A locally administered MAC that is always the same for the same text: what nobody draws, both sides know."""
    digest = hashlib.sha256(text.encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x0A, *digest[:5]))


def outside_mac(network_id: str) -> str:
    """Of the leg that a gateway host itself has in an external network."""
    return derived_mac(f"outside of {network_id}")
