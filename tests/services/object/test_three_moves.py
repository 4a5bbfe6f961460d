"""Copies move to a host that comes, and what is verified is written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tane.finding import Finding
from tane.services.object import checks
from tane.services.object.domain import repair
from tane.services.object.drivers.hosts import chosen
from tane.services.object.store import copies as rows
from tane.services.object.store import database
from tests.services.object.three import BIG, World
from tests.support import ApiCloud

COUNT = 12


@pytest.fixture
def world(cloud: ApiCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(repair, "QUIET_SECONDS", 0.0)
    found = World(cloud, tmp_path / "hosts")
    yield found
    found.close()


def data(number: int) -> bytes:
    return bytes([number]) + BIG[:40_000]


def test_copies_move_to_a_host_that_comes_some_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(COUNT):
        world.mine.put(f"/c/{number}", data(number))
    assert world.heal() is None
    monkeypatch.setattr(repair, "MOVED", 2)
    fourth = world.add("fourth")
    told = world.heal() or ""
    assert "2 copies to be moved to other hosts" in told and len(fourth.files) <= 2
    for _ in range(40):
        if world.heal() is None:
            break
    assert world.states == ["good"] * 3 * COUNT
    zones = {host.id: "" for host in world.hosts}
    with database.of(world.core).read() as tx:
        known = rows.of_blobs(tx, [blob_id for blob_id, _ in rows.in_order(tx, "", 100)])
    assert len(known) == COUNT
    assert all({*have} == {*chosen(blob_id, zones)} for blob_id, have in known.items())
    assert 0 < len(fourth.files) <= COUNT
    assert sum(len(host.files) for host in world.hosts) == 3 * COUNT
    for number in range(COUNT):
        assert world.mine.get(f"/c/{number}").content == data(number)


def test_hosts_that_come_one_after_the_other_leave_no_copy_too_many(world: World) -> None:
    """A place was written at the fourth when the fifth came, where some belong now."""
    for number in range(COUNT):
        world.mine.put(f"/c/{number}", data(number))
    world.add("fourth")
    assert "copies to be moved to other hosts" in (world.heal() or "")
    world.add("fifth")
    for _ in range(40):
        if world.heal() is None:
            break
    assert world.states == ["good"] * 3 * COUNT
    zones = {host.id: "" for host in world.hosts}
    with database.of(world.core).read() as tx:
        known = rows.of_blobs(tx, [blob_id for blob_id, _ in rows.in_order(tx, "", 100)])
    assert all({*have} == {*chosen(blob_id, zones)} for blob_id, have in known.items())


def test_nothing_moves_while_hosts_come_and_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "QUIET_SECONDS", 3600.0)
    world.mine.put("/c/o", BIG)
    fourth = world.add("fourth")
    assert world.heal() is None and fourth.files == []


def findings(world: World) -> list[Finding]:
    with world.core.db.read() as control, database.of(world.core).read() as tx:
        return list(checks.copies(control, tx))


def test_the_doctor_tells_when_nobody_verified_the_copies_for_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "ROUND_SECONDS", 0.0)
    assert findings(world) == []
    world.mine.put("/c/o", BIG)
    assert findings(world) == []
    month = (checks.OVERDUE_DAYS + 1) * checks.DAY
    world.cloud.advance(month)
    world.heal()
    [finding] = [each for each in findings(world) if "verified" in each.what]
    assert "never" in finding.what
    for _ in range(4):
        world.heal()
    assert not any("verified" in each.what for each in findings(world))
    world.cloud.advance(month)
    assert any("not since" in each.what for each in findings(world))
