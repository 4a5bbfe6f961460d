"""Metadata is told to the port that asks, whoever asks in whose name, by whatever way."""

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

from tane.agent.network import metadata
from tane.agent.network.engine import Engine
from tane.agent.network.metadata import MetadataServer
from tane.agent.network.pace import Pace
from tane.agent.network.plan import MetadataListener, NetworkSettings
from tane.linux import netns
from tane.wire.documents import AddressPair, HostRoute, NetworkState, Port, Router
from tests.host.network.network_lab import OPEN, Guest, Host, Net, derived_id, new_id, on_host, run
from tests.hostile import frames

METADATA = ("169.254.169.254", 80)
REQUEST = b"GET /openstack HTTP/1.1\r\nConnection: close\r\n\r\n"


@pytest.fixture
def settings(tmp_path: Path) -> NetworkSettings:
    return NetworkSettings(state_dir=tmp_path / "network", cloud_id=uuid4().hex[:6], host_link=False)


def told(namespace: str, source: str = "", target: tuple[str, int] = METADATA) -> bytes:
    """What a request from an address of the namespace is answered within a second; empty without an answer."""
    with netns.entered(namespace):
        asking = socket.socket()
    with asking, contextlib.suppress(OSError):
        asking.settimeout(1)
        asking.bind((source, 0))
        asking.connect(target)
        asking.sendall(REQUEST)
        return b"".join(iter(lambda: asking.recv(65536), b""))
    return b""


class Scene:
    """A shared network with a victim, an attacker's own network with a guest, and the attacker's router on both."""

    def __init__(self, host: Host, attacker: dict[str, object]) -> None:
        self.shared, self.own = Net(1001), Net(1002, "10.0.1")
        self.victim = host.port(self.shared, "10.0.0.11", "open")
        self.attacker = host.port(self.own, "10.0.1.66", "open", **attacker)
        self.visitor = host.port(self.shared, "10.0.0.66", "open")
        leg = msgspec.structs.replace(
            self.shared.leg(),
            port_id=derived_id(self.shared.id, "attacker"),
            mac_address="fa:16:3c:ff:00:01",
            ip_address="10.0.0.99",
        )
        self.router = Router(id=new_id(), interfaces=(self.own.leg(), leg))
        self.guests = {
            "victim": host.plug(self.victim, gateway="10.0.0.99"),
            "attacker": host.plug(self.attacker, gateway="10.0.1.1"),
            "visitor": host.plug(self.visitor, gateway="10.0.0.99"),
        }

    def state(self, *routes: HostRoute, dhcp: bool = True) -> NetworkState:
        return NetworkState(
            revision=1,
            networks=(self.shared.document(dhcp=dhcp), self.own.document(dhcp=dhcp)),
            ports=(self.victim, self.attacker, self.visitor),
            routers=(msgspec.structs.replace(self.router, routes=routes),),
            security_groups=(OPEN,),
        )


def pair_of(ip: str, mac: str) -> dict[str, object]:
    return {"allowed_address_pairs": (AddressPair(ip_address=ip, mac_address=mac),)}


ATTACKERS: dict[str, dict[str, object]] = {
    "filtered": {},
    "unfiltered": {"port_security_enabled": False},
    "with everybody's addresses": pair_of("0.0.0.0/0", "fa:16:3e:00:00:66"),
}
BACK = HostRoute(destination="10.0.0.11/32", nexthop="10.0.1.66")


@pytest.mark.root
@pytest.mark.parametrize("attacker", ATTACKERS)
@pytest.mark.parametrize("routes", [(), (BACK,)], ids=["no route", "a route back"])
def test_a_router_of_ones_own_tells_nothing_of_a_shared_network(
    attacker: str, routes: tuple[HostRoute, ...], settings: NetworkSettings
) -> None:
    async def body(host: Host) -> None:
        scene = Scene(host, ATTACKERS[attacker])
        guest = scene.guests["attacker"]
        await host.apply(scene.state(*routes))
        assert guest.reaches("10.0.1.1")
        guest.ip("addr", "add", "10.0.0.11/32", "dev", "lo")
        answer = await asyncio.to_thread(told, guest.namespace, "10.0.1.66")
        assert scene.attacker.id.encode() in answer, "its own is told"
        others = (METADATA, ("10.0.0.2", 80), ("10.0.0.99", 9697), ("10.0.1.1", 9697))
        asking = [asyncio.to_thread(told, guest.namespace, "10.0.0.11", target) for target in others]
        for answer in await asyncio.gather(*asking):
            assert scene.victim.id.encode() not in answer
        assert scene.victim.id not in {port_id for port_id, _, _ in host.asked}

    on_host(settings, body)


