"""Requests are answered by few threads: nobody has all of them, however much is asked at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tane.core import Core
from tane.shares import UNBOUNDED, Turns
from tests.support import ApiCloud


def test_a_project_that_asks_for_much_leaves_threads_to_the_others(cloud: ApiCloud) -> None:
    core, started, go_on = cloud.core, threading.Semaphore(0), threading.Event()
    core.requests = Turns(2, UNBOUNDED, UNBOUNDED, most=1)

    def long() -> None:
        started.release()
        assert go_on.wait(30)

    async def main() -> None:
        many = [asyncio.create_task(core.in_request_thread("eve", long)) for _ in range(20)]
        await asyncio.to_thread(started.acquire)
        for _ in range(3):
            assert await core.in_request_thread("mia", lambda: "told") == "told"
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
        first = asyncio.create_task(core.in_request_thread("eve", long))
        await asyncio.to_thread(started.wait, 30)
        first.cancel()
        second = asyncio.create_task(core.in_request_thread("eve", lambda: None))
        await asyncio.wait([first])
        assert not second.done(), "the first goes on"
        go_on.set()
        await second

    cloud.wait(main())


def test_a_request_counts_for_the_project_of_its_token(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    owners, mia = [], cloud.new_user("mia", "garden")
    plain = Core.in_request_thread

    async def told(core: Core, owner: str, work: Callable[[], Any]) -> Any:
        owners.append(owner)
        return await plain(core, owner, work)

    monkeypatch.setattr(Core, "in_request_thread", told)
    mia.get("/network/v2.0/networks")
    mia.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "mine"}}, 200)
    assert owners == [mia.project_id] * 2
