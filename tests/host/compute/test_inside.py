"""The agent inside a guest, which is in its user's hands: it may answer anything, or nothing."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.agent.compute.drivers.qemu import inside
from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.wire.errors import HostError, NotSupported

Answer = Callable[[dict[str, Any]], bytes]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[GuestFolder]:
    """That of a guest whose QEMU runs as the user of this test."""
    monkeypatch.setattr(GuestFolder, "owner", None)
    with tempfile.TemporaryDirectory(prefix="tane-") as name:
        made = GuestFolder(Path(name))
        made.sockets.mkdir()
        yield made


def spoken(folder: GuestFolder, answer: Answer, talk: Callable[[], Awaitable[None]]) -> list[dict[str, Any]]:
    """What the agent was asked by ``talk``, while it answers each request by ``answer``."""
    asked: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                asked.append(json.loads(line.removeprefix(b"\xff")))
                writer.write(answer(asked[-1]))
                await writer.drain()
        except ConnectionError:
            pass  # The other side has heard enough.
        finally:
            writer.close()

    async def run() -> None:
        async with await asyncio.start_unix_server(serve, str(folder.agent)):
            await talk()

    asyncio.run(run())
    return asked


def well(request: dict[str, Any], answer: Any = None) -> bytes:
    """As qemu-ga answers."""
    if request["execute"] == "guest-sync-delimited":
        return b"\xff" + json.dumps({"return": request["arguments"]["id"]}).encode() + b"\n"
    return json.dumps(answer or {"return": {}}).encode() + b"\n"


def test_a_password_is_set(folder: GuestFolder) -> None:
    _, asked = spoken(folder, well, lambda: inside.set_password(folder, "root", "sé:cret\n"))
    assert asked["execute"] == "guest-set-user-password"
    given = asked["arguments"]
    assert (given["username"], given["crypted"]) == ("root", False)
    assert base64.b64decode(given["password"]).decode() == "sé:cret\n"


def test_an_agent_that_answers_is_there(folder: GuestFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = spoken(folder, well, lambda: inside.ping(folder))
    assert asked["execute"] == "guest-ping"
    monkeypatch.setattr(inside, "PING_SECONDS", 0.1)
    with pytest.raises(NotSupported, match="does not answer"):
        spoken(folder, lambda request: b"", lambda: inside.ping(folder))
    refusal = {"error": {"class": "CommandNotFound", "desc": "The command guest-ping has been disabled"}}
    with pytest.raises(HostError, match="has been disabled"):
        spoken(folder, lambda request: well(request, refusal), lambda: inside.ping(folder))


def test_a_clock_is_set_to_now(folder: GuestFolder) -> None:
    _, asked = spoken(folder, well, lambda: inside.try_to_set_time(folder))
    assert abs(asked["arguments"]["time"] / 1e9 - time.time()) < 5


class Broken(Exception):
    pass


@pytest.mark.parametrize("broken", [False, True])
def test_file_systems_are_frozen_in_between_and_thawed_whatever_happens(folder: GuestFolder, broken: bool) -> None:
    async def talk() -> None:
        with contextlib.suppress(Broken):
            async with inside.quiet(folder):
                if broken:
                    raise Broken

    commands = [asked["execute"] for asked in spoken(folder, well, talk)]
    assert commands[1::2] == ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw"]


def test_who_cannot_be_frozen_is_told_and_thawed_all_the_same(folder: GuestFolder) -> None:
    heard: list[str] = []

    def refuse(request: dict[str, Any]) -> bytes:
        heard.append(request["execute"])
        busy = {"error": {"class": "GenericError", "desc": "busy"}}
        return well(request, busy if request["execute"] == "guest-fsfreeze-freeze" else None)

    async def talk() -> None:
        async with inside.quiet(folder):
            raise AssertionError("it is not frozen")

    with pytest.raises(HostError, match="busy"):
        spoken(folder, refuse, talk)
    assert heard[-1] == "guest-fsfreeze-thaw"


def test_a_guest_without_an_agent_is_not_frozen(folder: GuestFolder) -> None:
    async def talk() -> None:
        async with inside.quiet(folder):
            raise AssertionError("it is not frozen")

    with pytest.raises(HostError, match="asks for snapshots of frozen file systems") as caught:
        asyncio.run(talk())
    assert not isinstance(caught.value, NotSupported)


def test_what_an_earlier_conversation_left_is_skipped(folder: GuestFolder) -> None:
    def late(request: dict[str, Any]) -> bytes:
        left = b'{"error": {"desc": "late"}}\n\xff{"return": 7}\n' if "id" in request["arguments"] else b""
        return left + well(request)

    asked = spoken(folder, late, lambda: inside.set_password(folder, "root", "secret"))
    assert len(asked) == 2


def test_a_refusal_is_told_with_its_reason(folder: GuestFolder) -> None:
    def refuse(request: dict[str, Any]) -> bytes:
        return well(request, {"error": {"class": "GenericError", "desc": "no such user"}})

    with pytest.raises(HostError, match="refused: no such user") as caught:
        spoken(folder, refuse, lambda: inside.set_password(folder, "nobody", "secret"))
    assert not isinstance(caught.value, NotSupported)


@pytest.mark.parametrize("said", ["\ud800x", "a\0b", "\x1b[31mred", "two\nlines"])
def test_a_reason_of_a_guest_is_made_a_text(folder: GuestFolder, said: str) -> None:
    """It is shown to whoever asked, and written to a log and a database."""

    def refuse(request: dict[str, Any]) -> bytes:
        return well(request, {"error": {"desc": said}})

    with pytest.raises(HostError) as caught:
        spoken(folder, refuse, lambda: inside.set_password(folder, "nobody", "secret"))
    assert str(caught.value).encode().isascii() and str(caught.value).isprintable()


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff", b"\xff[]\n", b"\xff" + b"[" * 60000 + b"\n", b"\xffnull\n", b"x" * 200_000, b"\xff\xfe\n"],
    ids=["silence", "half", "list", "deep", "null", "endless", "bytes"],
)
@pytest.mark.parametrize("greeted", [False, True])
def test_an_agent_that_makes_no_sense_is_none(
    folder: GuestFolder, answer: bytes, greeted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inside, "SECONDS", 0.3)

    def talk(request: dict[str, Any]) -> bytes:
        return well(request) if greeted and request["execute"] == "guest-sync-delimited" else answer

    with pytest.raises(NotSupported):
        spoken(folder, talk, lambda: inside.set_password(folder, "root", "secret"))
    folder.agent.unlink(missing_ok=True)
    spoken(folder, talk, lambda: inside.try_to_set_time(folder))


def test_an_agent_that_is_not_there_keeps_nobody(folder: GuestFolder) -> None:
    with pytest.raises(NotSupported):
        asyncio.run(inside.set_password(folder, "root", "secret"))
    asyncio.run(inside.try_to_set_time(folder))
