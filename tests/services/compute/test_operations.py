"""Every saga of compute under the three harnesses: it fails, repeats and is killed at every point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tane.core import Core
from tane.jobs import enqueue, testing
from tane.jobs.testing import Scenario
from tane.services.compute.domain import actions, attachments, servers, snapshots
from tane.services.compute.orders import REBOOT_SERVER, RebootServer
from tane.services.compute.reconcilers import deleted as forget_deleted
from tane.services.compute.schemas import BlockDeviceIn, RebuildIn
from tane.services.compute.store import servers as server_rows
from tane.services.image import interface as images
from tane.services.network import interface as network
from tane.web.context import Context
from tests.services.compute.world import (
    ADMIN,
    Check,
    Prepare,
    World,
    scenario_of,
)
from tests.support import EACH_FIFTH_BY_DAY, EACH_THIRD_BY_DAY, HOST_ID

# ---------------------------------------------------------------------------------------------------------- create


async def ordered(world: World) -> None:
    world.order(imageRef=world.image_id)


def runs(world: World) -> None:
    assert world.state() == ("active", None, "running"), world.row().fault
    assert world.row().launched_at is not None
    assert world.claimed() == {HOST_ID: {"VCPU": 1, "MEMORY_MB": 64, **({"DISK_GB": 1} if world.row().disk_gb else {})}}


def refused(world: World) -> None:
    assert world.state() == ("error", None, "absent")
    row = world.row()
    assert row.fault["message"] and row.host_id is None
    assert world.claimed() == {}
    assert world.ports() == [] and world.devices() == []


async def ordered_from_volume(world: World) -> None:
    root = {"source_type": "image", "destination_type": "volume", "uuid": world.image_id, "boot_index": 0}
    device = BlockDeviceIn(**root, volume_size=1, delete_on_termination=True)
    world.order(block_device_mapping_v2=[device])
    world.volume_id = world.devices()[0].volume_id


def runs_from_volume(world: World) -> None:
    runs(world)
    assert world.volume().status == "in-use"
    guest = world.host.guest(world.server_id)
    assert guest.root is None and [disk.boot_index for disk in guest.volumes] == [0]


async def ordered_with_volume(world: World) -> None:
    await world.new_volume()
    device = BlockDeviceIn(source_type="volume", destination_type="volume", uuid=world.volume_id)
    world.order(imageRef=world.image_id, block_device_mapping_v2=[device])


def runs_with_volume(world: World) -> None:
    runs(world)
    assert world.volume().status == "in-use"


def refused_and_volume_free(world: World) -> None:
    refused(world)
    assert world.volume().status == "available"
    assert not world.pool._volumes[world.volume_id].connection


# ---------------------------------------------------------------------------------------------------------- delete


async def deleted(world: World) -> None:
    await world.new_volume()
    await world.running()
    await _attach(world)
    await world.settle()
    servers.delete(world.core, ADMIN, world.server_id)


def gone(world: World) -> None:
    assert world.state() == ("deleted", None, "absent")
    assert world.row().deleted and world.ports() == [] and world.devices() == []
    assert world.claimed() == {}
    assert world.volume().status == "available"


def not_gone(world: World) -> None:
    row = world.row()
    assert row.deleted or (row.vm_state, row.task_state) == ("error", None)


# ---------------------------------------------------------------------------------------------------------- states


def _asked(action: Callable[..., Any], *before: Callable[..., Any], **more: Any) -> Prepare:
    """A running server on which ``before`` was done and ``action`` is asked for."""

    async def prepare(world: World) -> None:
        await world.running()
        for earlier in before:
            earlier(world.core, ADMIN, world.server_id)
            await world.settle()
        action(world.core, ADMIN, world.server_id, **more)

    return prepare


def _is(vm_state: str, guest: str | None = None) -> Check:
    def check(world: World) -> None:
        found = world.state()
        assert found[:2] == (vm_state, None), (found, world.row().fault)
        assert guest is None or found[2] == guest

    return check


def stopped_or_active(world: World) -> None:
    """A guest that was shut down stays so: the row says it, or the next comparison with the host does."""
    assert world.state() in (("active", None, "stopped"), ("stopped", None, "stopped"), ("active", None, "running"))


def broken(world: World) -> None:
    assert world.state()[:2] == ("error", None)
    assert world.row().fault["message"]


def rebuild(core: Core, ctx: Context, server_id: str) -> None:
    with core.db.read() as tx:
        row = server_rows.get(tx, server_id)
    assert row is not None
    actions.rebuild(core, ctx, server_id, RebuildIn(imageRef=row.image_id))


# ----------------------------------------------------------------------------------------------------------- image


async def image_ordered(world: World) -> None:
    await world.running()
    world.made.append(snapshots.create_image(world.core, ADMIN, world.server_id, "copy", {}))


def image_made(world: World) -> None:
    with world.core.db.read() as tx:
        info = images.image_by_id(tx, world.made[0])
    assert info is not None and info.status == "active"
    runs(world)


def image_gone(world: World) -> None:
    with world.core.db.read() as tx:
        info = images.image_by_id(tx, world.made[0])
    assert info is None or info.status in ("deleted", "killed")
    assert not images.scratch_path(world.core, world.made[0]).exists()
    runs(world)


async def volume_image_ordered(world: World) -> None:
    await ordered_from_volume(world)
    await world.settle()
    world.made.append(snapshots.create_image(world.core, ADMIN, world.server_id, "copy", {}))


def taken(world: World) -> set[str]:
    """The snapshots that the pool holds of the server's volume."""
    return set(world.pool._volumes[world.volume_id].snapshots)


