"""Requests are answered by few threads: nobody has all of them, however much is asked at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tane.config import LimitSettings
from tane.core import Core
from tane.shares import OWNER, UNBOUNDED, Turns
from tane.web.limits import LONGEST_SHOWN, Requests
from tests.api import dashboard_support
from tests.api.object_support import Account
from tests.support import ApiCloud


async def of(owner: str | None, work: Awaitable[Any]) -> Any:
    OWNER.set(owner)
    return await work


def test_a_project_that_asks_for_much_leaves_threads_to_the_others(cloud: ApiCloud) -> None:
    core, started, go_on = cloud.core, threading.Semaphore(0), threading.Event()
    core.requests, core.threads = Turns(2, UNBOUNDED, UNBOUNDED, most=1), ThreadPoolExecutor(3)

    def long() -> None:
        started.release()
        assert go_on.wait(30)

    async def main() -> None:
        many = [asyncio.create_task(of("eve", core.in_thread(long))) for _ in range(20)]
        await asyncio.to_thread(started.acquire)
        for _ in range(3):
            assert await of("mia", core.in_thread(lambda: "told")) == "told"
        assert await of(None, core.in_thread(lambda: "told")) == "told", "the cloud itself waits for nobody"
        assert not any(task.done() for task in many)
        go_on.set()
        await asyncio.gather(*many)

    cloud.wait(main())


def test_who_goes_away_keeps_the_place_until_the_work_ends(cloud: ApiCloud) -> None:
    core, started, go_on = cloud.core, threading.Event(), threading.Event()
    core.requests = Turns(2, UNBOUNDED, UNBOUNDED, most=1)

    def long() -> None:
        started.set()
        assert go_on.wait(30)

    async def main() -> None:
        first = asyncio.create_task(of("eve", core.in_thread(long)))
        await asyncio.to_thread(started.wait, 30)
        first.cancel()
        second = asyncio.create_task(of("eve", core.in_thread(lambda: None)))
        await asyncio.wait([first])
        assert not second.done(), "the first goes on"
        go_on.set()
        await second

    cloud.wait(main())


def test_whatever_a_request_does_in_threads_counts_for_its_project(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners, plain = list[str | None](), Core.in_thread

    async def told(core: Core, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        owners.append(OWNER.get())
        return await plain(core, function, *args, **more)

    mia, browser = cloud.new_user("mia", "garden"), dashboard_support.member(cloud, "ann", "orchard")
    account = Account(mia)
    monkeypatch.setattr(Core, "in_thread", told)
    mia.get("/network/v2.0/networks")
    mia.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "mine"}}, 200)
    account.container()
    account.put("/c/o")
    assert {*owners} == {mia.project_id}
    browser.get("/dashboard/servers")
    owners.clear()
    browser.get("/dashboard/servers")
    browser.post("/dashboard/new/keypairs", [("csrf", browser.csrf), ("name", "mine")])
    assert len({*owners}) == 1 and not str(owners[0]).startswith("from"), owners


def test_what_a_browser_adds_to_its_session_is_not_kept() -> None:
    requests = Requests(LimitSettings())
    requests.remember("tane-session=a", "garden")
    requests.remember("tane-session=a; junk=" + "x" * LONGEST_SHOWN, "garden")
    assert requests.owner("tane-session=a") == "garden" and len(requests._owners) == 1
