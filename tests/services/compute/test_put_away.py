"""Servers that are rescued, shelved, unshelved and evacuated: every saga fails, repeats, is killed, loses its hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tane.core import Core
from tane.hosts import store
from tane.jobs import testing
from tane.jobs.testing import Scenario
from tane.services.compute.domain import attachments, moves, rescues, shelving
from tane.services.compute.reconcilers import power
from tane.services.compute.store import migrations
from tane.services.image import interface as images
from tests.services.compute.test_live_migrations import CASES as LIVE
from tests.services.compute.test_moves import CASES as MOVES
from tests.services.compute.test_moves import CLAIM, OTHER, compute, where
from tests.services.compute.test_operations import CASES as REST
from tests.services.compute.world import ADMIN, BY_NAME, Case, Check, Prepare, World, scenario_of
from tests.support import EACH_FIFTH_BY_DAY, EACH_THIRD_BY_DAY, HOST_ID, second_host


def asked(action: Callable[..., object], *before: Callable[..., object], volume: bool = False) -> Prepare:
    async def prepare(world: World) -> None:
        if volume:
            await world.new_volume()
        await world.running()
        if volume:
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
            await world.settle()
        for earlier in before:
            earlier(world.core, ADMIN, world.server_id)
            await world.settle()
            world.plug()
        action(world.core, ADMIN, world.server_id)
        world.plug()

    return prepare


def rescue(core: Core, ctx: object, server_id: str) -> None:
    rescues.rescue(core, ADMIN, server_id, None, None)


def unshelve(core: Core, ctx: object, server_id: str) -> None:
    shelving.unshelve(core, ADMIN, server_id, None, None, pin=False)


def is_in(vm_state: str, guest: str, *, rescued: bool = False) -> Check:
    def check(world: World) -> None:
        assert world.state() == (vm_state, None, guest), world.row().fault
        assert (world.row().rescue_image_id is not None) is rescued
        assert (world.host.guest(world.server_id).rescue is not None) is rescued
        assert world.claimed() == {HOST_ID: CLAIM}

    return check


def broken(world: World) -> None:
    assert world.state()[:2] == ("error", None) and world.row().fault["message"]


def shelved_images(world: World) -> list[str]:
    found, _ = images.find_images(world.core, ADMIN, images.Wanted(name="web-shelved"))
    return [info.status for info in found]


def put_away(world: World) -> None:
    assert world.state() == ("shelved_offloaded", None, "absent")
    row = world.row()
    assert row.host_id is None and row.shelved_image_id is not None and shelved_images(world) == ["active"]
    assert world.claimed() == {}
    assert [(port.host_id, port.status) for port in world.ports()] == [(None, "DOWN")]
    if world.volume_id:
        assert world.volume().status == "in-use"
        assert not world.pool._volumes[world.volume_id].connection


def put_away_sooner_or_later(world: World) -> None:
    """Its guest, and its volumes' exports, may have stayed when a host could not do that."""
    if world.row().vm_state == "active":
        not_put_away(world)
        return
    assert world.state()[:2] == ("shelved_offloaded", None)
    assert world.row().host_id is None and world.claimed() == {}


def not_put_away(world: World) -> None:
    assert world.state() == ("active", None, "running")
    assert world.row().shelved_image_id is None and world.claimed() == {HOST_ID: CLAIM}
    assert shelved_images(world) == []


def is_back(world: World) -> None:
    assert world.state() == ("active", None, "running"), world.row().fault
    assert world.row().shelved_image_id is None and world.claimed() == {HOST_ID: CLAIM}
    assert shelved_images(world) == []
    root = world.host.guest(world.server_id).root
    assert root is not None and root.standalone
    if world.volume_id:
        assert [disk.volume_id for disk in world.host.guest(world.server_id).volumes] == [world.volume_id]


def away_or_broken(world: World) -> None:
    """Put away as before; or, where it ran already, an error that says so."""
    if world.row().vm_state == "error":
        assert world.row().fault["message"]
        return
    put_away(world)


async def evacuation(world: World) -> None:
    """A server whose host is said to be dead, and another host."""
    await world.running(networks="none")
    second_host(world.core)
    with world.core.db.write() as tx:
        store.change(tx, HOST_ID, forced_down=True)
    moves.evacuate(world.core, ADMIN, world.server_id, None, None, ())


def elsewhere(world: World) -> None:
    assert world.row().vm_state == "active" and world.row().host_name == "host-2", world.row().fault
    assert where(world).get(OTHER) == "running"
    assert world.claimed() == {OTHER: CLAIM}


def there_or_in_error(world: World) -> None:
    if world.row().vm_state == "active":
        elsewhere(world)
        return
    broken(world)
    assert world.row().host_id == HOST_ID and OTHER not in where(world)
    assert world.claimed() == {HOST_ID: CLAIM}


CASES: dict[str, Case] = {
    "rescue": ("rescue_server", asked(rescue), is_in("rescued", "running", rescued=True), is_in("active", "running")),
    "unrescue": ("unrescue_server", asked(rescues.unrescue, rescue), is_in("active", "running"), broken),
    "shelve": ("shelve_server", asked(shelving.shelve, volume=True), put_away, put_away_sooner_or_later),
    "unshelve": ("unshelve_server", asked(unshelve, shelving.shelve, volume=True), is_back, away_or_broken),
    "evacuate": ("evacuate_server", evacuation, elsewhere, there_or_in_error),
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


@EACH_FIFTH_BY_DAY
def test_it_resumes_after_a_kill(scenario: Scenario, every: int) -> None:
    assert asyncio.run(testing.killed_between_writes(scenario, every=every)) > 0


def test_every_operation_is_tried() -> None:
    tried = (*CASES.values(), *MOVES.values(), *LIVE.values(), *REST.values())
    assert {f"compute.{name}" for name, *_ in tried} == set(BY_NAME)


def test_an_evacuated_guest_goes_from_the_host_that_is_back(new_core: Callable[[], Core]) -> None:
    async def story() -> World:
        world = World(new_core())
        await world.prepare()
        agent = world.core.hosts.agent(HOST_ID)
        await evacuation(world)
        world.core.hosts.remove(HOST_ID)
        await world.settle()
        with world.core.db.read() as tx:
            [row] = migrations.find(tx, [], None, None)
        assert (row.type, row.status) == ("evacuation", "done")
        world.core.hosts.add(agent)
        assert where(world)[HOST_ID] == "running"
        # Also while nobody has said that it may be believed again.
        said = await power.run(world.core)
        assert said is not None and "is elsewhere" in said and HOST_ID not in where(world)
        with world.core.db.write() as tx:
            store.change(tx, HOST_ID, forced_down=False)
        await testing.upkeep.call_in_debts(world.core)
        await world.settle()
        return world

    world = asyncio.run(story())
    assert where(world) == {OTHER: "running"}
    assert compute(world, OTHER).guest(world.server_id).root is not None
