"""What guests reach over networks, routers and floating IPs."""

from __future__ import annotations

import contextlib
import socket
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
    new_id,
    nobody,
    on_host,
    pings,
    run,
)

from tane.agent.network.duty import LinuxNetwork
from tane.agent.network.plan import NetworkSettings
from tane.linux import netns
from tane.linux.conntrack import Conntrack
from tane.wire.documents import FloatingIp, HostRoute, NetworkState, Port, Router

pytestmark = pytest.mark.root


def behind(router: Router, net: Net, external: External, port: Port) -> NetworkState:
    """A port in a network whose router leads outside."""
    return NetworkState(
        revision=1,
        networks=(net.document(), external.document()),
        ports=(port,),
        routers=(router,),
        security_groups=(OPEN,),
        external=(external.leg(),),
    )


def test_guests_of_one_network_reach_each_other(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        ports = (host.port(net, "10.0.0.11", "open"), host.port(net, "10.0.0.12", "open"))
        guests = [host.plug(port) for port in ports]
        await host.apply(NetworkState(revision=1, networks=(net.document(),), ports=ports, security_groups=(OPEN,)))
        assert guests[0].reaches("10.0.0.12")
        assert guests[1].reaches("10.0.0.11")

    on_host(settings, body)


def test_two_tenants_may_use_the_same_addresses_and_never_meet(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        mine, theirs = Net(1001), Net(66536)
        ports = tuple(
            host.port(net, address, "open") for net in (mine, theirs) for address in ("10.0.0.11", "10.0.0.12")
        )
        lonely = host.port(mine, "10.0.0.13", "open")
        guests = [host.plug(port) for port in (*ports, lonely)]
        await host.apply(
            NetworkState(
                revision=1,
                networks=(mine.document(), theirs.document()),
                ports=(*ports, lonely),
                security_groups=(OPEN,),
            )
        )
        assert guests[0].reaches("10.0.0.12")
        assert guests[2].reaches("10.0.0.12")
        assert guests[0].reaches("10.0.0.13")
        assert guests[2].is_cut_off_from("10.0.0.13")

    on_host(settings, body)


def test_a_router_joins_its_networks_and_hides_them_behind_its_gateway(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        left, right, external = Net(1001), Net(1002, "10.0.1"), External()
        ports = (host.port(left, "10.0.0.11", "open"), host.port(right, "10.0.1.12", "open"))
        guests = [host.plug(ports[0], gateway="10.0.0.1"), host.plug(ports[1], gateway="10.0.1.1")]
        router = Router(id=new_id(), interfaces=(left.leg(), right.leg()), gateway=external.gateway())
        state = NetworkState(
            revision=1,
            networks=(left.document(), right.document(), external.document()),
            ports=ports,
            routers=(router,),
            security_groups=(OPEN,),
            external=(external.leg(),),
        )
        await host.apply(state)
        assert guests[0].reaches("10.0.1.12")
        assert guests[0].reaches(EXTERNAL_GATEWAY)
        bare = msgspec.structs.replace(router, gateway=external.gateway(enable_snat=False))
        await host.apply(msgspec.structs.replace(state, revision=2, routers=(bare,)))
        assert guests[0].is_cut_off_from(EXTERNAL_GATEWAY)
        assert guests[0].reaches("10.0.1.12")
        await host.apply(msgspec.structs.replace(state, revision=3, routers=()))
        assert guests[0].is_cut_off_from("10.0.1.12")

    on_host(settings, body)


def test_a_floating_ip_moved_to_another_server_works_there_within_a_second(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net, other, external = Net(1001), Net(1002, "10.0.5"), External()
        ports = tuple(host.port(net, f"10.0.0.{last}", "open") for last in (11, 12))
        far = host.port(other, "10.0.5.11", "open")
        guests = [host.plug(port, gateway="10.0.0.1") for port in ports]
        guests.append(host.plug(far, gateway="10.0.5.1"))
        for number, guest in enumerate(guests):
            host.serve(guest, f"server{number}", 80)

        def who() -> str:
            return host.talk(host.outside, "203.0.113.51", 80).name

        def state(revision: int, first: tuple[FloatingIp, ...], second: tuple[FloatingIp, ...]) -> NetworkState:
            near = Router(id=router_ids[0], interfaces=(net.leg(),), gateway=external.gateway(10), floating_ips=first)
            away = Router(
                id=router_ids[1], interfaces=(other.leg(),), gateway=external.gateway(11), floating_ips=second
            )
            return NetworkState(
                revision=revision,
                networks=(net.document(), other.document(), external.document()),
                ports=(*ports, far),
                routers=(near, away),
                security_groups=(OPEN,),
                external=(external.leg(),),
            )

        router_ids = (new_id(), new_id())
        address = "203.0.113.51"
        await host.apply(state(1, (floating(ports[0], address),), ()))
        assert eventually(lambda: who() == "server0")
        assert guests[1].reaches(address), "a neighbour reaches it by the floating address too"
        assert guests[0].reaches(address), "and so does the server itself"
        await host.apply(state(2, (floating(ports[1], address),), ()))
        assert eventually(lambda: who() == "server1", seconds=1)
        await host.apply(state(3, (), (floating(far, address),)))
        mac = external.gateway(11).mac_address
        assert eventually(lambda: mac in run("ip", "-n", host.outside, "neigh", "show", address), seconds=1)
        assert eventually(lambda: who() == "server2", seconds=1), "another router has another MAC address"
        await host.apply(state(4, (), ()))
        assert not pings(host.outside, address)

    on_host(settings, body)


def test_extra_routes_of_a_router_are_followed(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net, external = Net(1001), External()
        port = host.port(net, "10.0.0.11", "open", port_security_enabled=False)
        guest = host.plug(port, gateway="10.0.0.1")
        guest.ip("addr", "add", "10.99.0.1/24", "dev", "lo")
        route = HostRoute(destination="10.99.0.0/24", nexthop="10.0.0.11")
        router = Router(id=new_id(), interfaces=(net.leg(),), gateway=external.gateway(), routes=(route,))
        state = behind(router, net, external, port)
        await host.apply(state)
        namespace = f"qrouter-{router.id}"
        assert eventually(lambda: pings(namespace, "10.99.0.1"))
        await host.apply(msgspec.structs.replace(state, routers=(msgspec.structs.replace(router, routes=()),)))
        assert not pings(namespace, "10.99.0.1")

    on_host(settings, body)


def translated(router: Router) -> set[bytes]:
    """The connections by UDP of a router that are translated."""
    place = Path(f"/run/netns/qrouter-{router.id}")
    with place.open() as namespace, contextlib.closing(Conntrack(namespace.fileno())) as table:
        return {one.key for one in table.connections() if one.protocol == 17 and one.shown != one.source}


@pytest.mark.parametrize("agent", ["goes on", "begins anew"])
def test_nobody_sends_from_an_address_that_his_router_has_no_more(settings: NetworkSettings, agent: str) -> None:
    """It may be another's by now; also where the agent did not see it go."""

    async def body(host: Host) -> None:
        net, external = Net(1001), External()
        port = host.port(net, "10.0.0.11", "open")
        guest = host.plug(port, gateway="10.0.0.1")
        router = Router(id=new_id(), interfaces=(net.leg(),), gateway=external.gateway(10))
        state = behind(router, net, external, port)
        await host.apply(state)
        assert guest.reaches(EXTERNAL_GATEWAY)
        with netns.entered(host.outside):
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        host.sockets.append(ear)
        ear.bind((settings.outside_leg(external.id), 0x0800))
        ear.settimeout(3)
        flow = host.udp(guest, 5000)
        host.sockets.append(flow)
        other = host.port(net, "10.0.0.12", "open")

        def seen() -> str:
            flow.sendto(b"marker", (EXTERNAL_GATEWAY, 4000))
            while b"marker" not in (frame := ear.recv(2048)):
                pass
            return socket.inet_ntoa(frame[26:30])

        assert seen() == "203.0.113.10"
        [entry] = translated(router)
        busy = msgspec.structs.replace(router, floating_ips=(floating(other, "203.0.113.51"),))
        await host.apply(msgspec.structs.replace(state, routers=(busy,), ports=(port, other)))
        assert translated(router) == {entry}, "with an address more, all connections go on"
        if agent == "begins anew":
            await host.network.close()
            host.network = LinuxNetwork(settings, nobody)
        moved = msgspec.structs.replace(router, gateway=external.gateway(20))
        await host.apply(msgspec.structs.replace(state, routers=(moved,)))
        assert entry not in translated(router)
        assert eventually(lambda: pings(guest.namespace, EXTERNAL_GATEWAY))
        assert seen() == "203.0.113.20"

    on_host(settings, body)
