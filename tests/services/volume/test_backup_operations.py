"""Every saga of backups under the harnesses: it fails, repeats, is killed and loses its host at every point."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tane.core import Core
from tane.jobs import testing
from tane.jobs.testing import Scenario
from tane.services.object import interface as objects
from tane.services.object.interface import Shelf
from tane.services.volume.domain import backup_records, backups, volumes
from tane.services.volume.domain.backups import NewBackup, place_of
from tane.services.volume.operations import OPERATIONS
from tane.services.volume.store import backups as rows
from tane.services.volume.store import snapshots as snapshot_rows
from tane.services.volume.store import volumes as volume_rows
from tane.wire.blocks import BLOCK
from tests.services.volume.pool import add_project
from tests.services.volume.test_operations import MIA, World
from tests.support import EACH_FIFTH_BY_DAY, EACH_THIRD_BY_DAY

HELD = {0: os.urandom(BLOCK), 5: b"5" * BLOCK}


class Kept(World):
    """``backup_id`` is what the operation under test works on; ``volume_id`` the volume it reads or writes."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.backup_id = ""
        add_project(core, MIA.project_id)

    def backup(self) -> Any:
        with self.core.db.read() as tx:
            return rows.get(tx, self.backup_id)

    async def filled(self) -> str:
        volume_id = await self.existing()
        self.pool._volumes[volume_id].blocks = dict(HELD)
        return volume_id

    def begin(self, **values: Any) -> None:
        self.backup_id = backups.create(self.core, MIA, NewBackup(volume_id=self.volume_id, **values)).id

    async def kept(self) -> None:
        self.volume_id = await self.filled()
        self.begin()
        await self.settle()

    def has_objects(self) -> bool:
        shelf, prefix = Shelf(MIA.project_id, "volumebackups"), self.prefix
        try:
            objects.find(self.core, shelf, prefix + "-00001")
        except objects.Gone:
            return False
        return True

    prefix = ""


Prepare = Callable[[Kept], Awaitable[None]]
Check = Callable[[Kept], None]


async def create(world: Kept) -> None:
    world.volume_id = await world.filled()
    world.begin()
    world.prefix = place_of(world.backup()).prefix


async def create_of_snapshot(world: Kept) -> None:
    world.volume_id = await world.filled()
    world.snapshot_id = await world.taken(world.volume_id)
    world.begin(snapshot_id=world.snapshot_id)
    world.prefix = place_of(world.backup()).prefix


def made(world: Kept) -> None:
    row = world.backup()
    assert (row.status, row.object_count, row.fail_reason) == ("available", 1, None)
    given_back(world)
    assert world.has_objects()


def not_made(world: Kept) -> None:
    row = world.backup()
    assert row.status == "error" and row.fail_reason
    given_back(world)
    assert not world.has_objects()


def given_back(world: Kept) -> None:
    assert world.row().status == "available"
    taken = {world.snapshot_id} if world.snapshot_id else set()
    assert set(world.pool._volumes[world.volume_id].snapshots) == taken
    assert not taken or world.snapshot().status == "available"


async def restore(world: Kept) -> None:
    await world.kept()
    world.volume_id = await world.existing()
    backups.restore(world.core, MIA, world.backup_id, world.volume_id, None)


async def restore_to_new(world: Kept) -> None:
    await world.kept()
    world.volume_id = backups.restore(world.core, MIA, world.backup_id, None, None).id


def restored(world: Kept) -> None:
    assert (world.row().status, world.row().fault) == ("available", None)
    assert (world.backup().status, world.backup().restored_to) == ("available", None)
    assert world.pool._volumes[world.volume_id].blocks == HELD


def not_restored(world: Kept) -> None:
    assert world.row().status in ("error", "error_restoring") and world.row().fault
    assert (world.backup().status, world.backup().restored_to) == ("available", None)


def not_restored_to_new(world: Kept) -> None:
    not_restored(world)
    assert not world.has(world.volume_id)


async def delete(world: Kept) -> None:
    await world.kept()
    world.prefix = place_of(world.backup()).prefix
    backups.delete(world.core, MIA, world.backup_id)


def gone(world: Kept) -> None:
    assert world.backup() is None and not world.has_objects()


def not_gone(world: Kept) -> None:
    assert world.backup() is None or world.backup().status == "error"


