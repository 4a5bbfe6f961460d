"""One at a time may write: who asks for much waits for the own things, and keeps it from nobody for long."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tane import shares
from tane.db import Database, HeldTooLong
from tane.db import database as database_module
from tane.services.identity.tables import project
from tane.services.metric.domain import measures
from tane.services.network.domain import addresses as network_addresses
from tane.shares import OWNER, TurnLock, for_the_cloud
from tests.support import ApiCloud


def _waits(lock: TurnLock, owner: str | None, order: list[str | None], threads: list[threading.Thread]) -> None:
    """Start a thread that works for ``owner``; returns once it waits."""

    def work() -> None:
        OWNER.set(owner)
        with lock:
            order.append(owner)

    before = _waiting(lock)
    thread = threading.Thread(target=work)
    thread.start()
    threads.append(thread)
    while _waiting(lock) == before:
        time.sleep(0)


def _waiting(lock: TurnLock) -> int:
    return len(lock._own) + sum(len(queue) for queue in lock._waiting.values())


def test_projects_take_turns_at_writing_and_the_cloud_comes_every_other_time() -> None:
    lock, order, threads = TurnLock(), list[str | None](), list[threading.Thread]()
    with lock:
        for owner in ("eve", "eve", "eve", "eve", "mia", None, None, "ann"):
            _waits(lock, owner, order, threads)
    for thread in threads:
        thread.join(30)
    assert order == [None, "eve", None, "mia", "ann", "eve", "eve", "eve"]


def test_the_lock_keeps_all_others_out() -> None:
    lock, inside, most = TurnLock(), list[int](), list[int]()

    def work(owner: str | None) -> None:
        OWNER.set(owner)
        for _ in range(300):
            with lock:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work, args=(owner,)) for owner in ("eve", "eve", "mia", None, None)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(most) == 1500
    assert set(most) == {1}


def test_who_held_the_writer_for_long_rests_as_long_also_when_nobody_waits() -> None:
    now = [100.0]
    lock, order, threads = TurnLock(lambda: now[0]), list[str | None](), list[threading.Thread]()

    def hold(owner: str | None, seconds: float) -> None:
        OWNER.set(owner)
        with lock:
            now[0] += seconds

    contextvars.copy_context().run(hold, "eve", 0.6)
    _waits(lock, "eve", order, threads)
    for owner in ("mia", None, "mia"):
        contextvars.copy_context().run(hold, owner, 0.1)
    assert order == [], "others come meanwhile, and short turns are followed by no rest"
    now[0] += 0.4
    threads[0].join(30)
    assert order == ["eve"]
    assert lock._rests == {}


def test_one_who_waits_while_another_of_the_same_project_holds_it_for_long_comes_after_the_rest() -> None:
    lock, order, threads = TurnLock(), list[str | None](), list[threading.Thread]()
    lock._rests["eve"] = 0.0
    token = OWNER.set("eve")
    try:
        with lock:
            _waits(lock, "eve", order, threads)
            lock._since -= shares.LONG
    finally:
        OWNER.reset(token)
    threads[0].join(30)
    assert order == ["eve"]


def test_who_gives_up_waiting_stands_in_nobodys_way() -> None:
    lock = TurnLock()
    with lock:
        called = threading.Lock()
        lock._waiting["eve"] = deque([called])
        lock._give_up("eve", called)
    with lock:
        pass
    assert not lock._held
    assert not lock._waiting


def test_leases_are_given_while_all_that_reads_whole_files_waits(cloud: ApiCloud) -> None:
    core, go_on = cloud.core, threading.Event()

    async def main() -> None:
        long = [asyncio.create_task(core.in_file_thread(go_on.wait, 30)) for _ in range(20)]
        assert await core.in_thread(lambda: "leased") == "leased"
        assert not any(task.done() for task in long)
        go_on.set()
        await asyncio.gather(*long)

    cloud.wait(main())


def test_samples_of_a_host_that_tells_many_let_others_be_taken_in_between(cloud: ApiCloud) -> None:
    core, order = cloud.core, list[str]()

    async def told(host_id: str) -> None:
        async with core.measuring.turn(host_id):
            order.append(host_id)
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(told("loud") for _ in range(5)), told("quiet"))

    cloud.wait(main())
    assert order.index("quiet") < 3


def _rows(database: Database) -> Callable[[], None]:
    def read_for_ever() -> None:
        with database.write() as tx:
            while True:
                tx.all(select(project.c.id))

    return read_for_ever


def test_a_request_that_would_keep_the_writer_for_long_is_refused_and_writes_nothing(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MOST_SECONDS", 0.05)
    OWNER.set("eve")
    with pytest.raises(HeldTooLong):
        _rows(cloud.core.db)()
    with for_the_cloud(), cloud.core.db.write() as tx:
        assert tx.ends == float("inf"), "the cloud's own work ends when it is done"


def test_it_is_told_that_less_may_be_asked_for(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    monkeypatch.setattr(database_module, "MOST_SECONDS", 0.0)
    body = {"network": {"name": "long"}}
    answer = mia.post("/network/v2.0/networks", body, 413)
    assert "Ask for less at once" in answer.text
    monkeypatch.setattr(database_module, "MOST_SECONDS", 5.0)
    assert mia.get("/network/v2.0/networks?name=long").json()["networks"] == []


class Batch:
    """One batch of samples, as it waits."""

    def __init__(self, count: int, start: int) -> None:
        self.metrics = array("I", [7] * count).tobytes()
        self.times = array("q", range(start, start + count)).tobytes()
        self.values = array("d", [1.0] * count).tobytes()


def test_samples_of_one_metric_cost_no_more_for_being_many(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: dict[int, Any] = {}
    monkeypatch.setattr(measures, "_fold_metrics", lambda _, samples: folded.update(samples))
    batches = [Batch(24_000, 24_000 * number) for number in range(4)]
    begun = time.thread_time()
    assert measures._fold(None, batches) == 96_000  # type: ignore[arg-type]  # What it writes is taken above.
    # In the square of their number it was a minute.
    assert time.thread_time() - begun < 5
    times, values = folded[7]
    assert sorted(times) == list(range(96_000))
    assert len(values) == 96_000


def test_ports_with_many_addresses_each_are_as_cheap_as_others(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address was once looked for among all that the request had been given before."""
    mia = cloud.new_user("mia", "garden")
    network = mia.post("/network/v2.0/networks", {"network": {"name": "bed"}}).json()["network"]["id"]
    body = {"network_id": network, "cidr": "10.0.0.0/16", "ip_version": 4}
    subnet = mia.post("/network/v2.0/subnets", {"subnet": body}).json()["subnet"]["id"]
    looks, look = list[str](), network_addresses._free
    monkeypatch.setattr(network_addresses, "_free", lambda *one, **more: looks.append("") or look(*one, **more))
    ports = [{"network_id": network, "fixed_ips": [{"subnet_id": subnet}] * 5}] * 40
    made = mia.post("/network/v2.0/ports", {"ports": ports}).json()["ports"]
    given = [one["ip_address"] for one in made for one in one["fixed_ips"]]
    assert len(set(given)) == len(given) == 200
    assert len(looks) <= 10
