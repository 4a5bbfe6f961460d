"""Whoever guesses passwords, however many at a time, keeps nobody from the APIs nor from logging in."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import bcrypt
import httpx
import pytest

from tane.linux import peers
from tane.shares import Full, Turns
from tests.api.test_identity_credentials import add_seed, by_totp, passcode
from tests.support import ADMIN_PASSWORD, ApiCloud, Caller

TOKENS = "/identity/v3/auth/tokens"
GUESSES = 300


def login(name: str, password: str) -> dict[str, Any]:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hashing takes until the event is set: what a quarter of a second, three hundred times, is to those who wait."""
    let_go, check, make = threading.Event(), bcrypt.checkpw, bcrypt.hashpw

    def slow_check(password: bytes, hashed: bytes) -> bool:
        let_go.wait(30)
        return check(password, hashed)

    def slow_make(password: bytes, salt: bytes) -> bytes:
        let_go.wait(30)
        return make(password, salt)

    monkeypatch.setattr(bcrypt, "checkpw", slow_check)
    monkeypatch.setattr(bcrypt, "hashpw", slow_make)
    yield let_go
    let_go.set()


@asynccontextmanager
async def client(cloud: ApiCloud, address: str, port: int = 40_000) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=cloud.cloud.app, client=(address, port))
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test:8770", timeout=30) as opened:
        yield opened


def calls_that_hash(caller: Caller) -> list[tuple[str, str, Any]]:
    """Every call that hashes a password, with a body that gets so far."""
    own = f"/identity/v3/users/{caller.user_id}"
    named = {"name": "x", "user": {"id": caller.user_id}, "secret": "no"}
    app_login = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": named}}}
    return [
        ("POST", TOKENS, login("admin", "wrong")),
        ("POST", TOKENS, login("nobody", "wrong")),
        ("POST", TOKENS, app_login),
        ("POST", f"{own}/password", {"user": {"original_password": "wrong", "password": "other"}}),
        ("POST", "/identity/v3/users", {"user": {"name": "new", "password": "secret"}}),
        ("PATCH", own, {"user": {"password": ADMIN_PASSWORD}}),
        ("POST", f"{own}/application_credentials", {"application_credential": {"name": "another"}}),
    ]


def test_each_call_that_hashes_leaves_the_apis_their_threads(cloud: ApiCloud, stuck: threading.Event) -> None:
    stuck.set()
    admin = cloud.admin
    stuck.clear()
    headers = {"X-Auth-Token": admin.token}

    async def scene() -> None:
        async with client(cloud, "192.0.2.1") as one:
            for method, path, body in calls_that_hash(admin):
                waiting = [asyncio.create_task(one.request(method, path, json=body, headers=headers)) for _ in range(5)]
                await asyncio.sleep(0.1)
                found = await asyncio.wait_for(one.get("/identity/v3/projects", headers=headers), 10)
                assert found.status_code == 200, (method, path)
                assert not any(task.done() for task in waiting), (method, path, waiting)
                stuck.set()
                statuses = {answer.status_code for answer in await asyncio.gather(*waiting)}
                assert statuses <= {200, 201, 204, 401, 409}, (method, path, statuses)
                stuck.clear()
                if method == "PATCH":
                    # A new password ends what was issued before.
                    stuck.set()
                    headers["X-Auth-Token"] = cloud_token(await one.post(TOKENS, json=scoped()))
                    stuck.clear()

    cloud.wait(scene())


Answers = set[asyncio.Task[httpx.Response]]


async def all_but(most: int, asked: list[asyncio.Task[httpx.Response]]) -> tuple[Answers, Answers]:
    """Those that were answered and those that wait, as soon as ``most`` wait; fewer must not."""
    waiting = set(asked)
    async with asyncio.timeout(60):
        while len(waiting) > most:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.1)
    assert len([task for task in asked if not task.done()]) == most
    return set(asked) - waiting, waiting


def scoped() -> dict[str, Any]:
    body = login("admin", ADMIN_PASSWORD)
    body["auth"]["scope"] = {"project": {"name": "admin", "domain": {"id": "default"}}}
    return body


