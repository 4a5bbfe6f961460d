"""Every saga of orchestration under the harnesses: it fails, repeats, is killed at every point, and loses its host.

Whatever happens, the action of the stack ends, and what there is in other services is what the stack's rows name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from tane.app import SERVICES
from tane.core import Core
from tane.jobs import testing
from tane.jobs.runner import Runner
from tane.jobs.testing import Scenario
from tane.services.compute.domain import flavors
from tane.services.identity import interface as identity
from tane.services.image import interface as images
from tane.services.network import interface as network
from tane.services.object import interface as objects
from tane.services.orchestration.domain import snapshots, stacks
from tane.services.orchestration.domain.plans import Source
from tane.services.orchestration.domain.stacks import Wanted
from tane.services.orchestration.operations import OPERATIONS
from tane.services.orchestration.tables import stack, stack_resource, stack_snapshot, stack_snapshot_part
from tane.web import inside
from tane.web.context import Context
from tests.services.volume.pool import add_pool
from tests.support import EACH_FIFTH_BY_DAY, EACH_THIRD_BY_DAY

ALL = [operation for service in SERVICES for operation in service.operations]
NET: dict[str, Any] = {"type": "OS::Neutron::Net"}


def source(**resources: Any) -> Source:
    return Source(template={"heat_template_version": "2021-04-16", "resources": resources})


def disk(name: str = "disk", **more: Any) -> dict[str, Any]:
    """A volume that needs the network, so that there is an order."""
    properties = {"size": 1, "name": name, "metadata": {"net": {"get_resource": "net"}}, **more}
    return {"type": "OS::Cinder::Volume", "properties": properties}


class World:
    """A cloud with its administrator, who has one stack."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.pool = add_pool(core)
        identity.bootstrap(core, "correct horse battery")
        with core.db.read() as tx:
            project = identity.project_named(tx, "admin").id
        user = self._admin()
        given = identity.Delegation(user, project)
        self.ctx: Context = identity.acting(core, given, "req-1")
        self.stack_id = ""
        self.first = ""
        """The server that the operation under test is to replace."""

    def _admin(self) -> str:
        from tane.services.identity.tables import user

        with self.core.db.read() as tx:
            return str(tx.scalar(select(user.c.id)))

    async def settle(self) -> None:
        await asyncio.wait_for(Runner(self.core, ALL).drain(), 60)

    def create(self, what: Source, **more: Any) -> None:
        self.stack_id = stacks.create(self.core, self.ctx, "rose", Wanted(source=what, **more)).id

    def update(self, what: Source, **more: Any) -> None:
        stacks.update(self.core, self.ctx, self.stack_id, "rose", Wanted(source=what, **more))

    async def garden(self) -> None:
        """What servers are made of."""
        with self.core.db.write() as tx:
            image = {"name": "disk", "disk_format": "raw", "container_format": "bare", "properties": {}}
            image_id = images.create_image(tx, self.core, self.ctx, **image)
        path = images.scratch_path(self.core, image_id)
        path.write_bytes(b"an image")
        await images.store_file(self.core, image_id, path)
        size = {"ram": 64, "vcpus": 1, "disk": 1, "ephemeral": 0, "swap": 0}
        for name in ("tiny", "small"):
            kind = {"rxtx_factor": 1.0, "is_public": True, "description": None}
            flavors.create(self.core, {"id": name, "name": name, **size, **kind})

    def servers(self) -> list[str]:
        listed = inside.call(self.core, self.ctx, "compute", "GET", "/v2.1/servers")["servers"]
        return [one["id"] for one in listed]

    def has(self) -> tuple[str, str]:
        """The servers that have the port and the volume of the stack."""
        [port] = inside.call(self.core, self.ctx, "network", "GET", "/v2.0/ports", query={"name": "p"})["ports"]
        [disk] = inside.call(self.core, self.ctx, "volume", "GET", "/v3/volumes/detail")["volumes"]
        return port["device_id"], ",".join(one["server_id"] for one in disk["attachments"])

    def row(self) -> Any:
        with self.core.db.read() as tx:
            return tx.first(select(stack).where(stack.c.id == self.stack_id))

    def rows(self) -> list[Any]:
        with self.core.db.read() as tx:
            return tx.all(select(stack_resource))

    def there(self) -> set[str]:
        """Ids of the networks, volumes and servers that there are, and the name of the container."""
        networks = inside.call(self.core, self.ctx, "network", "GET", "/v2.0/networks")["networks"]
        volumes = inside.call(self.core, self.ctx, "volume", "GET", "/v3/volumes")["volumes"]
        bed = objects.container(self.core, self.ctx.project_id, "bed")
        ids = {one["id"] for one in (*networks, *volumes)} | set(self.servers())
        return ids | ({"bed"} if bed is not None else set())

    def backups(self) -> set[str]:
        listed = inside.call(self.core, self.ctx, "volume", "GET", "/v3/backups")["backups"]
        return {one["id"] for one in listed}

    def kept(self) -> set[str]:
        """Ids of the backups that snapshots name."""
        with self.core.db.read() as tx:
            parts = [part.data for part in tx.all(select(stack_snapshot_part))]
        return {data["backup_id"] for data in parts if data}

    def snapshots(self) -> list[Any]:
        with self.core.db.read() as tx:
            return tx.all(select(stack_snapshot))

    def take(self) -> None:
        snapshots.create(self.core, self.ctx, self.stack_id, "rose", "monday")


