"""Flat networks that the machine's own bridges are in, met by ports and floating IPs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import msgspec
import pytest

from tane.agent.network.plan import NetworkSettings
from tane.agent.network.planner import plan
from tane.linux import netns
from tane.wire.documents import FloatingIp, FloatingLeg, Network, NetworkState, Router
from tests.host.network.network_lab import OPEN, Host, Net, eventually, host_of, inside, pings, run

pytestmark = pytest.mark.root


class Outside:
    """A machine with the bridge ``br-ex``, and a wire from it to a namespace that stands for the network outside."""

    def __init__(self, unique: str) -> None:
        self.machine, self.world = f"t{unique}-m", f"t{unique}-w"
        for namespace in (self.machine, self.world):
            netns.create(namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        at_machine = ("ip", "-n", self.machine, "link")
        run(*at_machine, "add", "br-ex", "type", "bridge")
        run(*at_machine, "add", "nic", "type", "veth", "peer", "name", "eth0", "netns", self.world)
        run(*at_machine, "set", "nic", "master", "br-ex", "up")
        run(*at_machine, "set", "br-ex", "up")
        run("ip", "-n", self.world, "link", "set", "eth0", "up")
        run("ip", "-n", self.world, "address", "add", "192.0.2.1/24", "dev", "eth0")

    def reaches(self, target: str) -> bool:
        return eventually(lambda: pings(self.world, target))

    def remove(self) -> None:
        for namespace in (self.machine, self.world):
            netns.remove(namespace)


@pytest.fixture
def outside(settings: NetworkSettings) -> Iterator[Outside]:
    made = Outside(settings.cloud_id)
    yield made
    made.remove()


def flat(net: Net, *, dhcp: bool = False) -> Network:
    return msgspec.structs.replace(net.document(dhcp=dhcp), physical_network="lan", mtu=1500)


def on_machine(settings: NetworkSettings, outside: Outside, body: Callable[[Host], Awaitable[None]]) -> None:
    async def main() -> None:
        async with host_of(replace(settings, bridges={"lan": "br-ex"}), outside.machine) as host:
            await body(host)

    asyncio.run(main())


def test_guests_are_in_a_network_of_the_machine(settings: NetworkSettings, outside: Outside) -> None:
    net = Net(21, prefix="192.0.2")

    async def body(host: Host) -> None:
        port = host.port(net, "192.0.2.10", "open")
        guest = host.plug(port)
        networks = (flat(net, dhcp=True),)
        state = NetworkState(revision=1, networks=networks, ports=(port,), security_groups=(OPEN,))
        await host.apply(state)
        assert guest.reaches("192.0.2.1") and outside.reaches("192.0.2.10")
        # Another host serves DHCP with the same address: each is for its own guests alone.
        assert guest.reaches("192.0.2.2") and not pings(outside.world, "192.0.2.2")
        writes = host.network.kernel_writes
        await host.apply(state)
        assert host.network.kernel_writes == writes
        await host.apply(NetworkState(revision=2))
        assert "tb-" not in run("ip", "-n", outside.machine, "link")

    on_machine(settings, outside, body)


def test_a_floating_ip_in_a_flat_network_is_met_at_the_host_itself(settings: NetworkSettings, outside: Outside) -> None:
    lan, inner = Net(23, prefix="192.0.2"), Net(24)

    async def body(host: Host) -> None:
        port, other = host.port(inner, "10.0.0.10", "open"), host.port(inner, "10.0.0.11", "open")
        guest = host.plug(port, gateway="10.0.0.1")
        plain = host.plug(other, gateway="10.0.0.1")
        leg = FloatingLeg(
            port_id="f1f1f1f1-0000",
            network_id=lan.id,
            mac_address="fa:16:3e:00:00:50",
            cidr="192.0.2.0/24",
            next_hop="192.0.2.1",
        )
        floating = FloatingIp(
            id="f1", floating_ip_address="192.0.2.50", fixed_ip_address="10.0.0.10", port_id=port.id, leg=leg
        )
        router = Router(id="r1r1r1r1-0000", interfaces=(inner.leg(),), floating_ips=(floating,))
        await host.apply(
            NetworkState(
                revision=1,
                networks=(flat(lan), inner.document()),
                ports=(port, other),
                routers=(router,),
                security_groups=(OPEN,),
            )
        )
        assert outside.reaches("192.0.2.50") and guest.reaches("192.0.2.1")
        # Who it is seen as, there; who has no floating IP has no way outside from this host.
        assert "192.0.2.50" in inside(outside.world, "ip", "neigh")
        assert plain.is_cut_off_from("192.0.2.1") and plain.reaches("10.0.0.10")

    on_machine(settings, outside, body)


def test_a_host_without_a_bridge_in_the_network_says_so(settings: NetworkSettings) -> None:
    net = Net(25, prefix="192.0.2")
    made = plan(NetworkState(revision=1, networks=(flat(net),)), settings, "bridge")
    assert "bridge_mappings" in made.failed[net.id] and "lan" in made.failed[net.id]
