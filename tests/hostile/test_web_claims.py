"""Connections that keep the server waiting, at any point of a request: they keep nobody else of their address away, and
what they have brought takes no more than so much memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tane.web import limits as web_limits
from tane.web.limits import Limits, networks
from tane.web.protocol import KNOWN, ZERO_COPY
from tests.hostile.test_web_connections import (
    HEAD,
    UPLOAD,
    House,
    Stranger,
    quick,
    visit,
    with_changes,
)

__all__ = ["quick"]

PATIENT = with_changes(header_seconds=30.0, body_seconds=30.0, send_seconds=30.0)
LONG = b"Content-Length: 1000000\r\n\r\n"
UNFINISHED: dict[str, bytes] = {
    "says nothing": b"",
    "stops in its headers": HEAD,
    "has brought nothing of its body": UPLOAD + LONG,
    "has brought a byte of its body": UPLOAD + LONG + b"a",
    "has brought much of its body": UPLOAD + LONG + b"a" * 100_000,
    "has brought a chunk": UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    "stops in its second body": UPLOAD + b"Content-Length: 1\r\n\r\na" + UPLOAD + LONG + b"a",
    "waits to be asked for its body": UPLOAD + b"Expect: 100-continue\r\n" + LONG,
}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # Nobody tells us.
            await asyncio.sleep(0.01)


async def served(house: House, **options: Any) -> int:
    """The status that a newcomer with a plain request gets."""
    newcomer = await house.stranger(**options)
    await newcomer.send(HEAD + b"\r\n")
    return await newcomer.status()


async def crowd(house: House, says: bytes) -> list[Stranger]:
    """As many as an address may have, all of whom have said this, one after another."""
    found = []
    for _ in range(8):
        before = house.door._count
        found.append(await house.stranger())
        await found[-1].send(says)
        await until(lambda: house.door._count == before + 1)  # noqa: B023
    await asyncio.sleep(0.05)
    return found


@pytest.mark.parametrize("says", UNFINISHED.values(), ids=UNFINISHED)
def test_who_has_not_finished_asking_keeps_nobody_away(says: bytes) -> None:
    async def work(house: House) -> None:
        held = await crowd(house, says)
        assert [await served(house) for _ in range(4)] == [200] * 4
        assert house.door._count == 8
        assert [await one.ended() for one in held[:4]] == [True] * 4

    visit(work, PATIENT)


def knowing(house: House) -> None:
    """From now on requests with a body have a valid token."""
    inner = house.app

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[KNOWN] = scope["method"] == "PUT"
        await inner(scope, receive, send)

    house.app = app  # type: ignore[method-assign]


def with_app(change: Callable[[House], None], work: Callable[[House], Awaitable[None]]) -> None:
    """Like ``visit`` with another application."""

    async def inside(house: House) -> None:
        change(house)
        async with house.open():
            await work(house)

    visit(inside, PATIENT)


def test_of_those_who_may_upload_the_one_that_was_silent_longest_makes_room() -> None:
    async def work(house: House) -> None:
        held = await crowd(house, UPLOAD + LONG + b"a")
        await held[0].send(b"a")
        await asyncio.sleep(0.05)
        assert await served(house) == 200
        assert await held[1].ended()
        await held[0].send(b"a" * 999_998)
        assert await held[0].status() == 200

    with_app(knowing, work)


def test_who_has_asked_comes_before_who_uploads() -> None:
    """An upload is given up only when nothing else is silent."""

    async def work(house: House) -> None:
        uploading = await house.stranger()
        await uploading.send(UPLOAD + LONG + b"a")
        await asyncio.sleep(0.05)
        silent = [await house.stranger() for _ in range(7)]
        assert [await served(house) for _ in range(9)] == [200] * 9
        assert [await one.ended() for one in silent] == [True] * 7
        await uploading.send(b"a" * 999_999)
        assert await uploading.status() == 200

    with_app(knowing, work)


def test_who_just_came_is_not_let_go_for_another_newcomer(monkeypatch: pytest.MonkeyPatch) -> None:
    """While others have let the server wait: by a flood of newcomers nobody else would be heard."""
    monkeypatch.setattr(web_limits, "GRACE_SECONDS", 0.3)

    async def work(house: House) -> None:
        held = await crowd(house, UPLOAD + LONG + b"a")
        await asyncio.sleep(0.4)
        newcomers = [await house.stranger() for _ in range(4)]
        for one in newcomers:
            await one.send(HEAD + b"\r\n")
            assert await one.status() == 200
        assert [await one.ended() for one in held[:4]] == [True] * 4

    with_app(knowing, work)


def of_a_file(path: Path) -> Callable[[House], None]:
    size = 64 << 20
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        large = scope["query_string"] == b"large"
        length = size if large else 2
        head = [(b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if not large:
            await send({"type": "http.response.body", "body": b"ok"})
            return
        with path.open("rb") as file:
            await send({"type": ZERO_COPY, "file": file, "offset": 0, "count": size})

    return lambda house: setattr(house, "app", app)


def in_pieces(house: House) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pieces = 64 if scope["query_string"] == b"large" else 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for left in reversed(range(pieces)):
            await send({"type": "http.response.body", "body": b"x" * (1 << 20), "more_body": left > 0})

    house.app = app  # type: ignore[method-assign]


def in_one_piece(house: House) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        size = 64 << 20 if scope["query_string"] == b"large" else 2
        head = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": bytes(size)})

    house.app = app  # type: ignore[method-assign]


@pytest.mark.parametrize("more", [b"", HEAD + b"\r\n", UPLOAD + LONG], ids=["", "and asks on", "and begins a body"])
@pytest.mark.parametrize("kind", ["file", "pieces", "one piece"])
def test_who_does_not_take_the_answer_keeps_nobody_away(kind: str, more: bytes, tmp_path: Path) -> None:
    change = {"file": of_a_file(tmp_path / "large"), "pieces": in_pieces, "one piece": in_one_piece}[kind]

    async def work(house: House) -> None:
        held = await crowd(house, b"GET /?large HTTP/1.1\r\nHost: x\r\n\r\n" + more)
        for one in held:
            one.reader._transport.pause_reading()  # type: ignore[attr-defined]
        [guests] = house.door._open.values()
        await until(lambda: all(guest.waited_for for guest in guests))
        for _ in range(3):
            newcomer = await house.stranger()
            await newcomer.send(HEAD + b"\r\n")
            head = await asyncio.wait_for(newcomer.reader.readuntil(b"\r\n\r\n"), 10)
            assert b" 200 " in head
        assert house.door._count <= 8

    with_app(change, work)


def late(gate: asyncio.Event) -> Callable[[House], None]:
    """Requests are read and answered when the gate opens."""

    def change(house: House) -> None:
        inner = house.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            events = [await receive()]
            while events[-1].get("more_body"):
                events.append(await receive())

            async def again() -> Any:
                return events.pop(0) if events else await receive()

            await gate.wait()
            await inner(scope, again, send)

        house.app = app  # type: ignore[method-assign]

    return change


@pytest.mark.parametrize("size", [0, 1000, 100_000, 1_000_000])
def test_who_goes_while_the_answer_is_made_is_seen_to_go(size: int) -> None:
    """However long the body was; else the connection counts as long as the answer takes."""
    gate = asyncio.Event()

    async def work(house: House) -> None:
        held = [await house.stranger() for _ in range(8)]
        for one in held:
            await one.send(UPLOAD + b"Content-Length: %d\r\n\r\n" % size, b"a" * size)
        await asyncio.sleep(0.1)
        for one in held:
            one.writer.close()
        await until(lambda: not house.door._count)
        gate.set()

    with_app(late(gate), work)


def test_a_full_house_of_one_proxys_connections_takes_another_one() -> None:
    async def work(house: House) -> None:
        for _ in range(12):
            await (await house.stranger()).send(UPLOAD + LONG + b"a")
        await until(lambda: house.door._count == 12)
        assert [await served(house) for _ in range(3)] == [200] * 3

    visit(work, with_changes(header_seconds=30.0, body_seconds=30.0, proxies=networks(["127.0.0.0/8"])))


# ------------------------------------------------------------------------------------------------- what they keep

MOST = 200_000


def bounded(limit: int = MOST) -> Limits:
    return with_changes(header_seconds=30.0, body_seconds=30.0, anonymous_bodies=limit)


@pytest.mark.parametrize("lines", [LONG, b"Transfer-Encoding: chunked\r\n\r\n"], ids=["length", "chunks"])
def test_the_oldest_of_too_many_bytes_of_unfinished_bodies_end(lines: bytes) -> None:
    async def work(house: House) -> None:
        part = b"a" * 60_000 if lines == LONG else b"%x\r\n" % 60_000 + b"a" * 60_000 + b"\r\n"
        held = []
        for _ in range(6):
            held.append(await house.stranger())
            await held[-1].send(UPLOAD + lines + part)
            await asyncio.sleep(0.05)
            assert house.door._kept_bytes <= MOST
        assert [await one.ended() for one in held[:2]] == [True] * 2
        small = await house.stranger()
        await small.send(UPLOAD + b"Content-Length: 3\r\n\r\nabc")
        assert await small.status() == 200
        rest = b"a" * 940_000 if lines == LONG else b"0\r\n\r\n"
        await held[-1].send(rest)
        # A body larger than all that may be kept ends, too.
        assert await held[-1].status() == (0 if lines == LONG else 200)

    visit(work, bounded())


def test_small_bodies_are_not_counted_and_answers_end_the_count() -> None:
    async def work(house: House) -> None:
        stranger = await house.stranger()
        for _ in range(20):
            await stranger.send(UPLOAD + b"Content-Length: 100000\r\n\r\n", b"a" * 100_000)
            assert await stranger.status() == 200
            assert not house.door._kept_bytes
        for _ in range(4):
            await (await house.stranger()).send(UPLOAD + LONG + b"a" * 16_000)
        await asyncio.sleep(0.1)
        assert not house.door._kept_bytes
        held = await house.stranger()
        await held.send(UPLOAD + LONG + b"a" * 20_000)
        await until(lambda: house.door._kept_bytes > 0)
        held.writer.close()
        await until(lambda: not house.door._kept_bytes)

    visit(work, bounded())


def test_an_upload_of_who_has_shown_a_token_is_not_counted() -> None:
    async def work(house: House) -> None:
        stranger = await house.stranger()
        await stranger.send(UPLOAD + LONG, b"a" * 1_000_000)
        assert await stranger.status() == 200

    def change(house: House) -> None:
        knowing(house)
        house.protocol.door._limits = bounded()  # The one it will be opened with.

    with_app(change, work)
