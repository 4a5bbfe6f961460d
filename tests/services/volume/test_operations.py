"""Every saga of block storage under the three harnesses: it fails, repeats and is killed at every point."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from tane.agent.volume.drivers.fake import FakeVolume
from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import enqueue, store, testing
from tane.jobs.runner import Runner
from tane.jobs.tables import job
from tane.jobs.testing import Scenario
from tane.services.image import interface as images
from tane.services.volume import interface
from tane.services.volume.domain import actions, attachments, snapshots, volumes
from tane.services.volume.domain.volumes import NewVolume
from tane.services.volume.operations import OPERATIONS
from tane.services.volume.orders import FORCE_DETACH, ForceDetach
from tane.services.volume.store import attachments as attachment_rows
from tane.services.volume.store import services
from tane.services.volume.store import snapshots as snapshot_rows
from tane.services.volume.store import volumes as volume_rows
from tane.web.context import Context
from tane.wire.documents import ImageRef
from tane.wire.errors import HostError
from tests.services.volume.pool import add_pool
from tests.support import EACH_FIFTH_BY_DAY, EACH_THIRD_BY_DAY, HOST_ID

GIB = 1 << 30
MIA = Context("req-1", user_id="mia", project_id="garden", roles=("member", "reader"))
DATA = b"an image"


class World:
    """One core with a pool; ``volume_id`` is what the operation under test works on."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.pool: FakeVolume = add_pool(core)
        self.volume_id = ""
        self.snapshot_id = ""
        self.image_id = ""

    def row(self) -> Any:
        with self.core.db.read() as tx:
            return volume_rows.get(tx, self.volume_id)

    def snapshot(self) -> Any:
        with self.core.db.read() as tx:
            return snapshot_rows.get(tx, self.snapshot_id)

    def has(self, volume_id: str) -> bool:
        return volume_id in self.pool._volumes

    async def settle(self) -> None:
        await Runner(self.core, OPERATIONS).drain()

    async def existing(self, size: int = 1) -> str:
        volume_id = volumes.create(self.core, MIA, NewVolume(size=size, name="source")).row.id
        await self.settle()
        return str(volume_id)

    async def taken(self, volume_id: str) -> str:
        snapshot_id = snapshots.create(self.core, MIA, snapshots.NewSnapshot(volume_id=volume_id)).id
        await self.settle()
        return str(snapshot_id)

    async def image(self) -> str:
        with self.core.db.write() as tx:
            image_id = images.create_image(
                tx, self.core, MIA, name="disk", disk_format="raw", container_format="bare", properties={}
            )
        path = images.scratch_path(self.core, image_id)
        path.write_bytes(DATA)
        await images.store_file(self.core, image_id, path)
        return image_id


Prepare = Callable[[World], Awaitable[None]]
Check = Callable[[World], None]


async def empty(world: World) -> None:
    world.volume_id = volumes.create(world.core, MIA, NewVolume(size=2)).row.id


async def from_image(world: World) -> None:
    new = NewVolume(size=2, image_id=await world.image())
    world.volume_id = volumes.create(world.core, MIA, new).row.id


async def from_snapshot(world: World) -> None:
    new = NewVolume(size=2, snapshot_id=await world.taken(await world.existing()))
    world.volume_id = volumes.create(world.core, MIA, new).row.id


async def from_volume(world: World) -> None:
    new = NewVolume(size=2, source_volid=await world.existing())
    world.volume_id = volumes.create(world.core, MIA, new).row.id


def made(world: World) -> None:
    row = world.row()
    assert (row.status, row.size, row.fault) == ("available", 2, None)
    assert world.pool._volumes[world.volume_id].size_bytes == 2 * GIB


def not_made(world: World) -> None:
    row = world.row()
    assert row.status == "error" and row.fault
    assert not world.has(world.volume_id)


async def delete(world: World) -> None:
    world.volume_id = await world.existing()
    volumes.delete(world.core, MIA, world.volume_id)


async def delete_with_snapshots(world: World) -> None:
    world.volume_id = await world.existing()
    world.snapshot_id = await world.taken(world.volume_id)
    volumes.delete(world.core, MIA, world.volume_id, cascade=True)


