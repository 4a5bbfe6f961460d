"""WebSockets: how many are open at a time, and what a handler's errors close them with."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from falcon import WebSocketDisconnected
from falcon.asgi import App
from falcon.testing import ASGIConductor

from tane.core import Core
from tane.web.errors import Forbidden
from tane.web.sockets import SocketEndpoint, WebSocket, WebSocketRoute


async def hold(core: Core, socket: WebSocket) -> None:
    """Stay until the client leaves; fail as the address says."""
    if socket.query.get("fail") == "refuse":
        raise Forbidden("no")
    if socket.query.get("fail") == "break":
        raise ValueError("a mistake in the program")
    await socket.accept()
    reader, writer = await asyncio.open_connection(*socket.query["to"].split(":"))
    try:
        await socket.relay(reader, writer)
    finally:
        writer.close()


@pytest.fixture
def app() -> App[Any, Any]:
    app: App[Any, Any] = App()
    app.add_route("/socket", SocketEndpoint(cast(Core, None), WebSocketRoute("/socket", hold, most=1)))
    return app


async def refusal(app: App[Any, Any], query: str) -> int:
    with pytest.raises(WebSocketDisconnected) as refused:
        async with ASGIConductor(app).simulate_ws("/socket", query_string=query):
            pass
    return refused.value.code


def test_errors_refuse_with_their_status(app: App[Any, Any]) -> None:
    assert asyncio.run(refusal(app, "fail=refuse")) == 3403
    assert asyncio.run(refusal(app, "fail=break")) == 1011


def test_no_more_connections_are_open_than_the_route_allows(app: App[Any, Any]) -> None:
    async def talk() -> tuple[int, bytes]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read(100))
            await reader.read()
            writer.close()

        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            query = "to={}:{}".format(*server.sockets[0].getsockname())
            async with ASGIConductor(app).simulate_ws("/socket", query_string=query):
                code = await refusal(app, query)
            async with ASGIConductor(app).simulate_ws("/socket", query_string=query) as socket:
                await socket.send_data(b"again")
                return code, await socket.receive_data()

    assert asyncio.run(talk()) == (3503, b"again")
