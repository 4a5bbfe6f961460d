"""A port for a server that a test starts."""

from __future__ import annotations

import random
import socket

_PORTS = range(11_000, 19_000)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at: a random one below those that outgoing connections and sockets
    without a wish are given, which could take it before the server does."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
