"""Image data over a real connection: whatever its size, it passes through little memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from tane.services.image.domain import receiving
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


def head_of_upload(caller: Caller, image_id: str, *more: str) -> bytes:
    """The head of a PUT of an image's data, for clients that write to the socket themselves."""
    own = ("Host: x", f"X-Auth-Token: {caller.token}", "Content-Type: application/octet-stream", *more)
    return "\r\n".join((f"PUT /image/v2/images/{image_id}/file HTTP/1.1", *own, "", "")).encode()


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


def test_a_connection_serves_on_after_an_upload(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    first, second, data = new_image(mia), new_image(mia), bytes(range(251)) * 40_000

    async def content() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 70_001):
            yield data[start : start + 70_001]

    async def work(client: httpx.AsyncClient) -> None:
        for image_id in (first, second):
            headers = {**OCTETS, "Content-Length": str(len(data))}
            assert (await client.put(f"/{image_id}/file", content=content(), headers=headers)).status_code == 204
            assert (await client.get(f"/{image_id}/file")).content == data

    served(cloud, mia, work)


def test_what_follows_a_refused_upload_is_not_taken_for_a_request(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id, data = new_image(mia), b"GET /image/v2/images HTTP/1.1\r\n\r\n" * 300_000

    async def work(client: httpx.AsyncClient) -> None:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        put = head_of_upload(mia, image_id, "X-Image-Meta-Store: nowhere", f"Content-Length: {len(data)}")
        get = f"GET /image/v2/images/{image_id} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {mia.token}\r\n\r\n"
        writer.write(put + data + get.encode())
        assert (await reader.readuntil(b"\r\n")).split()[1] == b"400"
        rest = await reader.readuntil(b"queued")
        assert rest.count(b"HTTP/1.1 200") == 1
        writer.close()

    served(cloud, mia, work)


def test_an_upload_that_grows_too_large_ends_and_the_connection_lives(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id, size = new_image(mia), 24 * MB
    cloud.core.config = msgspec.structs.replace(cloud.core.config, image_size_limit_gb=0)

    async def content() -> AsyncIterator[bytes]:
        for _ in range(size // MB):
            yield bytes(MB)

    async def work(client: httpx.AsyncClient) -> None:
        for headers in (OCTETS, {**OCTETS, "Content-Length": str(size)}):
            with contextlib.suppress(httpx.WriteError):  # The connection may end before all was sent.
                done = await client.put(f"/{image_id}/file", content=content(), headers=headers)
                assert done.status_code == 413
            assert (await client.get(f"/{image_id}")).json()["status"] == "queued"

    served(cloud, mia, work)


def test_a_client_that_waits_to_be_told_to_go_on_is_told(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id = new_image(mia)

    async def work(client: httpx.AsyncClient) -> None:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(head_of_upload(mia, image_id, "Expect: 100-continue", f"Content-Length: {6 * MB}"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(bytes(6 * MB))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        writer.close()

    served(cloud, mia, work)


def test_a_client_that_breaks_off_leaves_a_queued_image(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image_id = new_image(mia)

    async def work(client: httpx.AsyncClient) -> None:
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(head_of_upload(mia, image_id, f"Content-Length: {20 * MB}"))
        writer.write(bytes(9 * MB))
        await writer.drain()
        async with asyncio.timeout(30):
            while (await client.get(f"/{image_id}")).json()["status"] != "saving":
                pass
            writer.close()
            while (await client.get(f"/{image_id}")).json()["status"] != "queued":
                pass
        assert not list((cloud.core.config.state_dir / "images" / "incoming").iterdir())

    served(cloud, mia, work)


def test_a_part_of_the_disk_stays_free_of_images(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloud's database is on the same file system: full, it could not even delete an image."""
    mia = cloud.new_user("mia", "garden")
    image_id, data = new_image(mia), f"/image/v2/images/{new_image(mia)}/file"
    monkeypatch.setattr(receiving, "LOOK_BYTES", 1 << 20)
    free = iter([10, 10, 4])
    disk = {"f_blocks": 100, "f_frsize": 1}
    monkeypatch.setattr(receiving.os, "statvfs", lambda _: SimpleNamespace(f_bavail=next(free, 4), **disk))
    answer = mia.put(f"/image/v2/images/{image_id}/file", None, 413, content=bytes(20 * MB), headers=OCTETS)
    assert "not enough disk space" in answer.text
    assert mia.get(f"/image/v2/images/{image_id}").json()["status"] == "queued"
    assert not list((cloud.core.config.state_dir / "images").rglob("*.part"))
    mia.put(data, None, 413, content=b"x", headers=OCTETS)
    free = iter([6])
    mia.put(data, None, 204, content=b"x", headers=OCTETS)
