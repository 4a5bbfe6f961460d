"""What a stranger without a token sends over a connection, or does not send: it costs little memory and ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
import uvicorn
import uvloop

from tane.web import limits as web_limits
from tane.web import protocol
from tane.web.limits import Door, Limits, networks
from tane.web.protocol import Protocol, serving

LIMITS = Limits(
    request_line=2000,
    header_bytes=4000,
    headers=20,
    header_seconds=0.2,
    body_seconds=0.2,
    body_rate=1000,
    send_seconds=0.2,
    pipelined=4,
    connections=12,
    connections_per_address=8,
)
PATIENT = Limits(request_line=2000, header_bytes=4000, headers=20, pipelined=4)
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
UPLOAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"


class Stranger:
    """A client that writes bytes to a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def status(self) -> int:
        """Of the next answer; 0 when the connection ends without one."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        await self.reader.readexactly(length)
        return int(head.split()[1])

    async def send(self, *parts: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                self.writer.write(part)
                await self.writer.drain()

    async def ended(self) -> bool:
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(self.reader.read(1 << 16), 10):
                pass
        return True


class House:
    """A server with these limits, and what its application has seen."""

    def __init__(self, limits: Limits) -> None:
        self.protocol, _ = serving(limits)
        self.port = 0
        self.bodies: list[int] = []
        self.strangers: list[Stranger] = []
        self.answer = b"ok"

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            size += len(event.get("body", b""))
            more = event.get("more_body", False)
        self.bodies.append(size)
        length = str(len(self.answer)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": self.answer})

    @property
    def door(self) -> Door:
        return self.protocol.door

    async def stranger(self, **options: Any) -> Stranger:
        self.strangers.append(Stranger(*await asyncio.open_connection("127.0.0.1", self.port, **options)))
        return self.strangers[-1]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
            self.port = listener.getsockname()[1]
            config = uvicorn.Config(
                self.app, http=self.protocol, ws="none", lifespan="off", log_config=None, interface="asgi3"
            )
            server = uvicorn.Server(config)
            running = asyncio.create_task(server._serve(sockets=[listener]))
            try:
                yield
            finally:
                for stranger in self.strangers:
                    stranger.writer.close()
                server.should_exit = server.force_exit = True
                await running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_limits, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.3)


def visit(work: Callable[[House], Awaitable[None]], limits: Limits = LIMITS) -> None:
    async def run() -> None:
        house = House(limits)
        async with house.open():
            await work(house)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


TOO_LARGE: dict[str, tuple[int, tuple[bytes, ...]]] = {
    "one header": (431, (HEAD, b"A: " + b"a" * 5000, b"\r\n\r\n")),
    "one header that never ends": (431, (HEAD, b"A: ", *[b"a" * 4096] * 200)),
    "the name of a header": (431, (HEAD, *[b"a" * 4096] * 200)),
    "many headers": (431, (HEAD, b"a: b\r\n" * 30, b"\r\n")),
    "many short headers that never end": (431, (HEAD, *[b"a: b\r\n" * 500] * 200)),
    "headers of megabytes": (431, (HEAD, *[b"a: " + b"b" * 65536 + b"\r\n"] * 100)),
    "an address": (414, (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",)),
    "an address that never ends": (414, (b"GET /", *[b"a" * 4096] * 200)),
    "a query": (414, (b"GET /?", b"a=b&" * 1000, b" HTTP/1.1\r\nHost: x\r\n\r\n")),
    "a version that is none": (505, (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",)),
    "a version to come": (505, (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",)),
    "empty lines before a request": (431, (b"\r\n" * 2000,) * 50),
    "what follows a body in chunks": (
        431,
        (UPLOAD, b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n0\r\n", *[b"A: " + b"b" * 1000 + b"\r\n"] * 100),
    ),
    "one header behind a body in chunks": (
        431,
        (UPLOAD, b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n0\r\nA: ", *[b"a" * 4096] * 200),
    ),
    "the extension of a chunk": (
        431,
        (UPLOAD, b"Transfer-Encoding: chunked\r\n\r\n", b"1;", *[b"a" * 4096] * 200),
    ),
    "a body in chunks of a byte": (
        400,
        (UPLOAD, b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\na\r\n" * 1000] * 100),
    ),
    "no HTTP": (400, (b"\x16\x03\x01\x02\x00\x01\x00\x01",)),
    "two hosts": (400, (b"GET /abc HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",)),
    "two lengths": (400, (UPLOAD, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
    "a length and chunks": (400, (UPLOAD, b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
}


@pytest.mark.parametrize(("expected", "parts"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_is_refused_and_the_connection_ends(expected: int, parts: tuple[bytes, ...]) -> None:
    async def work(house: House) -> None:
        stranger = await house.stranger()
        sending = asyncio.create_task(stranger.send(*parts))
        assert await stranger.status() == expected
        assert await stranger.ended()
        sending.cancel()
        assert house.bodies == []

    visit(work, PATIENT)


def test_a_whole_request_is_answered_whatever_follows_it() -> None:
    async def work(house: House) -> None:
        for request in (HEAD + b"\r\n", UPLOAD + b"Content-Length: 3\r\n\r\nabc"):
            stranger = await house.stranger()
            await stranger.send(request + b"what is no request\r\n\r\n" + HEAD + b"\r\n")
            assert await stranger.status() == 200
            assert await stranger.ended()
        assert house.bodies == [0, 3]

    visit(work, PATIENT)


SLOW: dict[str, tuple[bytes, bytes]] = {
    "says nothing": (b"", b""),
    "stops in its address": (b"GET /abc", b""),
    "stops in its headers": (HEAD, b""),
    "brings its headers bit by bit": (HEAD, b"a"),
    "brings empty lines bit by bit": (b"", b"\r\n"),
    "stops in its body": (UPLOAD + b"Content-Length: 100\r\n\r\n" + b"a" * 10, b""),
    "brings its body bit by bit": (UPLOAD + b"Content-Length: 1000000\r\n\r\n", b"a"),
    "brings its chunks bit by bit": (UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "stops in its second request": (HEAD + b"\r\n" + HEAD, b""),
    "sends an empty line behind its request": (HEAD + b"\r\n\r\n", b""),
}


@pytest.mark.parametrize(("first", "then"), SLOW.values(), ids=SLOW)
def test_who_is_slow_does_not_stay(first: bytes, then: bytes) -> None:
    async def work(house: House) -> None:
        stranger = await house.stranger()
        await stranger.send(first)

        async def drip() -> None:
            while then:
                await stranger.send(then)
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        answers = [await stranger.status()]
        while answers[-1] == 200:
            answers.append(await stranger.status())
        # Who has had an answer and begins no other request is let go without a word.
        assert answers[-1] == 408 or (answers[0] == 200 and first.endswith(b"\r\n\r\n\r\n"))
        assert await stranger.ended()
        dripping.cancel()

    visit(work)


def test_who_does_not_take_the_answer_does_not_stay() -> None:
    async def work(house: House) -> None:
        house.answer = b"x" * (64 << 20)
        with socket.create_connection(("127.0.0.1", house.port)) as lazy:
            lazy.sendall(HEAD + b"\r\n")
            async with asyncio.timeout(10):
                while house.door._count or not house.bodies:  # noqa: ASYNC110  # Nobody tells us.
                    await asyncio.sleep(0.02)

    visit(work)


def test_a_client_that_waits_for_the_server_is_not_slow() -> None:
    """Neither while a request is answered, nor while the server does not read on."""

    async def work(house: House) -> None:
        gate = asyncio.Event()
        inner = house.app

        async def late(scope: Any, receive: Any, send: Any) -> None:
            await gate.wait()
            await inner(scope, receive, send)

        house.app = late  # type: ignore[method-assign]
        house.protocol, _ = serving(LIMITS)
        async with house.open():
            waiting, sending, expecting = [await house.stranger() for _ in range(3)]
            await waiting.send(HEAD + b"\r\n")
            body = b"a" * (8 << 20)
            upload = asyncio.create_task(
                sending.send(UPLOAD + b"Content-Length: %d\r\n\r\n" % len(body), body),
            )
            await expecting.send(UPLOAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            await asyncio.sleep(1.0)
            gate.set()
            assert await waiting.status() == 200
            assert await sending.status() == 200
            assert await expecting.status() == 100
            await expecting.send(b"abc")
            assert await expecting.status() == 200
            await upload
        assert sorted(house.bodies) == [0, 3, len(body)]

    visit(work)


def test_a_client_that_asks_again_and_again_is_served() -> None:
    """The times are those of one request, not of the connection."""

    async def work(house: House) -> None:
        stranger = await house.stranger()
        for _ in range(20):
            await stranger.send(UPLOAD + b"Content-Length: 3\r\n\r\nabc")
            assert await stranger.status() == 200
            await asyncio.sleep(0.05)

    visit(work)


def test_requests_in_one_go_wait_in_a_short_line() -> None:
    async def work(house: House) -> None:
        stranger = await house.stranger()
        await stranger.send(HEAD + b"\r\n" + (HEAD + b"\r\n") * 4)
        assert [await stranger.status() for _ in range(5)] == [200] * 5
        greedy = await house.stranger()
        await greedy.send((HEAD + b"\r\n") * 1000)
        while (status := await greedy.status()) == 200:
            pass
        assert status in (0, 400)
        assert len(house.bodies) < 100

    visit(work, PATIENT)


def test_one_address_has_so_many_connections_and_the_oldest_silent_one_makes_room() -> None:
    """Many may come from one address; who holds connections and asks nothing keeps nobody else of it away."""

    async def work(house: House) -> None:
        silent = [await house.stranger() for _ in range(8)]
        await silent[1].send(HEAD[:1])
        for _ in range(3):
            newcomer = await house.stranger()
            await newcomer.send(HEAD + b"\r\n")
            assert await newcomer.status() == 200
            assert house.door._count == 8
        assert [await silent[number].ended() for number in range(3)] == [True] * 3
        await silent[3].send(HEAD + b"\r\n")
        assert await silent[3].status() == 200

    visit(work, with_changes(header_seconds=30.0))


def test_one_address_has_so_many_requests_at_a_time_and_no_more() -> None:
    async def work(house: House) -> None:
        gate = asyncio.Event()
        inner = house.app

        async def late(scope: Any, receive: Any, send: Any) -> None:
            await gate.wait()
            await inner(scope, receive, send)

        house.app = late  # type: ignore[method-assign]
        house.protocol, _ = serving(with_changes(header_seconds=30.0))
        async with house.open():
            busy = [await house.stranger() for _ in range(8)]
            for one in busy:
                await one.send(HEAD + b"\r\n")
            await asyncio.sleep(0.05)
            assert await (await house.stranger()).status() == 0, "it is closed without a word"
            other = await house.stranger(local_addr=("127.0.0.2", 0))
            await other.send(HEAD + b"\r\n")
            gate.set()
            assert [await one.status() for one in (*busy, other)] == [200] * 9

    visit(work, with_changes(header_seconds=30.0))


def test_a_full_house_takes_an_idle_connection_from_who_has_most() -> None:
    async def work(house: House) -> None:
        crowd = [await house.stranger(local_addr=(f"127.0.0.{2 + i % 2}", 0)) for i in range(12)]
        await asyncio.sleep(0.05)
        newcomer = await house.stranger()
        await newcomer.send(HEAD + b"\r\n")
        assert await newcomer.status() == 200
        assert house.door._count == 12
        served = 0
        for one in crowd:
            await one.send(HEAD + b"\r\n")
            served += await one.status() == 200
        assert served == 11

    visit(work, with_changes(header_seconds=30.0))


def test_two_hundred_connections_of_one_address_are_served() -> None:
    """What clients do that work in parallel, with the limits a cloud has by default."""

    async def work(house: House) -> None:
        async def one() -> int:
            stranger = await house.stranger()
            statuses = set()
            for _ in range(5):
                await stranger.send(UPLOAD + b"A: " + b"t" * 9000 + b"\r\nContent-Length: 3\r\n\r\nabc")
                statuses.add(await stranger.status())
            assert statuses == {200}
            return 1

        assert sum(await asyncio.gather(*(one() for _ in range(200)))) == 200

    visit(work, Limits())


def with_changes(**changes: Any) -> Limits:
    return msgspec.structs.replace(LIMITS, **changes)


class Nobody:
    """A connection that does nothing, to count."""

    def __init__(self) -> None:
        self.origin, self.waited_for, self.known, self.transport = "", (False, 0.0), False, self
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def look(self, now: float) -> None:
        return


def test_who_has_a_network_of_ipv6_has_no_more_than_others() -> None:
    async def count() -> int:
        door = Door(LIMITS)
        for number in range(12):
            door.enter(Nobody(), f"2001:db8::{number:x}")  # type: ignore[arg-type]
        return door._count

    assert asyncio.run(count()) == 8


def test_a_proxy_that_is_trusted_stands_for_many() -> None:
    async def count() -> int:
        door = Door(with_changes(proxies=networks(["192.0.2.0/24"])))
        guests = [Nobody() for _ in range(12)]
        return sum(door.enter(guest, "192.0.2.7") for guest in guests)  # type: ignore[arg-type]

    assert asyncio.run(count()) == 12


def test_the_classes_of_one_server_share_no_door_with_another() -> None:
    one, other = serving(LIMITS), serving(LIMITS)
    assert one[0].door is one[1].door
    assert len({one[0].door, other[0].door, Protocol.door}) == 3
