"""What the roles of hosts mean (docs/guides/topologies.md)."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tane.services.host import interface as hosts_service
from tane.services.network.store import gateway_hosts
from tests.api.compute_support import Project, V
from tests.api.test_hosts import _server, beta, garden
from tests.joined import Agent, api, listening, new_token
from tests.support import HOST_ID

__all__ = ["beta", "garden"]


def test_a_host_for_servers_alone_has_their_networks_and_is_no_way_out(
    garden: Project, beta: Agent, tmp_path: Path
) -> None:
    """Roles of hosts: what a server needs where it is comes with the role ``compute``."""
    cloud = garden.cloud
    beta.roles = ("compute",)
    store = Agent(tmp_path / "store", "store", roles=("volume",), local_ip="192.0.2.8")

    async def work() -> None:
        async with listening(cloud), contextlib.AsyncExitStack() as both:
            for agent in (beta, store):
                await agent.join(await new_token(cloud, roles=list(agent.roles)))
                await both.enter_async_context(agent.connected())
            await api(cloud, "PUT", "/hosts/host-1", json={"host": {"enabled": False}})
            await _server(garden, "far")
            [shown] = (await api(cloud, "GET", f"{V}/servers/detail?all_tenants=1")).json()["servers"]
            assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "beta")
            agents = (await api(cloud, "GET", "/network/v2.0/agents")).json()["agents"]
            assert sorted(agent["host"] for agent in agents) == ["beta", "host-1", "store"]
            for agent in agents:
                if agent["host"] == "host-1":
                    off = {"agent": {"admin_state_up": False}}
                    await api(cloud, "PUT", f"/network/v2.0/agents/{agent['id']}", json=off)
            with cloud.core.db.read() as tx:
                ways_out = set(gateway_hosts.every(tx).values())
            assert not {beta.host_id, store.host_id} & ways_out, "only hosts with the role network are gateways"

    cloud.wait(work())


def test_the_clouds_own_machine_keeps_a_role_while_something_is_on_it(garden: Project) -> None:
    garden.server()
    with garden.cloud.core.db.read() as tx:
        assert hosts_service.roles_refused(tx, HOST_ID, ("compute", "network", "volume")) is None
        assert "1 servers are on this host" in str(hosts_service.roles_refused(tx, HOST_ID, ()))
