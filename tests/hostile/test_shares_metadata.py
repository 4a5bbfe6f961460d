"""Whoever holds connections to the metadata service, by however many ports, keeps nobody else on a network from it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from tane.agent.network import metadata
from tane.agent.network.fake import FakeNetwork
from tane.agent.network.plan import NetworkSettings
from tane.agent.network.planner import plan
from tane.wire.documents import FixedIp, NetworkState, Port
from tests.api.compute_support import project
from tests.host.network.network_lab import Net, new_id
from tests.hostile.test_metadata_imitation import REQUEST, Asked
from tests.support import HOST_ID, ApiCloud

PORTS = {f"127.0.1.{number}": f"port-{number}" for number in range(1, 41)}
"""Four greedy projects have ten ports each."""
PROJECTS = {port: f"greedy-{number % 4}" for number, port in enumerate(PORTS.values())} | {"mine": "patient"}
Held = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SILENT = {
    "nothing": b"",
    "a byte": b"G",
    "a head": REQUEST[:-2],
    "half a body": b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1",
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "MAX_PER_PORT", 3)
    monkeypatch.setattr(metadata, "MAX_PER_PROJECT", 8)
    monkeypatch.setattr(metadata, "MAX_CONNECTIONS", 32)


async def connect(port: int, source: str, says: bytes = b"") -> Held:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(says)
    await asyncio.sleep(0)
    return reader, writer


async def answered(port: int, source: str) -> bool:
    reader, writer = await connect(port, source, REQUEST)
    try:
        return b" 200 OK" in await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return False
    finally:
        writer.close()


async def flood(port: int, projects: set[str], says: bytes, rounds: int = 3) -> list[Held]:
    sources = [source for source, name in PORTS.items() if PROJECTS[name] in projects]
    return [await connect(port, source, says) for _ in range(rounds) for source in sources]


def on_a_leg(work: Callable[[Asked, int], Awaitable[list[Held]]], asked: Asked | None = None) -> None:
    async def main() -> None:
        seen = asked or Asked()
        async with seen.served(*PORTS.items(), projects=PROJECTS) as port:
            for _, writer in await work(seen, port):
                with contextlib.suppress(ConnectionError):
                    writer.close()

    asyncio.run(main())


@pytest.mark.parametrize("says", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("greedy", [{"greedy-0"}, set(PROJECTS.values()) - {"patient"}], ids=["one", "four"])
def test_silent_connections_keep_nobody_from_the_metadata(greedy: set[str], says: bytes) -> None:
    """Neither those of one project, nor those of as many as fill the leg; what its own guests ask beside them is heard,
    too."""

    async def work(asked: Asked, port: int) -> list[Held]:
        held = await flood(port, greedy, says)
        for _ in range(3):
            assert await answered(port, "127.0.0.1")
            assert await answered(port, "127.0.1.1")
            held += await flood(port, greedy, says, rounds=1)
        return held

    on_a_leg(work)


def test_a_project_has_its_share_of_a_leg_and_no_more() -> None:
    class Slow(Asked):
        gate = asyncio.Event()

        async def source(self, port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
            if port_id != "mine":
                await self.gate.wait()
            return await super().source(port_id, path, headers)

    async def work(asked: Asked, port: int) -> list[Held]:
        held = await flood(port, {"greedy-0"}, REQUEST)
        await asyncio.sleep(0.1)
        assert not await answered(port, "127.0.1.1"), "those who are being answered make no room"
        assert await answered(port, "127.0.0.1")
        Slow.gate.set()
        texts = await asyncio.gather(*(reader.read() for reader, _ in held), return_exceptions=True)
        assert sum(isinstance(text, bytes) and b" 200 OK" in text for text in texts) == 8
        assert await answered(port, "127.0.1.1")
        return held

    on_a_leg(work, Slow())


def test_who_does_not_take_the_answer_makes_room() -> None:
    class Large(Asked):
        async def source(self, port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
            status, kind, body = await super().source(port_id, path, headers)
            return status, kind, body if port_id == "mine" else bytes(32 << 20)

    async def work(asked: Asked, port: int) -> list[Held]:
        held = await flood(port, set(PROJECTS.values()) - {"patient"}, REQUEST, rounds=1)
        async with asyncio.timeout(10):
            while len(asked.headers) < 32:  # noqa: ASYNC110  # Nobody tells us.
                await asyncio.sleep(0.02)
        assert await answered(port, "127.0.0.1")
        return held

    on_a_leg(work, Large())


def test_a_leg_knows_whose_each_port_is() -> None:
    net = Net(5)
    documents = tuple(
        Port(
            id=new_id(),
            network_id=net.id,
            mac_address=f"fa:16:3e:00:00:{number:02x}",
            device=f"tap{number}",
            fixed_ips=(FixedIp(subnet_id=net.subnet_id, ip_address=f"10.0.0.{number}"),),
            project_id=project,
        )
        for number, project in ((11, "garden"), (12, "shed"), (13, None))
    )
    state = NetworkState(revision=1, networks=(net.document(dhcp=True),), ports=documents)
    settings = NetworkSettings(state_dir=Path("/nowhere"), cloud_id="test")
    (listener,) = plan(msgspec.convert(msgspec.to_builtins(state), NetworkState), settings, "inet").listeners
    assert listener.projects == {documents[0].id: "garden", documents[1].id: "shed"}


def test_a_host_is_told_whose_each_port_is(cloud: ApiCloud) -> None:
    """Also on a network that somebody else shares."""
    lender, borrower = project(cloud, "lender"), project(cloud, "borrower")
    cloud.admin.put(f"/network/v2.0/networks/{lender.network_id}", {"network": {"shared": True}}, 200)
    borrower.network_id = lender.network_id
    servers = {lender.server(): lender.user.project_id, borrower.server(): borrower.user.project_id}
    duty = cloud.core.hosts.agent(HOST_ID).network
    assert isinstance(duty, FakeNetwork)
    assert duty.state is not None
    assert len(servers) == 2
    assert {port.project_id for port in duty.state.ports} == set(servers.values())
