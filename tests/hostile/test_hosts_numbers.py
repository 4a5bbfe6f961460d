"""A host that tells numbers which no database holds, or that are none of its business, stops its own networks alone."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import time
from typing import Any

import msgspec
import pytest
from msgspec import inspect as types

import tane.wire
from tane.agent.network.fake import FakeNetwork
from tane.services.network.store import convergence
from tane.wire.documents import NetworkApplied, NetworkState
from tane.wire.errors import OlderRevision
from tests.api.network_support import Net, add_host
from tests.services.network.following import SECONDS, make, replace_network, until, while_following
from tests.support import ApiCloud

NUMBERS = [2**31 - 1, 2**53, 2**62, 2**63 - 1, 2**70]


class Boasting(FakeNetwork):
    """Has seen everything already."""

    def __init__(self, number: int) -> None:
        super().__init__("192.0.2.2")
        self.number, self.asked = number, 0

    async def apply(self, state: NetworkState) -> NetworkApplied:
        self.asked += 1
        raise OlderRevision(state.revision, self.number)


class Miscounting(FakeNetwork):
    """Answers to a document that nobody sent, once it is trusted."""

    def __init__(self, number: int) -> None:
        super().__init__("192.0.2.2")
        self.number, self.asked = number, 0

    async def apply(self, state: NetworkState) -> NetworkApplied:
        answer = await super().apply(state)
        if state.since is not None:
            self.asked += 1
            answer = msgspec.structs.replace(answer, revision=self.number)
        return answer


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", [Boasting, Miscounting])
def test_what_one_host_counts_is_nothing_to_the_others(
    cloud: ApiCloud, kind: type[Boasting] | type[Miscounting], number: int
) -> None:
    add_host(cloud.core, "alpha", "192.0.2.1")
    add_host(cloud.core, "beta", "192.0.2.2")
    admin, evil = Net(cloud.admin), kind(number)
    replace_network(cloud, "id-beta", evil)
    network_id = admin.subnet()["network_id"]

    def revision() -> int:
        with cloud.core.db.read() as tx:
            return convergence.number(tx)[0]

    async def port(host: str) -> Any:
        body = {"port": {"network_id": network_id, "binding:host_id": host}}
        return (await make(cloud, admin, "POST", "ports", body))["id"]

    async def is_active(port_id: str) -> bool:
        return bool((await make(cloud, admin, "GET", f"ports/{port_id}"))["status"] == "ACTIVE")

    async def work() -> None:
        for _ in range(3):
            await port("beta")
            mine = await port("alpha")
            end = time.monotonic() + SECONDS
            while not await is_active(mine):
                assert time.monotonic() < end, "a port of another host does not become active"
                await asyncio.sleep(0.02)
        await until(lambda: evil.asked > 0, "the host is asked")

    while_following(cloud, work)
    assert revision() < 10_000


def numbers(found: Any) -> list[types.IntType]:
    if isinstance(found, types.IntType):
        return [found]
    inner: list[Any] = []
    for name in ("types", "item_types"):
        inner += getattr(found, name, ())
    for name in ("item_type", "key_type", "value_type"):
        inner += [getattr(found, name)] if getattr(found, name, None) is not None else []
    return [one for part in inner for one in numbers(part)]


def documents() -> list[type[msgspec.Struct]]:
    found = set()
    for module in pkgutil.iter_modules(tane.wire.__path__, "tane.wire."):
        for _, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(one, msgspec.Struct) and one.__module__.startswith("tane.wire."):
                found.add(one)
    return sorted(found, key=lambda one: one.__qualname__)


def test_every_number_that_is_sent_has_bounds() -> None:
    unbounded = []
    for document in documents():
        described = types.type_info(document)
        assert isinstance(described, types.StructType)
        for field in described.fields:
            if any(one.le is None or one.ge is None for one in numbers(field.type)):
                unbounded.append(f"{document.__qualname__}.{field.name}")
    assert len(documents()) > 50
    assert unbounded == []
