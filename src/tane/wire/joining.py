"""What is said at the beginning of a connection between an agent and its cloud.

An agent first asks for the cloud's authority without trusting the answer, and compares it with the pin of its join
token; then it connects anew, now sure whom it talks to, and only then shows the token's secret.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from tane.wire.documents import Amount, Document, HostCapabilities
from tane.wire.grammar import Digest, HostName, Id, IpAddress, Key, Port, Word

MEMBERSHIP = "cloud.json"
"""The file of a state folder by which it is that of a host."""
PROTOCOL = 1
"""Raised when an older program would misread a newer one; both ends name theirs."""
SERVER_NAME = "cloud.tane.internal"
"""Whom the certificate of the cloud's end is for: agents reach it by addresses that only they know."""
MOST_BEFORE_TRUST = 64 << 10
"""Bytes of a frame from somebody whom nobody knows yet."""
MOST_RANGES = 256
CLOCK_SECONDS = 300.0
"""Clocks that differ by more spoil certificates."""

Role = Literal["compute", "network", "volume", "object"]
ROLES: tuple[Role, ...] = get_args(Role)
USUAL_ROLES: tuple[Role, ...] = ("compute", "network", "volume")
Purpose = Literal["authority", "join", "line", "call", "opened", "leave"]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
Name = Annotated[
    str, Meta(max_length=253, pattern=rf"^(?![0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-)(?!tokens\Z){_LABEL}(\.{_LABEL})*\Z")
]
"""Of a host: none that could be taken for an id, or for a part of the API."""
Pem = Annotated[str, Meta(max_length=16384, pattern=r"^[A-Za-z0-9+/=\n -]*\Z")]


def duties_of(roles: Collection[str]) -> set[str]:
    """What a host with these roles is asked. Servers need their ports, DHCP and routers where they are, and volumes the
    namespace in which they are exported: networks are on hosts with these roles, too, and the role ``network`` says
    which may be the way out (gateway hosts)."""
    return {*roles, "network"} if {"compute", "volume"} & {*roles} else {*roles}


class Range(Document):
    """Addresses that are taken on a machine, and where."""

    cidr: Annotated[str, Meta(pattern=r"^[0-9A-Fa-f:.]{2,45}/[0-9]{1,3}\Z")]
    interface: Word


class HostFacts(Document):
    """What a host says of itself. ``started``: drawn by each start of its agent; ``release``: of its program;
    ``pool_gb``: the disk of its pool of volumes."""

    name: HostName
    roles: tuple[Role, ...]
    started: Id
    release: Word
    local_ip: IpAddress | None = None
    capabilities: HostCapabilities | None = None
    pool_gb: Amount = 0
    ranges: Annotated[tuple[Range, ...], Meta(max_length=MOST_RANGES)] = ()


class Join(Document):
    """``simulated``: no server really runs on it. ``request``: for a certificate (PKCS #10), by the key that the agent
    keeps."""

    token_id: Id
    secret: Key
    host_id: Uuid
    name: Name
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=4)]
    simulated: bool
    request: Pem


class Hello(Document):
    """The first frame of each connection.

    ``authority``: whose cloud is this? ``join``: let me in. ``line``: I am a host that has joined, by this connection
    we talk. ``call``: I ask, by this connection you answer. ``opened``: here is the connection you asked for (``key``).
    ``leave``: remove me.
    """

    protocol: Amount
    purpose: Purpose
    join: Join | None = None
    facts: HostFacts | None = None
    key: Key | None = None


class Authority(Document):
    """``now``: the cloud's clock, in seconds since 1970."""

    certificate: Pem
    now: float


class Joined(Document):
    """What a host shows from now on, the cloud's authority, and the UDP port of the tunnels between hosts."""

    certificate: Pem
    authority: Pem
    tunnel_port: Port


class JoinToken(msgspec.Struct, frozen=True, array_like=True):
    """What an administrator carries to a new host: where the cloud is, a secret that is good once, and by what the
    cloud is known: ``pin``, the SHA-256 of its authority's public key."""

    address: Annotated[str, Meta(max_length=255, pattern=r"^[A-Za-z0-9.:\[\]_-]+\Z")]
    port: Annotated[int, Meta(ge=1, le=65535)]
    token_id: Id
    secret: Key
    pin: Digest

    def text(self) -> str:
        """One word, for a file or a line of standard input."""
        return PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


PREFIX = "tane-join-1-"


def token(text: str) -> JoinToken:
    """The token that is written so. :raises ValueError: it is none."""
    word = text.strip()
    if not word.startswith(PREFIX):
        raise ValueError(f"a join token begins with {PREFIX}: see tane host token")
    encoded = word.removeprefix(PREFIX)
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=JoinToken)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"this is not a whole join token: {error}") from None


def greeting(purpose: Purpose, **more: object) -> bytes:
    """The bytes of a :class:`Hello` of this program."""
    return msgspec.json.encode(Hello(protocol=PROTOCOL, purpose=purpose, **more))  # type: ignore[arg-type]  # Fields.
