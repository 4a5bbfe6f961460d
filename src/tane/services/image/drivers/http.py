"""Data that stays at a URL, and the only way in which this service fetches one.

A name is resolved once, every address is judged, and the connection goes to an address that was judged, so that a name
which answers differently the next time gains nothing. Each redirect is judged like the first URL. Proxies of the
environment are not asked.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from tane.config import ImageSettings
from tane.services.image.drivers.base import StoreError
from tane.web.connections import PORTS, Connection, Deadline
from tane.web.outside import is_public

CHUNK = 1 << 20
TIMEOUT_SECONDS = 30.0
"""Within which more of the data must come."""
HEAD_SECONDS = 60.0
"""Within which an answer must begin."""

PATIENCE_SECONDS, SLOWEST = 60.0, 8 << 10
"""In so many seconds data must come with so many bytes a second: few threads wait for all strangers."""

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)


class Refused(StoreError):
    """The filter does not allow this URL."""


def check_url(url: str, settings: ImageSettings) -> SplitResult:
    """The parts of a URL whose scheme, host and port are allowed. :raises Refused:"""
    refused = Refused(f"URI for web-download does not pass filtering: {url}")
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise refused from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in PORTS or not host or parts.username is not None:
        raise refused
    checks = (
        (parts.scheme, settings.allowed_schemes, settings.disallowed_schemes),
        (host, settings.allowed_hosts, settings.disallowed_hosts),
        (port, settings.allowed_ports, settings.disallowed_ports),
    )
    for value, allowed, disallowed in checks:
        if value not in allowed if allowed else value in disallowed:
            raise refused
    with contextlib.suppress(ValueError):
        if host not in settings.allowed_hosts and not is_public(host):
            raise refused
    return parts


def resolve(url: str, settings: ImageSettings) -> tuple[SplitResult, list[str]]:
    """The URL's parts and the addresses a connection may go to. :raises StoreError: none. :raises Refused:"""
    parts = check_url(url, settings)
    host = (parts.hostname or "").rstrip(".")
    try:
        found = socket.getaddrinfo(host, parts.port or PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise StoreError(f"{host} cannot be resolved: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if host not in settings.allowed_hosts:
        for address in addresses:
            if not is_public(address.split("%")[0]):
                raise Refused(f"URI for web-download does not pass filtering: {url} leads to an internal address")
    return parts, addresses


@dataclass
class Answer:
    """What a server says, while it says it."""

    response: http.client.HTTPResponse
    deadline: Deadline

    def chunks(self, most: int | None = None) -> Iterator[bytes]:
        """At most ``most`` bytes when given.

        :raises StoreError: the data broke off, is too much, or comes too slowly.
        """
        left, size = self.response.length, 0
        of_late, seconds = 0, 0.0
        while True:
            begun = time.monotonic()
            if not (data := self._next()):
                break
            # Who takes the data has his own time.
            seconds += time.monotonic() - begun
            size += len(data)
            of_late += len(data)
            if most is not None and size > most:
                raise StoreError("the answer is too large")
            if seconds > PATIENCE_SECONDS:
                if of_late < seconds * SLOWEST:
                    raise StoreError(f"the data comes too slowly: {of_late} bytes in {seconds:.0f} s")
                of_late, seconds = 0, 0.0
            if left is not None:
                left -= len(data)
            yield data
        if left:
            raise StoreError(f"the data broke off {left} bytes before its end")

    def _next(self) -> bytes:
        self.deadline.give(TIMEOUT_SECONDS)
        # What is there is taken: waiting for a whole chunk, a server that trickles would hold this thread for ever.
        data = self.response.read1(CHUNK)
        # What was cut off looks like an end; and nothing is waited for until more is asked for.
        self.deadline.give()
        return data


@contextlib.contextmanager
def opened(url: str, settings: ImageSettings, method: str = "GET") -> Iterator[Answer]:
    """The response to a URL after its redirects. :raises StoreError: it cannot be had. :raises Refused:"""
    for _ in range(MOST_REDIRECTS + 1):
        parts, addresses = resolve(url, settings)
        with _answer(parts, addresses, method, {}) as answer:
            response = answer.response
            if response.status in REDIRECTS and response.headers.get("location"):
                url = _next(url, response.headers["location"])
                continue
            _require_success(url, response)
            yield answer
            return
    raise StoreError(f"{url}: more than {MOST_REDIRECTS} redirects")


@contextlib.contextmanager
def trusted(url: str, headers: dict[str, str]) -> Iterator[Answer]:
    """The response of an address that an administrator wrote: it is not judged, and no redirect is followed.

    :raises StoreError: it cannot be had.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        port = None
    if port is None or not parts.hostname:
        raise StoreError(f"{url} is no address of the web")
    with _answer(parts, [parts.hostname], "GET", headers) as answer:
        _require_success(url, answer.response)
        yield answer


@contextlib.contextmanager
def _answer(parts: SplitResult, addresses: list[str], method: str, headers: dict[str, str]) -> Iterator[Answer]:
    response: http.client.HTTPResponse | None = None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    deadline = Deadline(HEAD_SECONDS)
    connection = Connection(parts.scheme, parts.hostname or "", parts.port, addresses, deadline)
    try:
        connection.request(method, path, headers={"User-Agent": "tane", "Accept-Encoding": "identity", **headers})
        response = connection.getresponse()
        # A head that was cut off may look like a whole one; and from here on time is given by who reads.
        deadline.give()
        yield Answer(response, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StoreError(f"{parts.geturl()} cannot be fetched: {error or type(error).__name__}") from None
    finally:
        deadline.close()
        # A response after which the server closes has taken the socket over.
        if response is not None:
            response.close()
        connection.close()


def _require_success(url: str, response: http.client.HTTPResponse) -> None:
    if response.status != 200:
        raise StoreError(f"{url} answers {response.status} {response.reason}")


def _next(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise StoreError(f"{url} leads to no address") from None


class HttpStore:
    """Images whose location is a URL; nothing is kept here."""

    kind = "http"
    read_only = True
    seekable = False

    def __init__(self, settings: ImageSettings) -> None:
        self._settings = settings

    def url_of(self, digest: str) -> str:
        raise StoreError("a store of URLs keeps no data")

    def put(self, path: Path, digest: str) -> None:
        raise StoreError("a store of URLs keeps no data")

    def settle(self, path: Path, digest: str) -> None:
        raise StoreError("a store of URLs keeps no data")

    def local_path(self, url: str) -> Path | None:
        return None

    def size(self, url: str) -> int:
        with opened(url, self._settings, "HEAD") as answer:
            length = answer.response.headers.get("content-length", "")
        if not length.isdigit():
            raise StoreError(f"{url} does not tell its size")
        return int(length)

    def read(self, url: str, offset: int = 0) -> Iterator[bytes]:
        with opened(url, self._settings) as answer:
            yield from answer.chunks()

    def remove(self, url: str) -> bool:
        return False

    def urls(self) -> list[str]:
        return []

    def tidy(self) -> int:
        return 0

    def properties(self) -> dict[str, Any]:
        return {}
