"""Clouds whose hosts follow the database while a test works."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tane.agent.network.fake import FakeNetwork
from tane.hosts import store as host_store
from tane.services.network.reconcilers import hosts as all_hosts
from tane.services.network.reconcilers.hosts import follow
from tane.services.network.store import convergence
from tane.wire.duties import NetworkDuty
from tests.api.network_support import Net
from tests.support import HOST_ID, ApiCloud

SECONDS = 10.0
"""What is not so by then is never so."""


def bind(admin: Net, network_id: str, host: str, **values: Any) -> Any:
    return admin.make("port", network_id=network_id, **{"binding:host_id": host}, **values)


@contextlib.asynccontextmanager
async def following(cloud: ApiCloud) -> AsyncIterator[None]:
    """Hosts follow the database while the block runs; what waits for more waits a tenth of what it does elsewhere."""
    before = all_hosts.LATER_SECONDS, all_hosts.LOOK_SECONDS
    all_hosts.LATER_SECONDS, all_hosts.LOOK_SECONDS = (seconds / 10 for seconds in before)
    task = asyncio.create_task(follow(cloud.core))
    try:
        yield
    finally:
        all_hosts.LATER_SECONDS, all_hosts.LOOK_SECONDS = before
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


def replace_network(cloud: ApiCloud, host_id: str, duty: NetworkDuty) -> None:
    """From now on the host's networks are made by ``duty``."""
    cloud.core.hosts.add(dataclasses.replace(cloud.core.hosts.agent(host_id), network=duty))


def with_tunnels(cloud: ApiCloud) -> FakeNetwork:
    """The first host, with an address for tunnels."""
    duty = FakeNetwork("192.0.2.9")
    replace_network(cloud, HOST_ID, duty)
    with cloud.core.db.write() as tx:
        host_store.change(tx, HOST_ID, local_ip="192.0.2.9")
    return duty


def while_following(cloud: ApiCloud, work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with following(cloud):
            await work()

    cloud.wait(run())


async def make(cloud: ApiCloud, who: Net, method: str, path: str, body: Any = None) -> Any:
    """A call of the API on the loop on which hosts are followed."""
    headers = {"X-Auth-Token": who.who.token}
    answer = await cloud._client.request(method, f"/network/v2.0/{path}", headers=headers, json=body)
    assert answer.status_code < 300, answer.text
    return next(iter(answer.json().values())) if answer.content else None


def passes(*duties: FakeNetwork) -> list[int]:
    return [duty.passes for duty in duties]


async def settled(cloud: ApiCloud, *duties: FakeNetwork) -> list[int]:
    """How often each has applied, once every host has what is wanted of it and none applies any more."""
    counts: list[int] = []
    while True:
        await asyncio.sleep(3 * all_hosts.LATER_SECONDS)
        if passes(*duties) == counts and not await asyncio.to_thread(_behind, cloud):
            return counts
        counts = passes(*duties)


def _behind(cloud: ApiCloud) -> bool:
    with cloud.core.db.read() as tx:
        return any(row.revision < row.wanted for row in convergence.hosts(tx))
