"""Host names that are a service's own: there its paths have no prefix, and names below it are parts of the path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tane.config import Config
from tane.web.routes import Service

SENT, SUBDOMAIN = "tane.sent", "tane.subdomain"
"""In the scope of a request for a service's own domain: the path that was sent, and what stood before the domain."""
PORT = re.compile(r"(?::[0-9]{0,5}){1,2}\Z")
"""Of a host's name. boto 2 says it twice where it signs by version 4."""
BELOW = re.compile(r"[a-z0-9][a-z0-9._-]{0,253}\Z")


def of(services: Iterable[Service], config: Config) -> tuple[Domain, ...]:
    """Those that are set."""
    found = ((service.domain(config), service.prefix) for service in services if service.domain is not None)
    return tuple(Domain(name, prefix) for name, prefix in found if name)


def find(domains: Iterable[Domain], scope: dict[str, Any]) -> None:
    """Put into the path of a request what the host name that it came for says."""
    for domain in domains:
        domain.find(scope)


class Domain:
    """A host name that is a service's own."""

    def __init__(self, name: str, prefix: str) -> None:
        self._name, self._prefix = name.lower(), prefix

    def find(self, scope: dict[str, Any]) -> None:
        """Put the service's prefix, and what stands before the domain, into the path of a request that came for it."""
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
        name = PORT.sub("", host)
        if name == self._name:
            before = ""
        elif name.endswith(f".{self._name}") and BELOW.match(name.removesuffix(f".{self._name}")):
            before = name.removesuffix(f".{self._name}")
        else:
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        scope[SENT], scope[SUBDOMAIN] = raw, before
        front = f"{self._prefix}/{before}" if before else self._prefix
        scope["path"], scope["raw_path"] = f"{front}{scope['path']}", front.encode() + raw