def ended(world: World) -> None:
    """Nothing is under way, and nothing is there that no row names."""
    assert world.row().status in ("COMPLETE", "FAILED"), world.row()
    assert not [row for row in world.rows() if row.working or row.status == "IN_PROGRESS"]
    assert world.there() <= {row.physical_id for row in world.rows()}
    assert world.backups() <= world.kept()
    assert not [one for one in world.snapshots() if one.status == "IN_PROGRESS"]


def complete(*names: str) -> Callable[[World], None]:
    def check(world: World) -> None:
        ended(world)
        assert world.row().status == "COMPLETE", world.row().reason
        rows = world.rows()
        assert sorted(row.name for row in rows) == sorted(names) and all(row.status == "COMPLETE" for row in rows)
        assert world.there() == {row.physical_id for row in rows if row.type != "OS::Heat::TestResource"}

    return check


def gone(world: World) -> None:
    assert world.row().deleted, world.row().reason
    assert world.rows() == [] and world.there() == set()
    assert world.snapshots() == [] and world.backups() == set()


def gone_or_told(world: World) -> None:
    if not world.row().deleted:
        ended(world)
        assert world.row().status == "FAILED" and world.row().reason


async def create(world: World) -> None:
    world.create(source(net=NET, disk=disk()))


async def create_with_rollback(world: World) -> None:
    world.create(source(net=NET, disk=disk()), disable_rollback=False)


async def made(world: World) -> None:
    await create(world)
    await world.settle()


async def create_container(world: World) -> None:
    """Object storage takes part in no transaction of ours."""
    bed = {"type": "OS::Swift::Container", "properties": {"name": "bed"}, "depends_on": "net"}
    world.create(source(net=NET, bed=bed))


async def delete_container(world: World) -> None:
    await create_container(world)
    await world.settle()
    stacks.delete(world.core, world.ctx, world.stack_id, "rose")


async def update_in_place(world: World) -> None:
    await made(world)
    world.update(source(net=NET, disk=disk("other")))


async def replace(world: World) -> None:
    await made(world)
    world.update(source(net=NET, disk=disk(availability_zone="nova")))


def web(word: str) -> Source:
    """A server with a port and a volume that no other can have beside it."""
    port = {"network": {"get_resource": "net"}, "name": "p"}
    server = {"image": "disk", "flavor": "tiny", "networks": [{"port": {"get_resource": "port"}}], "user_data": word}
    plug = {"instance_uuid": {"get_resource": "web"}, "volume_id": {"get_resource": "bulk"}}
    return source(
        net=NET,
        sub={"type": "OS::Neutron::Subnet", "properties": {"network": {"get_resource": "net"}, "cidr": "10.1.0.0/24"}},
        port={"type": "OS::Neutron::Port", "properties": port},
        web={"type": "OS::Nova::Server", "properties": server},
        bulk={"type": "OS::Cinder::Volume", "properties": {"size": 1}},
        plug={"type": "OS::Cinder::VolumeAttachment", "properties": plug},
    )


async def standing(world: World, template: dict[str, Any]) -> None:
    """A stack with one server is there."""
    await world.garden()
    world.create(template)
    await world.settle()
    assert world.row().status == "COMPLETE", world.row().reason
    [world.first] = world.servers()


