"""What a handler is given and what it may answer."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import quote, urlencode

from tane.web.codec import whole
from tane.web.context import Context
from tane.web.errors import BadRequest
from tane.web.versions import Version

if TYPE_CHECKING:
    from tane.core import Core

IN_PATHS = "/:@!$&'()*+,;=~"
"""What stands in a path as it is; all else is percent-encoded."""


class BodyStream(Protocol):
    """The raw request body of a streaming route."""

    async def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer``; returns how much of it, less than all only when the body ends.

        :raises BadRequest: the client broke off before.
        """
        ...


@dataclass
class Request:
    """One request. ``body`` is an instance of the route's schema, ``path`` the values of the path's ``{fields}``."""

    core: Core
    ctx: Context
    method: str
    path: dict[str, str]
    url_path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    version: Version
    base_url: str
    service_url: str
    body: Any = None
    raw: bytes = b""
    remote: str = ""
    """The address the request came from."""
    may_hash: bool = False
    """Whether the handler runs where passwords are hashed; see :class:`NeedsHashing`."""
    may_take_long: bool = False
    """Whether the handler runs where only such work waits for it."""
    stream: BodyStream | None = None
    raw_query: str = ""
    raw_path: str = ""
    """The address as the client sent it."""
    subdomain: str = ""
    """What stood before the service's own domain in the host's name; the path begins with it."""
    authenticate: Callable[[], Context] | None = None
    """Of a service that admits callers itself: the caller behind the token that was sent. Raises Unauthorized."""
    admitted: Callable[[], None] = lambda: None
    """To be called by a handler that found by other means than a token who asks (a session): its body counts no longer
    as a stranger's."""
    count_for: Callable[[str], None] = lambda _owner: None
    """To be called by a handler that found by other means than a token whose request it is: a project. Raises Full."""
    grow: Callable[[], None] = lambda: None
    """To be called before much of its body is kept in memory: it counts as a long one. Raises Full."""
    notes: dict[Any, Any] = field(default_factory=dict)
    """What a service keeps of it while it is answered; a request that is made of this one has the same."""
    _first: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in reversed(self.query):
            self._first[name] = value

    def param(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        return self._first.get(name, default)

    def params(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value for key, value in self.query if key == name]

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean query parameter, given as OpenStack clients give it. :raises BadRequest: for other words."""
        value = self._first.get(name)
        if value is None:
            return default
        if value.lower() in ("1", "true", "t", "yes", "y", "on"):
            return True
        if value.lower() in ("0", "false", "f", "no", "n", "off", ""):
            return False
        raise BadRequest(f"Invalid value '{value}' for query parameter '{name}': a boolean is expected.")

    def number(self, name: str, default: int | None = None, *, minimum: int = 0) -> int | None:
        """An integer query parameter. :raises BadRequest: when it is not one or below ``minimum``."""
        value = self._first.get(name)
        if value is None or value == "":
            return default
        number = whole(value)
        if number is None or number < minimum:
            raise BadRequest(
                f"Invalid value '{value}' for query parameter '{name}': an integer >= {minimum} is expected."
            )
        return number

    def allows(self, rule: str, target: Mapping[str, Any] | None = None) -> bool:
        """Whether the caller passes a policy rule on ``target`` (by default something of its own)."""
        return self.core.policy.allows(rule, self.ctx, target)

    def link(self, path: str, **query: Any) -> str:
        """An absolute link inside the service."""
        text = self.service_url + quote(path, safe=IN_PATHS)
        return f"{text}?{urlencode(query, doseq=True)}" if query else text

    def next_page(self, path: str, marker: str) -> str:
        """The link to the page after ``marker`` with all other query parameters kept."""
        kept = [(name, value) for name, value in self.query if name != "marker"]
        return f"{self.service_url}{path}?{urlencode([*kept, ('marker', marker)])}"


class NeedsHashing(Exception):
    """Raised by a handler that is about to hash a password where it must not, before it has changed anything: it is
    called once more when it is the caller's turn, in a thread for that."""


CURRENT: ContextVar[Request | None] = ContextVar("request", default=None)
"""The request that is being answered; None in jobs, reconcilers and commands. Its ``ctx`` is the caller."""


@dataclass(frozen=True)
class FilePart:
    """``length`` bytes of an open file from ``offset`` on: what a body is sent from without passing through us."""

    file: BinaryIO
    offset: int
    length: int


@dataclass
class Response:
    """An answer with more than a body: another status, headers, raw bytes or a stream.

    ``body``: bytes are sent as they are, anything else as JSON, None as an empty body. ``file`` is closed when it was
    sent, and also when it was not (``HEAD``); so is a ``stream`` that has a coroutine method ``close``.
    """

    body: Any = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    stream: AsyncIterable[bytes | FilePart] | None = None
    length: int | None = None
    file: FilePart | None = None
    held: int = 0
    """Bytes in memory that a ``stream`` is made of."""
    cookies: Sequence[str] = ()
    """Lines of ``Set-Cookie``."""

    async def close(self) -> None:
        """It is not sent."""
        if self.file is not None:
            self.file.file.close()
        close = getattr(self.stream, "close", None)
        if close is not None:
            await close()
