"""Bodies: nobody's are large, others' are read only for who has shown a valid token, and one project has so many
requests under way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from tane.app import SERVICES
from tane.services.identity import interface as identity
from tane.web import app as web
from tane.web.protocol import FREE_BODY, KNOWN
from tests.api.object_support import account
from tests.hostile.schemas import SERVICES as WALKED
from tests.support import ApiCloud, Caller

TOKENS = "/identity/v3/auth/tokens"
NETWORKS = "/network/v2.0/networks"
FORM = "multipart/form-data; boundary=x"
OPEN = [
    (service, route)
    for service in WALKED
    for route in service.routes
    if route.policy is None and route.method in ("POST", "PUT", "PATCH") and "{" not in route.path
]


def login(password: str) -> dict[str, Any]:
    user = {"name": "mia", "domain": {"id": "default"}, "password": password}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}


def padded(body: Any, size: int) -> bytes:
    text = json.dumps(body).encode()
    return text[:-1] + b" " * (size - len(text)) + text[-1:]


@pytest.mark.parametrize(("service", "route"), OPEN, ids=[f"{route.method} {route.path}" for _, route in OPEN])
def test_what_asks_for_no_token_takes_no_large_body(cloud: ApiCloud, service: Any, route: Any) -> None:
    most = cloud.core.config.limits.anonymous_body
    answer = cloud.call(route.method, service.prefix + route.path, content=b" " * (most + 1))
    assert answer.status_code == 413, answer.text
    headers = {"Content-Type": "application/json"}
    answer = cloud.call(route.method, service.prefix + route.path, content=b" " * most, headers=headers)
    assert answer.status_code in (400, 401, 403), answer.text


def test_there_are_calls_that_ask_for_no_token() -> None:
    assert "/v3/auth/tokens" in {route.path for _, route in OPEN}


def test_a_login_of_any_length_that_occurs_is_taken(cloud: ApiCloud) -> None:
    cloud.new_user("mia", "garden")
    body = padded(login("mia-secret"), 100_000)
    assert cloud.call("POST", TOKENS, content=body, headers={"Content-Type": "application/json"}).status_code == 201


def asked(cloud: ApiCloud, token: str, length: int | None) -> tuple[int, int, bool]:
    """(status, events of the body that were asked for, whether the server was told that the token is valid)."""
    lines = [(b"host", b"x"), (b"x-auth-token", token.encode()), (b"content-type", b"application/json")]
    lines.append((b"transfer-encoding", b"chunked") if length is None else (b"content-length", str(length).encode()))
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": NETWORKS,
        "raw_path": NETWORKS.encode(),
        "query_string": b"",
        "headers": lines,
        "client": ("192.0.2.1", 1),
        "server": ("x", 80),
        "root_path": "",
    }
    taken, status = 0, 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        if taken > 3:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(event: dict[str, Any]) -> None:
        nonlocal status
        status = event.get("status", status)

    cloud.wait(cloud.cloud.app(scope, receive, send))  # type: ignore[arg-type]
    return status, taken, bool(scope.get(KNOWN))


@pytest.mark.parametrize("length", [FREE_BODY + 1, 1_000_000, None])
def test_a_large_body_is_read_for_a_valid_token_only(cloud: ApiCloud, length: int | None) -> None:
    mia = cloud.new_user("mia", "garden")
    # Falcon takes the first event before it calls anybody.
    assert asked(cloud, mia.token, length) == (400, 4, True)
    status, taken, known = asked(cloud, mia.token[:-4] + "AAAA", length)
    assert (status, known) == (401, False)
    assert taken <= 1
    # What this process remembers of the token makes no difference.
    cloud.core.memory.pop("identity")
    assert asked(cloud, mia.token, length) == (400, 4, True)


# --------------------------------------------------------------------------------------------- how many at a time


@pytest.fixture
def few(cloud: ApiCloud) -> Iterator[ApiCloud]:
    """A cloud in which one project has eight requests under way."""
    config = cloud.core.config
    config.limits = msgspec.structs.replace(config.limits, requests_per_project=8)
    cloud.cloud.app = web.build(cloud.core, SERVICES, identity)
    yield cloud


@asynccontextmanager
async def client(cloud: ApiCloud) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=cloud.cloud.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test", timeout=30) as opened:
        yield opened


class Slow:
    """A body that comes when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"network": '
        self.begun.set()
        await self.go.wait()
        yield b'{"name": "n"}}'


async def hold(one: httpx.AsyncClient, who: Caller, count: int, body: Slow, **lines: str) -> list[asyncio.Task[Any]]:
    headers = {"X-Auth-Token": who.token, "Content-Type": "application/json", **lines}
    tasks = [asyncio.create_task(one.post(NETWORKS, content=aiter(body), headers=headers)) for _ in range(count)]
    await asyncio.sleep(0.1)
    return tasks


