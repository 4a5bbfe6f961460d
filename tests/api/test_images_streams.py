"""Image data over a real connection: whatever its size, it passes through little memory."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import uvicorn

from tane.web.protocol import Protocol
from tests.support import ApiCloud, Caller

MB = 1 << 20
OCTETS = {"Content-Type": "application/octet-stream"}


def served(cloud: ApiCloud, caller: Caller, work: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Do ``work`` with a client that is connected to the cloud through a socket."""

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(cloud.cloud.app, http=Protocol, ws="none", lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            serving = asyncio.create_task(server._serve(sockets=[listener]))
            address = f"http://127.0.0.1:{listener.getsockname()[1]}/image/v2/images"
            headers = {"X-Auth-Token": caller.token}
            try:
                async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
                    await work(client)
            finally:
                server.should_exit = True
                await serving

    cloud.wait(run())


def new_image(caller: Caller) -> str:
    body = {"name": "big", "disk_format": "raw", "container_format": "bare"}
    return str(caller.post("/image/v2/images", body, 201).json()["id"])


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_an_image_larger_than_any_buffer_goes_up_and_down_in_little_memory(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id, chunk, count = new_image(mia), bytes(range(256)) * 4096, 192

    async def content() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield chunk

    async def work(client: httpx.AsyncClient) -> None:
        before = peak_mb()
        done = await client.put(f"/{image_id}/file", content=content(), headers=OCTETS)
        assert done.status_code == 204, done.text
        got = hashlib.sha512()
        async with client.stream("GET", f"/{image_id}/file") as response:
            assert response.headers["content-length"] == str(count * MB)
            async for part in response.aiter_raw():
                got.update(part)
        shown = (await client.get(f"/{image_id}")).json()
        assert shown["size"] == count * MB and shown["os_hash_value"] == got.hexdigest()
        assert peak_mb() - before < 80

    served(cloud, mia, work)


def test_parts_of_an_image_come_over_one_connection(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id, data = new_image(mia), bytes(range(256)) * 40_000

    async def work(client: httpx.AsyncClient) -> None:
        assert (await client.put(f"/{image_id}/file", content=data, headers=OCTETS)).status_code == 204
        for header, expected in (("bytes=100-", data[100:]), ("bytes=-7", data[-7:]), ("bytes=3-3", data[3:4])):
            got = await client.get(f"/{image_id}/file", headers={"Range": header})
            assert got.status_code == 206 and got.content == expected
        head = await client.head(f"/{image_id}/file")
        assert head.headers["content-length"] == str(len(data)) and head.content == b""
        whole = await client.get(f"/{image_id}/file")
        assert whole.content == data and whole.headers["content-md5"] == hashlib.md5(data).hexdigest()

    served(cloud, mia, work)


def test_a_client_that_stops_reading_half_way_harms_no_one(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id, data = new_image(mia), bytes(32 * MB)

    async def work(client: httpx.AsyncClient) -> None:
        assert (await client.put(f"/{image_id}/file", content=data, headers=OCTETS)).status_code == 204
        for _ in range(3):
            async with client.stream("GET", f"/{image_id}/file") as response:
                await anext(response.aiter_raw())
        assert (await client.get(f"/{image_id}/file")).content == data

    served(cloud, mia, work)


def test_an_upload_in_tiny_pieces_arrives_whole(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id, pieces = new_image(mia), [bytes([n % 256]) * (n % 7 + 1) for n in range(3000)]

    async def content() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def work(client: httpx.AsyncClient) -> Any:
        assert (await client.put(f"/{image_id}/file", content=content(), headers=OCTETS)).status_code == 204
        assert (await client.get(f"/{image_id}/file")).content == b"".join(pieces)

    served(cloud, mia, work)