def gone(world: World) -> None:
    assert world.row() is None and world.snapshot() is None
    assert not world.has(world.volume_id)


def not_gone(world: World) -> None:
    row = world.row()
    assert row is None or row.status == "error_deleting"


async def delete_all(world: World) -> None:
    """As an administrator may, in whatever state it is."""
    if world.row() is None:
        return
    with world.core.db.write() as tx:
        status = "error" if not attached(world) else "in-use"
        volume_rows.change(tx, world.volume_id, status=status)
        if world.snapshot() is not None:
            snapshot_rows.change(tx, world.snapshot_id, status="error")
    if attached(world):
        attachments.force_detach(world.core, MIA, world.volume_id, None)
        await world.settle()
    volumes.delete(world.core, MIA, world.volume_id, cascade=True)


def row_gone(world: World) -> None:
    assert world.row() is None and world.snapshot() is None


async def snapshot(world: World) -> None:
    world.volume_id = await world.existing()
    world.snapshot_id = snapshots.create(world.core, MIA, snapshots.NewSnapshot(volume_id=world.volume_id)).id


def taken(world: World) -> None:
    assert world.snapshot().status == "available"
    assert set(world.pool._volumes[world.volume_id].snapshots) == {world.snapshot_id}


def not_taken(world: World) -> None:
    assert world.snapshot().status == "error" and world.snapshot().fault
    assert world.pool._volumes[world.volume_id].snapshots == {}
    assert world.row().status == "available"


async def delete_snapshot(world: World) -> None:
    world.volume_id = await world.existing()
    world.snapshot_id = await world.taken(world.volume_id)
    snapshots.delete(world.core, MIA, world.snapshot_id)


def dropped(world: World) -> None:
    assert world.snapshot() is None
    assert world.pool._volumes[world.volume_id].snapshots == {}


def not_dropped(world: World) -> None:
    assert world.snapshot() is None or world.snapshot().status == "error_deleting"


async def extend(world: World) -> None:
    world.volume_id = await world.existing()
    volumes.extend(world.core, MIA, world.volume_id, 2, attached_too=False)


def not_grown(world: World) -> None:
    assert world.row().status == "error_extending" and world.row().extending_to is None


async def upload(world: World) -> None:
    world.volume_id = await world.existing()
    world.image_id = actions.upload_image(world.core, MIA, world.volume_id, actions.UploadImage(name="copy"))[
        "image_id"
    ]


async def reimage(world: World) -> None:
    world.volume_id = await world.existing(2)
    volumes.reimage(world.core, MIA, world.volume_id, await world.image(), reserved_too=False)


def not_written(world: World) -> None:
    assert world.row().status == "error" and world.row().fault


async def force_detach(world: World) -> None:
    world.volume_id = await world.existing()
    with world.core.db.write() as tx:
        reserve(tx, world.volume_id, "server-1", "attachment-1")
        attach(tx, world.volume_id, "attachment-1")
    await interface.connect(world.core, world.volume_id, "attachment-1")
    attachments.force_detach(world.core, MIA, world.volume_id, None)


def reserve(tx: Tx, volume_id: str, server_id: str, attachment_id: str) -> None:
    interface.reserve(tx, MIA, volume_id, server_id=server_id, attachment_id=attachment_id, host_name="h")


def attach(tx: Tx, volume_id: str, attachment_id: str) -> None:
    interface.attach(tx, volume_id=volume_id, attachment_id=attachment_id, device="/dev/vdb")


def attached(world: World) -> list[Any]:
    with world.core.db.read() as tx:
        return attachment_rows.of_volumes(tx, [world.volume_id]).get(world.volume_id, [])


def taken_away(world: World) -> None:
    assert world.row().status == "available" and attached(world) == []
    assert world.pool._volumes[world.volume_id].connection is None


def not_taken_away(world: World) -> None:
    row = world.row()
    assert (row.status == "error" and row.fault) or (row.status == "available" and attached(world) == [])


def image_of(world: World) -> Any:
    with world.core.db.read() as tx:
        return images.image_by_id(tx, world.image_id)


def uploaded(world: World) -> None:
    assert world.row().status == "available"
    assert image_of(world).status == "active" and image_of(world).ref is not None
    assert not images.scratch_path(world.core, world.image_id).exists()