async def status(one: httpx.AsyncClient, who: Caller) -> int:
    return (await one.get(NETWORKS, headers={"X-Auth-Token": who.token})).status_code


def test_one_projects_requests_leave_the_others_theirs(few: ApiCloud) -> None:
    """By whatever tokens; an end gives the place back, whether it was good or not."""
    mia, again, tom = (
        few.new_user("mia", "garden"),
        few.login("mia", "mia-secret", "garden"),
        few.new_user("tom", "shed"),
    )

    async def scene() -> None:
        async with client(few) as one:
            assert [await status(one, who) for who in (mia, again, tom)] == [200] * 3
            body = Slow()
            held = await hold(one, mia, 8, body, **{"Content-Length": "26"})
            assert not any(task.done() for task in held)
            refused = await one.get(NETWORKS, headers={"X-Auth-Token": again.token})
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
            assert await status(one, tom) == 200
            held[0].cancel()
            await asyncio.gather(held[0], return_exceptions=True)
            assert await status(one, again) == 200
            body.go.set()
            assert {(await task).status_code for task in held[1:]} == {201}
            assert [await status(one, who) for who in [mia] * 10 + [again] * 10] == [200] * 20

    few.wait(scene())


def test_a_long_body_counts_for_several(few: ApiCloud) -> None:
    mia = few.new_user("mia", "garden")

    async def scene() -> None:
        async with client(few) as one:
            body = Slow()
            [held] = await hold(one, mia, 1, body)
            assert await status(one, mia) == 503
            body.go.set()
            assert (await held).status_code == 201
            assert await status(one, mia) == 200

    few.wait(scene())


def test_fresh_tokens_of_a_project_share_its_places(few: ApiCloud) -> None:
    """Also those that nobody has looked at yet; and long bodies keep nobody else from asking."""
    mia, tom = few.new_user("mia", "garden"), few.new_user("tom", "shed")
    fresh = [few.login("mia", "mia-secret", "garden") for _ in range(10)]

    async def scene() -> None:
        async with client(few) as one:
            body = Slow()
            held = [task for who in fresh for task in await hold(one, who, 1, body, **{"Content-Length": "26"})]
            assert [task.done() for task in held] == [False] * 8 + [True] * 2
            assert {task.result().status_code for task in held[8:]} == {503}
            assert [await status(one, who) for who in (mia, tom)] == [503, 200]
            body.go.set()
            assert {(await task).status_code for task in held[:8]} == {201}

    few.wait(scene())


def test_long_bodies_of_many_projects_keep_nobody_from_asking(cloud: ApiCloud) -> None:
    config = cloud.core.config
    config.limits = msgspec.structs.replace(config.limits, requests_per_project=8, connections=32)
    cloud.cloud.app = web.build(cloud.core, SERVICES, identity)
    many = [cloud.new_user(f"user{number}", f"project{number}") for number in range(6)]

    async def scene() -> None:
        async with client(cloud) as one:
            body = Slow()
            held = [task for who in many[:5] for task in await hold(one, who, 1, body)]
            assert [task.done() for task in held] == [False] * 4 + [True]
            assert await status(one, many[5]) == 200
            body.go.set()
            assert {(await task).status_code for task in held[:4]} == {201}

    cloud.wait(scene())


@pytest.mark.parametrize("token", ["", "junk"])
def test_requests_of_strangers_count_for_where_they_come_from(few: ApiCloud, token: str) -> None:
    mia = account(few)
    mia.container("open")
    path = f"{mia.path}/open/o"

    async def scene() -> None:
        headers = {"X-Auth-Token": token, "Content-Length": "26"}
        async with client(few) as one:
            body = Slow()
            held = [
                asyncio.create_task(one.post(path, content=aiter(body), headers={**headers, "Content-Type": FORM}))
                for _ in range(9)
            ]
            await asyncio.sleep(0.2)
            assert [task.done() for task in held] == [False] * 8 + [True]
            assert held[8].result().status_code == 503
            assert await status(one, mia.caller) == 200
            body.go.set()
            await asyncio.gather(*held)

    few.wait(scene())


def test_long_answers_that_nobody_takes_count_for_several(few: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = few.new_user("mia", "garden")
    monkeypatch.setattr(web, "LARGE_ANSWER", 5)

    async def scene() -> None:
        async with client(few) as one:
            body = Slow()
            [held] = await hold(one, mia, 1, body, **{"Content-Length": "26"})
            # The list would count for eight, together with what is under way for nine.
            assert await status(one, mia) == 503
            body.go.set()
            await held
            assert await status(one, mia) == 200

    few.wait(scene())
