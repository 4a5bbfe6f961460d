"""Three copies of objects on hosts: written, read, lost, healed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tane.hosts import store
from tane.services.compute.store import groups
from tane.services.object.domain import blobs, copies, repair
from tane.services.object.drivers import hosts as driver
from tane.services.object.drivers.hosts import chosen
from tane.services.object.reconcilers.blobs import sweep
from tane.services.object.store import database
from tane.wire.blobs import Asked
from tane.wire.errors import HostError
from tests.services.object.three import BIG, THREE, Host, World, broken
from tests.support import ApiCloud


@pytest.fixture
def world(cloud: ApiCloud, tmp_path: Path) -> Iterator[World]:
    found = World(cloud, tmp_path / "hosts")
    yield found
    found.close()


def test_an_object_lies_on_three_hosts_and_not_in_the_state_folder(world: World) -> None:
    world.mine.put("/c/o", BIG)
    assert world.mine.get("/c/o").content == BIG
    assert [host.contents for host in world.hosts] == [[BIG]] * 3
    assert {path.stat().st_mode & 0o777 for host in world.hosts for path in host.files} == {0o600}
    local = world.core.config.state_dir / "objects"
    assert [path for path in local.rglob("*") if path.is_file()] == []
    assert world.mine.call("HEAD", "/c", 204).headers["x-storage-policy"] == "three"
    assert world.heal() is None and world.states == ["good"] * 3


@pytest.mark.parametrize(("first", "last"), [(0, 0), (5, 70_000), (1 << 20, 1 << 20), (1_048_570, 2_200_000)])
def test_a_range_is_read_of_the_blocks_it_lies_in(world: World, first: int, last: int) -> None:
    world.mine.put("/c/o", BIG)
    assert world.mine.get("/c/o", 206, Range=f"bytes={first}-{last}").content == BIG[first : last + 1]


def test_few_bytes_stay_in_their_row(world: World) -> None:
    world.mine.put("/c/o", b"x" * blobs.INLINE)
    assert world.mine.get("/c/o").content == b"x" * blobs.INLINE and world.states == []


def test_a_chunked_body_and_several_ranges(world: World) -> None:
    async def body() -> Any:
        for begin in range(0, len(BIG), 100_000):
            yield BIG[begin : begin + 100_000]

    world.mine.put("/c/o", body())
    found = world.mine.get("/c/o", 206, Range="bytes=0-9,2000000-2000009")
    assert BIG[:10] in found.content and BIG[2_000_000:2_000_010] in found.content


# ---------------------------------------------------------------------------------------------------- the policy


def test_the_policy_is_offered_when_three_hosts_are_enabled(cloud: ApiCloud, tmp_path: Path) -> None:
    world = World(cloud, tmp_path, 2)
    refused = world.mine.call("PUT", "/c", 400, headers=THREE)
    assert "needs 3 enabled hosts" in refused.text and "there are 2" in refused.text
    info = lambda: {each["name"]: each["default"] for each in _info(cloud)["swift"]["policies"]}  # noqa: E731
    assert info() == {"one": True}
    third = world.add("third")
    assert info() == {"one": True, "three": False}
    world.mine.container("c", **THREE)
    world.mine.call("PUT", "/c", 202, headers=THREE)
    assert "stays" in world.mine.call("PUT", "/c", 409, headers={"X-Storage-Policy": "one"}).text
    world.change(third, enabled=False)
    world.mine.call("PUT", "/d", 400, headers=THREE)
    world.mine.call("PUT", "/c", 202, headers=THREE)
    world.mine.call("PUT", "/d", 400, headers={"X-Storage-Policy": "seven"})


def _info(cloud: ApiCloud) -> Any:
    return cloud.call("GET", "/object-store/info").json()


def test_the_setting_decides_for_containers_whose_maker_names_none(world: World) -> None:
    settings = msgspec.structs.replace(world.core.config.object, default_policy="three")
    world.core.config.object = settings
    world.mine.container("d")
    world.mine.put("/d/o", BIG)
    assert world.states == ["good"] * 3
    assert {each["name"]: each["default"] for each in _info(world.cloud)["swift"]["policies"]}["three"]


def test_a_copy_into_a_container_of_another_policy_moves_the_bytes(world: World) -> None:
    world.mine.container("plain")
    world.mine.put("/plain/o", BIG)
    world.mine.call("PUT", "/c/copy", 201, headers={"X-Copy-From": "/plain/o"})
    assert world.states == ["good"] * 3 and world.mine.get("/c/copy").content == BIG
    world.mine.call("PUT", "/plain/back", 201, headers={"X-Copy-From": "/c/copy"})
    world.mine.call("PUT", "/c/again", 201, headers={"X-Copy-From": "/c/copy"})
    assert world.states == ["good"] * 3
    for host in world.hosts:
        world.away(host)
    assert world.mine.get("/plain/back").content == BIG


def test_a_quota_of_one_policy_leaves_the_other_alone(world: World) -> None:
    world.mine.container("plain")
    limit = {"X-Account-Quota-Count-Policy-Three": "1"}
    world.mine.call("POST", "", 204, by=world.cloud.admin, headers=limit)
    assert [world.mine.call("PUT", f"/c/{number}", content=b"x").status_code for number in range(2)] == [201, 413]
    world.mine.put("/plain/o")


def test_hosts_are_drawn_by_the_blob_one_of_each_zone_first() -> None:
    zones = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "c1": "c"}
    drawn = {blob: chosen(blob, zones) for blob in map(str, range(50))}
    assert all({zones[host] for host in hosts} == {"a", "b", "c"} for hosts in drawn.values())
    assert {host for hosts in drawn.values() for host in hosts} == {*zones}
    assert drawn == {blob: chosen(blob, dict(reversed(zones.items()))) for blob in drawn}
    assert len(chosen("x", {"a1": "a", "a2": "a"})) == 2 and chosen("x", zones, ["b1", "c1"], 1)[0].startswith("a")


def test_zones_are_those_of_the_aggregates(world: World) -> None:
    for name in ("store-3", "store-4"):
        world.add(name)
    with world.core.db.write() as tx:
        for zone, hosts in (("here", ["store-0", "store-1", "store-2"]), ("there", ["store-3"])):
            values = {"uuid": zone, "name": zone, "hosts": hosts, "metadata": {"availability_zone": zone}}
            groups.add_aggregate(tx, **values)
    world.mine.put("/c/o", BIG)
    having = [bool(host.files) for host in world.hosts]
    assert having[3:] == [True, True] and sum(having) == 3


# ------------------------------------------------------------------------------------------------------- writing


def test_with_one_host_away_it_is_written_and_made_whole_when_that_is_back(world: World) -> None:
    lost = world.hosts[1]
    world.away(lost)
    world.mine.put("/c/o", BIG)
    assert world.states == ["good", "good", "missing"] and lost.files == []
    assert world.heal() is None
    world.back(lost)
    assert world.heal() == "1 copies made"
    assert lost.contents == [BIG] and world.states == ["good"] * 3


def test_a_fourth_host_takes_the_place_of_one_that_is_away(world: World) -> None:
    world.add("fourth")
    world.away(world.hosts[0])
    world.mine.put("/c/o", BIG)
    assert world.states == ["good"] * 3 and not world.hosts[0].files


def test_a_host_that_fails_in_the_middle_is_left_out(world: World) -> None:
    def later(asked: Asked) -> None:
        if asked.offset:
            broken(asked)

    world.hosts[2].fails = later
    world.mine.put("/c/o", BIG)
    assert world.states == ["good", "good", "missing"] and world.mine.get("/c/o").content == BIG
    world.hosts[2].fails = lambda asked: None
    assert world.heal() == "1 copies made" and world.hosts[2].contents == [BIG]


def test_a_host_that_is_silent_is_waited_for_in_vain_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LATE_SECONDS", 0.05)
    silent = world.hosts[0]

    async def never(self: Host, asked: Asked, data: bytes) -> bytes:
        await asyncio.Event().wait()
        return data

    monkeypatch.setattr(silent, "_does", never.__get__(silent))
    world.mine.put("/c/o", BIG)
    assert world.states == ["good", "good", "missing"]


def test_who_was_late_with_the_last_step_has_nothing_to_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "LATE_SECONDS", 0.05)
    late, finish = world.hosts[0], world.hosts[0].finish

    async def slowly(blob_id: str, size: int) -> None:
        await finish(blob_id, size)
        await asyncio.sleep(0.3)

    monkeypatch.setattr(late, "finish", slowly)
    world.mine.put("/c/o", BIG)
    assert world.states == ["good", "good", "missing"]
    assert world.heal() == "1 copies found that were late" and world.states == ["good"] * 3


@pytest.mark.parametrize("how", ["away", "fail"])
def test_with_fewer_than_two_hosts_it_is_refused_and_nothing_is_kept(world: World, how: str) -> None:
    for host in world.hosts[1:]:
        if how == "away":
            world.away(host)
        else:
            host.fails = broken
    world.mine.put("/c/o", BIG, 503)
    world.mine.call("GET", "/c/o", 404)
    world.cloud.wait(asyncio.sleep(0.1))
    assert world.states == [] and [host.files for host in world.hosts] == [[], [], []]


def test_what_is_broken_off_or_does_not_fit_its_sum_leaves_nothing(world: World) -> None:
    world.mine.put("/c/o", BIG, 422, ETag="0" * 32)
    world.cloud.wait(asyncio.sleep(0.1))
    assert world.states == [] and [host.files for host in world.hosts] == [[], [], []]


def test_a_process_that_ends_before_the_rows_are_there_leaves_files_that_are_swept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.mine.put("/c/kept", BIG)
    monkeypatch.setattr(blobs.Content, "abandon", lambda self: None)
    opened = database.of(world.core)

    def stop() -> None:
        raise RuntimeError("the process ends here")

    opened.before_write = stop
    world.mine.put("/c/o", BIG, 500)
    opened.before_write = None
    assert [len(host.files) for host in world.hosts] == [2, 2, 2]
    assert world.heal() is None, "an upload may still be about to commit"
    world.age()
    assert world.heal() == "3 files removed from hosts that no object is made of"
    assert [len(host.files) for host in world.hosts] == [1, 1, 1] and world.mine.get("/c/kept").content == BIG


# ------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("count", [1, 2])
def test_it_is_read_while_a_copy_is_there(world: World, count: int) -> None:
    world.mine.put("/c/o", BIG)
    for host in world.hosts[:count]:
        world.away(host)
    assert all(world.mine.get("/c/o").content == BIG for _ in range(3))
    world.away(world.hosts[2])
    if count == 2:
        world.mine.get("/c/o", 503)


def _in_the_middle(asked: Asked) -> None:
    if asked.do == "read" and asked.offset:
        broken(asked)


def test_a_download_goes_on_at_another_host_when_one_breaks_off(world: World) -> None:
    world.mine.put("/c/o", BIG)
    for host in world.hosts[:2]:
        host.fails = _in_the_middle
    assert all(world.mine.get("/c/o").content == BIG for _ in range(4))


def test_a_download_goes_on_at_another_host_when_one_stops(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.mine.put("/c/o", BIG)
    monkeypatch.setattr(driver, "FIRST_SECONDS", 0.2)
    for host in world.hosts[:2]:
        does = host._does

        async def stops(asked: Asked, data: bytes, does: Any = does) -> bytes:
            if asked.offset:
                await asyncio.Event().wait()
            return bytes(await does(asked, data))

        monkeypatch.setattr(host, "_does", stops)
    assert world.mine.get("/c/o").content == BIG


def _lies(asked: Asked, data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "spoil", [_lies, lambda asked, data: data[:10], lambda asked, data: b"", lambda a, d: d + b"x"]
)
def test_a_host_that_gives_other_bytes_is_found_and_they_are_never_served(
    world: World, spoil: Callable[[Asked, bytes], bytes]
) -> None:
    world.mine.put("/c/o", BIG)
    liars = world.hosts[:2]
    for host in liars:
        host.spoil = spoil
    for _ in range(4):
        assert world.mine.get("/c/o").content == BIG
        assert world.mine.get("/c/o", 206, Range="bytes=7-9").content == BIG[7:10]
    for host in liars:
        host.spoil = lambda asked, data: data
    world.healed()
    assert world.states == ["good"] * 3


def test_when_all_hosts_give_other_bytes_nobody_is_served(world: World) -> None:
    world.mine.put("/c/o", BIG)
    for host in world.hosts:
        host.spoil = _lies
    try:
        found = world.mine.call("GET", "/c/o").content
    except (OSError, httpx.HTTPError):
        found = b""
    assert found == b""
    assert world.states == ["bad"] * 3
    for host in world.hosts:
        host.spoil = lambda asked, data: data
    assert all(host.contents == [BIG] for host in world.hosts), "the last ones stay"
    assert world.heal() == "3 copies made" and world.mine.get("/c/o").content == BIG


# ------------------------------------------------------------------------------------------------------- healing


def _spoil(host: Host) -> None:
    [path] = host.files
    path.write_bytes(BIG[:-1] + b"?")


def test_rot_is_found_without_being_read_and_replaced(world: World) -> None:
    world.mine.put("/c/o", BIG)
    _spoil(world.hosts[1])
    assert world.heal() == "1 copies that have rotted" and world.states == ["bad", "good", "good"]
    assert world.mine.get("/c/o").content == BIG
    assert world.heal() == "1 copies made" and world.hosts[1].contents == [BIG]


def test_a_file_that_is_gone_is_made_again(world: World) -> None:
    world.mine.put("/c/o", BIG)
    world.hosts[0].files[0].unlink()
    world.healed()
    assert world.hosts[0].contents == [BIG]


@pytest.mark.parametrize("step", ["verify", "finish", "remove", "append"])
def test_a_pass_that_ends_anywhere_is_followed_by_one_that_heals(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world.mine.put("/c/o", BIG)
    _spoil(world.hosts[0])
    world.heal()

    async def ends(*_: Any) -> None:
        raise HostError("the process ends here")

    with monkeypatch.context() as patch:
        if step == "append":
            patch.setattr(world.hosts[0], "fails", lambda asked: broken(asked) if asked.offset else None)
        else:
            patch.setattr(world.hosts[0], step, ends)
        world.heal()
        assert world.mine.get("/c/o").content == BIG
    world.healed()
    assert world.hosts[0].contents == [BIG] and world.states == ["good"] * 3


def _leaves(world: World, host: Host, how: str) -> None:
    if how == "drained":
        world.change(host, enabled=False)
        return
    world.away(host)
    if how == "removed":
        with world.core.db.write() as tx:
            store.remove(tx, host.id)
        return
    world.cloud.advance(world.core.config.object.lost_minutes * 60 + 1)
    with world.core.db.write() as tx:
        store.seen(tx, [other.id for other in world.hosts if other is not host])


@pytest.mark.parametrize("how", ["drained", "removed", "lost"])
def test_copies_of_a_host_that_leaves_go_to_a_fourth(world: World, how: str) -> None:
    world.mine.put("/c/o", BIG)
    first = world.hosts[0]
    _leaves(world, first, how)
    assert world.heal() is None, "there is no other host yet"
    fourth = world.add("fourth")
    world.healed()
    assert fourth.contents == [BIG] and world.states == ["good"] * 3
    if how == "drained":
        assert first.files == []
    if how == "lost":
        world.back(first)
        world.age()
        world.healed()
        assert first.files == [], "what is elsewhere now is removed when the host is back"
    assert world.mine.get("/c/o").content == BIG


def test_a_host_that_is_away_for_a_moment_keeps_its_copies(world: World) -> None:
    world.mine.put("/c/o", BIG)
    world.add("fourth")
    world.away(world.hosts[0])
    assert world.heal() is None
    world.back(world.hosts[0])
    assert world.heal() is None and world.states == ["good"] * 3


def test_what_is_deleted_goes_from_all_hosts_also_from_one_that_comes_back(world: World) -> None:
    world.mine.put("/c/o", BIG)
    world.away(world.hosts[2])
    world.mine.call("DELETE", "/c/o", 204)
    world.cloud.advance(blobs.GRACE_SECONDS + 1)
    with world.core.db.write() as tx:
        store.seen(tx, [host.id for host in world.hosts])
    assert "1 files removed whose objects were deleted" in str(world.cloud.wait(sweep(world.core)))
    world.heal()
    assert [len(host.files) for host in world.hosts] == [0, 0, 1] and world.states == []
    world.back(world.hosts[2])
    world.age()
    assert world.heal() == "1 files removed from hosts that no object is made of"
    assert world.hosts[2].files == []


def test_a_copy_that_had_no_host_gets_one(world: World) -> None:
    """The policy was offered, then a host was removed."""
    _leaves(world, world.hosts[2], "removed")
    world.mine.put("/c/o", BIG)
    assert world.states == ["good", "good", "missing"]
    world.add("new")
    world.healed()
    assert world.states == ["good"] * 3 and world.hosts[3].contents == [BIG]


def test_a_pass_looks_at_so_many_and_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "BATCH", 2)
    world.away(world.hosts[0])
    for number in range(5):
        world.mine.put(f"/c/{number}", BIG[:20_000])
    world.back(world.hosts[0])
    world.healed()
    assert world.states == ["good"] * 15 and len(world.hosts[0].files) == 5
    assert copies.links(world.core).reached() == {host.id for host in world.hosts}