@pytest.mark.root
@pytest.mark.parametrize("options", ["pair with own MAC", "pair with the victim's MAC", "unfiltered"])
def test_nobody_on_the_same_network_imitates_a_port(options: str, settings: NetworkSettings) -> None:
    """Neither with address pairs nor without any filter, over the DHCP server's leg or the router's."""

    async def body(host: Host) -> None:
        scene = Scene(host, {})
        guest = scene.guests["visitor"]
        await host.apply(scene.state())
        assert guest.reaches("10.0.0.99")
        changes = {
            "pair with own MAC": pair_of("10.0.0.0/24", scene.visitor.mac_address),
            "pair with the victim's MAC": pair_of("10.0.0.0/24", scene.victim.mac_address),
            "unfiltered": {"port_security_enabled": False},
        }[options]
        scene.visitor = msgspec.structs.replace(scene.visitor, **changes)
        await host.apply(scene.state())
        scene.guests["victim"].ip("link", "set", "eth0", "down")
        guest.ip("addr", "add", "10.0.0.11/24", "dev", "eth0")
        for by, mac in itertools.product(
            ("10.0.0.2", "10.0.0.99"), (scene.visitor.mac_address, scene.victim.mac_address)
        ):
            _become(guest, mac)
            run("ip", "-n", guest.namespace, "route", "replace", "169.254.169.254", "via", by, "src", "10.0.0.11")
            await asyncio.to_thread(told, guest.namespace, "10.0.0.11")
        assert scene.victim.id not in {port_id for port_id, _, _ in host.asked}

    on_host(settings, body)


TAGS = [
    tags
    for length in (1, 2, 3)
    for tags in itertools.product(itertools.product((0x8100, 0x88A8), (0, 5)), repeat=length)
]


@pytest.mark.root
def test_no_port_sends_tagged_frames_not_even_an_unfiltered_one(settings: NetworkSettings) -> None:
    """Receivers take off tags of VLAN 0: what is in them would be seen by them, and by no rule that looks for it."""

    async def body(host: Host) -> None:
        scene = Scene(host, {})
        scene.visitor = msgspec.structs.replace(scene.visitor, port_security_enabled=False)
        await host.apply(scene.state())
        visitor, victim = scene.guests["visitor"], scene.guests["victim"]
        assert visitor.reaches("10.0.0.99") and victim.reaches("10.0.0.99")
        with raw(victim) as ear, raw(visitor) as mouth:
            for number, tags in enumerate([*TAGS, ()]):
                packet = frames.ipv4("10.0.0.11", "169.254.169.254", 17, frames.udp(1, 80, b"marker%03d" % number))
                frame = frames.ethernet(scene.visitor.mac_address, scene.victim.mac_address, 0x0800, packet)
                for kind, vlan in reversed(tags):
                    frame = frames.tagged(frame, vlan, kind)
                mouth.send(frame)
            tell = frames.ipv4("10.0.0.66", "10.0.0.11", 17, frames.udp(1, 80, b"the last one"))
            mouth.send(frames.ethernet(scene.visitor.mac_address, scene.victim.mac_address, 0x0800, tell))
            heard = await asyncio.to_thread(until, ear, b"the last one")
        assert not [frame for frame in heard if b"marker" in frame]

    on_host(settings, body)


@contextlib.contextmanager
def raw(guest: Guest) -> Iterator[socket.socket]:
    with netns.entered(guest.namespace):
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with opened:
        opened.bind(("eth0", 0))
        opened.settimeout(5)
        yield opened


