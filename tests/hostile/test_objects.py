"""What clients of object storage may send that is wrong: the real service's error, and nothing half there."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn

from tane.web.protocol import Protocol
from tests.api.object_support import Account, account
from tests.support import ApiCloud


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    return found


PUTS: list[tuple[dict[str, Any], int]] = [
    ({f"X-Object-Meta-{'n' * 129}": "x"}, 400),
    ({"X-Object-Meta-N": "v" * 257}, 400),
    ({"X-Object-Meta-": "x"}, 400),
    ({f"X-Object-Meta-{number}": "x" for number in range(91)}, 400),
    ({f"X-Object-Meta-{number}": "v" * 250 for number in range(17)}, 400),
    ({"X-Object-Meta-N": b"\xff\xfe"}, 400),
    ({"Content-Disposition": "x" * 8193}, 400),
    ({"X-Delete-At": "-1"}, 400),
    ({"X-Delete-After": "1e9"}, 400),
    ({"X-Delete-After": "0"}, 400),
    ({"If-None-Match": "abc"}, 400),
    ({"X-Copy-From": "nowhere"}, 412),
    ({"X-Copy-From": "/c/none"}, 404),
    ({"X-Copy-From": "/c/%00"}, 412),
    ({"X-Copy-From": "/c/o", "X-Copy-From-Account": "a/b"}, 412),
    ({"X-Symlink-Target": "c"}, 412),
    ({"X-Symlink-Target": "c/n"}, 400),
    ({"X-Object-Manifest": "c"}, 400),
    ({"Transfer-Encoding": "gzip"}, 501),
]


@pytest.mark.parametrize(("headers", "status"), PUTS, ids=[str(pair[0])[:60] for pair in PUTS])
def test_a_wrong_upload_is_refused(mine: Account, headers: dict[str, Any], status: int) -> None:
    mine.call("PUT", "/c/n", status, headers=headers, content=b"")
    assert mine.names("/c") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/c/" + "n" * 1024, 201),
        ("/c/" + "n" * 1025, 400),
        ("/c/" + "é" * 513, 400),
        ("/" + "c" * 256, 201),
        ("/" + "c" * 257, 400),
        ("/c/%00", 412),
        ("/c/%FF", 412),
        ("//o", 404),
    ],
)
def test_names_over_the_limits(mine: Account, path: str, status: int) -> None:
    mine.call("PUT", path, status, content=b"")


@pytest.mark.parametrize("account_name", ["AUTH_", "other", "AUTH_..", "AUTH_none", "AUTH_%2e%2e"])
def test_accounts_of_nobody(cloud: ApiCloud, mine: Account, account_name: str) -> None:
    for caller in (mine.caller, cloud.admin):
        answer = caller.request("PUT", f"/object-store/v1/{account_name}/c")
        assert answer.status_code in (403, 404)


@pytest.mark.parametrize(
    "header",
    [
        "bytes=" + ",".join(f"{n}-{n}" for n in range(51)),
        "bytes=0-,0-,0-,0-",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(20, 0, -1)),
    ],
)
def test_ranges_that_would_read_all_over(mine: Account, header: str) -> None:
    mine.put("/c/o", b"x" * 100)
    mine.get("/c/o", 416, Range=header)


@pytest.mark.parametrize("header", ["bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "bytes=1-2-3", "bytes", "bytes=²-"])
def test_ranges_that_are_none(mine: Account, header: str) -> None:
    mine.put("/c/o", b"x" * 100)
    assert len(mine.get("/c/o", 200, Range=header.encode()).content) == 100


@pytest.mark.parametrize("accept", ["text/" + "x;q=0.1," * 400, ";" * 900, "*/" * 400, "text/plain;q=" + "9" * 400])
def test_an_accept_header_costs_no_time(mine: Account, accept: str) -> None:
    assert mine.call("GET", "/c", headers={"Accept": accept}).status_code in (200, 204, 406)


def test_a_manifest_that_contains_itself_ends(mine: Account) -> None:
    mine.put("/c/loop", b"", X_Object_Manifest="c/loop")
    assert mine.get("/c/loop").content == b""
    mine.put("/c/one", b"", X_Symlink_Target="c/two")
    mine.put("/c/two", b"", X_Symlink_Target="c/three")
    mine.put("/c/three", b"", X_Symlink_Target="c/four")
    mine.put("/c/four", b"here")
    mine.get("/c/one", 409)
    assert mine.get("/c/two").content == b"here"


def test_manifests_of_manifests_do_not_multiply(mine: Account) -> None:
    """What an answer needs is looked up, up to a bound."""
    mine.put("/c/byte", b"x")
    for last, name in (("-1", "last"), (None, "all")):
        for level in range(1, 5):
            below = "byte" if level == 1 else f"{name}{level - 1}"
            segments = [{"path": f"/c/{below}", "range": last}] * 100
            body = json.dumps(segments).encode()
            mine.call("PUT", f"/c/{name}{level}?multipart-manifest=put", 201, content=body)
    for level in range(1, 5):
        assert mine.get(f"/c/last{level}").content == b"x" * 100
    assert mine.get("/c/all1").content == b"x" * 100
    assert len(mine.get("/c/all4", 206, Range="bytes=99999000-").content) == 1000
    mine.get("/c/all3", 409)
    mine.get("/c/all4", 409)


def test_errors_run_nothing_in_a_browser(mine: Account) -> None:
    for path in ("/c/<script>alert(1)</script>", "/<script>"):
        answer = mine.call("GET", path, 404, headers={"X-Copy-From": "<script>"})
        assert "<script>" not in answer.text or "html" not in answer.headers["content-type"]
    answer = mine.call("PUT", "/c/o", 400, headers={"X-Object-Meta-A": "v" * 300, "X-Delete-At": "<b>"}, content=b"")
    assert "html" not in answer.headers["content-type"]


async def _served(cloud: ApiCloud, work: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(cloud.cloud.app, http=Protocol, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        try:
            await work(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


@pytest.mark.parametrize("size", [100, 40_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_breaks_off_leaves_nothing(cloud: ApiCloud, mine: Account, size: int, chunked: bool) -> None:
    coding = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size * 2}"
    body = f"{size * 2:x}\r\n".encode() if chunked else b""
    head = f"PUT {mine.path}/c/half HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {mine.caller.token}\r\n{coding}\r\n\r\n"

    async def work(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body + b"x" * size)
        await writer.drain()
        await asyncio.sleep(0.3)  # The server takes it in; then the client is gone.
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            headers = {"X-Auth-Token": mine.caller.token}
            assert (await client.get(f"{mine.path}/c/half", headers=headers)).status_code == 404

    cloud.wait(_served(cloud, work))
    folder = cloud.core.config.state_dir / "objects"
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_nobody_is_told_to_continue_who_may_not_write(cloud: ApiCloud, mine: Account) -> None:
    async def ask(port: int, token: str, length: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = (f"PUT {mine.path}/c/o HTTP/1.1", "Host: x", f"X-Auth-Token: {token}", "Expect: 100-continue")
        writer.write("\r\n".join((*lines, f"Content-Length: {length}", "", "")).encode())
        answer = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        return answer

    async def work(port: int) -> None:
        assert b" 100 " in await ask(port, mine.caller.token, 10)
        assert b" 401 " in await ask(port, "wrong", 10)
        assert b" 413 " in await ask(port, mine.caller.token, 6 << 30)

    mine.call("POST", "/c", 204, headers={"X-Container-Meta-Quota-Bytes": "100"})
    cloud.wait(_served(cloud, work))
    mine.put("/c/o", b"x" * 101, 413)


def test_only_one_of_many_is_the_first(cloud: ApiCloud, mine: Account) -> None:
    """`If-None-Match: *` holds under races."""

    async def work(port: int) -> None:
        headers = {"X-Auth-Token": mine.caller.token, "If-None-Match": "*"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:

            async def put(number: int) -> int:
                async def content() -> AsyncIterator[bytes]:
                    yield str(number).encode()
                    await asyncio.sleep(0.05)  # So that all have begun before one ends.

                return (await client.put(f"{mine.path}/c/o", content=content())).status_code

            told = await asyncio.gather(*(put(number) for number in range(8)))
            assert sorted(told) == [201] + [412] * 7

    cloud.wait(_served(cloud, work))


def test_a_large_object_goes_up_and_down_in_little_memory(cloud: ApiCloud, mine: Account) -> None:
    import resource

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    async def work(port: int) -> None:
        chunk, count = bytes(range(256)) * 4096, 150

        async def content() -> AsyncIterator[bytes]:
            for _ in range(count):
                yield chunk

        headers = {"X-Auth-Token": mine.caller.token}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            before = peak()
            done = await client.put(f"{mine.path}/c/big", content=content())
            assert done.status_code == 201, done.text
            size = 0
            async with client.stream("GET", f"{mine.path}/c/big") as response:
                async for part in response.aiter_raw():
                    size += len(part)
            assert size == count << 20 and peak() - before < 60

    cloud.wait(_served(cloud, work))
