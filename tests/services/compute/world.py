"""The world in which sagas of compute are tried, and what is seen of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from tane.agent.compute.drivers.fake import FakeCompute
from tane.agent.volume.drivers.fake import FakeVolume
from tane.core import Core
from tane.hosts import allocations
from tane.hosts.tables import allocation
from tane.jobs.runner import Runner
from tane.jobs.testing import Scenario
from tane.services.compute.domain import create, flavors, servers
from tane.services.compute.operations import OPERATIONS
from tane.services.compute.schemas import NetworkIn, SchedulerHints, ServerCreateIn
from tane.services.compute.store import block_devices
from tane.services.compute.store import servers as server_rows
from tane.services.image import interface as images
from tane.services.network import interface as network
from tane.services.network.domain import networks, subnets
from tane.services.network.tables import port
from tane.services.volume import interface as volumes
from tane.services.volume.operations import OPERATIONS as VOLUME_OPERATIONS
from tane.services.volume.store import volumes as volume_rows
from tane.web.context import Context
from tests.support import HOST_ID

ADMIN = Context("req-1", user_id="mia", project_id="garden", roles=("admin", "member", "reader"))
ALL = (*OPERATIONS, *VOLUME_OPERATIONS)
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@dataclass
class World:
    """One core with an image, a flavor and a network; ``server_id`` is what the operation under test works on."""

    core: Core
    image_id: str = ""
    network_id: str = ""
    server_id: str = ""
    volume_id: str = ""
    port_id: str = ""
    made: list[str] = field(default_factory=list)
    disk: str = ""
    """Of the server's guest, before the operation under test."""

    @property
    def host(self) -> FakeCompute:
        duty = self.core.hosts.agent(HOST_ID).compute
        assert isinstance(duty, FakeCompute)
        return duty

    @property
    def pool(self) -> FakeVolume:
        duty = self.core.hosts.agent(HOST_ID).volume
        assert isinstance(duty, FakeVolume)
        return duty

    async def prepare(self) -> None:
        with self.core.db.write() as tx:
            self.image_id = images.create_image(
                tx, self.core, ADMIN, name="disk", disk_format="raw", container_format="bare", properties={}
            )
        path = images.scratch_path(self.core, self.image_id)
        path.write_bytes(b"an image")
        await images.store_file(self.core, self.image_id, path)
        size = {"ram": 64, "vcpus": 1, "disk": 1, "ephemeral": 0, "swap": 0}
        rest = {"rxtx_factor": 1.0, "is_public": True, "description": None}
        flavors.create(self.core, {"id": "tiny", "name": "tiny", **size, **rest})
        self.network_id = _network(self.core)

    def order(self, **more: Any) -> None:
        """Write a server and its job; its port is in place at once."""
        more.setdefault("networks", [NetworkIn(uuid=self.network_id)])
        body = ServerCreateIn(name="web", flavorRef="tiny", **more)
        [self.server_id] = create.create(self.core, ADMIN, body, SchedulerHints()).server_ids
        self.plug()

    def plug(self) -> None:
        with self.core.db.write() as tx:
            tx.execute(update(port).where(port.c.device_id == self.server_id).values(status="ACTIVE"))

    async def settle(self) -> None:
        await Runner(self.core, ALL).drain()

    async def running(self, **more: Any) -> None:
        self.order(imageRef=self.image_id, **more)
        await self.settle()
        assert self.row().vm_state == "active", self.row().fault
        self.disk = self.host.disks[self.server_id]

    def row(self) -> Any:
        with self.core.db.read() as tx:
            return server_rows.get(tx, self.server_id, deleted=True)

    def state(self) -> tuple[str, str | None, str]:
        """(vm_state, task_state, the guest's own state)."""
        row = self.row()
        return row.vm_state, row.task_state, self.host._states.get(self.server_id, "absent")

    def devices(self) -> list[Any]:
        with self.core.db.read() as tx:
            return block_devices.of_server(tx, self.server_id)

    def ports(self) -> list[Any]:
        with self.core.db.read() as tx:
            return network.server_ports(tx, self.server_id)

    def claimed(self) -> dict[str, dict[str, int]]:
        with self.core.db.read() as tx:
            sums: dict[str, Counter[str]] = {}
            for row in tx.all(select(allocation)):
                sums.setdefault(row.host_id, Counter())[row.resource_class] += row.amount
            assert allocations.used(tx) == sums, "the sums are those of the claims"
            return allocations.of_consumer(tx, self.server_id)

    def volume(self) -> Any:
        with self.core.db.read() as tx:
            return volumes.volume_info(tx, None, self.volume_id)

    async def new_volume(self) -> str:
        with self.core.db.write() as tx:
            self.volume_id = volumes.create_volume(tx, ADMIN, size=1)
        await self.settle()
        return self.volume_id


def _network(core: Core) -> str:
    [network_id] = networks.create(core, ADMIN, [{"name": "lan"}])
    subnets.create(core, ADMIN, [{"network_id": network_id, "cidr": "10.1.0.0/24", "ip_version": 4}])
    return network_id


Prepare = Callable[[World], Awaitable[None]]
Check = Callable[[World], None]


async def delete_server(world: World) -> None:
    if not world.row().deleted:
        servers.delete(world.core, ADMIN, world.server_id)


def row_gone(world: World) -> None:
    """What a tenant sees of a deleted server, its host lost or not."""
    row = world.row()
    assert row.deleted and row.task_state is None, row.fault
    assert world.claimed() == {}
    assert world.ports() == [] and world.devices() == []
    if world.volume_id:
        with world.core.db.read() as tx:
            volume = volume_rows.get(tx, world.volume_id)
        assert volume is None or volume.status in ("available", "error")


def nothing_left(world: World) -> None:
    """What the operator finds on the host of a deleted server."""
    row_gone(world)
    assert world.server_id not in world.host._states
    exported = [volume_id for volume_id, volume in world.pool._volumes.items() if volume.connection]
    assert exported == []


Case = tuple[str, Prepare, Check, Check]
"""(operation, what comes before, what is so when it is done, what is so when it was turned round)"""


def scenario_of(case: Case, new_core: Callable[[], Core]) -> Scenario:
    name, prepare, done, unwound = case
    worlds: dict[int, World] = {}

    async def start() -> Core:
        core = new_core()
        world = worlds[id(core)] = World(core)
        await world.prepare()
        await prepare(world)
        return core

    return Scenario(
        BY_NAME[f"compute.{name}"],
        start,
        done=lambda core: done(worlds[id(core)]),
        unwound=lambda core: unwound(worlds[id(core)]),
        operations=ALL,
        delete=lambda core: delete_server(worlds[id(core)]),
        deleted=lambda core: row_gone(worlds[id(core)]),
        clean=lambda core: nothing_left(worlds[id(core)]),
    )