def not_uploaded(world: World) -> None:
    assert world.row().status == "available" and image_of(world) is None
    assert not images.scratch_path(world.core, world.image_id).exists()


CASES: dict[str, tuple[str, Prepare, Check, Check]] = {
    "create empty": ("volume.create_volume", empty, made, not_made),
    "create from image": ("volume.create_volume", from_image, made, not_made),
    "create from snapshot": ("volume.create_volume", from_snapshot, made, not_made),
    "create from volume": ("volume.create_volume", from_volume, made, not_made),
    "delete": ("volume.delete_volume", delete, gone, not_gone),
    "delete with snapshots": ("volume.delete_volume", delete_with_snapshots, gone, not_gone),
    "create snapshot": ("volume.create_snapshot", snapshot, taken, not_taken),
    "delete snapshot": ("volume.delete_snapshot", delete_snapshot, dropped, not_dropped),
    "extend": ("volume.extend_volume", extend, made, not_grown),
    "force detach": ("volume.force_detach", force_detach, taken_away, not_taken_away),
    "reimage": ("volume.reimage_volume", reimage, made, not_written),
    "upload": ("volume.upload_volume", upload, uploaded, not_uploaded),
}


def scenario(name: str, new_core: Callable[[], Core]) -> Scenario:
    operation, prepare, done, unwound = CASES[name]
    worlds: dict[int, World] = {}

    async def start() -> Core:
        world = World(new_core())
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
        deleted=lambda core: row_gone(worlds[id(core)]),
        clean=lambda core: gone(worlds[id(core)]),
    )


@pytest.mark.parametrize("name", CASES)
def test_a_failing_step_leaves_a_clean_slate(name: str, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.fails_at_each_step(scenario(name, new_core)))


@pytest.mark.parametrize("name", CASES)
def test_a_step_that_runs_twice_changes_nothing(name: str, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.repeats_each_step(scenario(name, new_core)))


@EACH_FIFTH_BY_DAY
@pytest.mark.parametrize("name", CASES)
def test_a_killed_process_is_carried_on_by_the_next(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.killed_between_writes(scenario(name, new_core), every=every))


@EACH_FIFTH_BY_DAY
@pytest.mark.parametrize("name", CASES)
def test_a_process_killed_while_it_unwinds_is_carried_on(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.killed_while_unwinding(scenario(name, new_core), every=every))


@EACH_THIRD_BY_DAY
@pytest.mark.parametrize("name", CASES)
def test_a_lost_host_holds_nothing_up_and_gives_all_back(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.loses_its_host(scenario(name, new_core), every=every))


def test_a_volume_is_reserved_connected_attached_and_detached(new_core: Callable[[], Core]) -> None:
    async def story() -> None:
        world = World(new_core())
        volume_id = world.volume_id = await world.existing()
        core, server, attachment = world.core, "server-1", "attachment-1"
        with core.db.write() as tx:
            reserve(tx, volume_id, server, attachment)
        assert world.row().status == "attaching"
        first = await interface.connect(core, volume_id, attachment)
        assert await interface.connect(core, volume_id, attachment) == first
        for _ in range(2):
            with core.db.write() as tx:
                attach(tx, volume_id, attachment)
        with core.db.write() as tx:
            [row] = interface.attachments_of(tx, server)
            assert (row.volume_id, row.attachment_id, row.device) == (volume_id, attachment, "/dev/vdb")
            interface.begin_detach(tx, MIA, volume_id, server)
        assert world.row().status == "detaching"
        for held in (True, False):
            await interface.disconnect(core, volume_id, attachment)
            with core.db.write() as tx:
                assert interface.release(tx, volume_id, attachment) is held
        assert world.row().status == "available" and not await world.pool.exports()

    asyncio.run(story())


def test_a_server_that_lost_a_volume_takes_it_from_no_other(new_core: Callable[[], Core]) -> None:
    async def story() -> None:
        world = World(new_core())
        await force_detach(world)
        await world.settle()
        core, volume_id = world.core, world.volume_id
        with core.db.write() as tx:
            reserve(tx, volume_id, "server-2", "attachment-2")
            attach(tx, volume_id, "attachment-2")
        await interface.connect(core, volume_id, "attachment-2")
        with core.db.write() as tx:
            interface.begin_detach(tx, MIA, volume_id, "server-2")
        # The first server is deleted now.
        await interface.disconnect(core, volume_id, "attachment-1")
        with core.db.write() as tx:
            interface.release(tx, volume_id, "attachment-1")
        assert world.row().status == "detaching" and await world.pool.exports() == {volume_id}

    asyncio.run(story())