async def take_in(world: Kept) -> None:
    await world.kept()
    world.prefix = place_of(world.backup()).prefix
    record = backup_records.export(world.core, MIA, world.backup_id)
    with world.core.db.write() as tx:
        rows.remove(tx, world.backup_id)
    backup_records.imported(world.core, MIA, record["backup_service"], record["backup_url"])


def taken_in(world: Kept) -> None:
    assert world.backup().status == "available" and world.has_objects()


def not_taken_in(world: Kept) -> None:
    assert world.backup().status == "error" and world.has_objects()


async def delete_all(world: Kept) -> None:
    """As an administrator may, in whatever state they are."""
    if world.backup() is not None:
        backups.delete(world.core, MIA, world.backup_id, force=True)
    with world.core.db.write() as tx:
        volume_rows.change(tx, world.volume_id, status="error")
        if world.snapshot() is not None:
            snapshot_rows.change(tx, world.snapshot_id, status="error")
    volumes.delete(world.core, MIA, world.volume_id, cascade=True)


def all_gone(world: Kept) -> None:
    assert world.backup() is None and world.row() is None and not world.has_objects()


def clean(world: Kept) -> None:
    assert not world.has(world.volume_id)


CASES: dict[str, tuple[str, Prepare, Check, Check]] = {
    "create": ("volume.create_backup", create, made, not_made),
    "create of a snapshot": ("volume.create_backup", create_of_snapshot, made, not_made),
    "restore": ("volume.restore_backup", restore, restored, not_restored),
    "restore to a new volume": ("volume.restore_backup", restore_to_new, restored, not_restored_to_new),
    "delete": ("volume.delete_backup", delete, gone, not_gone),
    "import": ("volume.import_backup", take_in, taken_in, not_taken_in),
}
LIKE_IT = ("create", "create of a snapshot", "restore")
BY_NIGHT = ("create of a snapshot", "restore", "import")
NAMES = [pytest.param(name, marks=pytest.mark.nightly) if name in BY_NIGHT else name for name in CASES]
ON_HOSTS = ["restore to a new volume", *(pytest.param(name, marks=pytest.mark.nightly) for name in LIKE_IT)]


def scenario(name: str, new_core: Callable[[], Core]) -> Scenario:
    operation, prepare, done, unwound = CASES[name]
    worlds: dict[int, Kept] = {}

    async def start() -> Core:
        world = Kept(new_core())
        worlds[id(world.core)] = world
        await prepare(world)
        return world.core

    [found] = [candidate for candidate in OPERATIONS if candidate.name == operation]
    return Scenario(
        found,
        start,
        lambda core: done(worlds[id(core)]),
        lambda core: unwound(worlds[id(core)]),
        OPERATIONS,
        delete=lambda core: delete_all(worlds[id(core)]),
        deleted=lambda core: all_gone(worlds[id(core)]),
        clean=lambda core: clean(worlds[id(core)]),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_failing_step_leaves_a_clean_slate(name: str, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.fails_at_each_step(scenario(name, new_core)))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_that_runs_twice_changes_nothing(name: str, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.repeats_each_step(scenario(name, new_core)))


@EACH_FIFTH_BY_DAY
@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_is_carried_on_by_the_next(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.killed_between_writes(scenario(name, new_core), every=every))


@EACH_FIFTH_BY_DAY
@pytest.mark.parametrize("name", NAMES)
def test_a_process_killed_while_it_unwinds_is_carried_on(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.killed_while_unwinding(scenario(name, new_core), every=every))


@EACH_THIRD_BY_DAY
@pytest.mark.parametrize("name", ON_HOSTS)
def test_a_lost_host_holds_nothing_up_and_gives_all_back(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.loses_its_host(scenario(name, new_core), every=every))


def test_a_backup_that_is_deleted_by_force_while_it_is_made_leaves_nothing(new_core: Callable[[], Core]) -> None:
    async def story() -> None:
        world = Kept(new_core())
        await create(world)
        backups.delete(world.core, MIA, world.backup_id, force=True)
        await world.settle()
        gone(world)
        given_back(world)

    asyncio.run(story())


def test_a_volume_that_was_given_away_is_not_backed_up(new_core: Callable[[], Core]) -> None:
    async def story() -> None:
        world = Kept(new_core())
        await create(world)
        with world.core.db.write() as tx:
            volume_rows.change(tx, world.volume_id, project_id="another", status="available")
        await world.settle()
        not_made(world)

    asyncio.run(story())
