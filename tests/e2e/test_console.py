"""The screen of a real server, as noVNC reaches it."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest

from tane.cli.client import CallError
from tests.e2e.real import MARKS, RealCloud, Tenant

pytestmark = MARKS

TwoServers = tuple[tuple[str, str], tuple[str, str]]
BINARY, CLOSE = 2, 8


class Viewer:
    """As much of WebSocket (RFC 6455) and of VNC (RFC 6143) as looking at a screen takes."""

    def __init__(self, url: str) -> None:
        page = urlsplit(url)
        [path] = parse_qs(page.query)["path"]
        self._socket = socket.create_connection((str(page.hostname), page.port), timeout=30)
        self._stream = self._socket.makefile("rb")
        self._received = b""
        lines = (
            f"GET /{path} HTTP/1.1",
            f"Host: {page.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Protocol: binary",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        self.status = int(self._stream.readline().split()[1])
        self.headers = {}
        while line := self._stream.readline().decode().strip():
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, data: bytes, kind: int = BINARY) -> None:
        """One masked frame of less than 126 bytes."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self._socket.sendall(struct.pack(">BB", 0x80 | kind, 0x80 | len(data)) + mask + masked)

    def frame(self) -> tuple[int, bytes]:
        """(kind, payload) of the next frame."""
        first, length = struct.unpack(">BB", self._stream.read(2))
        if length > 125:
            length = int.from_bytes(self._stream.read(2 if length == 126 else 8), "big")
        return first & 0x0F, self._stream.read(length)

    def read(self, count: int) -> bytes:
        while len(self._received) < count:
            kind, data = self.frame()
            assert kind == BINARY, (kind, data)
            self._received += data
        found, self._received = self._received[:count], self._received[count:]
        return found

    def shake_hands(self) -> tuple[int, int, str]:
        """RFC 6143, 7.1 to 7.3, without a password: (width, height, name) of the screen."""
        assert self.read(12) == b"RFB 003.008\n"
        self.send(b"RFB 003.008\n")
        assert 1 in self.read(self.read(1)[0]), "security type None is not offered"
        self.send(b"\x01")
        assert self.read(4) == bytes(4)
        self.send(b"\x01")
        width, height, _, length = struct.unpack(">HH16sI", self.read(24))
        return width, height, self.read(length).decode()

    def look(self, width: int, height: int) -> tuple[int, int, bytes]:
        """The first part of an update (RFC 6143, 7.5.3 and 7.6.1), not encoded: (width, height, pixels)."""
        self.send(struct.pack(">BxHi", 2, 1, 0))
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
        kind, parts = struct.unpack(">BxH", self.read(4))
        assert kind == 0 and parts >= 1
        _, _, wide, high, encoding = struct.unpack(">HHHHi", self.read(12))
        assert encoding == 0
        return wide, high, self.read(wide * high * 4)


@contextmanager
def viewer(url: str) -> Iterator[Viewer]:
    made = Viewer(url)
    try:
        yield made
    finally:
        made.close()


def console(tenant: Tenant, server_id: str) -> str:
    path = f"/compute/v2.1/servers/{server_id}/action"
    shown = tenant.post(path, {"os-getVNCConsole": {"type": "novnc"}})["console"]
    assert shown["type"] == "novnc"
    return str(shown["url"])


def test_the_screen_of_a_server_is_seen_through_the_url(mia: Tenant, two_servers: TwoServers) -> None:
    with viewer(console(mia, two_servers[0][0])) as screen:
        assert screen.status == 101 and screen.headers["sec-websocket-protocol"] == "binary"
        width, height, name = screen.shake_hands()
        assert 320 <= width <= 4096 and 200 <= height <= 4096 and "QEMU" in name
        wide, high, pixels = screen.look(width, height)
        assert 0 < wide <= width and 0 < high <= height
        assert len(pixels) == wide * high * 4
        screen.send(struct.pack(">H", 1000), CLOSE)
        assert screen.frame()[0] == CLOSE


def test_two_viewers_share_a_screen(mia: Tenant, two_servers: TwoServers) -> None:
    url = console(mia, two_servers[0][0])
    with viewer(url) as one, viewer(url) as other:
        assert one.shake_hands() == other.shake_hands()


def test_a_wrong_token_opens_no_screen(mia: Tenant, two_servers: TwoServers) -> None:
    with viewer(console(mia, two_servers[0][0]).replace("token%3D", "token%3Dbad")) as screen:
        assert screen.status == 403


def test_a_strangers_server_has_no_screen_to_show(real: RealCloud, two_servers: TwoServers) -> None:
    with pytest.raises(CallError, match="404"):
        console(real.tenant("eve"), two_servers[0][0])


@pytest.mark.nightly
def test_a_console_ends_with_its_server(mia: Tenant, image: str) -> None:
    server_id = mia.request_server("screen", image)
    mia.wait_server(server_id)
    url = console(mia, server_id)
    with viewer(url) as screen:
        screen.shake_hands()
        mia.post(f"/compute/v2.1/servers/{server_id}/action", {"os-stop": None})
        kind = BINARY
        while kind != CLOSE:
            kind, _ = screen.frame()
    mia.wait_server(server_id, "SHUTOFF")
    with pytest.raises(CallError, match=f"409.*Instance {server_id} is not ready"):
        console(mia, server_id)
    with viewer(url) as screen:
        assert screen.status == 403
    mia.delete_server(server_id)