async def replace_server(world: World) -> None:
    await standing(world, web("a"))
    world.update(web("b"), disable_rollback=False)


def handed_on(world: World) -> None:
    """The new server has all that the old one had."""
    ended(world)
    assert (world.row().action, world.row().status) == ("UPDATE", "COMPLETE"), world.row().reason
    [new] = world.servers()
    assert new != world.first and world.has() == (new, new)


def given_back(world: World) -> None:
    """The old server has again all that it had."""
    ended(world)
    assert (world.row().action, world.row().status) == ("ROLLBACK", "COMPLETE"), world.row().reason
    assert world.servers() == [world.first] and world.has() == (world.first, world.first)


def one_has_all(world: World) -> None:
    """What was complete by the time that its job failed stays."""
    (handed_on if world.row().action == "UPDATE" else given_back)(world)


def somebody_has(world: World) -> None:
    """Where also the way back failed: nothing is left over, and the next update finds all."""
    ended(world)
    assert set(world.servers()) <= {row.physical_id for row in world.rows()}


def plain_server(flavor: str) -> Source:
    server = {"image": "disk", "flavor": flavor, "networks": [{"allocate_network": "none"}]}
    return source(web={"type": "OS::Nova::Server", "properties": server})


async def resize(world: World) -> None:
    await standing(world, plain_server("tiny"))
    world.update(plain_server("small"))


async def suspend(world: World) -> None:
    await standing(world, plain_server("tiny"))
    stacks.turn(world.core, world.ctx, world.stack_id, "rose", "SUSPEND")


def shown(world: World) -> tuple[str, str]:
    """The status of the server, which is the one that was there before, and its flavor."""
    assert world.servers() == [world.first]
    path = f"/v2.1/servers/{world.first}"
    found = inside.call(world.core, world.ctx, "compute", "GET", path, spoken="2.90")["server"]
    return found["status"], found["flavor"]["original_name"]


def resized(world: World) -> None:
    complete("web")(world)
    assert shown(world) == ("ACTIVE", "small")


def resized_or_told(world: World) -> None:
    """The server is there as it was or as it was to be, with no decision left to a user."""
    ended(world)
    status, flavor = shown(world)
    assert status == "ACTIVE" and flavor in ("tiny", "small")


def suspended(world: World) -> None:
    complete("web")(world)
    assert shown(world) == ("SUSPENDED", "tiny")


def suspended_or_told(world: World) -> None:
    ended(world)
    assert shown(world)[0] in ("ACTIVE", "SUSPENDED")


async def take_out(world: World) -> None:
    await made(world)
    world.update(source(net=NET))


async def delete(world: World) -> None:
    await made(world)
    stacks.delete(world.core, world.ctx, world.stack_id, "rose")


async def check(world: World) -> None:
    await made(world)
    stacks.turn(world.core, world.ctx, world.stack_id, "rose", "CHECK")


async def snapshot(world: World) -> None:
    await made(world)
    world.take()


async def kept(world: World) -> None:
    await snapshot(world)
    await world.settle()


async def restore(world: World) -> None:
    """The volume is there, and gets back what it held."""
    await kept(world)
    snapshots.restore(world.core, world.ctx, world.stack_id, "rose", world.snapshots()[0].id)


async def delete_snapshot(world: World) -> None:
    await kept(world)
    snapshots.delete(world.core, world.ctx, world.stack_id, "rose", world.snapshots()[0].id)


async def delete_with_snapshots(world: World) -> None:
    await kept(world)
    stacks.delete(world.core, world.ctx, world.stack_id, "rose")


def taken(world: World) -> None:
    complete("net", "disk")(world)
    assert [one.status for one in world.snapshots()] == ["COMPLETE"] and world.backups() == world.kept() != set()


def without_snapshots(world: World) -> None:
    complete("net", "disk")(world)
    assert world.snapshots() == [] and world.backups() == set()


async def delete_now(world: World) -> None:
    if not world.row().deleted:
        stacks.delete(world.core, world.ctx, world.stack_id, "rose")


