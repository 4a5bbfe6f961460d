"""Passes repeat, mend and clean up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from network_lab import (
    EXTERNAL_GATEWAY,
    OPEN,
    External,
    Host,
    Net,
    eventually,
    floating,
    host_of,
    inside,
    new_id,
    nobody,
    on_host,
    pings,
    run,
)

from tane.agent.network.duty import LinuxNetwork
from tane.agent.network.plan import NetworkSettings, bridge_name
from tane.linux import netns
from tane.wire.documents import HostPeer, HostsNetwork, NetworkState, Port, RemotePort, Router
from tane.wire.errors import OlderRevision, WholeNeeded

pytestmark = pytest.mark.root


def whole(host: Host, net: Net, *ports: Port) -> NetworkState:
    """A document with one of everything."""
    external = External()
    router = Router(
        id=new_id(),
        interfaces=(net.leg(),),
        gateway=external.gateway(),
        floating_ips=(floating(ports[0], "203.0.113.51"),),
    )
    return NetworkState(
        revision=1,
        networks=(net.document(dhcp=True), external.document()),
        ports=ports,
        routers=(router,),
        security_groups=(OPEN,),
        external=(external.leg(),),
    )


def traces() -> tuple[list[str], str, str]:
    """Namespaces, links and rules of the machine as its users see them."""
    links = [line.split()[0] for line in run("ip", "-br", "link").splitlines()]
    return run("ip", "netns").split("\n"), " ".join(links), run("nft", "list", "ruleset")


def processes_in(folder: Path) -> list[str]:
    """Programs that run in a folder of the state's."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append(entry.name)
        except OSError:
            continue
    return found


def ours(settings: NetworkSettings, state: NetworkState) -> list[str]:
    """What on the machine belongs to the cloud: the machine is shared with other tests."""
    ids = (settings.cloud_id, *(network.id for network in state.networks), *(router.id for router in state.routers))
    namespaces, links, rules = traces()
    found = [name for name in (*namespaces, *links.split()) if any(part in name for part in ids)]
    return found + processes_in(settings.state_dir) + [part for part in ids if part in rules]


