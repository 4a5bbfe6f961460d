"""An answer without end: it reaches the client as it is made, and ends when the client goes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from tane.services.event.domain import following
from tane.web.limits import Limits
from tane.web.protocol import serving
from tests.support import ApiCloud, Caller

NETWORKS = "/network/v2.0/networks"


@contextlib.asynccontextmanager
async def served(cloud: ApiCloud, port: int = 0) -> AsyncIterator[int]:
    http, ws = serving(Limits())
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(cloud.cloud.app, http=http, ws=ws, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await running


class Follower:
    """A client that reads line by line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, port: int, who: Caller, more: str = "") -> Follower:
        follower = cls(*await asyncio.open_connection("127.0.0.1", port))
        head = f"GET /events?type=network.network HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {who.token}\r\n"
        follower.writer.write(f"{head}Accept: text/event-stream\r\n{more}\r\n".encode())
        return follower

    async def line(self, start: str) -> str:
        """The rest of the next line that begins so."""
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
            assert line, f"the answer ended before a line that begins with {start!r}"
            if line.startswith(start):
                return line.removeprefix(start).strip()


def test_events_come_as_they_happen_and_a_place_is_given_back_when_a_client_goes(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(following, "STREAMS_OF_ONE", 1)
    mia = cloud.new_user("mia", "garden")

    async def scene() -> None:
        async with served(cloud) as port:
            first = await Follower.of(port, mia)
            assert await first.line("HTTP/1.1 ") == "200 OK"
            await first.line(": still here")
            made = await cloud._client.post(
                NETWORKS, json={"network": {"name": "bed"}}, headers={"X-Auth-Token": mia.token}
            )
            number = await first.line("id: ")
            assert await first.line("event: ") == "network.network.create"
            told = json.loads(await first.line("data: "))
            assert told["resource_id"] == made.json()["network"]["id"] and str(told["id"]) == number

            second = await Follower.of(port, mia)
            assert await second.line("HTTP/1.1 ") == "503 Service Unavailable"
            second.writer.close()
            first.writer.close()
            again = None
            while again != "200 OK":
                third = await Follower.of(port, mia, f"Last-Event-ID: {int(number) - 1}\r\n")
                again = await third.line("HTTP/1.1 ")
                if again != "200 OK":
                    third.writer.close()
            assert await third.line("id: ") == number
            third.writer.close()

    cloud.wait(asyncio.wait_for(scene(), 30))