def volume_image_made(world: World) -> None:
    with world.core.db.read() as tx:
        info = images.image_by_id(tx, world.made[0])
    assert info is not None and (info.status, info.size) == ("active", 0)
    [entry] = msgspec.json.decode(info.properties["block_device_mapping"])
    assert taken(world) == {entry["snapshot_id"]}
    runs_from_volume(world)


def volume_image_gone(world: World) -> None:
    image_gone(world)
    assert taken(world) == set()


# ----------------------------------------------------------------------------------------------------- attachments


async def _attach(world: World) -> None:
    attachments.attach_volume(
        world.core,
        ADMIN,
        world.server_id,
        world.volume_id,
        device=None,
        tag=None,
        delete_on_termination=False,
        put_away=True,
    )


async def volume_asked(world: World) -> None:
    await world.new_volume()
    await world.running()
    await _attach(world)


def volume_there(world: World) -> None:
    assert world.volume().status == "in-use"
    assert [disk.volume_id for disk in world.host.guest(world.server_id).volumes] == [world.volume_id]
    assert [device.device for device in world.devices()] == ["/dev/vdb"]


def volume_free(world: World) -> None:
    assert world.volume().status == "available" and world.devices() == []
    assert world.host.guest(world.server_id).volumes == ()
    assert not world.pool._volumes[world.volume_id].connection


async def volume_unasked(world: World) -> None:
    await volume_asked(world)
    await world.settle()
    attachments.detach_volume(world.core, ADMIN, world.server_id, world.volume_id, put_away=True)


def volume_there_or_free(world: World) -> None:
    assert world.volume().status in ("in-use", "available")
    if world.devices():
        volume_there(world)


async def port_asked(world: World) -> None:
    await world.running()
    spec = network.PortSpec(network_id=world.network_id)
    nic = attachments.attach_port(world.core, ADMIN, world.server_id, spec)
    world.port_id = nic.port.id
    world.plug()


def port_there(world: World) -> None:
    assert world.port_id in {row.id for row in world.ports()}
    assert world.port_id in {nic.port_id for nic in world.host.guest(world.server_id).nics}


def port_gone(world: World) -> None:
    assert world.port_id not in {row.id for row in world.ports()}
    assert world.port_id not in {nic.port_id for nic in world.host.guest(world.server_id).nics}


async def port_unasked(world: World) -> None:
    await port_asked(world)
    await world.settle()
    attachments.detach_port(world.core, ADMIN, world.server_id, world.port_id)


