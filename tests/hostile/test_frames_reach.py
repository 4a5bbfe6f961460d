"""What listens on the host is out of a guest's reach, whatever address it listens on and by whatever leg one comes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from tane.agent.network.guard import router_rules
from tane.agent.network.plan import NetworkSettings
from tane.agent.network.spoofing import link_local
from tane.linux import netns, sysctl
from tane.wire import grammar
from tane.wire.documents import FixedIp, HostRoute, NetworkState, Router
from tests.host.network.network_lab import (
    EXTERNAL_GATEWAY,
    OPEN,
    External,
    Host,
    Net,
    derived_id,
    eventually,
    floating,
    host_of,
    inside,
    new_id,
    on_host,
    pings,
    run,
)
from tests.hostile import frames

pytestmark = pytest.mark.root
OFFERED = 8770
LAN = "198.51.100.5"


@pytest.fixture
def machine() -> Iterator[str]:
    """A machine with an address in a network of its own."""
    name = f"t{uuid4().hex[:8]}"
    netns.create(name)
    try:
        for words in ("link set lo up", f"addr add {LAN}/32 dev lo"):
            run("ip", "-n", name, *words.split())
        yield name
    finally:
        netns.remove(name)


@contextlib.contextmanager
def listening(namespace: str, *ports: int) -> Iterator[None]:
    """TCP servers on every address of a namespace, of both versions, that greet, and UDP ones that echo."""
    opened: list[socket.socket] = []
    with netns.entered(namespace):
        for port in ports:
            opened.append(socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True))
            opened.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            opened[-1].bind(("", port))

    def greet(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                if server.type == socket.SOCK_STREAM:
                    with server.accept()[0] as connection:
                        connection.sendall(b"reached")
                else:
                    address = server.recvfrom(100)[1]
                    if address is None:
                        return  # it was shut down
                    server.sendto(b"reached", address)

    for server in opened:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
    try:
        yield
    finally:
        for server in opened:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()


def reached(namespace: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> bool:
    with netns.entered(namespace):
        asking = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    with asking, contextlib.suppress(OSError):
        asking.settimeout(0.5)
        host, _, zone = address.partition("%")
        with netns.entered(namespace):
            asking.connect((host, port, 0, socket.if_nametoindex(zone)) if zone else (host, port))
        asking.send(b"?")
        return asking.recv(100) == b"reached"
    return False


class Cloud:
    """A guest behind a router, one with a floating IP, and one directly on the external network."""

    def __init__(self, host: Host) -> None:
        self.net, self.external = Net(1001), External()
        self.inner, self.floated = host.port(self.net, "10.0.0.11", "open"), host.port(self.net, "10.0.0.12", "open")
        outer = host.port(self.net, "203.0.113.77", "open")
        outer.network_id, outer.fixed_ips = (
            self.external.id,
            (FixedIp(subnet_id=derived_id(self.external.id), ip_address="203.0.113.77"),),
        )
        self.outer = outer
        self.router = Router(
            id=new_id(),
            interfaces=(self.net.leg(),),
            gateway=self.external.gateway(),
            floating_ips=(floating(self.floated, "203.0.113.51"),),
        )
        self.guests = [
            host.plug(self.inner, gateway="10.0.0.1"),
            host.plug(self.floated, gateway="10.0.0.1"),
            host.plug(self.outer, gateway=EXTERNAL_GATEWAY),
        ]
        self.state = NetworkState(
            revision=1,
            networks=(self.net.document(dhcp=True), self.external.document()),
            ports=(self.inner, self.floated, self.outer),
            routers=(self.router,),
            security_groups=(OPEN,),
            external=(self.external.leg(),),
        )


def settings_of(folder: Path, **options: object) -> NetworkSettings:
    return NetworkSettings(state_dir=folder / "network", cloud_id=uuid4().hex[:6], **options)  # type: ignore[arg-type]


def test_guests_do_not_reach_what_listens_on_the_machine(machine: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, offered_ports=(OFFERED,))

    async def main() -> None:
        async with host_of(settings, machine) as host:
            cloud = Cloud(host)
            await host.apply(cloud.state)
            leg = settings.outside_leg(cloud.external.id)
            mac = run("ip", "-n", machine, "-br", "link", "show", leg).split()[2]
            addresses = (EXTERNAL_GATEWAY, LAN, f"{link_local(mac)}%eth0")
            with listening(machine, 22, 8080, OFFERED):
                for guest in cloud.guests:
                    assert guest.reaches(EXTERNAL_GATEWAY), "pings are answered"
                    for address, port, kind in itertools.product(
                        addresses, (22, 8080), (socket.SOCK_STREAM, socket.SOCK_DGRAM)
                    ):
                        assert not reached(guest.namespace, address, port, kind), (guest.port.id, address, port)
                    assert reached(guest.namespace, EXTERNAL_GATEWAY, OFFERED), "what the cloud offers"
                assert not pings(cloud.guests[2].namespace, addresses[2])
            with listening(cloud.guests[1].namespace, 80):
                assert eventually(lambda: reached(machine, "203.0.113.51", 80)), "the machine reaches floating IPs"
                assert reached(machine, "203.0.113.51", 80, socket.SOCK_DGRAM)
            await host.network.teardown()
            assert settings.cloud_id not in inside(machine, "nft", "list", "ruleset")

    asyncio.run(main())


def test_the_machine_forwards_for_guests_but_never_to_link_local_addresses(machine: str, tmp_path: Path) -> None:
    """There may be a metadata service of the machine's own provider."""
    far = f"{machine}f"
    netns.create(far)

    async def main() -> None:
        async with host_of(settings_of(tmp_path), machine) as host:
            cloud = Cloud(host)
            await host.apply(cloud.state)
            with listening(far, 80, 81):
                for guest in cloud.guests:
                    assert guest.reaches(EXTERNAL_GATEWAY)
                    assert reached(guest.namespace, "192.0.2.9", 80)
                    for address, port in itertools.product(("169.254.169.254", "169.254.170.2"), (80, 81)):
                        assert not reached(guest.namespace, address, port), (address, port)
                assert reached(machine, "169.254.169.254", 80), "it is there for the machine"

    try:
        run("ip", "-n", machine, "link", "add", "outer", "type", "veth", "peer", "name", "inner", "netns", far)
        for words in ("link set outer up", "addr add 192.0.2.1/24 dev outer", "route add 169.254.0.0/16 dev outer"):
            run("ip", "-n", machine, *words.split())
        for words in (
            *(
                "link set lo up",
                "link set inner up",
                "addr add 192.0.2.9/24 dev inner",
                "route add default via 192.0.2.1",
            ),
            *("addr add 169.254.169.254/16 dev inner", "addr add 169.254.170.2/16 dev inner"),
        ):
            run("ip", "-n", far, *words.split())
        with netns.entered(machine):
            sysctl.write("net.ipv4.ip_forward", "1")
        asyncio.run(main())
    finally:
        netns.remove(far)


