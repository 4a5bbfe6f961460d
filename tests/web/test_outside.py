"""Whoever is called outside of the cloud holds nobody up for longer than was said."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tane.web import connections, outside

SECONDS = 0.5
HOLE = "127.0.0.2"


@pytest.fixture
def dribbler() -> Iterator[int]:
    """Who answers with a byte at a time and never ends; its port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                    while not over.wait(0.02):
                        connection.sendall(b"a")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        over.set()


@pytest.mark.parametrize("holes", [0, 2, 40])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_all_of_a_call_is_over_in_time(dribbler: int, holes: int, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    connect = socket.socket.connect

    def dropping(sock: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        if address[0] == HOLE:
            threading.Event().wait(sock.gettimeout())
            raise TimeoutError
        connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", dropping)
    monkeypatch.setattr(outside, "resolve", lambda *what: [HOLE] * holes + ["127.0.0.1"])
    begun = time.monotonic()
    with pytest.raises(OSError):
        outside.post(f"{scheme}://hooks.example.com:{dribbler}/", b"{}", (), (), SECONDS)
    assert time.monotonic() - begun < 6 * SECONDS and len(tried) <= connections.MOST_ADDRESSES


def test_who_answers_behind_an_address_that_does_not_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        monkeypatch.setattr(outside, "resolve", lambda *what: ["127.0.0.3", "127.0.0.1"])
        port = listening.getsockname()[1]
        assert outside.post(f"http://hooks.example.com:{port}/", b"{}", (), (), 10.0) == 204


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "[2002:808:808::1]", "[::ffff:808:808]"]
)
def test_the_clouds_own_address_is_known_in_all_its_forms(host: str) -> None:
    parts = outside.parts_of(f"http://{host}/")
    outside.judge(parts, (), ())
    for own in ("8.8.8.8", "::ffff:8.8.8.8"):
        with pytest.raises(outside.Refused):
            outside.judge(parts, (), ("a name", own))


def test_certificates_are_read_once_until_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONTEXT_SECONDS", 1e9)
    found = tmp_path / "authorities.pem"
    found.touch()
    monkeypatch.setattr(ssl, "create_default_context", lambda cafile: object())
    first = connections.context(found)
    assert connections.context(found) is first and connections.context(None) is connections.context(None) is not first
    os.utime(found, ns=(1, 1))
    assert connections.context(found) is not first
    connections._context_of.cache_clear()


def test_an_operators_address_may_be_written_to_its_root() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            with server.accept()[0] as there:
                there.recv(1 << 16)
                there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        assert outside.post_to_operator(f"http://localhost.:{port}/", b"", {}, 5.0, 100) == (200, b"ok")
        thread.join()


def test_the_time_of_the_resolver_is_of_the_call_to_an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    given: list[float] = []

    def resolve(*_: object) -> list[str]:
        now[0] += 3.0
        return ["127.0.0.1"]

    def post(parts: object, addresses: object, body: object, headers: object, seconds: float, *_: object) -> Any:
        given.append(seconds)
        return 200, b""

    monkeypatch.setattr(outside, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(outside, "resolve", resolve)
    monkeypatch.setattr(outside, "_post", post)
    outside.post_to_operator("http://localhost/", b"", {}, 5.0, 100)
    assert given == [2.0]
