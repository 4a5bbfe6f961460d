"""Servers that strangers name, and what they make the cloud wait for."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tane.config import ImageSettings
from tane.core import Core
from tane.services.image.drivers import http
from tane.services.image.drivers.base import StoreError
from tane.web import connections
from tests.support import ApiCloud

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
ENDLESS = {
    "a trailer line by line": (CHUNKED + b"0\r\n", b"x: y\r\n", 0.02),
    "a trailer at full speed": (CHUNKED + b"0\r\n", b"x: y\r\n" * 10_000, 0.0),
    "the size of a chunk letter by letter": (CHUNKED + b"5;", b"x", 0.02),
    "a head letter by letter": (b"HTTP/1.1 200 OK\r\nA: ", b"x", 0.02),
    "heads that only announce others": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "nothing more": (CHUNKED, b"", 0.02),
}


@contextlib.contextmanager
def server(first: bytes, more: bytes, pause: float) -> Iterator[tuple[str, threading.Event]]:
    """Answers everybody so, without end; the event is set when the client has gone."""
    gone, over = threading.Event(), threading.Event()

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(4096)
            client.sendall(first)
            client.settimeout(pause or 1)
            while not over.is_set():
                if more:
                    client.sendall(more)
                if pause and _ended(client):
                    break
        gone.set()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/disk", gone
        finally:
            over.set()


def _ended(client: socket.socket) -> bool:
    try:
        return not client.recv(1)
    except TimeoutError:
        return False


def allowed(url: str) -> ImageSettings:
    return ImageSettings(allowed_hosts=("127.0.0.1",), allowed_ports=(int(url.split(":")[2].split("/")[0]),))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(connections, "LOOK_SECONDS", 0.02)


@pytest.mark.parametrize("what", ENDLESS)
def test_no_server_holds_a_thread_for_ever(hurried: None, what: str) -> None:
    with server(*ENDLESS[what]) as (url, gone):
        begun = time.monotonic()
        with pytest.raises(StoreError, match="cannot be fetched"):
            for _ in http.HttpStore(allowed(url)).read(url):
                pass
        assert time.monotonic() - begun < 5
        assert gone.wait(5)


def test_who_takes_his_time_with_the_data_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(http, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(connections, "LOOK_SECONDS", 0.02)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"." * 2_000_000
    taken = 0
    with server(answer, b"", 0.02) as (url, _):
        for data in http.HttpStore(allowed(url)).read(url):
            taken += len(data)
            if taken == len(data):
                # Longer than is waited for the data.
                threading.Event().wait(1.2)
    assert taken == 2_000_000


def test_data_that_trickles_after_much_came_at_once_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE_SECONDS", 0.2)
    with (
        server(b"HTTP/1.1 200 OK\r\n\r\n" + b"." * 2_000_000, b".", 0.02) as (url, gone),
        pytest.raises(StoreError, match="too slowly"),
    ):
        for _ in http.HttpStore(allowed(url)).read(url):
            pass
    assert gone.wait(5)


def test_a_cloud_that_ends_does_not_wait_for_strangers(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with server(CHUNKED, b"1\r\nx\r\n", 0.02) as (url, gone):
        begun = threading.Event()

        def download() -> None:
            for _ in http.HttpStore(allowed(url)).read(url):
                begun.set()

        waiting = core.slow_threads.submit(download)
        assert begun.wait(5)
        core.close()
        assert gone.wait(5)
        assert isinstance(waiting.exception(), StoreError)


def test_a_connection_that_is_not_there_yet_ends_with_the_cloud_too(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        url = f"http://127.0.0.1:{full.getsockname()[1]}/disk"
        for _ in range(4):
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())

        def download() -> None:
            for _ in http.HttpStore(allowed(url)).read(url):
                pass

        held = core.slow_threads.submit(download)
        while not connections._DEADLINES:
            time.sleep(0.01)
        begun = time.monotonic()
        core.close()
        assert time.monotonic() - begun < 10
        assert isinstance(held.exception(), StoreError)


def test_an_import_that_never_ends_fails_and_the_image_waits_again(hurried: None, cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
    image = mia.post("/image/v2/images", body, 201).json()
    with server(*ENDLESS["a trailer line by line"]) as (url, _):
        cloud.core.config.image.allowed_hosts = ("127.0.0.1",)
        cloud.core.config.image.allowed_ports = allowed(url).allowed_ports
        wanted = {"method": {"name": "web-download", "uri": url}}
        mia.post(f"/image/v2/images/{image['id']}/import", wanted, 202)
        cloud.run_jobs()
    assert mia.get(f"/image/v2/images/{image['id']}").json()["status"] == "queued"
