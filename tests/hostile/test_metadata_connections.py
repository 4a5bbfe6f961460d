"""Connections to the metadata service end with their guest's address: what is asked is done as who asked it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Hashable, Iterator

import pytest
import uvloop

from tane.agent.network import metadata
from tane.agent.network.metadata import MetadataServer
from tane.agent.network.pace import Pace

REQUEST = b"GET /openstack HTTP/1.1\r\nConnection: close\r\n\r\n"
PASSWORD = b"POST /openstack/latest/password HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
Loop = Callable[[], asyncio.AbstractEventLoop]
every_loop = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Full(socket.socket):
    """Listens; while ``full`` this process can open nothing more."""

    full, tries = False, 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        if self.full:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


class Passed:
    """The metadata service of ports ``first``, at 127.0.0.1, and ``other``, at 127.0.0.2; :meth:`on` gives the address
    of ``first`` to ``second``. ``done``: what was asked, as which port."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.done: list[tuple[str, str]] = []
        self.answer = b""
        self.asked = asyncio.Event()
        self.listening = Full()
        with socket.create_server(("127.0.0.1", 0)) as free:
            at = free.getsockname()
        # A port that the kernel chose would be another one when it listens anew.
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind(at)
        self.listening.listen(metadata.BACKLOG)
        self.at: tuple[str, int] = self.listening.getsockname()
        self.server = MetadataServer(self.source, {"127.0.0.1": "first", "127.0.0.2": "other"}, {}, pace)

    async def source(self, port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        self.done.append((port_id, path))
        self.asked.set()
        return 200, "text/plain", self.answer or port_id.encode()

    def on(self) -> None:
        self.server.tell({"127.0.0.1": "second", "127.0.0.2": "other"}, {})

    @contextlib.contextmanager
    def connected(self, source: str = "127.0.0.1", request: bytes = b"") -> Iterator[socket.socket]:
        """A connection that the kernel has accepted, and what it asks; the event loop has not seen it yet."""
        with socket.socket() as opened:
            # The kernel keeps little of what is not taken.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            opened.bind((source, 0))
            opened.connect(self.at)
            opened.sendall(request)
            opened.setblocking(False)
            yield opened

    async def asked_anew(self) -> bytes:
        with self.connected(request=REQUEST) as opened:
            return await rest(opened)

    def run(self, body: Callable[[], Awaitable[None]], loop: Loop = asyncio.new_event_loop) -> None:
        async def main() -> None:
            self.server.start(self.listening)
            try:
                await asyncio.wait_for(body(), 20)
            finally:
                await self.server.stop()

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())


async def rest(opened: socket.socket) -> bytes:
    """What comes until the connection ends, which it does now."""
    told = b""
    with contextlib.suppress(ConnectionError):
        while data := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(opened, 65536), 3):
            told += data
    return told


@every_loop
def test_what_waits_for_its_turn_is_not_done_once_the_address_is_anothers(loop: Loop) -> None:
    """Of one port one request is done at a time, and of a project so many a second."""

    class Meanwhile(Pace):
        def count(self, owner: Hashable) -> float:
            passed.on()
            return 0.0

    passed = Passed(Meanwhile(1, 1))

    async def body() -> None:
        with passed.connected(request=PASSWORD) as opened:
            assert await rest(opened) == b""
        assert passed.done == []

    passed.run(body, loop)


@every_loop
def test_a_connection_ends_when_its_address_is_anothers(loop: Loop) -> None:
    """What is asked by it later would be done as that port; whose address stays goes on."""
    passed = Passed()

    async def body() -> None:
        again = asyncio.get_running_loop()
        with passed.connected() as idle, passed.connected("127.0.0.2") as staying:
            for opened, port_id in ((idle, b"first"), (staying, b"other")):
                await again.sock_sendall(opened, b"GET /a HTTP/1.1\r\n\r\n")
                assert port_id in await asyncio.wait_for(again.sock_recv(opened, 65536), 3)
            passed.on()
            assert await rest(idle) == b""
            await again.sock_sendall(staying, REQUEST)
            assert b"other" in await rest(staying)
        assert b"second" in await passed.asked_anew()

    passed.run(body, loop)


@every_loop
def test_what_waits_in_the_kernel_is_not_asked_as_who_has_the_address_next(loop: Loop) -> None:
    passed = Passed()

    async def body() -> None:
        with (
            passed.connected(request=PASSWORD) as early,
            passed.connected() as silent,
            passed.connected("127.0.0.2", REQUEST) as staying,
        ):
            passed.on()
            assert [await rest(early), await rest(silent)] == [b"", b""]
            assert b"other" in await rest(staying), "whose address stays does not notice"
        assert b"second" in await passed.asked_anew()
        assert passed.done == [("other", "/openstack"), ("second", "/openstack")]

    passed.run(body, loop)


@every_loop
def test_nor_is_it_where_no_connection_can_be_taken_at_that_moment(loop: Loop) -> None:
    passed = Passed()

    async def body() -> None:
        with passed.connected(request=PASSWORD) as early:
            passed.listening.full = True
            passed.on()
            passed.listening.full = False
            assert await rest(early) == b""
        assert b"second" in await passed.asked_anew()
        assert passed.done == [("second", "/openstack")]

    passed.run(body, loop)


@every_loop
def test_where_no_connection_can_be_taken_it_is_tried_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not without a pause, which would take a whole core."""
    monkeypatch.setattr(metadata, "REST_SECONDS", 0.5)
    passed = Passed()

    async def body() -> None:
        passed.listening.full = True
        with passed.connected(request=REQUEST) as opened:
            for _ in range(50):
                await asyncio.sleep(0)
            assert 1 <= passed.listening.tries <= 2
            passed.listening.full = False
            assert b"first" in await rest(opened)

    passed.run(body, loop)


@every_loop
def test_who_does_not_take_his_answer_has_no_connection_for_ever(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "IDLE_SECONDS", 0.2)
    passed = Passed()
    passed.answer = b"x" * 60_000
    passed.listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    async def body() -> None:
        before = asyncio.all_tasks()
        with passed.connected(request=REQUEST) as opened:
            await passed.asked.wait()
            (serving,) = asyncio.all_tasks() - before
            await asyncio.wait_for(asyncio.wait([serving]), 3)
            assert len(await rest(opened)) < len(passed.answer)

    passed.run(body, loop)
