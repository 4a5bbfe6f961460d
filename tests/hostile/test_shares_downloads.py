"""Downloads from servers that hardly send anything hold neither all threads nor all slots, nor last for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from tane.core import SLOW_THREADS, Core
from tane.services.image.drivers import http
from tane.services.volume.tables import volume
from tane.shares import Full, Shares
from tests.support import ApiCloud, Caller

SLOTS = 16


def test_one_projects_waits_leave_the_others_their_threads(new_core: Callable[[], Core]) -> None:
    core = new_core()
    let_go = threading.Event()

    async def scene() -> None:
        waiting = [asyncio.create_task(core.in_slow_thread("greedy", let_go.wait)) for _ in range(SLOW_THREADS * 2)]
        await asyncio.sleep(0)
        refused = [task for task in waiting if task.done() or await settled(task)]
        assert len(refused) == SLOW_THREADS * 2 - SLOW_THREADS // 4
        assert await asyncio.wait_for(core.in_slow_thread("patient", lambda: "here"), 5) == "here"
        assert await asyncio.wait_for(core.in_slow_thread(None, lambda: "here"), 5) == "here"
        # Who breaks off keeps the place until the thread is really free.
        kept = [task for task in waiting if task not in refused]
        kept[0].cancel()
        await asyncio.gather(kept[0], *refused, return_exceptions=True)
        with pytest.raises(Full):
            await core.in_slow_thread("greedy", lambda: None)
        let_go.set()
        await asyncio.gather(*kept, return_exceptions=True)
        while core.slow._taken:  # noqa: ASYNC110  # Nobody tells us.
            await asyncio.sleep(0.01)
        assert await core.in_slow_thread("greedy", lambda: "again") == "again"

    try:
        asyncio.run(scene())
    finally:
        let_go.set()


async def settled(task: asyncio.Task[bool]) -> bool:
    await asyncio.wait([task], timeout=0.02)
    return task.done() and isinstance(task.exception(), Full)


def test_what_fails_in_a_slow_thread_gives_its_place_back(new_core: Callable[[], Core]) -> None:
    core = new_core()

    def fail() -> None:
        raise ValueError("broken")

    async def scene() -> None:
        for _ in range(SLOW_THREADS * 2):
            with pytest.raises(ValueError, match="broken"):
                await core.in_slow_thread("mia", fail)

    asyncio.run(scene())


def test_places_count_for_each_of_their_owners() -> None:
    shares = Shares(4, 2)
    with shares.taken("project a", "token 1"), shares.taken("project a", "token 2"):
        with pytest.raises(Full) as refused, shares.taken("project a", "token 3"):
            pass
        assert not refused.value.everybody
        with shares.taken("project b", "token 1"), shares.taken(None):
            with pytest.raises(Full) as refused, shares.taken("project c"):
                pass
            assert refused.value.everybody
    with shares.taken("project a"), shares.taken("project a"):
        pass
    assert not shares._of


@pytest.fixture
def slow_server(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Every URL trickles until the event is set."""
    let_go = threading.Event()

    def read(self: http.HttpStore, url: str) -> Iterator[bytes]:
        yield b"first"
        while not let_go.wait(0.01):
            yield b"."
        yield b"last"

    monkeypatch.setattr(http.HttpStore, "read", read)
    return let_go


def order_import(caller: Caller, name: str) -> str:
    body = {"name": name, "disk_format": "raw", "container_format": "bare"}
    image_id: str = caller.post("/image/v2/images", body, 201).json()["id"]
    wanted = {"method": {"name": "web-download", "uri": "http://slow.example/disk"}}
    caller.post(f"/image/v2/images/{image_id}/import", wanted, 202)
    return image_id


def test_one_projects_imports_do_not_hold_anothers_job(cloud: ApiCloud, slow_server: threading.Event) -> None:
    mia, tom = cloud.new_user("mia", "greedy"), cloud.new_user("tom", "patient")
    for number in range(SLOTS + 4):
        order_import(mia, f"endless-{number}")
    body = {"volume": {"size": 1, "name": "mine"}}
    volume_id = tom.post(f"/volume/v3/{tom.project_id}/volumes", body, 202).json()["volume"]["id"]

    runner = cloud.cloud.runner
    runner.slots, runner.share = SLOTS, SLOTS // 4

    def status() -> str:
        with cloud.core.db.read() as tx:
            return str(tx.scalar(select(volume.c.status).where(volume.c.id == volume_id)))

    async def serve() -> None:
        serving = asyncio.create_task(runner.serve())
        async with asyncio.timeout(30):
            while await asyncio.to_thread(status) != "available":  # noqa: ASYNC110  # Nobody tells us.
                await asyncio.sleep(0.02)
        slow_server.set()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    assert status() == "creating"
    try:
        cloud.wait(serve())
    finally:
        slow_server.set()


def test_a_download_has_an_end(cloud: ApiCloud, slow_server: threading.Event) -> None:
    cloud.core.config.image.download_seconds = 0.2
    mia = cloud.new_user("mia", "greedy")
    image_id = order_import(mia, "endless")
    begun = time.monotonic()
    cloud.run_jobs()
    assert time.monotonic() - begun < 20
    assert mia.get(f"/image/v2/images/{image_id}").json()["status"] == "queued"
    [task] = mia.get(f"/image/v2/images/{image_id}/tasks").json()["tasks"]
    assert "did not come within 0.2 s" in task["message"]