def cloud_token(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return answer.headers["x-subject-token"]


def test_three_hundred_guesses_delay_neither_a_call_nor_anothers_login(cloud: ApiCloud, stuck: threading.Event) -> None:
    stuck.set()
    admin = cloud.admin
    stuck.clear()

    async def scene() -> None:
        async with client(cloud, "192.0.2.66") as stranger, client(cloud, "192.0.2.1") as tom:
            guesses = [asyncio.create_task(stranger.post(TOKENS, json=login("admin", f"{n}"))) for n in range(GUESSES)]
            most = cloud.core.config.limits.logins_per_address + cloud.core.config.password_threads
            refused, waiting = await all_but(most, guesses)
            answers = [task.result() for task in refused]
            assert {answer.status_code for answer in answers} == {503}
            assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
            headers = {"X-Auth-Token": admin.token}
            found = await asyncio.wait_for(tom.get("/identity/v3/projects", headers=headers), 5)
            assert found.status_code == 200
            # A password that was right a short while ago costs no turn.
            assert (await asyncio.wait_for(tom.post(TOKENS, json=scoped()), 5)).status_code == 201
            login_of_tom = asyncio.create_task(tom.post(TOKENS, json=login("tom", "wrong")))
            await asyncio.sleep(0.1)
            stuck.set()
            assert (await login_of_tom).status_code == 401
            # One turn of the stranger's, and those that ran, came before.
            assert sum(task.done() for task in waiting) <= 3 * cloud.core.config.password_threads
            assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {401}

    cloud.wait(scene())


def test_another_user_of_this_machine_keeps_nobody_from_logging_in(
    cloud: ApiCloud, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them come from the same address, or from as many of the loopback network as they like."""
    users = {f"127.0.0.{number}": 65534 for number in range(2, 255)} | {"127.0.0.1": 1000}
    monkeypatch.setattr(peers, "user_of", lambda peer, own: 65534 if peer[1] == 666 else users[peer[0]])

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            sources = [("127.0.0.1", 666), *((f"127.0.0.{number}", 40_000) for number in range(2, 255))]
            many = [await stack.enter_async_context(client(cloud, *source)) for source in sources]
            guesses = [asyncio.create_task(many[n % 254].post(TOKENS, json=login("tom", f"{n}"))) for n in range(300)]
            limits = cloud.core.config.limits
            refused, waiting = await all_but(limits.logins_per_address + cloud.core.config.password_threads, guesses)
            assert {task.result().status_code for task in refused} == {503}
            tom = await stack.enter_async_context(client(cloud, "127.0.0.1"))
            login_of_tom = asyncio.create_task(tom.post(TOKENS, json=login("tom", "wrong")))
            await asyncio.sleep(0.1)
            assert not login_of_tom.done()
            stuck.set()
            assert (await login_of_tom).status_code == 401
            await asyncio.gather(*waiting)

    cloud.wait(scene())


def test_the_kernel_tells_which_user_of_this_machine_asks() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((address, 0), family=family) as listening, socket.socket(family) as asking:
            asking.connect(listening.getsockname())
            accepted, peer = listening.accept()
            with accepted:
                assert peers.user_of(peer[:2], accepted.getsockname()[:2]) == os.getuid()
                assert peers.user_of((peer[0], peer[1] ^ 1), accepted.getsockname()[:2]) is None
    assert peers.user_of(("192.0.2.1", 7), ("192.0.2.2", 7)) is None
    assert peers.user_of(("no address", 7), ("192.0.2.2", 7)) is None


def test_a_one_time_password_is_not_used_up_by_the_wait_for_a_turn(cloud: ApiCloud) -> None:
    """The handler is called a second time, where passwords are hashed."""
    mia = cloud.new_user("mia", "factors")
    add_seed(mia)
    # What was remembered of the password goes with this process's memory.
    cloud.core.memory.pop("identity")
    identity = login("mia", "mia-secret")["auth"]["identity"]
    body = {"auth": {"identity": identity | {"methods": ["totp", "password"]} | by_totp("mia", passcode(cloud))}}
    answer = cloud.call("POST", TOKENS, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["token"]["methods"] == ["totp", "password"]


def run(scene: Callable[[], Any]) -> None:
    asyncio.run(scene())


def test_owners_take_turns() -> None:
    async def scene() -> None:
        turns, served = Turns(1, 100, 50), []

        async def ask(owner: str) -> None:
            async with turns.turn(owner):
                served.append(owner)
                await asyncio.sleep(0)

        await asyncio.gather(*(ask("greedy") for _ in range(20)), ask("tom"), ask("mia"), ask("tom"))
        assert served[:6] == ["greedy", "greedy", "tom", "mia", "greedy", "tom"]
        assert len(served) == 23
        assert (turns._free, turns._count, turns._waiting) == (1, 0, {})

    run(scene)


def test_a_full_queue_makes_room_for_who_waits_less() -> None:
    async def scene() -> None:
        turns, let_go = Turns(1, 4, 3), asyncio.Event()

        async def ask(owner: str) -> str:
            async with turns.turn(owner):
                await let_go.wait()
            return owner

        first = asyncio.create_task(ask("greedy"))
        await asyncio.sleep(0)
        greedy = [asyncio.create_task(ask("greedy")) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await greedy.pop()
        tom = [asyncio.create_task(ask("tom")) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(Full):
            await greedy.pop()
        with pytest.raises(Full):
            await tom.pop()
        # Who gives up waiting leaves no hole, called or not.
        tom[0].cancel()
        let_go.set()
        done = await asyncio.gather(first, *greedy, *tom, return_exceptions=True)
        assert [str(one) for one in done if isinstance(one, str)] == ["greedy"] * 3 + ["tom"]
        assert (turns._free, turns._count, turns._waiting) == (1, 0, {})

    run(scene)


def test_a_turn_that_is_given_up_when_it_comes_goes_to_the_next() -> None:
    async def scene() -> None:
        turns, served = Turns(1, 10, 10), []

        async def ask(owner: str) -> None:
            async with turns.turn(owner):
                served.append(owner)

        async with turns.turn("first"):
            tom, mia = asyncio.create_task(ask("tom")), asyncio.create_task(ask("mia"))
            await asyncio.sleep(0)
        tom.cancel()
        await asyncio.gather(tom, mia, return_exceptions=True)
        assert served == ["mia"]
        assert turns._free == 1

    run(scene)
