"""What stands for an operator's Prometheus, and reads what is sent to it by the specifications alone."""

from __future__ import annotations

import http.server
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Series = tuple[dict[str, str], float, int]
"""(labels, value, milliseconds since 1970)."""


@dataclass
class Receiver:
    """``answer``: makes (status, body) of the path and body of a request."""

    port: int
    answer: Callable[[str, bytes], tuple[int, bytes]] = lambda path, body: (204, b"")
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def series(self) -> list[Series]:
        return [one for _, _, body in self.asked for one in series_of(unframed(body))]


@contextmanager
def receiver() -> Iterator[Receiver]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, told = found.answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return number, at


def unframed(data: bytes) -> bytes:
    """Snappy's block format, of literals alone."""
    length, at = _varint(data, 0)
    found = b""
    while at < len(data):
        assert data[at] == 0xF4, "a literal whose length has two bytes"
        size = int.from_bytes(data[at + 1 : at + 3], "little") + 1
        found += data[at + 3 : at + 3 + size]
        at += 3 + size
    assert len(found) == length
    return found


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 2:
            size, at = _varint(data, at)
            yield tag >> 3, data[at : at + size]
            at += size
        elif tag & 7 == 1:
            yield tag >> 3, data[at : at + 8]
            at += 8
        else:
            number, at = _varint(data, at)
            yield tag >> 3, number


def series_of(message: bytes) -> Iterator[Series]:
    for _, one in _fields(message):
        assert isinstance(one, bytes)
        labels: list[tuple[str, str]] = []
        value, moment = 0.0, 0
        for number, content in _fields(one):
            assert isinstance(content, bytes)
            if number == 1:
                name, text = (part.decode() for _, part in _fields(content) if isinstance(part, bytes))
                labels.append((name, text))
            else:
                [(_, double), (_, millis)] = _fields(content)
                assert isinstance(double, bytes) and isinstance(millis, int)
                [value], moment = struct.unpack("<d", double), millis
        assert labels == sorted(labels) and all(text for _, text in labels)
        yield dict(labels), value, moment
