"""Where clients come in by TLS: a handshake is counted from its first packet on.

The loop's own servers call a protocol once a handshake is over, so nobody counts those that are not: a client could
hold any number half open, each with its memory and descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import structlog
import uvicorn

from tane.web.limits import origin
from tane.web.strangers import Stranger, Strangers, speaks

log = structlog.get_logger()

HANDSHAKE_SECONDS = 10.0
HALF_OPEN, HALF_OPEN_OF_ADDRESS = 1024, 128
"""Handshakes at a time, in all and of one address (of IPv6: a /64). One more takes the place of the oldest of whoever
has most: a client that means it is through within milliseconds."""


class Gate:
    """Takes the connections of ``listening``; ``made`` makes the protocol of each whose handshake is over."""

    def __init__(
        self, listening: Sequence[socket.socket], context: ssl.SSLContext, made: Callable[[], asyncio.Protocol]
    ) -> None:
        self._context = context
        self._made = made
        self._house = Strangers(HALF_OPEN, HALF_OPEN_OF_ADDRESS)
        self._tasks = {asyncio.create_task(self._accept(one)) for one in listening}

    @property
    def half_open(self) -> int:
        """How many handshakes are under way."""
        return self._house.count

    async def close(self) -> None:
        """Take no more; connections that stand go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        while True:
            try:
                opened, (peer, *_) = await loop.sock_accept(listening)
            except OSError as error:
                log.warning("a connection was not taken", error=str(error))
                await asyncio.sleep(1.0)
                continue
            stranger = self._house.enter(origin(peer), opened)
            task = asyncio.create_task(self._let_in(opened, stranger))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # Those who came before say something meanwhile, however many more there are.
            await asyncio.sleep(0)

    async def _let_in(self, opened: socket.socket, stranger: Stranger) -> None:
        loop, taken = asyncio.get_running_loop(), False
        try:
            begun = loop.time()
            if await speaks(opened, HANDSHAKE_SECONDS):
                taken = True
                left = max(1.0, HANDSHAKE_SECONDS - (loop.time() - begun))
                # Whoever does not speak TLS is told by it: one line for each would fill the log for anybody.
                with contextlib.suppress(OSError, TimeoutError):
                    await loop.connect_accepted_socket(
                        self._made, opened, ssl=self._context, ssl_handshake_timeout=left
                    )
        finally:
            stranger.leave()
            if not taken:
                opened.close()


class Server(uvicorn.Server):  # type: ignore[misc]  # uvicorn is untyped to mypy.
    """uvicorn's, with a gate of its own where it has TLS by ``context``."""

    def __init__(self, config: uvicorn.Config, context: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._context = context
        self._gate: Gate | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        context = self._context
        await super().startup(sockets if context is None else [])
        if context is not None:
            self._gate = Gate(sockets or [], context, self._protocol)

    def _protocol(self) -> asyncio.Protocol:
        made: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = made(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._gate is not None:
            await self._gate.close()
        await super().shutdown(sockets)
