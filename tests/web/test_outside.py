"""Whoever is called outside of the cloud holds nobody up for longer than was said."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tane.web import outside

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
    connect = socket.create_connection

    def dropping(address: tuple[str, int], seconds: float) -> Any:
        tried.append(address[0])
        if address[0] == HOLE:
            threading.Event().wait(seconds)
            raise TimeoutError
        return connect(address, seconds)

    monkeypatch.setattr(socket, "create_connection", dropping)
    monkeypatch.setattr(outside, "resolve", lambda *what: [HOLE] * holes + ["127.0.0.1"])
    begun = time.monotonic()
    with pytest.raises(OSError):
        outside.post(f"{scheme}://hooks.example.com:{dribbler}/", b"{}", (), (), SECONDS)
    assert time.monotonic() - begun < 6 * SECONDS and len(tried) <= outside.MOST_ADDRESSES


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
