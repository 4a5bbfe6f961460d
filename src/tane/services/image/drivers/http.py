"""Data that stays at a URL, and the only way in which this service fetches one.

A name is resolved once, every address is judged, and the connection goes to an address that was judged, so that a name
which answers differently the next time gains nothing. Each redirect is judged like the first URL. Proxies of the
environment are not asked.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from tane.config import ImageSettings
from tane.services.image.drivers.base import StoreError
from tane.web.outside import is_public

CHUNK = 1 << 20
TIMEOUT_SECONDS = 30.0
HEAD_SECONDS = 60.0
"""Within which an answer must begin."""

PATIENCE_SECONDS, SLOWEST = 60.0, 8 << 10
"""After how many seconds data must have come with how many bytes a second: few threads wait for all strangers."""

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}


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


class _Connection(http.client.HTTPConnection):
    """A connection to addresses that were judged before."""

    def __init__(self, parts: SplitResult, addresses: list[str]) -> None:
        super().__init__(parts.hostname or "", parts.port or PORTS[parts.scheme], timeout=TIMEOUT_SECONDS)
        self._scheme = parts.scheme
        self._addresses = addresses

    def connect(self) -> None:
        error: OSError = OSError("there is no address")
        for address in self._addresses:
            try:
                self.sock = socket.create_connection((address, self.port), TIMEOUT_SECONDS)
                break
            except OSError as failed:
                error = failed
        else:
            raise error
        if self._scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


@contextlib.contextmanager
def opened(url: str, settings: ImageSettings, method: str = "GET") -> Iterator[http.client.HTTPResponse]:
    """The response to a URL after its redirects. :raises StoreError: it cannot be had. :raises Refused:"""
    for _ in range(MOST_REDIRECTS + 1):
        parts, addresses = resolve(url, settings)
        with _response(url, _Connection(parts, addresses), method, {}) as response:
            if response.status in REDIRECTS and response.headers.get("location"):
                url = _next(url, response.headers["location"])
                continue
            _require_success(url, response)
            yield response
            return
    raise StoreError(f"{url}: more than {MOST_REDIRECTS} redirects")


@contextlib.contextmanager
def trusted(url: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
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
    with _response(url, _Connection(parts, [parts.hostname]), "GET", headers) as response:
        _require_success(url, response)
        yield response


@contextlib.contextmanager
def _response(
    url: str, connection: _Connection, method: str, headers: dict[str, str]
) -> Iterator[http.client.HTTPResponse]:
    response: http.client.HTTPResponse | None = None
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with _within(HEAD_SECONDS, connection):
            connection.request(method, path, headers={"User-Agent": "tane", "Accept-Encoding": "identity", **headers})
            response = connection.getresponse()
        yield response
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StoreError(f"{url} cannot be fetched: {error or type(error).__name__}") from None
    finally:
        # A response after which the server closes has taken the socket over.
        if response is not None:
            response.close()
        connection.close()


@contextlib.contextmanager
def _within(seconds: float, connection: _Connection) -> Iterator[None]:
    """Break the connection off when the block takes longer: a server may send one byte before each timeout."""

    def end() -> None:
        with contextlib.suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _require_success(url: str, response: http.client.HTTPResponse) -> None:
    if response.status != 200:
        raise StoreError(f"{url} answers {response.status} {response.reason}")


def _next(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise StoreError(f"{url} leads to no address") from None


def chunks(response: http.client.HTTPResponse, most: int | None = None) -> Iterator[bytes]:
    """At most ``most`` bytes when given. :raises StoreError: the data broke off, is too much, or comes too slowly."""
    left = response.length
    begun, size = time.monotonic(), 0
    # What is there is taken: waiting for a whole chunk, a server that trickles would hold this thread for ever.
    while data := response.read1(CHUNK):
        size += len(data)
        if most is not None and size > most:
            raise StoreError("the answer is too large")
        seconds = time.monotonic() - begun
        if seconds > PATIENCE_SECONDS and size < seconds * SLOWEST:
            raise StoreError(f"the data comes too slowly: {size} bytes in {seconds:.0f} s")
        if left is not None:
            left -= len(data)
        yield data
    if left:
        raise StoreError(f"the data broke off {left} bytes before its end")


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
        with opened(url, self._settings, "HEAD") as response:
            length = response.headers.get("content-length", "")
        if not length.isdigit():
            raise StoreError(f"{url} does not tell its size")
        return int(length)

    def read(self, url: str, offset: int = 0) -> Iterator[bytes]:
        with opened(url, self._settings) as response:
            yield from chunks(response)

    def remove(self, url: str) -> bool:
        return False

    def urls(self) -> list[str]:
        return []

    def tidy(self) -> int:
        return 0

    def properties(self) -> dict[str, Any]:
        return {}
