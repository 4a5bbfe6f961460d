"""Whether a guest listens is asked from within its own network, and from nowhere else."""

from __future__ import annotations

import msgspec
import pytest
from network_lab import OPEN, Guest, Host, Net, new_id, on_host

from tane.agent.network.knocking import FIRST_PORT
from tane.agent.network.plan import NetworkSettings, dhcp_namespace
from tane.wire.asking import Door
from tane.wire.documents import NetworkState, Router, SecurityGroup, SecurityGroupRule

pytestmark = pytest.mark.root

CLOSED = SecurityGroup(id="shut", rules=(SecurityGroupRule(direction="egress"),))


def test_a_guest_that_listens_answers_and_others_do_not(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        ports = [host.port(net, f"10.0.0.{last}", group) for last, group in ((11, "open"), (12, "open"), (13, "shut"))]
        listens, silent, shut = (host.plug(port) for port in ports)
        state = NetworkState(
            revision=1, networks=(net.document(dhcp=True),), ports=tuple(ports), security_groups=(OPEN, CLOSED)
        )
        await host.apply(state)
        host.serve(listens, "one", 80)
        host.serve(shut, "three", 80)
        doors = [Door(port_id=port.id, tcp_port=80) for port in ports]
        told = await host.network.knock([*doors, Door(port_id=new_id(), tcp_port=80)])
        assert told == {
            listens.port.id: "",
            silent.port.id: "10.0.0.12 at TCP port 80: Connection refused",
            shut.port.id: "no answer from 10.0.0.13 at TCP port 80",
        }
        # Answers come in there, and nobody begins a connection by that: not even where something listens.
        host.serve(Guest(listens.port, dhcp_namespace(net.id)), "two", FIRST_PORT)
        assert host.talk(dhcp_namespace(net.id), "127.0.0.1", FIRST_PORT).name == "two"
        assert host.talk(listens.namespace, "10.0.0.2", FIRST_PORT).name == ""
        # Without DHCP the router asks; without both nobody can.
        router = Router(id=new_id(), interfaces=(net.leg(),))
        plain = msgspec.structs.replace(state, networks=(net.document(),))
        await host.apply(plain)
        assert await host.network.knock(doors) == {}
        await host.apply(msgspec.structs.replace(plain, routers=(router,)))
        assert (await host.network.knock(doors[:1]))[listens.port.id] == ""

    on_host(settings, body)
