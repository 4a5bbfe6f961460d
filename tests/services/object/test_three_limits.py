"""Objects on hosts: what one tenant or one host takes from the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tane.services.host.domain import hosts as machines
from tane.services.object.api import downloads
from tane.services.object.domain import blobs, copies, reading, repair
from tane.services.object.drivers import hosts as driver
from tane.services.object.drivers.hosts import BLOCK
from tane.services.object.store import copies as copy_rows
from tane.services.object.store import database
from tane.web import app
from tane.wire.blobs import Asked
from tests.services.network.following import until
from tests.services.object.three import BIG, Host, World, broken
from tests.support import ApiCloud


@pytest.fixture
def world(cloud: ApiCloud, tmp_path: Path) -> Iterator[World]:
    world = World(cloud, tmp_path)
    yield world
    world.close()


def slo(world: World, name: str, offsets: list[int]) -> None:
    segments = [{"path": "/c/o", "range": f"{offset}-{offset}"} for offset in offsets]
    world.mine.put(f"/c/{name}?multipart-manifest=put", json.dumps(segments).encode())


def reads(world: World) -> list[int]:
    """Offsets of the blocks that hosts are asked for from now on."""
    seen: list[int] = []

    def note(asked: Asked) -> None:
        if asked.do == "read":
            seen.append(asked.offset)

    for host in world.hosts:
        host.fails = note
    return seen


def test_a_block_is_fetched_once_for_all_that_is_asked_of_it_in_turn(world: World) -> None:
    world.mine.put("/c/o", BIG)
    slo(world, "many", list(range(600)))
    seen = reads(world)
    assert world.mine.get("/c/many").content == BIG[:600]
    assert seen == [0]
    copied = world.mine.call("PUT", "/c/copy", 201, headers={"X-Copy-From": "/c/many", "Content-Length": "0"})
    assert copied.headers["x-copied-from"] == "c/many" and seen == [0, 0]


def test_what_makes_hosts_give_far_more_than_is_asked_for_is_refused(world: World) -> None:
    world.mine.put("/c/o", BIG)
    there_and_back = [BLOCK * (number % 2) for number in range(reading.FEW_FILED + 80)]
    slo(world, "many", there_and_back)
    seen = reads(world)
    assert "Too many small parts" in world.mine.get("/c/many", 409).text
    world.mine.call("PUT", "/c/copy", 409, headers={"X-Copy-From": "/c/many", "Content-Length": "0"})
    assert seen == []
    slo(world, "few", there_and_back[:20])
    assert world.mine.get("/c/few").content == BIG[:1] * 20


def test_who_asks_for_much_waits_for_the_own_turns(world: World) -> None:
    world.mine.put("/c/o", BIG)
    host, way = world.hosts[0], copies.links(world.core)
    [path] = host.files
    going, begun = asyncio.Event(), list[str]()

    async def scene() -> None:
        async def one(owner: str) -> None:
            async def asked(session: driver.Connection) -> bytes:
                begun.append(owner)
                await going.wait()
                return await driver.wire.read(session, path.name, 0, 10)

            await way._by_session(host.id, asked, owner, driver.PART_SECONDS)

        many = [asyncio.create_task(one("greedy")) for _ in range(30)]
        await until(lambda: len(begun) == driver.OF_ONE, "all places taken")
        small = asyncio.create_task(one("small"))
        await until(lambda: len(begun) > driver.OF_ONE, "another owner's turn")
        assert begun == [*["greedy"] * driver.OF_ONE, "small"]
        going.set()
        await asyncio.gather(small, *many)

    world.cloud.wait(scene())
    assert not way.is_slow(host.id), "that many wait is not its fault"


def test_an_answer_of_blocks_counts_as_a_large_one() -> None:
    assert downloads.HELD > app.LARGE_ANSWER


def delay(host: Host, what: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Returns by what the delay is set."""
    does, delays = host._does, [0.0]

    async def slowly(asked: Asked, data: bytes) -> bytes:
        if asked.do == what:
            await asyncio.sleep(delays[-1])
        return await does(asked, data)

    monkeypatch.setattr(host, "_does", slowly)
    return delays.append


