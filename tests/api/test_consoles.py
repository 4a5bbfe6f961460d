"""The console of a server: who gets a URL, what it opens, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from falcon import WebSocketDisconnected
from falcon.testing import ASGIConductor

from tane.clock import ManualClock
from tane.services.compute.domain import consoles
from tane.wire.errors import HostError
from tane.wire.streams import Connection
from tests.api.compute_support import LATEST, Project, V, at, project
from tests.support import ApiCloud

NOVNC = {"remote_console": {"protocol": "vnc", "type": "novnc"}}


class Screen:
    """A VNC server that answers what it is told, in capitals. ``left`` tells that the client is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(b"RFB 003.008\n")
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data.upper())
                await writer.drain()
            writer.close()
        self.left.set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self.serve, str(self.path))
        async with server:
            yield


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def screen(garden: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """The simulated guests have a screen."""
    screen = Screen(tmp_path / "screen")

    async def has_screen(guest_id: str) -> None:
        if await garden.host.state(guest_id) not in ("running", "paused"):
            raise HostError(f"guest {guest_id} is not running")

    async def shown(guest_id: str) -> Connection:
        await has_screen(guest_id)
        try:
            return Connection(*await asyncio.open_unix_connection(str(screen.path)))
        except OSError as error:
            raise HostError(f"the screen of guest {guest_id} does not answer: {error}", transient=True) from None

    monkeypatch.setattr(garden.host, "has_screen", has_screen)
    monkeypatch.setattr(garden.host, "screen", shown)
    yield screen


def console(garden: Project, server_id: str, **more: Any) -> str:
    answer = garden.user.post(f"{V}/servers/{server_id}/remote-consoles", NOVNC, 200, headers=LATEST, **more).json()
    assert {k: v for k, v in answer["remote_console"].items() if k != "url"} == {"protocol": "vnc", "type": "novnc"}
    return str(answer["remote_console"]["url"])


def socket_path(url: str) -> str:
    """Where noVNC connects to: its ``path`` parameter below the root of its host."""
    return "/" + parse_qs(urlsplit(url).query)["path"][0]


def token_of(url: str) -> str:
    return parse_qs(urlsplit(socket_path(url)).query)["token"][0]


def simulated(garden: Project, path: str) -> Any:
    address = urlsplit(path)
    return ASGIConductor(garden.cloud.cloud.app).simulate_ws(
        address.path, query_string=address.query, subprotocols=["binary"]
    )


def refused(garden: Project, path: str) -> int:
    """The code a connection is refused with."""

    async def connect() -> int:
        try:
            async with simulated(garden, path):
                raise AssertionError("the connection was accepted")
        except WebSocketDisconnected as error:
            return error.code

    return int(garden.cloud.wait(connect()))


def test_a_console_carries_bytes_both_ways_until_the_client_leaves(garden: Project, screen: Screen) -> None:
    url = console(garden, garden.server())
    assert url.startswith("http://cloud.test/compute/console/vnc_lite.html?path=")

    async def talk() -> tuple[bytes, bytes, str | None]:
        async with screen.listening():
            async with simulated(garden, socket_path(url)) as socket:
                greeting = await socket.receive_data()
                await socket.send_data(b"hello")
                found = greeting, await socket.receive_data(), socket.subprotocol
            await asyncio.wait_for(screen.left.wait(), 10)
            return found

    assert garden.cloud.wait(talk()) == (b"RFB 003.008\n", b"HELLO", "binary")


def test_a_console_ends_when_the_guest_closes_it(garden: Project, screen: Screen) -> None:
    url = console(garden, garden.server())

    async def talk() -> int:
        async with screen.listening(), simulated(garden, socket_path(url)) as socket:
            await socket.receive_data()
            screen.writers[0].close()
            with pytest.raises(WebSocketDisconnected) as ended:
                await socket.receive_data()
            return ended.value.code

    assert garden.cloud.wait(talk()) == 1000


def test_text_messages_end_the_console(garden: Project, screen: Screen) -> None:
    url = console(garden, garden.server())

    async def talk() -> int:
        async with screen.listening(), simulated(garden, socket_path(url)) as socket:
            await socket.receive_data()
            await socket.send_text("hello")
            with pytest.raises(WebSocketDisconnected) as ended:
                await socket.receive_data()
            return ended.value.code

    assert garden.cloud.wait(talk()) == 1003


def test_a_token_opens_the_console_for_ten_minutes(garden: Project, screen: Screen) -> None:
    path = socket_path(console(garden, garden.server()))
    clock = garden.cloud.core.clock
    assert isinstance(clock, ManualClock)
    clock.advance(599)

    async def greeting() -> bytes:
        async with screen.listening(), simulated(garden, path) as socket:
            return bytes(await socket.receive_data())

    assert garden.cloud.wait(greeting()) == b"RFB 003.008\n"
    clock.advance(1)
    assert refused(garden, path) == 3403


def test_a_token_that_was_never_given_opens_nothing(garden: Project, screen: Screen) -> None:
    url = console(garden, garden.server())
    assert refused(garden, socket_path(url).replace("token=", "token=bad")) == 3403
    assert refused(garden, socket_path(url).split("?")[0]) == 3403
    assert refused(garden, "/?token=bad") == 3405, "the root is a page, and no WebSocket"
    assert refused(garden, "/nothing?token=bad") == 3404
    assert garden.cloud.call("GET", socket_path(url)).status_code == 405


def test_a_token_of_a_stopped_or_deleted_server_opens_nothing(garden: Project, screen: Screen) -> None:
    server_id = garden.server()
    path = socket_path(console(garden, server_id))
    garden.done(server_id, "os-stop")
    assert refused(garden, path) == 3409
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    assert refused(garden, path) == 3403


def test_a_console_ends_with_the_rights_of_who_opened_it(
    garden: Project, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "LOOK_SECONDS", 0.01)
    path = socket_path(console(garden, garden.server()))
    user, token = f"/identity/v3/users/{garden.user.user_id}", {"X-Auth-Token": garden.admin.token}

    async def talk() -> int:
        async with screen.listening(), simulated(garden, path) as socket:
            await socket.receive_data()
            disabled = {"user": {"enabled": False}}
            assert (await garden.cloud._client.patch(user, json=disabled, headers=token)).status_code == 200
            with pytest.raises(WebSocketDisconnected) as ended:
                await socket.receive_data()
            await asyncio.wait_for(screen.left.wait(), 10)
            return ended.value.code

    assert garden.cloud.wait(talk()) == 3403
    assert refused(garden, path) == 3403, "the rest of the token's ten minutes is worth nothing"


def test_a_screen_that_does_not_answer_refuses(garden: Project, screen: Screen) -> None:
    assert refused(garden, socket_path(console(garden, garden.server()))) == 3503


def test_a_stopped_server_has_no_console(garden: Project, screen: Screen) -> None:
    server_id = garden.server()
    garden.done(server_id, "os-stop")
    answer = garden.user.post(f"{V}/servers/{server_id}/remote-consoles", NOVNC, 409, headers=LATEST)
    assert answer.json()["conflictingRequest"]["message"] == f"Instance {server_id} is not ready"
    garden.act(garden.create("new"), "os-getVNCConsole", {"type": "novnc"}, expect=409)


def test_only_members_of_the_project_get_a_console(garden: Project, screen: Screen) -> None:
    path = f"{V}/servers/{garden.server()}/remote-consoles"
    garden.cloud.new_user("bob", "other").post(path, NOVNC, 404, headers=LATEST)
    garden.cloud.new_user("reader", "garden", "reader").post(path, NOVNC, 403, headers=LATEST)
    assert garden.cloud.call("POST", path, json=NOVNC, headers=LATEST).status_code == 401
    garden.admin.post(path, NOVNC, 200, headers=LATEST)


@pytest.mark.parametrize(
    ("protocol", "kind", "message"),
    [
        ("spice", "spice-html5", "Unavailable console type spice-html5."),
        ("serial", "novnc", "Invalid console type novnc"),
        ("rdp", "rdp-html5", "Unavailable console type rdp-html5."),
        ("mks", "webmks", "Unavailable console type webmks."),
        ("vnc", "xvpvnc", "Invalid console type xvpvnc"),
    ],
)
def test_other_kinds_of_console_are_refused_in_novas_words(
    garden: Project, screen: Screen, protocol: str, kind: str, message: str
) -> None:
    body = {"remote_console": {"protocol": protocol, "type": kind}}
    answer = garden.user.post(f"{V}/servers/{garden.server()}/remote-consoles", body, 400, headers=LATEST)
    assert answer.json()["badRequest"]["message"] == message


def test_simulated_guests_have_no_console(garden: Project) -> None:
    answer = garden.user.post(f"{V}/servers/{garden.server()}/remote-consoles", NOVNC, 400, headers=LATEST)
    assert answer.json()["badRequest"]["message"] == "Unavailable console type novnc."


def test_the_old_actions_answer_in_their_own_form(garden: Project, screen: Screen) -> None:
    server_id = garden.server()
    shown = garden.act(server_id, "os-getVNCConsole", {"type": "novnc"}, expect=200).json()["console"]
    assert set(shown) == {"type", "url"} and "token" in shown["url"]
    garden.act(server_id, "os-getVNCConsole", {"type": "vnc"}, expect=400)
    for name, kind in (("SPICE", "spice-html5"), ("RDP", "rdp-html5")):
        answer = garden.act(server_id, f"os-get{name}Console", {"type": kind}, expect=400).json()
        assert answer["badRequest"]["message"] == f"Unavailable console type {kind}."
    garden.act(server_id, "os-getVNCConsole", {"type": "novnc"}, expect=404, headers=at("2.6"))
    garden.user.post(f"{V}/servers/{server_id}/remote-consoles", NOVNC, 404, headers=at("2.5"))


def test_a_serial_console_is_a_socket_that_types_and_shows(garden: Project) -> None:
    server_id = garden.server()
    wanted = {"remote_console": {"protocol": "serial", "type": "serial"}}
    path = f"{V}/servers/{server_id}/remote-consoles"
    urls = [garden.user.post(path, wanted, 200, headers=LATEST).json()["remote_console"]["url"] for _ in range(2)]
    urls.append(garden.act(server_id, "os-getSerialConsole", {"type": "serial"}, expect=200).json()["console"]["url"])
    assert len(set(urls)) == 3

    async def talk(url: str) -> bytes:
        found = urlsplit(url)
        assert (found.scheme, found.netloc) == ("ws", "cloud.test")
        async with simulated(garden, f"{found.path}?{found.query}") as socket:
            shown = bytes(await socket.receive_data())
            await socket.send_data(b"hello\r")
            return shown + bytes(await socket.receive_data())

    for url in urls:
        shown = garden.cloud.wait(talk(url))
        assert b"simulated console" in shown and shown.endswith(b"hello\r\n$ ")
    garden.cloud.new_user("bob", "other").post(path, wanted, 404, headers=LATEST)
    garden.done(server_id, "os-stop")
    said = garden.user.post(path, wanted, 409, headers=LATEST).json()["conflictingRequest"]["message"]
    assert said == f"Instance {server_id} is not ready"
    assert refused(garden, urls[0].removeprefix("ws://cloud.test")) == 3409


def test_administrators_learn_what_a_token_opens(garden: Project, screen: Screen) -> None:
    server_id = garden.server()
    url = console(garden, server_id)
    path = f"{V}/os-console-auth-tokens/{token_of(url)}"
    assert garden.admin.get(path, headers=LATEST).json() == {
        "console": {
            "instance_uuid": server_id,
            "host": "cloud.test",
            "port": 80,
            "internal_access_path": socket_path(url)[1:],
        }
    }
    garden.user.get(path, expect=403, headers=LATEST)
    garden.admin.get(path, expect=401, headers=at("2.30"))
    garden.admin.get(f"{V}/os-console-auth-tokens/unknown", expect=404, headers=LATEST)


def test_the_page_is_novncs_or_says_how_to_install_it(garden: Project, screen: Screen, tmp_path: Path) -> None:
    core, url = garden.cloud.core, console(garden, garden.server())
    core.config = msgspec.structs.replace(core.config, novnc_dir=tmp_path / "novnc")
    answer = garden.cloud.call("GET", url)
    assert answer.status_code == 503 and "apt-get install" in answer.text
    (tmp_path / "novnc" / "core").mkdir(parents=True)
    (tmp_path / "novnc" / "vnc_lite.html").write_text("<html>noVNC</html>")
    (tmp_path / "novnc" / "core" / "rfb.js").write_text("export {};")
    answer = garden.cloud.call("GET", url)
    assert (answer.status_code, answer.text) == (200, "<html>noVNC</html>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "connect-src 'self'" in policy, "a link does not show another's machine here"
    answer = garden.cloud.call("GET", "/compute/console/core/rfb.js")
    assert answer.status_code == 200 and "javascript" in answer.headers["content-type"]


@pytest.mark.parametrize(
    "name", ["%2e%2e/secret", "core/%2e%2e/%2e%2e/secret", "/etc/passwd", "core", ".git/config", "a" * 300]
)
def test_the_page_gives_no_other_files(garden: Project, tmp_path: Path, name: str) -> None:
    core = garden.cloud.core
    (tmp_path / "novnc" / "core").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    core.config = msgspec.structs.replace(core.config, novnc_dir=tmp_path / "novnc")
    assert garden.cloud.call("GET", f"/compute/console/{name}").status_code == 404


def test_a_console_ends_with_the_token_it_was_asked_for_with(
    garden: Project, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who logs out leaves none open; what was asked for with another token goes on."""
    monkeypatch.setattr(consoles, "LOOK_SECONDS", 0.01)
    server_id = garden.server()
    path = socket_path(console(garden, server_id))
    again = garden.cloud.login("garden-mia", "garden-mia-secret", "garden")
    other = socket_path(console(replace(garden, user=again), server_id))
    token = {"X-Auth-Token": garden.user.token, "X-Subject-Token": garden.user.token}

    async def talk() -> tuple[int, bytes]:
        async with screen.listening():
            async with simulated(garden, path) as socket:
                await socket.receive_data()
                logged_out = await garden.cloud._client.delete("/identity/v3/auth/tokens", headers=token)
                assert logged_out.status_code == 204
                with pytest.raises(WebSocketDisconnected) as ended:
                    await socket.receive_data()
            async with simulated(garden, other) as socket:
                return ended.value.code, await socket.receive_data()

    assert garden.cloud.wait(talk()) == (3403, b"RFB 003.008\n")
    assert refused(garden, path) == 3403
