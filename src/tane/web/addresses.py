"""Under which address a client reached the cloud, and from which: what headers say counts only where it is checked.

Links and the addresses of consoles are made of this: were they made of whatever ``Host`` says, who sends a victim's
request, or fills a cache between, would say where the victim goes next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tane.config import WILDCARDS, Config
from tane.web import limits

HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::(?P<port>[0-9]{1,5}))?\Z")
LOOPBACK = ("127.", "::1")
DEFAULT_PORTS = {"http": 80, "https": 443}
MOST_KNOWN = 1000


class Addresses:
    """The addresses of one cloud, of its settings ``public_url``, ``host``, ``port``, ``server_names`` and
    ``trusted_proxies``."""

    def __init__(self, config: Config) -> None:
        self._public = config.public_url.rstrip("/")
        self._host, self._port = config.host, config.port
        self._names = {_parsed(name) for name in config.server_names}
        self._proxies = limits.networks(config.trusted_proxies)
        self._known: dict[tuple[Any, ...], str] = {}

    def base(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        """What links begin with: the public address; else what the client asked for, where that is ours; else the
        configured one."""
        if self._public:
            return self._public
        scheme, host = str(scope.get("scheme", "http")), headers.get("host", "")
        forwarded = False
        if self._from_proxy(scope):
            wanted = headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
            scheme = wanted if wanted in DEFAULT_PORTS else scheme
            given = headers.get("x-forwarded-host", "").split(",")[0].strip()
            forwarded, host = bool(given), given or host
        server = tuple(scope.get("server") or ("", None))
        key = (scheme, host, forwarded, server)
        known = self._known.get(key)
        if known is None:
            known = self._chosen(scheme, host, server, trusted=forwarded)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    def client(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        """Where a request comes from: behind proxies that are trusted, the last address that is none of them."""
        peer = str((scope.get("client") or ("",))[0])
        if not self._from_proxy(scope):
            return peer
        for text in reversed(headers.get("x-forwarded-for", "").split(",")):
            address = text.strip()
            if not limits.is_address(address):
                break
            peer = address
            if not limits.within(address, self._proxies):
                break
        return peer

    def _from_proxy(self, scope: Mapping[str, Any]) -> bool:
        client = scope.get("client")
        return bool(self._proxies) and client is not None and limits.within(str(client[0]), self._proxies)

    def _chosen(self, scheme: str, host: str, server: tuple[Any, ...], *, trusted: bool) -> str:
        name, port = _parsed(host)
        local, local_port = str(server[0]), server[1] or DEFAULT_PORTS[scheme]
        if name and (trusted or self._is_ours(name, port or DEFAULT_PORTS[scheme], local, local_port)):
            return f"{scheme}://{name}:{port}" if port else f"{scheme}://{name}"
        if self._host in WILDCARDS and local:
            return f"{scheme}://{_bracketed(local)}:{local_port}"
        return f"{scheme}://{_bracketed(self._host)}:{self._port}"

    def _is_ours(self, name: str, port: int, local: str, local_port: int) -> bool:
        if (name, port) in self._names:
            return True
        own = {_bracketed(local).lower(), *(known for known, other in self._names if not other)}
        if self._host not in WILDCARDS:
            own.add(_bracketed(self._host).lower())
        if local.startswith(LOOPBACK):
            own.add("localhost")
        return name in own and port in (self._port, local_port)


def _parsed(host: str) -> tuple[str, int]:
    """The name, in lower case, and the port (0: none is named); an empty name where it has not the form."""
    found = HOST.match(host)
    if found is None or int(found["port"] or 0) > 65535:
        return "", 0
    return found["name"].lower(), int(found["port"] or 0)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