def test_nothing_in_a_routers_or_dhcp_servers_namespace_is_reached(tmp_path: Path) -> None:
    """But metadata, DHCP, names and pings: whatever else ever listens there."""
    settings = settings_of(tmp_path, host_link=False)

    async def main() -> None:
        async with host_of(settings) as host:
            cloud = Cloud(host)
            await host.apply(cloud.state)
            router, server = f"qrouter-{cloud.router.id}", f"qdhcp-{cloud.net.id}"
            inner, _, outer = (guest.namespace for guest in cloud.guests)
            with listening(router, 22, 8080), listening(server, 22, 8080), listening(settings.outside_namespace, 22):
                assert cloud.guests[0].reaches("10.0.0.1")
                assert cloud.guests[0].reaches("10.0.0.2")
                assert cloud.guests[2].reaches("203.0.113.10")
                kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
                for kind, port in itertools.product(kinds, (22, 8080)):
                    for who, address in (
                        *((inner, address) for address in ("10.0.0.1", "10.0.0.2", "203.0.113.10")),
                        *((outer, address) for address in ("203.0.113.10", EXTERNAL_GATEWAY)),
                        (settings.outside_namespace, "203.0.113.10"),
                    ):
                        assert not reached(who, address, port, kind), (address, port, kind)
            for address in ("10.0.0.1", "203.0.113.10"):
                assert not reached(inner, address, 9697)

    asyncio.run(main())


def test_names_are_told_inside_the_network_only(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, host_link=False)

    async def main() -> None:
        async with host_of(settings) as host:
            cloud = Cloud(host)
            other = Net(1002, "10.0.1")
            port = host.port(other, "10.0.1.11", "open")
            guest = host.plug(port, gateway="10.0.1.1")
            router = Router(id=cloud.router.id, interfaces=(cloud.net.leg(), other.leg()), gateway=cloud.router.gateway)
            state = NetworkState(
                revision=1,
                networks=(*cloud.state.networks, other.document()),
                ports=(*cloud.state.ports, port),
                routers=(router,),
                security_groups=(OPEN,),
                external=cloud.state.external,
            )
            await host.apply(state)
            assert guest.reaches("10.0.0.11")
            asking = ("busybox", "nslookup", "host-10-0-0-11.cloud.example", "10.0.0.2")
            assert cloud.guests[0].reaches("10.0.0.2")
            # The server has been started this moment; who asks before it listens waits for nothing.
            assert eventually(lambda: "10.0.0.11" in inside(cloud.guests[0].namespace, *asking, check=False))
            assert "10.0.0.11" not in inside(guest.namespace, *asking, check=False)
            outside = ("busybox", "nslookup", "example.org", "10.0.0.2")
            assert "REFUSED" in inside(cloud.guests[0].namespace, *outside, check=False), "it asks nobody else"

    asyncio.run(main())


