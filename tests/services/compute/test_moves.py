"""Servers that are resized or go to another host: every saga fails, repeats, is killed, and loses its hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from tane.agent.compute.drivers.fake import FakeCompute
from tane.core import Core
from tane.hosts import allocations
from tane.jobs import cancel, testing
from tane.jobs import enqueue as jobs_enqueue
from tane.jobs.testing import Scenario
from tane.services.compute.domain import flavors, moves
from tane.services.compute.orders import REBOOT_SERVER, RebootServer
from tane.services.compute.reconcilers import power
from tane.services.compute.store import migrations
from tests.services.compute.world import ADMIN, Case, Check, Prepare, World, delete_server, scenario_of
from tests.support import EACH_FIFTH_BY_DAY, EACH_THIRD_BY_DAY, HOST_ID, second_host
from tests.support import OTHER_HOST_ID as OTHER

CLAIM = {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1}
LARGE = {"VCPU": 2, "MEMORY_MB": 128, "DISK_GB": 2}


def compute(world: World, host_id: str) -> FakeCompute:
    duty = world.core.hosts.agent(host_id).compute
    assert isinstance(duty, FakeCompute)
    return duty


def larger(world: World) -> None:
    size = {"ram": 128, "vcpus": 2, "disk": 2, "ephemeral": 0, "swap": 0}
    rest = {"rxtx_factor": 1.0, "is_public": True, "description": None}
    flavors.create(world.core, {"id": "large", "name": "large", **size, **rest})


def move_of(world: World) -> str:
    with world.core.db.read() as tx:
        [row] = migrations.find(tx, [], None, None)
    return str(row.uuid)


def status(world: World) -> str:
    with world.core.db.read() as tx:
        row = migrations.get(tx, move_of(world))
    assert row is not None
    return str(row.status)


def held_by_move(world: World) -> dict[str, dict[str, int]]:
    with world.core.db.read() as tx:
        return allocations.of_consumer(tx, move_of(world))


def resizing(*before: Callable[..., object]) -> Prepare:
    """A server with a volume whose resize on its one host is ordered."""

    async def prepare(world: World) -> None:
        larger(world)
        await world.running()
        for earlier in before:
            earlier(world.core, ADMIN, world.server_id)
            await world.settle()
        moves.resize(world.core, ADMIN, world.server_id, "large", None)

    return prepare


def migrating(*before: Callable[..., object]) -> Prepare:
    """A server that is to leave its host for the other one."""

    async def prepare(world: World) -> None:
        await world.running(networks="none")
        assert world.row().host_id == HOST_ID
        second_host(world.core)
        for earlier in before:
            earlier(world.core, ADMIN, world.server_id)
            await world.settle()
        moves.migrate(world.core, ADMIN, world.server_id, None)

    return prepare


def then(prepare: Prepare, decide: Callable[..., object]) -> Prepare:
    async def prepared(world: World) -> None:
        await prepare(world)
        await world.settle()
        assert world.state()[:2] == ("resized", None), world.row().fault
        decide(world.core, ADMIN, world.server_id)

    return prepared


def resized(world: World) -> None:
    assert world.state() == ("resized", None, "running")
    assert world.row().flavor_id == "large" and world.host.guest(world.server_id).memory_mb == 128
    assert world.host.disks[world.server_id] == world.disk == world.host.disks[move_of(world)]
    assert world.claimed() == {HOST_ID: LARGE} and held_by_move(world) == {HOST_ID: CLAIM}
    assert set(world.host.aside) == {move_of(world)} and status(world) == "finished"


def as_before(vm_state: str, guest: str) -> Check:
    def check(world: World) -> None:
        assert world.state() == (vm_state, None, guest), world.row().fault
        row = world.row()
        assert (row.flavor_id, row.host_id) == ("tiny", HOST_ID)
        assert world.claimed() == {HOST_ID: CLAIM} and held_by_move(world) == {}
        assert world.host.aside == {} and status(world) == "error"
        assert world.host.disks == {world.server_id: world.disk}

    return check


def reverted(world: World) -> None:
    assert world.state() == ("active", None, "running")
    assert world.row().flavor_id == "tiny" and world.host.guest(world.server_id).memory_mb == 64
    assert world.claimed() == {HOST_ID: CLAIM} and held_by_move(world) == {}
    assert world.host.aside == {} and status(world) == "reverted"
    assert world.host.disks == {world.server_id: world.disk}


def resized_or_broken(world: World) -> None:
    if world.row().vm_state == "resized":
        resized(world)
        return
    assert world.state() in (("error", None, "stopped"), ("error", None, "running"), ("active", None, "running"))
    assert world.row().flavor_id == "tiny" and world.claimed() == {HOST_ID: CLAIM} and held_by_move(world) == {}
    assert world.host.aside == {}


def back_and_nothing_else(world: World) -> None:
    """Reverted; of a failure after that, what is left where it was moved to tells the next look at that host."""
    assert world.row().vm_state == "active" and where(world)[HOST_ID] == "running" and status(world) == "reverted"


def where(world: World) -> dict[str, str]:
    """Host → state of the guest there."""
    return {
        host_id: state
        for host_id in (HOST_ID, OTHER)
        if (state := compute(world, host_id)._states.get(world.server_id)) is not None
    }


def moved(guest: str) -> Check:
    def check(world: World) -> None:
        assert world.row().vm_state == "resized" and world.row().host_name == "host-2", world.row().fault
        assert where(world) == {OTHER: guest}
        assert compute(world, OTHER).disks == {world.server_id: world.disk}
        assert world.claimed() == {OTHER: CLAIM} and held_by_move(world) == {HOST_ID: CLAIM}
        assert set(compute(world, HOST_ID).aside) == {move_of(world)} and compute(world, OTHER).aside == {}

    return check


def stayed(vm_state: str, guest: str) -> Check:
    def check(world: World) -> None:
        as_before(vm_state, guest)(world)
        assert where(world) == {HOST_ID: guest}

    return check


def came_back(world: World) -> None:
    reverted(world)
    assert where(world) == {HOST_ID: "running"}


def moved_or_back(world: World) -> None:
    if world.row().vm_state == "resized":
        moved("running")(world)
        return
    back_and_nothing_else(world)


def sooner_or_later(check: Check) -> Check:
    """As ``check`` says once the host was compared with the rows, whatever of it failed."""

    def later(world: World) -> None:
        with world.core.db.read() as tx:
            for host_id in [agent.host_id for agent in world.core.hosts.reached()]:
                for move_id in migrations.over(tx, sorted(compute(world, host_id).aside)):
                    compute(world, host_id).aside.pop(move_id)
        check(world)

    return later


def gone_for_good(world: World) -> None:
    assert world.row().vm_state == "active" and world.row().host_name == "host-2"
    assert where(world) == {OTHER: "running"} and world.claimed() == {OTHER: CLAIM} and held_by_move(world) == {}
    assert compute(world, HOST_ID).aside == {} and compute(world, OTHER).disks == {world.server_id: world.disk}


CASES: dict[str, Case] = {
    "resize": ("resize_server", resizing(), resized, as_before("active", "running")),
    "migrate": ("migrate_server", migrating(), moved("running"), stayed("active", "running")),
    "confirm a migration": (
        "confirm_resize",
        then(migrating(), moves.confirm),
        gone_for_good,
        sooner_or_later(gone_for_good),
    ),
    "revert": ("revert_resize", then(resizing(), moves.revert), reverted, resized_or_broken),
    "revert a migration": ("revert_resize", then(migrating(), moves.revert), came_back, moved_or_back),
}


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def scenario(request: pytest.FixtureRequest, new_core: Callable[[], Core]) -> Scenario:
    return scenario_of(CASES[request.param], new_core)


def test_it_unwinds_when_a_step_fails(scenario: Scenario) -> None:
    assert asyncio.run(testing.fails_at_each_step(scenario)) > 0


def test_it_may_run_twice(scenario: Scenario) -> None:
    asyncio.run(testing.repeats_each_step(scenario))


@pytest.mark.nightly
def test_it_resumes_after_a_kill_while_it_unwinds(scenario: Scenario) -> None:
    assert asyncio.run(testing.killed_while_unwinding(scenario)) > 0


@EACH_THIRD_BY_DAY
def test_a_lost_host_holds_nothing_up_and_gives_all_back(scenario: Scenario, every: int) -> None:
    assert asyncio.run(testing.loses_its_host(scenario, every=every)) > 0


@pytest.mark.parametrize("lost", [HOST_ID, OTHER], ids=["source", "destination"])
@pytest.mark.parametrize("name", ["migrate", "revert a migration"])
@pytest.mark.nightly
def test_one_end_that_is_lost_costs_no_disk(name: str, lost: str, new_core: Callable[[], Core]) -> None:
    assert asyncio.run(testing.loses_its_host(scenario_of(CASES[name], new_core), lost)) > 0


@EACH_FIFTH_BY_DAY
def test_it_resumes_after_a_kill(scenario: Scenario, every: int) -> None:
    assert asyncio.run(testing.killed_between_writes(scenario, every=every)) > 0


def test_what_a_host_has_of_an_earlier_time_is_not_taken_for_what_comes(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await world.running(networks="none")
        second_host(world.core)
        left = msgspec.structs.replace(world.host.guest(world.server_id), name="left-behind")
        await compute(world, OTHER).create(left)
        moves.migrate(world.core, ADMIN, world.server_id, None)
        await world.settle()
        return world

    world = asyncio.run(story())
    moved("running")(world)
    assert compute(world, OTHER).guest(world.server_id).name != "left-behind"


def test_a_hard_reboot_has_what_a_failed_move_left_aside(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        with world.core.db.write() as tx:
            migrations.change(tx, move_of(world), "error")
        compute(world, HOST_ID)._guests[world.server_id] = msgspec.structs.replace(
            world.host.guest(world.server_id), name="kept"
        )
        await compute(world, HOST_ID).keep(world.server_id, move_of(world))
        enqueue = REBOOT_SERVER, RebootServer(world.server_id, hard=True)
        with world.core.db.write() as tx:
            cancel(tx, f"server:{world.server_id}")
            jobs_enqueue(tx, *enqueue, resource=f"server:{world.server_id}")
        await world.settle()
        return world

    world = asyncio.run(story())
    assert world.host.aside == {} and ("bring_back", world.server_id) in world.host.calls


def test_what_was_set_aside_of_a_deleted_server_goes(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        await world.settle()
        await delete_server(world)
        await world.settle()
        assert set(compute(world, HOST_ID).aside) == {move_of(world)}
        said = await power.run(world.core)
        assert said is not None and "deleted what was set aside" in said
        return world

    world = asyncio.run(story())
    assert compute(world, HOST_ID).aside == {} and held_by_move(world) == {} and where(world) == {}