def until(ear: socket.socket, last: bytes) -> list[bytes]:
    """What is heard until a frame that holds ``last``."""
    heard = [ear.recv(65536)]
    while last not in heard[-1]:
        heard.append(ear.recv(65536))
    return heard


def _become(guest: Guest, mac: str) -> None:
    for words in (("down",), ("address", mac), ("up",)):
        guest.ip("link", "set", "eth0", *words)
    guest.ip("route", "replace", "default", "via", "10.0.0.99")


@pytest.mark.root
def test_a_guest_reads_its_own_through_anybodys_router_and_through_its_dhcp_server(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        scene = Scene(host, {})
        await host.apply(scene.state())
        guest = scene.guests["victim"]
        assert guest.reaches("10.0.0.99")
        assert scene.victim.id.encode() in await asyncio.to_thread(told, guest.namespace)
        guest.ip("route", "add", "169.254.169.254", "via", "10.0.0.2")
        assert scene.victim.id.encode() in await asyncio.to_thread(told, guest.namespace)
        others = (("10.0.0.99", 9697), ("10.0.0.2", 80), ("10.0.0.99", 80))
        for answer in await asyncio.gather(*(asyncio.to_thread(told, guest.namespace, "", one) for one in others)):
            assert answer == b"", "by its own address only"

    on_host(settings, body)


@pytest.mark.root
@pytest.mark.parametrize("by", ["the DHCP server", "a router"])
def test_nobody_is_told_what_is_anothers_by_answering_for_its_address(settings: NetworkSettings, by: str) -> None:
    """The owner of a network has ports without filters on it, and may say by ARP whose an address is."""

    async def body(host: Host) -> None:
        scene = Scene(host, {})
        scene.visitor = msgspec.structs.replace(scene.visitor, port_security_enabled=False)
        await host.apply(scene.state())
        visitor, victim = scene.guests["visitor"], scene.guests["victim"]
        dhcp = scene.shared.document(dhcp=True).dhcp_port
        assert dhcp is not None and visitor.reaches("10.0.0.2") and victim.reaches("10.0.0.2")
        way = {"the DHCP server": ("10.0.0.2", dhcp.mac_address), "a router": ("10.0.0.99", "fa:16:3c:ff:00:01")}[by]
        victim.ip("route", "replace", "169.254.169.254", "via", way[0])
        mine = scene.visitor.mac_address
        with raw(visitor) as mouth:
            for operation in (1, 2):
                said = frames.arp((mine, "10.0.0.11"), (way[1], way[0]), operation=operation)
                for _ in range(3):
                    mouth.send(frames.ethernet(mine, way[1], 0x0806, said))
            answer = await asyncio.to_thread(told, victim.namespace, "10.0.0.11")
            mouth.settimeout(0.3)
            heard = b""
            with contextlib.suppress(TimeoutError):
                while True:
                    heard += mouth.recv(65536)
        assert scene.victim.id.encode() in answer and scene.victim.id.encode() not in heard

    on_host(settings, body)


@pytest.mark.root
def test_a_leg_made_anew_is_listened_on_anew(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        scene = Scene(host, {})
        await host.apply(scene.state(dhcp=False))
        guest = scene.guests["attacker"]
        assert guest.reaches("10.0.1.1")
        assert scene.attacker.id.encode() in await asyncio.to_thread(told, guest.namespace)
        run("ip", "-n", host.namespace, "link", "del", f"tap{scene.own.leg().port_id[:11]}")
        await host.apply(scene.state(dhcp=False))
        assert guest.reaches("10.0.1.1")
        assert scene.attacker.id.encode() in await asyncio.to_thread(told, guest.namespace)

    on_host(settings, body)


@pytest.mark.root
def test_an_address_is_nobodys_while_it_goes_from_one_port_to_another(
    settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host's change takes its time: what the new owner asks meanwhile is not done as the old one."""
    wired, go_on = threading.Event(), threading.Event()
    places = Engine.places

    def slow(engine: Engine, listeners: list[MetadataListener]) -> dict[metadata.Key, MetadataListener]:
        wired.set()
        assert go_on.wait(20)
        return places(engine, listeners)

    async def body(host: Host) -> None:
        scene = Scene(host, {})
        await host.apply(scene.state())
        taker, keeper = scene.guests["visitor"], scene.guests["attacker"]
        assert taker.reaches("10.0.0.99") and keeper.reaches("10.0.1.1")
        exchanged = scene.visitor.fixed_ips, scene.victim.fixed_ips
        scene.victim = msgspec.structs.replace(scene.victim, fixed_ips=exchanged[0])
        scene.visitor = msgspec.structs.replace(scene.visitor, fixed_ips=exchanged[1])
        taker.ip("addr", "add", "10.0.0.11/24", "dev", "eth0")
        monkeypatch.setattr(Engine, "places", slow)
        change = asyncio.create_task(host.apply(scene.state()))
        try:
            assert await asyncio.to_thread(wired.wait, 20)
            meanwhile = await asyncio.to_thread(told, taker.namespace, "10.0.0.11")
            kept = await asyncio.to_thread(told, keeper.namespace)
        finally:
            go_on.set()
            await change
        assert b" 404 " in meanwhile
        assert scene.attacker.id.encode() in kept, "whose address stays does not notice"
        assert scene.visitor.id.encode() in await asyncio.to_thread(told, taker.namespace, "10.0.0.11")
        assert [port_id for port_id, _, _ in host.asked] == [scene.attacker.id, scene.visitor.id]

    on_host(settings, body)


# ----------------------------------------------------------------------------------------------------- the requests


class Asked:
    """The metadata service on a loopback socket; its ports have addresses of the loopback network."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.at_once = self.most = 0

    async def source(self, port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        self.headers.append(headers)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return 200, "text/plain", port_id.encode()

    @contextlib.asynccontextmanager
    async def served(self, *more: tuple[str, str], projects: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
        listening = socket.create_server(("127.0.0.1", 0))
        server = MetadataServer(self.source, {"127.0.0.1": "mine", **dict(more)}, projects or {})
        server.start(listening)
        try:
            yield listening.getsockname()[1]
        finally:
            await server.stop()


async def exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


FORWARDED = (
    *(
        "Forwarded",
        "Via",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Real-IP",
        "X-Instance-ID",
        "X-Instance-ID-Signature",
    ),
    *("X-Tenant-ID", "X-Project-ID", "X-Router-ID", "X-Network-ID", "X-OVN-Network-ID", "X-Metadata-Provider"),
    *("X-Metadata-Provider-Signature", "X-User-ID", "X-Roles", "X-Auth-Token", "X-Service-Token", "X-Subnet-ID"),
)


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper, lambda name: name.replace("-", "_")])
def test_no_header_says_for_whom_a_request_is(spelling) -> None:  # type: ignore[no-untyped-def]
    async def main() -> None:
        asked = Asked()
        async with asked.served() as port:
            fields = "".join(f"{spelling(name)}: 10.0.0.11\r\n" for name in FORWARDED)
            request = f"GET / HTTP/1.1\r\n{fields}X-Tag: kept\r\nConnection: close\r\n\r\n"
            assert b" 200 OK" in await exchange(port, request.encode())
        assert asked.headers == [{"x-tag": "kept", "connection": "close", ":method": "GET", ":body": ""}]

    asyncio.run(main())


def test_a_body_is_what_was_sent_byte_by_byte() -> None:
    async def main() -> None:
        asked = Asked()
        async with asked.served() as port:
            request = b"POST /p HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\na\xff\0"
            assert b" 200 OK" in await exchange(port, request)
        assert (asked.headers[0][":method"], asked.headers[0][":body"]) == ("POST", "a\xff\0")

    asyncio.run(main())


@pytest.mark.parametrize("field", [":method: PUT", ":body: x", " X-Tag: folded", "X Tag: 1", "no colon", ": nothing"])
def test_a_header_that_is_none_is_refused(field: str) -> None:
    async def main() -> None:
        asked = Asked()
        async with asked.served() as port:
            assert b" 400 " in await exchange(port, f"GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n".encode())
        assert asked.headers == []

    asyncio.run(main())


def test_a_request_has_so_many_headers_and_no_more() -> None:
    async def main() -> None:
        asked = Asked()
        async with asked.served() as port:
            many = "".join(f"X-{number}: 1\r\n" for number in range(metadata.MAX_HEADERS))
            assert b" 431 " in await exchange(port, f"GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n".encode())
            assert b" 431 " in await exchange(port, b"GET / HTTP/1.1\r\nHost: " + b"a" * metadata.MAX_HEADER_BYTES)

    asyncio.run(main())


@pytest.mark.parametrize("begin", [b"", b"GET / HT", b"PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n123"])
def test_a_slow_request_ends(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "IDLE_SECONDS", 0.2)

    async def main() -> None:
        asked = Asked()
        async with asked.served() as port:
            assert await exchange(port, begin) == b""

    asyncio.run(main())


def test_a_guest_has_so_many_connections_and_one_answer_at_a_time() -> None:
    async def main() -> None:
        asked = Asked()
        async with asked.served() as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(metadata.MAX_PER_PORT)]
            assert await exchange(port, REQUEST) == b"", "one more is not taken"
            for _, writer in held:
                writer.write(REQUEST)
            answers = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader, _ in held)), 5)
            assert all(b" 200 OK" in answer for answer in answers)
            assert asked.most == 1
            for _, writer in held:
                writer.close()
            assert b" 200 OK" in await exchange(port, REQUEST), "what ended makes room"

    asyncio.run(main())


@pytest.mark.parametrize("owners", [("mine", "mine", "other"), ("", "", "mine")], ids=["one-port's", "nobody's"])
def test_many_addresses_are_no_more_connections(owners: tuple[str, str, str]) -> None:
    """Neither those of one port nor those that no port has; another port is not held up by them."""
    first, second, other = (f"127.0.0.{number}" for number in (2, 3, 4))
    ports = [(address, owner) for address, owner in zip((first, second, other), owners, strict=True) if owner]

    async def connect(port: int, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))

    async def main() -> None:
        asked = Asked()
        async with asked.served(*ports) as port:
            sources = [first, second] * (metadata.MAX_PER_PORT // 2)
            held = [await connect(port, source) for source in sources]
            reader, writer = await connect(port, second)
            with contextlib.suppress(ConnectionError):
                writer.write(REQUEST)
                assert await asyncio.wait_for(reader.read(), 5) == b"", "one more is not taken"
            writer.close()
            reader, writer = await connect(port, other)
            writer.write(REQUEST)
            assert b" 200 OK" in await asyncio.wait_for(reader.read(), 5)
            for _, open_writer in [*held, (reader, writer)]:
                open_writer.close()

    asyncio.run(main())


def test_an_address_of_two_ports_is_nobodys() -> None:
    """Which of them asks cannot be told."""
    from tane.agent.network.planner import plan

    net = Net(5)

    def port(number: int, address: str) -> Port:
        identifier = new_id()
        document = Port(
            id=identifier,
            network_id=net.id,
            mac_address=f"fa:16:3e:00:00:{number:02x}",
            device=f"tap{number}",
        )
        fixed = msgspec.convert([{"subnet_id": net.subnet_id, "ip_address": address}], list)
        return msgspec.convert({**msgspec.to_builtins(document), "fixed_ips": fixed}, Port)

    ports = (port(1, "10.0.0.11"), port(2, "10.0.0.11"), port(3, "10.0.0.13"))
    state = NetworkState(revision=1, networks=(net.document(dhcp=True),), ports=ports)
    settings = NetworkSettings(state_dir=Path("/nowhere"), cloud_id="test")
    (listener,) = plan(state, settings, "inet").listeners
    assert listener.ports == {"10.0.0.13": ports[2].id}


def test_a_project_that_asks_without_end_is_answered_at_a_pace_and_others_at_once() -> None:
    now = [0.0]
    pace = Pace(per_second=50, burst=100, clock=lambda: now[0])
    assert [pace.count("eager") for _ in range(100)] == pytest.approx([0.0] * 100)
    assert pace.count("eager") == pytest.approx(0.02) and pace.count("eager") == pytest.approx(0.04)
    assert pace.count("patient") == 0.0
    now[0] = 10.0
    assert pace.count("eager") == 0.0