def any_port(world: World) -> None:
    assert world.state()[0] == "active"


async def resume_by_reconciler(world: World) -> None:
    """A hard reboot whose guest is gone from the host makes it again."""
    await world.running()
    await world.host.destroy(world.server_id)
    with world.core.db.write() as tx:
        enqueue(tx, REBOOT_SERVER, RebootServer(world.server_id, hard=True), resource=f"server:{world.server_id}")


CASES: dict[str, tuple[str, Prepare, Check, Check]] = {
    "create": ("create_server", ordered, runs, refused),
    "create from a volume": ("create_server", ordered_from_volume, runs_from_volume, refused),
    "create with a volume": ("create_server", ordered_with_volume, runs_with_volume, refused_and_volume_free),
    "delete": ("delete_server", deleted, gone, not_gone),
    "start": ("start_server", _asked(actions.start, actions.stop), _is("active", "running"), broken),
    "stop": ("stop_server", _asked(actions.stop), _is("stopped", "stopped"), stopped_or_active),
    "reboot": ("reboot_server", _asked(actions.reboot, hard=False), _is("active", "running"), broken),
    "hard reboot": ("reboot_server", resume_by_reconciler, _is("active", "running"), broken),
    "pause": ("pause_server", _asked(actions.pause), _is("paused", "paused"), _is("active", "running")),
    "unpause": (
        "unpause_server",
        _asked(actions.unpause, actions.pause),
        _is("active", "running"),
        _is("paused", "paused"),
    ),
    "suspend": ("suspend_server", _asked(actions.suspend), _is("suspended", "suspended"), _is("active", "running")),
    "resume": ("resume_server", _asked(actions.resume, actions.suspend), _is("active", "running"), broken),
    "rebuild": ("rebuild_server", _asked(rebuild), _is("active", "running"), broken),
    "rebuild of a stopped server": (
        "rebuild_server",
        _asked(rebuild, actions.stop),
        _is("stopped", "stopped"),
        broken,
    ),
    "image": ("create_image", image_ordered, image_made, image_gone),
    "image of volumes": ("create_volume_image", volume_image_ordered, volume_image_made, volume_image_gone),
    "attach a volume": ("attach_volume", volume_asked, volume_there, volume_free),
    "detach a volume": ("detach_volume", volume_unasked, volume_free, volume_there_or_free),
    "attach a port": ("attach_interface", port_asked, port_there, port_gone),
    "detach a port": ("detach_interface", port_unasked, port_gone, any_port),
}


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def scenario(request: pytest.FixtureRequest, new_core: Callable[[], Core]) -> Scenario:
    return scenario_of(CASES[request.param], new_core)


def test_it_unwinds_when_a_step_fails(scenario: Scenario) -> None:
    assert asyncio.run(testing.fails_at_each_step(scenario)) > 0


def test_it_may_run_twice(scenario: Scenario) -> None:
    asyncio.run(testing.repeats_each_step(scenario))


@EACH_FIFTH_BY_DAY
def test_it_resumes_after_a_kill_while_it_unwinds(scenario: Scenario, every: int) -> None:
    assert asyncio.run(testing.killed_while_unwinding(scenario, every=every)) > 0


@EACH_THIRD_BY_DAY
def test_a_lost_host_holds_nothing_up_and_gives_all_back(scenario: Scenario, every: int) -> None:
    assert asyncio.run(testing.loses_its_host(scenario, every=every)) > 0


@EACH_FIFTH_BY_DAY
def test_it_resumes_after_a_kill(scenario: Scenario, every: int) -> None:
    assert asyncio.run(testing.killed_between_writes(scenario, every=every)) > 0


def test_a_server_that_was_deleted_long_ago_is_forgotten(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await deleted(world)
        await world.settle()
        assert await forget_deleted.run(world.core) is None
        with world.core.db.write() as tx:
            server_rows.change(tx, world.server_id, terminated_at=tx.now - timedelta(days=91))
        assert await forget_deleted.run(world.core) == "forgot 1 servers that were deleted long ago"
        return world

    assert asyncio.run(story()).row() is None