def test_the_same_document_again_changes_nothing(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state = whole(host, net, host.port(net, "10.0.0.11", "open"), host.port(net, "10.0.0.12", "open"))
        await host.apply(state)
        writes = host.network.kernel_writes
        applied = await host.apply(state)
        assert applied.summary == "Revision 1: nothing to do."
        assert host.network.kernel_writes == writes

    on_host(settings, body)


def test_one_more_port_touches_nothing_of_the_others(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state = whole(host, net, *(host.port(net, f"10.0.0.{last}", "open") for last in range(11, 31)))
        await host.apply(state)
        writes = host.network.kernel_writes
        more = host.port(net, "10.0.0.40", "open")
        await host.apply(msgspec.structs.replace(state, ports=(*state.ports, more)))
        assert host.network.kernel_writes - writes <= 8

    on_host(settings, body)


def test_what_somebody_removed_is_mended_by_the_next_pass(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        port = host.port(net, "10.0.0.11", "open")
        state = whole(host, net, port)
        guest = host.plug(port, gateway="10.0.0.1")
        await host.apply(state)
        assert guest.reaches(EXTERNAL_GATEWAY)
        router = f"qrouter-{state.routers[0].id}"
        spoilers = (
            ("ip", "-n", host.namespace, "link", "del", bridge_name(net.id)),
            ("ip", "netns", "exec", host.namespace, "nft", "flush", "ruleset"),
            ("ip", "netns", "exec", router, "nft", "flush", "ruleset"),
            ("ip", "-n", router, "route", "del", "default"),
            ("ip", "-n", router, "addr", "flush", "scope", "global"),
            ("ip", "netns", "del", router),
            ("ip", "netns", "del", f"qdhcp-{net.id}"),
        )
        for spoiler in spoilers:
            run(*spoiler)
            # A deleted namespace ends a moment later, and its interfaces with it: that may need one pass more.
            for _ in range(20):
                applied = await host.network.apply(state)
                if applied.summary == "Revision 1: nothing to do.":
                    break
            assert not applied.failed, spoiler
            assert guest.reaches(EXTERNAL_GATEWAY), spoiler

    on_host(settings, body)


def test_an_agent_killed_and_started_again_takes_over_without_a_break(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        port = host.port(net, "10.0.0.11", "open")
        state = whole(host, net, port)
        guest = host.plug(port, gateway="10.0.0.1")
        await host.apply(state)
        assert guest.reaches(EXTERNAL_GATEWAY)
        await host.network.close()
        host.network = LinuxNetwork(settings, nobody)
        applied = await host.apply(state)
        assert "made" not in applied.summary
        assert guest.reaches(EXTERNAL_GATEWAY)

    on_host(settings, body)


def test_teardown_leaves_nothing(settings: NetworkSettings) -> None:
    states: list[NetworkState] = []

    async def body(host: Host) -> None:
        net = Net(1001)
        states.append(whole(host, net, host.port(net, "10.0.0.11", "open")))
        await host.apply(states[0])
        assert len(ours(settings, states[0])) > 4

    on_host(settings, body)
    assert eventually(lambda: ours(settings, states[0]) == [])
    assert list(settings.state_dir.iterdir()) == []


def test_another_process_tears_down_what_a_killed_one_left(settings: NetworkSettings) -> None:
    async def main() -> None:
        async with host_of(settings) as host:
            net = Net(1001)
            state = whole(host, net, host.port(net, "10.0.0.11", "open"))
            await host.apply(state)
            await host.network.close()
            host.network = LinuxNetwork(settings, nobody)
            await host.network.teardown()
            assert eventually(lambda: ours(settings, state) == [])

    asyncio.run(main())


def test_a_machine_keeps_no_rules_of_a_host_link_that_was_switched_off(settings: NetworkSettings) -> None:
    machine = f"t{settings.cloud_id}-m"
    linked = NetworkSettings(state_dir=settings.state_dir, cloud_id=settings.cloud_id, host_link=True)

    async def main() -> None:
        async with host_of(linked, machine) as host:
            net = Net(1001)
            state = whole(host, net, host.port(net, "10.0.0.11", "open"))
            await host.apply(state)
            assert settings.cloud_id in run("ip", "netns", "exec", machine, "nft", "list", "tables")
            await host.network.close()
            with netns.entered(machine):
                host.network = LinuxNetwork(settings, nobody)
            await host.apply(state)
            await host.network.teardown()
            assert run("ip", "netns", "exec", machine, "nft", "list", "tables") == ""

    netns.create(machine)
    try:
        asyncio.run(main())
    finally:
        netns.remove(machine)


def test_with_a_host_link_the_machine_reaches_floating_ips(settings: NetworkSettings) -> None:
    machine = f"t{settings.cloud_id}-m"
    linked = NetworkSettings(state_dir=settings.state_dir, cloud_id=settings.cloud_id, host_link=True)

    async def main() -> None:
        async with host_of(linked, machine) as host:
            net = Net(1001)
            port = host.port(net, "10.0.0.11", "open")
            host.plug(port, gateway="10.0.0.1")
            await host.apply(whole(host, net, port))
            assert eventually(lambda: host.pings(machine, "203.0.113.51"))
            assert f"tx-{settings.cloud_id}" in run("ip", "-n", machine, "-br", "link")
            await host.network.teardown()
            assert [line.split()[0] for line in run("ip", "-n", machine, "-br", "link").splitlines()] == ["lo"]

    netns.create(machine)
    try:
        asyncio.run(main())
    finally:
        netns.remove(machine)


def test_the_caller_stays_in_its_own_namespace(settings: NetworkSettings) -> None:
    def current() -> set[int]:
        return {(task / "ns" / "net").stat().st_ino for task in Path("/proc/self/task").iterdir()}

    async def body(host: Host) -> None:
        net = Net(1001)
        await host.apply(whole(host, net, host.port(net, "10.0.0.11", "open")))
        assert current() == before

    before = current()
    on_host(settings, body)


def test_a_part_adds_to_what_is_there_and_an_older_document_is_refused(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        first, second = host.port(net, "10.0.0.11", "open"), host.port(net, "10.0.0.12", "open")
        one = host.plug(first)
        state = NetworkState(revision=1, networks=(net.document(),), ports=(first,), security_groups=(OPEN,))
        await host.apply(state)
        two = host.plug(second)
        assert one.is_cut_off_from("10.0.0.12")
        await host.apply(NetworkState(revision=2, since=1, gone=(second.id,), ports=(second,)))
        assert one.reaches("10.0.0.12") and two.reaches("10.0.0.11")
        writes = host.network.kernel_writes
        await host.apply(NetworkState(revision=2, since=2))
        assert host.network.kernel_writes == writes, "the same again changes nothing"
        with pytest.raises(OlderRevision):
            await host.network.apply(state)
        with pytest.raises(WholeNeeded):
            await host.network.apply(NetworkState(revision=3, since=1))
        await host.apply(NetworkState(revision=3, since=2, gone=(second.id,)))
        assert one.is_cut_off_from("10.0.0.12")

    on_host(settings, body)


def test_guests_of_two_hosts_meet_over_the_tunnel(tmp_path: Path, settings: NetworkSettings) -> None:
    machines = [f"t{settings.cloud_id}-{number}" for number in (1, 2)]
    addresses = ("192.0.2.1", "192.0.2.2")
    sides = [
        NetworkSettings(
            state_dir=tmp_path / str(number),
            cloud_id=f"{settings.cloud_id[:5]}{number}",
            local_ip=addresses[number],
            host_link=False,
        )
        for number in (0, 1)
    ]

    def remote(port: Port, host_ip: str) -> RemotePort:
        ips = tuple(fixed.ip_address for fixed in port.fixed_ips)
        mac = port.mac_address
        return RemotePort(
            port_id=port.id, network_id=port.network_id, mac_address=mac, ip_addresses=ips, host_ip=host_ip
        )

    async def main() -> None:
        net = Net(70001)
        async with host_of(sides[0], machines[0]) as one, host_of(sides[1], machines[1]) as two:
            ports = [one.port(net, "10.0.0.11", "open"), two.port(net, "10.0.0.12", "open")]
            guests = [one.plug(ports[0]), two.plug(ports[1])]
            inner = ("100.64.0.1", "100.64.0.2")
            for number, host in enumerate((one, two)):
                other = HostPeer(host_ip=addresses[1 - number], address=inner[1 - number])
                state = NetworkState(
                    revision=1,
                    networks=(net.document(),),
                    ports=(ports[number],),
                    remote_ports=(remote(ports[1 - number], addresses[1 - number]),),
                    security_groups=(OPEN,),
                    hosts=HostsNetwork(address=inner[number], prefixlen=10, peers=(other,)),
                )
                await host.apply(state)
                writes = host.network.kernel_writes
                await host.apply(state)
                assert host.network.kernel_writes == writes
            assert guests[0].reaches("10.0.0.12")
            assert guests[1].reaches("10.0.0.11")
            assert pings(sides[0].host_namespace, inner[1]), "hosts reach each other by a network of their own"
            inside(guests[0].namespace, "ip", "addr", "add", "100.64.0.5/10", "dev", "eth0")
            for address in inner:
                assert guests[0].is_cut_off_from(address), "no guest is in the hosts' network, whatever its address"
            await one.apply(
                NetworkState(revision=2, networks=(net.document(),), ports=(ports[0],), security_groups=(OPEN,))
            )
            assert not pings(sides[0].host_namespace, inner[1])

    try:
        for name in machines:
            netns.create(name)
        peer = ("peer", "name", "under", "netns", machines[1])
        run("ip", "-n", machines[0], "link", "add", "under", "type", "veth", *peer)
        for name, address in zip(machines, addresses, strict=True):
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "under")
            run("ip", "-n", name, "link", "set", "under", "mtu", "1600", "up")
        asyncio.run(main())
    finally:
        for name in machines:
            netns.remove(name)