def test_what_leaves_a_router_untranslated_is_from_behind_it(tmp_path: Path) -> None:
    """Whoever owns a network may switch the filters of its ports off, and set routes to anywhere."""

    async def body(host: Host) -> None:
        net, external = Net(1001), External()
        port = host.port(net, "10.0.0.11", "open", port_security_enabled=False)
        guest = host.plug(port, gateway="10.0.0.1")
        router = Router(
            id=new_id(),
            interfaces=(net.leg(),),
            gateway=external.gateway(10, enable_snat=False),
            routes=(HostRoute(destination="192.0.2.0/24", nexthop="10.0.0.11"),),
        )
        state = NetworkState(
            revision=1,
            networks=(net.document(), external.document()),
            ports=(port,),
            routers=(router,),
            security_groups=(OPEN,),
            external=(external.leg(),),
        )
        await host.apply(state)
        run("ip", "-n", host.outside, "route", "add", "10.0.0.0/24", "via", "203.0.113.10")
        assert guest.reaches(EXTERNAL_GATEWAY)
        with netns.entered(host.outside):
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with netns.entered(guest.namespace):
            mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with ear, mouth:
            mouth.bind(("eth0", 0))
            ear.settimeout(5)
            others = ("203.0.113.10", "203.0.113.11", EXTERNAL_GATEWAY, "10.0.1.5", "192.0.2.7", "8.8.8.8")
            for source in (*others, "10.0.0.11"):
                packet = frames.ipv4(source, EXTERNAL_GATEWAY, 17, frames.udp(1, 9, b"marker " + source.encode()))
                mouth.send(frames.ethernet(port.mac_address, net.leg().mac_address, 0x0800, packet))
            heard = b""
            while b"marker 10.0.0.11" not in heard:
                heard += ear.recv(65536)
        assert heard.count(b"marker") == 1

    on_host(NetworkSettings(state_dir=tmp_path, cloud_id=uuid4().hex[:6], host_link=False), body)


@pytest.mark.parametrize("translates", [True, False])
def test_no_ipv6_leaves_a_router_in_others_names(translates: bool) -> None:
    rules = router_rules(map(grammar.network, ("10.0.0.0/24", "fd00:1::/64")), translates=translates)
    assert 'oifname "qg-*" ip6 saddr != { fd00:1::/64 } drop' in rules
    assert ('oifname "qg-*" ip saddr != { 10.0.0.0/24 } drop' in rules) is not translates
    assert 'oifname "qg-*" meta nfproto ipv6 drop' in router_rules((), translates=translates)


def test_from_outside_only_floating_ips_are_reached_behind_a_router_that_translates(tmp_path: Path) -> None:
    """Whoever is in the external network may set a route to any router's tenants."""

    async def body(host: Host) -> None:
        net, external = Net(1001), External()
        port = host.port(net, "10.0.0.11", "open")
        guest = host.plug(port, gateway="10.0.0.1")
        router = Router(
            id=new_id(),
            interfaces=(net.leg(),),
            gateway=external.gateway(10),
            floating_ips=(floating(port, "203.0.113.51"),),
        )
        state = NetworkState(
            revision=1,
            networks=(net.document(), external.document()),
            ports=(port,),
            routers=(router,),
            security_groups=(OPEN,),
            external=(external.leg(),),
        )
        await host.apply(state)
        run("ip", "-n", host.outside, "route", "add", "10.0.0.0/24", "via", "203.0.113.10")
        assert eventually(lambda: pings(host.outside, "203.0.113.51"))
        assert guest.reaches(EXTERNAL_GATEWAY)
        assert not pings(host.outside, "10.0.0.11")
        bare = msgspec.structs.replace(router, gateway=external.gateway(10, enable_snat=False))
        await host.apply(msgspec.structs.replace(state, revision=2, routers=(bare,)))
        assert eventually(lambda: pings(host.outside, "10.0.0.11")), "an ordinary router does not translate"

    on_host(NetworkSettings(state_dir=tmp_path, cloud_id=uuid4().hex[:6], host_link=False), body)
