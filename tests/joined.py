"""Hosts that join a cloud of a test over TLS on loopback; their agents live in the cloud's own process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tane.agent import cloud as agent_cloud
from tane.agent.cloud import CloudLine, DistantImages, Files
from tane.agent.compute.drivers.fake import FakeCompute
from tane.agent.network.fake import FakeNetwork
from tane.agent.objects import ObjectFiles
from tane.agent.volume.drivers.fake import FakeVolume
from tane.for_hosts import ForHost
from tane.hosts.listener import Listener
from tane.services.host import interface as hosts
from tane.wire.calls import Answering, Distant
from tane.wire.duties import CloudDuty, ComputeDuty, NetworkDuty, ObjectDuty, VolumeDuty
from tane.wire.joining import USUAL_ROLES, HostFacts, Range, Role, duties_of
from tane.wire.joining import token as parse
from tests.ports import free_port
from tests.support import ApiCloud


@contextlib.asynccontextmanager
async def listening(cloud: ApiCloud) -> AsyncIterator[Listener]:
    """The cloud listens for hosts while the block runs."""
    door = Listener(
        cloud.core, functools.partial(ForHost, cloud.core), hosts.remove, ("127.0.0.1", free_port()), "127.0.0.1", True
    )
    cloud.core.hosts.door = door
    try:
        yield door
    finally:
        cloud.core.hosts.door = None
        await door.close()
        for _ in range(5):
            # Connections that were broken off are closed in the turns after it.
            await asyncio.sleep(0)


async def new_token(cloud: ApiCloud, **wanted: Any) -> str:
    """The text of a new join token, from the API."""
    headers = {"X-Auth-Token": await _admin(cloud)}
    answer = await cloud._client.post("/hosts/tokens", json={"token": wanted}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"]["token"])


async def api(cloud: ApiCloud, method: str, path: str, **kwargs: Any) -> Any:
    """A call of the administrator's while agents are at work."""
    return await cloud._client.request(method, path, headers={"X-Auth-Token": await _admin(cloud)}, **kwargs)


async def _admin(cloud: ApiCloud) -> str:
    from tests.support import ADMIN_PASSWORD

    user = {"name": "admin", "password": ADMIN_PASSWORD, "domain": {"id": "default"}}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": scope}}
    answer = await cloud._client.post("/identity/v3/auth/tokens", json=body)
    return str(answer.headers["x-subject-token"])


@dataclass
class Agent:
    """A simulated host. ``compute``, ``network`` and ``volume`` are its duties, as a test may look at them."""

    folder: Path
    name: str
    host_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: str = field(default_factory=lambda: str(uuid.uuid4()))
    roles: tuple[Role, ...] = USUAL_ROLES
    local_ip: str = "192.0.2.7"
    simulated: bool = True
    ranges: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.compute = FakeCompute(self.name)
        self.network = FakeNetwork(self.local_ip)
        self.volume = FakeVolume()
        self.objects = ObjectFiles(self.folder / "objects")

    @property
    def files(self) -> Files:
        return Files(self.folder)

    async def join(self, token: str) -> None:
        await agent_cloud.join(self.files, parse(token), self.host_id, self.name, self.roles, simulated=self.simulated)

    def facts(self) -> HostFacts:
        return HostFacts(
            name=self.name,
            roles=self.roles,
            started=self.started,
            release="0",
            local_ip=self.local_ip,
            ranges=tuple(Range(cidr=cidr, interface="eth0") for cidr in self.ranges),
            capabilities=self.compute._capabilities,
        )

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[CloudLine]:
        """Its agent runs while the block does, and is connected when it begins."""
        member = self.files.read()
        assert member is not None
        line = CloudLine(self.files, member)
        self.cloud = cast(CloudDuty, Distant(CloudDuty, "cloud", line))
        self.images = DistantImages(self.cloud)
        duties = {
            "compute": (ComputeDuty, self.compute),
            "network": (NetworkDuty, self.network),
            "volume": (VolumeDuty, self.volume),
            "object": (ObjectDuty, self.objects),
        }

        async def facts() -> HostFacts:
            return self.facts()

        asked = {name: duties[name] for name in duties_of(self.roles)}
        task = asyncio.create_task(line.serve(Answering(asked), facts))
        waiting = asyncio.create_task(line.connected.wait())
        try:
            await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED, timeout=20)
            if task.done():
                task.result()
            yield line
        finally:
            waiting.cancel()
            task.cancel()
            await asyncio.gather(task, waiting, return_exceptions=True)