Prepare = Callable[[World], Awaitable[None]]
Check = Callable[[World], None]
CASES: dict[str, tuple[str, Prepare, Check, Check]] = {
    "create": ("create_resource", create, complete("net", "disk"), ended),
    "create with rollback": ("create_resource", create_with_rollback, complete("net", "disk"), ended),
    "update in place": ("update_resource", update_in_place, complete("net", "disk"), ended),
    "replace": ("update_resource", replace, complete("net", "disk"), ended),
    "replace by a new one": ("create_resource", replace, complete("net", "disk"), ended),
    "replace a server": ("create_resource", replace_server, handed_on, one_has_all),
    "move a volume": ("update_resource", replace_server, handed_on, somebody_has),
    "resize a server": ("update_resource", resize, resized, resized_or_told),
    "suspend a server": ("turn_resource", suspend, suspended, suspended_or_told),
    "take out": ("delete_resource", take_out, complete("net"), ended),
    "delete": ("delete_resource", delete, gone, gone_or_told),
    "check": ("turn_resource", check, complete("net", "disk"), ended),
    "create a container": ("create_resource", create_container, complete("net", "bed"), ended),
    "delete a container": ("delete_resource", delete_container, gone, gone_or_told),
    "snapshot": ("turn_resource", snapshot, taken, ended),
    "restore": ("update_resource", restore, taken, ended),
    "delete a snapshot": ("delete_snapshot", delete_snapshot, without_snapshots, ended),
    "delete with snapshots": ("delete_snapshot", delete_with_snapshots, gone, gone_or_told),
}


CONTAINERS = ("create a container", "delete a container")
SERVERS = ("replace a server", "move a volume", "resize a server", "suspend a server")
BY_NIGHT = (*CONTAINERS, *SERVERS, "snapshot", "restore", "delete a snapshot", "delete with snapshots")
"""What waits for hosts at length."""


def some(*nightly: str) -> list[Any]:
    """All cases, these by night alone."""
    return [pytest.param(name, marks=pytest.mark.nightly) if name in nightly else name for name in CASES]


ALL_BUT_LONGEST, SHORT = some("delete with snapshots", *CONTAINERS, *SERVERS), some(*BY_NIGHT)


@pytest.fixture(autouse=True)
def ports_are_plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but jobs runs here: no host follows the network that is wanted."""
    monkeypatch.setattr(network, "ports_settled", lambda tx, server_id: {})


def scenario(name: str, new_core: Callable[[], Core], *, lost: bool = False) -> Scenario:
    operation, prepare, done, unwound = CASES[name]
    worlds: dict[int, World] = {}

    async def start() -> Core:
        world = World(new_core())
        worlds[id(world.core)] = world
        await prepare(world)
        return world.core

    if lost and name in ("replace", "move a volume"):
        # The job that orders the new one has nothing to do with hosts; what it orders fails and says so.
        done = unwound
    if lost and name == "replace a server":
        # The way back needs the host, too.
        done = unwound = somebody_has
    [found] = [candidate for candidate in OPERATIONS if candidate.name == f"orchestration.{operation}"]
    return Scenario(
        found,
        start,
        lambda core: done(worlds[id(core)]),
        lambda core: unwound(worlds[id(core)]),
        ALL,
        delete=lambda core: delete_now(worlds[id(core)]),
        deleted=lambda core: gone(worlds[id(core)]),
        clean=lambda core: gone(worlds[id(core)]),
    )


@pytest.mark.parametrize("name", ALL_BUT_LONGEST)
def test_a_failing_step_ends_the_action_and_leaves_no_orphan(name: str, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.fails_at_each_step(scenario(name, new_core)))


@pytest.mark.parametrize("name", ALL_BUT_LONGEST)
def test_a_step_that_runs_twice_changes_nothing(name: str, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.repeats_each_step(scenario(name, new_core)))


@EACH_FIFTH_BY_DAY
@pytest.mark.parametrize("name", SHORT)
def test_a_killed_process_is_carried_on_by_the_next(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.killed_between_writes(scenario(name, new_core), every=every))


@EACH_FIFTH_BY_DAY
@pytest.mark.parametrize("name", SHORT)
def test_a_process_killed_while_it_fails_is_carried_on(name: str, every: int, new_core: Callable[[], Core]) -> None:
    asyncio.run(testing.killed_while_unwinding(scenario(name, new_core), every=every))


@EACH_THIRD_BY_DAY
@pytest.mark.parametrize("name", SHORT)
def test_a_lost_host_holds_nothing_up_and_the_stack_can_be_deleted(
    name: str, every: int, new_core: Callable[[], Core]
) -> None:
    asyncio.run(testing.loses_its_host(scenario(name, new_core, lost=True), every=every))
