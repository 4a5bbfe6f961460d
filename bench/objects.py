"""The question about object storage: ``bench/run --own objects``."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator

from bench.cloud import Cloud, Figure

MB = 1 << 20
SMALL = 4096
COUNT, AT_ONCE = 1000, 16
LARGE = 100


async def objects(cloud: Cloud) -> AsyncIterator[Figure]:
    """4 KiB up, down and looked at, 16 at once; a listing of 1,000; 100 MiB up and down."""
    url = f"{cloud.url('object-store')}/bench-{secrets.token_hex(4)}"
    headers = {"X-Auth-Token": cloud.token}
    small, chunk = os.urandom(SMALL), os.urandom(MB)

    async def ask(method: str, below: str, content: bytes | AsyncIterator[bytes] | None = None) -> None:
        (await cloud.http.request(method, url + below, headers=headers, content=content)).raise_for_status()

    async def large() -> AsyncIterator[bytes]:
        for _ in range(LARGE):
            yield chunk

    async def download() -> None:
        async with cloud.http.stream("GET", f"{url}/large", headers=headers) as response:
            async for _ in response.aiter_raw(MB):
                pass

    (await cloud.http.put(url, headers=headers)).raise_for_status()
    for method in ("PUT", "GET", "HEAD"):
        content = small if method == "PUT" else None
        name = f"object {method} 4 KiB, {AT_ONCE} at once"
        yield await cloud.measure(
            name, lambda n, m=method, c=content: ask(m, f"/{n:06}", c), count=COUNT, at_once=AT_ONCE, warm_up=8
        )
    for number in range(8):
        await ask("DELETE", f"/{-1 - number:06}")
    yield await cloud.measure("list 1,000 objects", lambda _: ask("GET", "?format=json"), count=20, warm_up=1)
    for name, up in ((f"object upload {LARGE} MB", True), (f"object download {LARGE} MB", False)):
        figure = await cloud.measure(
            name, lambda _, up=up: ask("PUT", "/large", large()) if up else download(), count=3
        )
        figure.megabytes = 3 * LARGE
        yield figure
    await ask("DELETE", "/large")
    for number in range(COUNT):
        await ask("DELETE", f"/{number:06}")
    (await cloud.http.delete(url, headers=headers)).raise_for_status()
