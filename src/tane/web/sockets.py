"""WebSockets of binary messages: the endpoint Falcon calls, and what a handler is given."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import falcon
import falcon.asgi
import structlog

from tane.web.errors import ApiError, Unavailable

if TYPE_CHECKING:
    from tane.core import Core

log = structlog.get_logger()

BINARY = "binary"
CHUNK = 64 << 10

# Close codes (RFC 6455, 7.4.1). Those from 3000 on are an application's own: an error closes with 3000 + its status.
NORMAL, UNSUPPORTED, FAILED, REFUSED = 1000, 1003, 1011, 3000


class WebSocket:
    """One connection. ``query`` holds the parameters of its address."""

    def __init__(self, socket: falcon.asgi.WebSocket, query: Mapping[str, str]) -> None:
        self._socket = socket
        self.query = query

    async def accept(self) -> None:
        """Take the connection. Clients of VNC may ask for the subprotocol ``binary``; older ones ask for none."""
        await self._socket.accept(BINARY if BINARY in self._socket.subprotocols else None)

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways, each no faster than its receiver takes them, until either side ends."""
        ways = [asyncio.create_task(self._to_stream(writer)), asyncio.create_task(self._from_stream(reader))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            outcomes = await asyncio.gather(*ways, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _to_stream(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(falcon.WebSocketDisconnected, ConnectionError):
            while True:
                writer.write(await self._socket.receive_data())
                await writer.drain()

    async def _from_stream(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(falcon.WebSocketDisconnected, ConnectionError):
            while data := await reader.read(CHUNK):
                await self._socket.send_data(data)


Handler = Callable[["Core", WebSocket], Awaitable[None]]


@dataclass(frozen=True)
class WebSocketRoute:
    """A path that speaks WebSocket.

    A browser cannot send a token in a header of a WebSocket, so there is no policy: the address carries the right, a
    short-lived secret that was handed out under a policy. ``handler`` proves it before it accepts, and raises ApiError
    to refuse. ``most`` connections are open at a time.
    """

    path: str
    handler: Handler
    most: int = 256


class SocketEndpoint:
    """What Falcon calls for the WebSockets of one path."""

    def __init__(self, core: Core, route: WebSocketRoute) -> None:
        self._core = core
        self._route = route
        self._open = 0

    async def on_websocket(self, req: falcon.asgi.Request, socket: falcon.asgi.WebSocket) -> None:
        self._open += 1
        try:
            if self._open > self._route.most:
                raise Unavailable("Too many connections are open.")
            await self._route.handler(self._core, WebSocket(socket, dict(parse_qsl(req.query_string))))
            code = NORMAL
        except ApiError as error:
            code = REFUSED + error.status
        except falcon.WebSocketDisconnected:
            return
        except falcon.PayloadTypeError:
            code = UNSUPPORTED
        except Exception:
            log.error("socket failed", path=req.path, error=traceback.format_exc())
            code = FAILED
        finally:
            self._open -= 1
        await socket.close(code)
