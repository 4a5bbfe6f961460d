"""Connections to servers of strangers: to addresses that were judged before, and for no longer than is waited for.

The time-out of a socket is no bound: it begins anew with every byte, and http.client reads heads, the lines of chunks
and trailers for as long as they come.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import math
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PORTS = {"http": 80, "https": 443}
MOST_ADDRESSES = 4
"""That are tried of one name."""
LOOK_SECONDS = 1.0
CONTEXT_SECONDS = 600.0
"""Certificates of the machine may change in many files: they are read anew."""


class Deadline:
    """Of what is waited for on a connection. At its end the connection is shut, whatever it is at."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._sock: socket.socket | None = None
        with _LOCK:
            _DEADLINES.add(self)
        threading.Thread(target=self._watch, name="tane-deadline", daemon=True).start()

    def left(self) -> float:
        """:raises TimeoutError: nothing."""
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("it takes too long")
        return seconds

    def give(self, seconds: float = math.inf) -> None:
        """From now on so long. :raises TimeoutError: it is over already."""
        with self._lock:
            self.left()
            self._ends = time.monotonic() + seconds

    def watch(self, sock: socket.socket) -> None:
        """:raises TimeoutError: it is over already."""
        with self._lock:
            self.left()
            self._sock = sock

    def end(self) -> None:
        """Now."""
        with self._lock:
            self._ends = -math.inf
            self._shut()

    def close(self) -> None:
        """Nothing is waited for any more."""
        self._closed.set()
        with self._lock:
            self._sock = None
        with _LOCK:
            _DEADLINES.discard(self)

    def _watch(self) -> None:
        while not self._closed.wait(min(max(self._ends - time.monotonic(), 0), LOOK_SECONDS)):
            with self._lock:
                if self._ends <= time.monotonic():
                    self._shut()
                    return

    def _shut(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                # By the descriptor: TLS would take its own socket over.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


_LOCK = threading.Lock()
_DEADLINES: set[Deadline] = set()


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Meanwhile whatever is waited for ends, also what only begins: the process waits for its threads."""
    over = threading.Event()

    def end_all() -> None:
        while True:
            with _LOCK:
                known = list(_DEADLINES)
            for deadline in known:
                deadline.end()
            if over.wait(LOOK_SECONDS):
                return

    thread = threading.Thread(target=end_all, name="tane-ending", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Connection(http.client.HTTPConnection):
    """To addresses that were judged before: a name that answers otherwise the next time gains nothing.

    ``authorities``: a file of certificates, other than the machine's.
    """

    def __init__(
        self,
        scheme: str,
        host: str,
        port: int | None,
        addresses: Sequence[str],
        deadline: Deadline,
        authorities: Path | None = None,
    ) -> None:
        super().__init__(host, port or PORTS[scheme])
        self._authorities = authorities
        self._scheme, self._addresses, self._deadline = scheme, addresses, deadline

    def connect(self) -> None:
        """:raises OSError: nobody answers, or not in time."""
        known = (socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM) for name in self._addresses)
        found = list(itertools.chain.from_iterable(known))[:MOST_ADDRESSES]
        error: OSError = OSError("there is no address")
        for place, (family, kind, protocol, _, address) in enumerate(found, 1):
            self.sock = socket.socket(family, kind, protocol)
            try:
                # Before it connects: that is waited for, too.
                self._deadline.watch(self.sock)
                # Each of those that are left has the same time.
                self.sock.settimeout(self._deadline.left() / (len(found) - place + 1))
                self.sock.connect(address)
                break
            except OSError as failed:
                self.sock.close()
                error = failed
        else:
            raise error
        self.sock.settimeout(self._deadline.left())
        if self._scheme == "https":
            self.sock = context(self._authorities).wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
        self._deadline.watch(self.sock)
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()


def context(authorities: Path | None) -> ssl.SSLContext:
    """To read the certificates takes longer than a request. :raises OSError: the file cannot be read."""
    changed = authorities.stat().st_mtime_ns if authorities is not None else 0
    return _context_of(authorities, changed, int(time.monotonic() // CONTEXT_SECONDS))


@functools.lru_cache(4)
def _context_of(authorities: Path | None, changed: int, period: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities)
