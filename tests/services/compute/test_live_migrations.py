"""Servers that go to another host while they run: the saga fails, repeats, is killed, and loses its hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import select

from tane.core import Core
from tane.hosts import store as hosts
from tane.jobs import cancel, testing
from tane.jobs import enqueue as jobs_enqueue
from tane.jobs.testing import Scenario
from tane.services.compute.domain import actions, live_migrations
from tane.services.compute.orders import REBOOT_SERVER, RebootServer
from tane.services.compute.reconcilers import power
from tane.services.network.tables import port, port_binding
from tane.wire.documents import Landing
from tane.wire.errors import HostError
from tests.services.compute.test_moves import CLAIM, OTHER, compute, held_by_move, status, where
from tests.services.compute.world import ADMIN, Case, Check, Prepare, World, delete_server, scenario_of
from tests.support import EACH_FIFTH_BY_DAY, HOST_ID, second_host


def migrating(*before: Callable[..., object]) -> Prepare:
    """A server with a port that is to go to the other host as it is."""

    async def prepare(world: World) -> None:
        await world.running()
        second_host(world.core)
        for earlier in before:
            earlier(world.core, ADMIN, world.server_id)
            await world.settle()
        live_migrations.live_migrate(world.core, ADMIN, world.server_id, None, block_migration="auto")

    return prepare


def settled(world: World, place: str, guest: str) -> None:
    """It is at one host alone, with the disk it had, and nothing of the journey is left anywhere."""
    assert where(world) == {place: guest}
    assert compute(world, place).disks == {world.server_id: world.disk}
    assert world.claimed() == {place: CLAIM} and held_by_move(world) == {}
    for host_id in (HOST_ID, OTHER):
        assert compute(world, host_id).awaited == {} and compute(world, host_id).standing == {}
    with world.core.db.read() as tx:
        assert tx.all(select(port_binding)) == []
        assert [row.host_id for row in tx.all(select(port.c.host_id).where(port.c.device_id == world.server_id))] == [
            place
        ]


def gone(vm_state: str, guest: str) -> Check:
    def check(world: World) -> None:
        row = world.row()
        assert (row.vm_state, row.task_state, row.host_name) == (vm_state, None, "host-2"), row.fault
        settled(world, OTHER, guest)
        assert status(world) == "completed"

    return check


def stayed_or_gone(vm_state: str, guest: str) -> Check:
    """Before the decision it stays as it was; after it, it is at the other host, in error when its job failed."""

    def check(world: World) -> None:
        row = world.row()
        assert row.task_state is None
        if row.host_id == OTHER:
            assert status(world) in ("completed", "error")
            assert row.host_name == "host-2" and row.vm_state in (vm_state, "error") and where(world)[OTHER] == guest
            return
        assert (row.vm_state, row.host_id) == (vm_state, HOST_ID)
        assert status(world) in ("error", "cancelled")
        settled(world, HOST_ID, guest)

    return check


CASES: dict[str, Case] = {
    "running": (
        "live_migrate_server",
        migrating(),
        gone("active", "running"),
        stayed_or_gone("active", "running"),
    ),
    "paused": (
        "live_migrate_server",
        migrating(actions.pause),
        gone("paused", "paused"),
        stayed_or_gone("paused", "paused"),
    ),
}


@pytest.fixture(params=["running", pytest.param("paused", marks=pytest.mark.nightly)])
def scenario(request: pytest.FixtureRequest, new_core: Callable[[], Core]) -> Scenario:
    return scenario_of(CASES[request.param], new_core)


def test_it_unwinds_when_a_step_fails(scenario: Scenario) -> None:
    assert asyncio.run(testing.fails_at_each_step(scenario)) > 0


def test_it_may_run_twice(scenario: Scenario) -> None:
    asyncio.run(testing.repeats_each_step(scenario))


@EACH_FIFTH_BY_DAY
def test_it_resumes_after_a_kill(every: int, new_core: Callable[[], Core]) -> None:
    assert asyncio.run(testing.killed_between_writes(scenario_of(CASES["running"], new_core), every=every)) > 0


@pytest.mark.nightly
def test_it_resumes_after_a_kill_while_it_unwinds(scenario: Scenario) -> None:
    assert asyncio.run(testing.killed_while_unwinding(scenario)) > 0


def test_lost_hosts_hold_nothing_up_and_give_all_back(new_core: Callable[[], Core]) -> None:
    assert asyncio.run(testing.loses_its_host(scenario_of(CASES["running"], new_core))) > 0


@pytest.mark.parametrize("lost", [HOST_ID, OTHER], ids=["source", "destination"])
@pytest.mark.nightly
def test_one_end_that_is_lost_costs_no_disk(lost: str, new_core: Callable[[], Core]) -> None:
    assert asyncio.run(testing.loses_its_host(scenario_of(CASES["running"], new_core), lost)) > 0


def test_a_cancelled_one_goes_on_where_it_was(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        sent = asyncio.Event()
        source = compute(world, HOST_ID)

        async def for_ever(guest_id: str, landing: object) -> None:
            source.standing[guest_id] = "on its way"
            sent.set()
            await asyncio.Event().wait()

        source.send = for_ever  # type: ignore[method-assign]
        work = asyncio.ensure_future(world.settle())
        await sent.wait()
        with world.core.db.write() as tx:
            cancel(tx, f"server:{world.server_id}")
        await work
        return world

    world = asyncio.run(story())
    assert world.state() == ("active", None, "running") and status(world) == "cancelled"
    settled(world, HOST_ID, "running")


def test_a_guest_whose_memory_is_of_no_use_there_is_booted_from_the_disks_that_came(
    new_core: Callable[[], Core],
) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        compute(world, OTHER).fail("land", world.server_id, HostError("its memory is torn"))
        work = asyncio.ensure_future(world.settle())
        while world.row().host_id != OTHER:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
        world.plug()
        await work
        return world

    gone("active", "running")(asyncio.run(story()))


def test_no_copy_goes_before_the_other_is_of_use(new_core: Callable[[], Core]) -> None:
    """Neither its memory nor a boot brings it up where it came to: its disks are there, and where it was."""

    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        there = compute(world, OTHER)
        there.fail("land", None, HostError("its memory is torn"), times=50)
        there.fail("start", None, HostError("no memory is left on the host"), times=50)
        work = asyncio.ensure_future(world.settle())
        while world.row().host_id != OTHER:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
        world.plug()
        await work
        assert world.row().vm_state == "error" and status(world) == "error"
        await power.run(world.core)
        assert world.server_id in world.host._states and world.server_id in there.awaited
        there._failures.clear()
        with world.core.db.write() as tx:
            jobs_enqueue(
                tx, REBOOT_SERVER, RebootServer(world.server_id, hard=True), resource=f"server:{world.server_id}"
            )
        await world.settle()
        assert world.row().vm_state == "active"
        await power.run(world.core)
        return world

    settled(asyncio.run(story()), OTHER, "running")


def test_it_goes_to_no_host_that_is_not_there_any_more(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        source, send = compute(world, HOST_ID), compute(world, HOST_ID).send

        async def sent(guest_id: str, landing: Landing) -> None:
            await send(guest_id, landing)
            with world.core.db.write() as tx:
                hosts.change(tx, OTHER, forced_down=True)

        source.send = sent  # type: ignore[method-assign]
        await world.settle()
        return world

    world = asyncio.run(story())
    assert world.state() == ("active", None, "running") and status(world) == "error"
    assert where(world) == {HOST_ID: "running"} and world.claimed() == {HOST_ID: CLAIM}


def test_what_was_made_for_a_guest_that_never_came_goes(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        there = compute(world, OTHER)
        compute(world, HOST_ID).fail("send", None, HostError("no way"))
        there.fail("destroy", None, HostError("the disk is broken"), times=50)
        await world.settle()
        assert set(there.awaited) == {world.server_id} and status(world) == "error"
        there._failures.clear()
        await power.run(world.core)
        return world

    settled(asyncio.run(story()), HOST_ID, "running")


def test_a_server_is_deleted_though_it_is_on_its_way(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        await migrating()(world)
        await delete_server(world)
        await world.settle()
        return world

    world = asyncio.run(story())
    assert world.row().deleted and where(world) == {} and world.claimed() == {} == held_by_move(world)
    assert compute(world, OTHER).awaited == {}