def test_a_reservation_given_back_leaves_the_volume_available(new_core: Callable[[], Core]) -> None:
    async def story() -> None:
        world = World(new_core())
        volume_id = world.volume_id = await world.existing()
        with world.core.db.write() as tx:
            reserve(tx, volume_id, "server-1", "attachment-1")
        for held in (True, False):
            with world.core.db.write() as tx:
                assert interface.release(tx, volume_id, "attachment-1") is held
                assert interface.release(tx, "gone", "attachment-2") is False
        assert world.row().status == "available"

    asyncio.run(story())


def test_a_volume_of_a_server_that_is_deleted_during_its_creation_goes_too(new_core: Callable[[], Core]) -> None:
    async def story() -> None:
        world = World(new_core())
        await empty(world)
        for _ in range(2):
            with world.core.db.write() as tx:
                interface.delete_volume(tx, MIA, world.volume_id)
        await world.settle()
        gone(world)
        with world.core.db.write() as tx:
            interface.delete_volume(tx, MIA, world.volume_id)

    asyncio.run(story())


def test_without_a_pool_a_volume_ends_in_error_with_the_reason(new_core: Callable[[], Core]) -> None:
    async def story() -> str:
        core = new_core()
        with core.db.write() as tx:
            for host in hosts.all_hosts(tx):
                services.switch_off(tx, host.id, "cinder-volume", None)
        volume_id = volumes.create(core, MIA, NewVolume(size=1)).row.id
        await Runner(core, OPERATIONS).drain()
        with core.db.read() as tx:
            return str(interface.volume_info(tx, MIA, volume_id).fault)

    assert asyncio.run(story()).startswith("No valid backend was found.")


def test_what_a_pool_cannot_do_is_told_as_the_fault(new_core: Callable[[], Core]) -> None:
    async def story() -> Any:
        world = World(new_core())
        world.pool.fail("create", None, HostError("no space is left on the host's disk"))
        await empty(world)
        await world.settle()
        return world.row()

    row = asyncio.run(story())
    assert (row.status, row.fault) == ("error", "no space is left on the host's disk")


def test_an_image_reference_reaches_the_pool_with_its_digest(new_core: Callable[[], Core]) -> None:
    seen: list[ImageRef] = []

    async def story() -> None:
        world = World(new_core())
        original = world.pool.create_from_image

        async def record(volume_id: str, size_bytes: int, image: ImageRef) -> None:
            seen.append(image)
            await original(volume_id, size_bytes, image)

        world.pool.create_from_image = record  # type: ignore[method-assign]
        await from_image(world)
        await world.settle()
        assert world.row().bootable and world.row().image_meta["disk_format"] == "raw"

    asyncio.run(story())
    assert len(seen[0].digest) == 128 and seen[0].size_bytes == len(DATA)


def test_an_owed_detachment_leaves_the_disk_of_the_next_server_alone(new_core: Callable[[], Core]) -> None:
    """Who attaches it reserves it, exports it, and writes its attachment last."""

    async def story() -> None:
        world = World(new_core())
        await force_detach(world)
        await world.settle()
        with world.core.db.write() as tx:
            reserve(tx, world.volume_id, "server-2", "attachment-2")
        await interface.connect(world.core, world.volume_id, "attachment-2")
        with world.core.db.write() as tx:
            asked = ForceDetach(world.volume_id, ["attachment-1"])
            enqueue(tx, FORCE_DETACH, asked, resource=f"volume:{world.volume_id}")
            [ordered] = tx.all(select(job))
            tx.execute(job.delete())
            store.owe(tx, ordered, "disconnect", store.OWES_STEP, {"host_id": HOST_ID}, HOST_ID)
            store.call_in(tx, [HOST_ID])
        await world.settle()
        assert await world.pool.exports() == {world.volume_id}

    asyncio.run(story())