def test_a_host_that_is_a_little_late_with_each_part_is_left_out_of_the_upload(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = world.hosts[1]
    monkeypatch.setattr(driver, "LATE_AT_ONCE", 0.3)
    does, others = late._does, [host for host in world.hosts if host is not late]

    async def after_the_others(asked: Asked, data: bytes) -> bytes:
        # Each time a little of what it may be late in all.
        if asked.do == "append":
            await asyncio.sleep(0.2)
        return await does(asked, data)

    monkeypatch.setattr(late, "_does", after_the_others)
    world.mine.put("/c/o", BIG * 2)
    assert world.states == ["good", "good", "missing"] and all(host.contents == [BIG * 2] for host in others)


def test_a_host_that_takes_long_beside_the_others_is_asked_last(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    late, way = world.hosts[0], copies.links(world.core)
    set_delay = delay(late, "read", monkeypatch)
    world.mine.put("/c/o", BIG)

    async def read(host: Host) -> None:
        await way.read(host.id, host.files[0].name, 0, BLOCK)

    for other in world.hosts[1:]:
        world.cloud.wait(read(other))
    way._slow.clear()
    set_delay(0.1 + 5 * min(way._pace.values()))
    world.cloud.wait(read(late))
    assert [way.is_slow(host.id) for host in world.hosts] == [True, False, False]


def test_a_host_that_does_not_verify_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.mine.put("/c/o", BIG)
    slow, rotten = world.hosts[0], world.hosts[1]
    [path] = rotten.files
    path.write_bytes(BIG[:-1] + b"?")

    async def never(blob_id: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(slow, "verify", never)
    monkeypatch.setattr(repair, "HOST_SECONDS", 1.0)
    said = [world.heal(), *(world.heal() for _ in range(2))]
    assert "1 copies that have rotted" in said and "1 copies made" in said
    assert [what for what, host_id in repair.memory(world.core).busy if host_id == slow.id] == ["verify"]


def test_a_host_that_loses_what_it_is_given_is_given_nothing_more(world: World) -> None:
    world.add("fourth")
    rotten, way = world.hosts[0], copies.links(world.core)
    for _ in range(driver.ROTTEN):
        way.rotted(rotten.id)
    for number in range(4):
        world.mine.put(f"/c/{number}", BIG)
    assert rotten.files == [] and world.states == ["good"] * 12


def test_a_host_with_copies_is_not_removed_before_they_are_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "_is_own", lambda core, host_id: False)
    world.add("fourth")
    for number in range(3):
        world.mine.put(f"/c/{number}", BIG)
    leaving = next(host for host in world.hosts if host.files)
    told = world.cloud.admin.delete(f"/hosts/{leaving.name}", 409).text
    assert f"{len(leaving.files)} copies of objects" in told
    world.cloud.admin.put(f"/hosts/{leaving.name}", {"host": {"enabled": False}}, 200)
    world.healed()
    world.cloud.admin.delete(f"/hosts/{leaving.name}", 204)
    assert world.states == ["good"] * 9


def state(world: World, host: Host, wanted: str) -> None:
    """Say that the host's copies are so."""
    with database.of(world.core).write() as tx:
        for path in host.files:
            copy_rows.change(tx, path.name, host.id, wanted, ["good"])


def test_what_was_deleted_while_it_was_read_is_no_rot(world: World) -> None:
    world.mine.put("/c/o", BIG)
    found = copies.find(world.core, world.hosts[0].files[0].name)
    assert found is not None
    ways = [copies.reading(world.core, found) for _ in range(driver.ROTTEN)]

    async def read(offset: int) -> None:
        for way in ways:
            await way.part(offset, BLOCK)

    world.cloud.wait(read(0))
    world.mine.call("DELETE", "/c/o", 204)
    world.cloud.advance(blobs.GRACE_SECONDS + 100)
    repair.memory(world.core).gone += blobs.sweep(world.core).gone
    world.heal()
    assert not any(host.files for host in world.hosts)

    async def read_on() -> None:
        for way in ways:
            with pytest.raises(OSError, match="no host gives"):
                await way.part(BLOCK, BLOCK)

    world.cloud.wait(read_on())
    assert not any(copies.links(world.core).is_rotten(host.id) for host in world.hosts)


def test_a_copy_is_made_of_blocks_that_are_right_nowhere_else(world: World) -> None:
    world.mine.put("/c/o", BIG)
    first, *others = world.hosts
    for host, place in ((first, 0), *((host, 2 * BLOCK + 5) for host in others)):
        [path] = host.files
        content = bytearray(BIG)
        content[place] ^= 1
        path.write_bytes(content)
    state(world, first, "bad")
    assert world.heal() is not None
    world.healed()
    assert world.mine.get("/c/o").content == BIG and all(host.contents == [BIG] for host in world.hosts)


def test_passes_that_make_nothing_do_not_follow_one_another_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "BATCH", 2)
    for number in range(4):
        world.mine.put(f"/c/{number}", BIG)
    state(world, world.hosts[0], "missing")
    for path in world.hosts[0].files:
        path.unlink()
    for host in world.hosts[1:]:
        world.away(host)
    told: list[str] = []
    monkeypatch.setattr(world.core.db.signals, "notify", lambda topic: told.append(topic))
    assert [world.heal() for _ in range(3)] == [None] * 3 and repair.TOPIC not in told


def test_a_copy_of_what_no_host_gives_is_refused(world: World) -> None:
    world.mine.put("/c/o", BIG)
    slo(world, "whole", [0])
    for host in world.hosts:
        host.fails = broken
    world.mine.container("plain")
    for source in ("/c/whole", "/c/o"):
        told = world.mine.call("PUT", "/plain/copy", 503, headers={"X-Copy-From": source, "Content-Length": "0"})
        assert "cannot be read" in told.text
