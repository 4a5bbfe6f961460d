"""A guest with a filtered port takes nobody's traffic: what it sends in others' names does not arrive."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from tane.agent.network.plan import NetworkSettings
from tane.agent.network.spoofing import link_local
from tane.wire.documents import FixedIp, NetworkState, Port, SecurityGroup, SecurityGroupRule, Subnet
from tests.host.network.network_lab import OPEN, Host, Net, eventually, on_host
from tests.hostile.frames import (
    BROADCAST,
    HIDINGS,
    Wire,
    advertisement,
    arp,
    bootp,
    ethernet,
    extended,
    fragment_header,
    icmpv6,
    ipv4,
    ipv6,
    marker,
    redirect,
    router_advertisement,
    solicitation,
    tagged,
    udp,
    udp6,
)

pytestmark = pytest.mark.root

ALL_NODES = "ff02::1"
ALL_NODES_MAC = "33:33:00:00:00:01"
Frames = Iterator[tuple[str, bytes, bytes]]
"""(what it is, its mark, the frame)."""


@pytest.fixture
def settings(tmp_path: Path) -> NetworkSettings:
    return NetworkSettings(state_dir=tmp_path / "network", cloud_id=uuid4().hex[:6], host_link=False)


class Scene:
    """An attacker's port, its victim's, and what they and their gateway are called."""

    def __init__(self, me: Port, victim: Port) -> None:
        self.me, self.victim = me.mac_address, victim.mac_address
        self.ip, self.ip6 = "10.0.0.11", "fd00::11"
        self.local, self.victims_local = link_local(self.me), link_local(self.victim)
        self.others = ("10.0.0.12", "10.0.0.1", "10.0.0.2", "255.255.255.255", "127.0.0.1", "224.0.0.1")
        self.others6 = ("fd00::12", "fd00::1", self.victims_local, "fe80::1", "::1", ALL_NODES)

    def frame4(self, payload: bytes, **source: str) -> bytes:
        return ethernet(source.get("mac", self.me), self.victim, 0x0800, payload)

    def frame6(self, payload: bytes, target: str | None = None) -> bytes:
        return ethernet(self.me, target or self.victim, 0x86DD, payload)


def marked(name: str, build: Callable[[bytes], bytes]) -> tuple[str, bytes, bytes]:
    mark = marker()
    return name, mark, build(mark)


# ------------------------------------------------------------------------------------------------------- forbidden


def forged_arp(scene: Scene) -> Frames:
    own, victim, nobody = (scene.me, scene.ip), (scene.victim, "10.0.0.12"), ("00:00:00:00:00:00", "10.0.0.12")

    def build(name: str, payload: bytes, source: str = scene.me) -> tuple[str, bytes, bytes]:
        return marked(f"ARP {name}", lambda mark: ethernet(source, BROADCAST, 0x0806, payload + mark))

    for address, operation in itertools.product(scene.others, (1, 2)):
        yield build(f"{operation} as {address}", arp((scene.me, address), victim, operation=operation))
        yield build(f"gratuitous {operation} for {address}", arp((scene.me, address), (BROADCAST, address)))
    for address in ("10.0.0.12", "10.0.0.1"):
        yield build(f"probe for {address}", arp((scene.me, "0.0.0.0"), ("00:00:00:00:00:00", address)))
        yield build(f"reply of nobody to {address}", arp((scene.me, "0.0.0.0"), (scene.victim, address), operation=2))
    yield build("with the victim's hardware address", arp((scene.victim, scene.ip), nobody))
    yield build("from the victim's MAC", arp((scene.victim, "10.0.0.12"), nobody), scene.victim)
    for operation in (0, 3, 4, 8, 9, 23):
        yield build(f"operation {operation}", arp(own, victim, operation=operation))
    for hardware in (0, 6, 15, 32):
        yield build(f"hardware {hardware}", arp(own, victim, hardware=hardware))
    for lengths in ((8, 4), (6, 16), (0, 0), (4, 6)):
        yield build(f"lengths {lengths}", arp(own, victim, lengths=lengths))
    yield build("protocol IPv6", arp(own, victim, protocol=0x86DD))


def foreign_kinds(scene: Scene) -> Frames:
    for kind in (0x8035, 0x88CC, 0x88A8, 0x8847, 0x8863, 0x8864, 0x888E, 0x9000, 0x88F7, 0x8906, 0x0806 + 1, 0x0600):
        for target in (BROADCAST, scene.victim, "01:80:c2:00:00:0e", "01:00:5e:00:00:01"):
            yield marked(f"type {kind:#06x}", lambda m, k=kind, t=target: ethernet(scene.me, t, k, m))
    for name, head in (("STP", b"\x42\x42\x03"), ("NetBIOS", b"\xf0\xf0\x03"), ("SNAP", b"\xaa\xaa\x03\0\0\0\x08\x00")):
        for target in ("01:80:c2:00:00:00", BROADCAST, scene.victim):
            yield marked(name, lambda m, h=head, t=target: ethernet(scene.me, t, 46, h + m))
    theft = arp((scene.me, "10.0.0.1"), (BROADCAST, "10.0.0.1"))

    def advertise(kind: int, body: bytes) -> bytes:
        return icmpv6(scene.local, ALL_NODES, kind, body)

    inner = (
        ("IPv4", lambda m: scene.frame4(ipv4(scene.ip, "10.0.0.12", 17, udp(1, 2, m)))),
        ("DHCP offer", lambda m: scene.frame4(ipv4(scene.ip, "10.0.0.12", 17, udp(67, 68, m)))),
        ("ARP", lambda m: ethernet(scene.me, BROADCAST, 0x0806, theft + m)),
        ("RA", lambda m: scene.frame6(ipv6(scene.local, ALL_NODES, 58, advertise(134, router_advertisement(m))))),
    )
    for (name, build), vlan, kind in itertools.product(inner, (0, 5, 4095, 0xE000), (0x8100, 0x88A8)):
        yield marked(f"{name} in VLAN {vlan:#x}", lambda m, b=build, v=vlan, k=kind: tagged(b(m), v, k))
        yield marked(f"{name} in VLAN {vlan:#x} twice", lambda m, b=build, v=vlan: tagged(tagged(b(m), 7), v))


def forged_ipv4(scene: Scene) -> Frames:
    for address in (*scene.others, "0.0.0.0", "10.0.0.10", "8.8.8.8"):
        for protocol in (1, 2, 6, 17, 89, 112):
            yield marked(
                f"IPv4 from {address}, protocol {protocol}",
                lambda m, a=address, p=protocol: scene.frame4(ipv4(a, "10.0.0.12", p, udp(68, 68, m))),
            )
    for source in (BROADCAST, "01:00:5e:00:00:01", "33:33:00:00:00:01", scene.victim, "00:00:00:00:00:00"):
        yield marked(
            f"IPv4 from the MAC {source}",
            lambda m, s=source: scene.frame4(ipv4(scene.ip, "10.0.0.12", 17, udp(1, 2, m)), mac=s),
        )
    server = {
        "": {},
        " with options": {"options": b"\x94\x04\0\0"},
        " with a source route": {"options": b"\x83\x07\x04\x0a\0\0\x0c\0"},
        " in a fragment": {"fragment": 0x2000},
    }
    for how, options in server.items():
        for target, to in (("10.0.0.12", scene.victim), ("255.255.255.255", BROADCAST)):
            yield marked(
                f"DHCP offer{how}",
                lambda m, o=options, t=target, d=to: ethernet(
                    scene.me, d, 0x0800, ipv4(scene.ip, t, 17, udp(67, 68, bootp(scene.victim, operation=2) + m), **o)
                ),
            )


def forged_ipv6(scene: Scene) -> Frames:
    messages: list[tuple[str, str, str, int, Callable[[bytes], bytes]]] = []
    for source in (scene.local, scene.ip6):
        for to in (ALL_NODES, "fd00::12"):
            messages.append(("RA", source, to, 134, router_advertisement))
            messages.append(("redirect", source, to, 137, lambda m: redirect("fe80::1", "fd00::1", m)))
            messages.append(("listener query", source, to, 130, lambda m: bytes(20) + m))
            for target in scene.others6:
                messages.append((f"NA for {target}", source, to, 136, lambda m, t=target: advertisement(t, m)))
    for target in scene.others6:
        messages.append((f"NS from :: for {target}", "::", ALL_NODES, 135, lambda m, t=target: solicitation(t, m)))
    for source in (*scene.others6, "::"):
        messages.append((f"NA from {source}", source, ALL_NODES, 136, lambda m: advertisement(scene.ip6, m)))
        messages.append((f"RS from {source}", source, ALL_NODES, 133, lambda m: bytes(4) + m))
        messages.append((f"report from {source}", source, ALL_NODES, 143, lambda m: bytes(4) + m))
        messages.append((f"echo from {source}", source, "fd00::12", 128, lambda m: bytes(4) + m))
    for kind in (138, 141, 142, 151, 153):
        messages.append((f"ICMPv6 {kind}", scene.local, ALL_NODES, kind, lambda m: bytes(4) + m))
    for name, source, to, kind, body in messages:
        for how in ("plain", *HIDINGS):

            def build(m: bytes, s: str = source, t: str = to, k: int = kind, b: object = body, h: str = how) -> bytes:
                header, payload = extended(h, 58, icmpv6(s, t, k, b(m)))  # type: ignore[operator]
                return scene.frame6(ipv6(s, t, header, payload), ALL_NODES_MAC if t == ALL_NODES else scene.victim)

            yield marked(f"{name}, {how}", build)


def hidden_ipv6(scene: Scene) -> Frames:
    """Discovery for the port's own addresses behind extension headers, and first fragments that say nothing."""
    own: tuple[tuple[str, int, Callable[[bytes], bytes]], ...] = (
        ("NA for itself", 136, lambda m: advertisement(scene.ip6, m)),
        ("NS for itself", 135, lambda m: solicitation(scene.ip6, m)),
        ("RS", 133, lambda m: bytes(4) + m),
    )
    for (name, kind, body), how in itertools.product(own, HIDINGS):

        def build(m: bytes, k: int = kind, b: object = body, h: str = how) -> bytes:
            header, payload = extended(h, 58, icmpv6(scene.ip6, ALL_NODES, k, b(m)))  # type: ignore[operator]
            return scene.frame6(ipv6(scene.ip6, ALL_NODES, header, payload), ALL_NODES_MAC)

        yield marked(f"{name}, {how}", build)
    for inner in (58, 17, 60, 43, 0):
        yield marked(
            f"a first fragment of header {inner} without anything",
            lambda m, i=inner: scene.frame6(ipv6(scene.ip6, "fd00::12", 44, fragment_header(i, 0, more=True))) + m,
        )
    yield marked(
        "a first fragment that ends in its options",
        lambda m: scene.frame6(
            ipv6(scene.ip6, "fd00::12", 44, fragment_header(60, 0, more=True) + bytes((58, 4, 1, 36)) + m + bytes(4))
        ),
    )
    for how in ("plain", *HIDINGS):

        def server(m: bytes, h: str = how) -> bytes:
            header, payload = extended(h, 17, udp6(scene.local, ALL_NODES, (547, 546), m))
            return scene.frame6(ipv6(scene.local, ALL_NODES, header, payload), ALL_NODES_MAC)

        yield marked(f"DHCPv6 server, {how}", server)


FORBIDDEN = {
    "arp": forged_arp,
    "kinds": foreign_kinds,
    "ipv4": forged_ipv4,
    "ipv6": forged_ipv6,
    "hidden": hidden_ipv6,
}


# --------------------------------------------------------------------------------------------------------- allowed


def honest(scene: Scene) -> Frames:
    own, victim = (scene.me, scene.ip), ("00:00:00:00:00:00", "10.0.0.12")
    for name, payload in (
        ("request", arp(own, victim)),
        ("reply", arp(own, (scene.victim, "10.0.0.12"), operation=2)),
        ("announcement", arp(own, ("00:00:00:00:00:00", scene.ip))),
        ("probe", arp((scene.me, "0.0.0.0"), ("00:00:00:00:00:00", scene.ip))),
    ):
        yield marked(f"ARP {name}", lambda m, p=payload: ethernet(scene.me, BROADCAST, 0x0806, p + m))
    yield marked("UDP", lambda m: scene.frame4(ipv4(scene.ip, "10.0.0.12", 17, udp(5, 6, m))))
    yield marked("IGMP", lambda m: scene.frame4(ipv4(scene.ip, "10.0.0.12", 2, m, options=b"\x94\x04\0\0")))
    for source in (scene.local, scene.ip6):
        for name, kind, body in (
            ("NA", 136, lambda m, s=source: advertisement(s, m)),
            ("NS", 135, lambda m: solicitation("fd00::12", m)),
            ("echo", 128, lambda m: struct.pack("!HH", 1, 1) + m),
            ("report", 143, lambda m: bytes(4) + m),
        ):
            yield marked(
                f"{name} from {source}",
                lambda m, s=source, k=kind, b=body: scene.frame6(
                    ipv6(s, ALL_NODES, 58, icmpv6(s, ALL_NODES, k, b(m))), ALL_NODES_MAC
                ),
            )
        yield marked(
            f"UDP from {source}",
            lambda m, s=source: scene.frame6(ipv6(s, "fd00::12", 17, udp6(s, "fd00::12", (5, 6), m))),
        )
    for target in (scene.local, scene.ip6):
        yield marked(
            f"NS from :: for {target}",
            lambda m, t=target: scene.frame6(
                ipv6("::", ALL_NODES, 58, icmpv6("::", ALL_NODES, 135, solicitation(t, m))), ALL_NODES_MAC
            ),
        )


def on_scene(settings: NetworkSettings, body: Callable[[Host, Scene, Wire, Wire], None], **options: object) -> None:
    """Two guests of one network whose ports have an address of each version and the open group."""

    async def main(host: Host) -> None:
        net = Net(1001)
        six = Subnet(id="six", cidr="fd00::/64", ip_version=6)
        document = net.document()
        network = msgspec.structs.replace(document, subnets=(*document.subnets, six))
        ports = [host.port(net, f"10.0.0.{last}", "open", **options) for last in (11, 12)]
        ports = [
            msgspec.structs.replace(p, fixed_ips=(*p.fixed_ips, FixedIp(subnet_id="six", ip_address=f"fd00::{last}")))
            for p, last in zip(ports, (11, 12), strict=True)
        ]
        guests = [host.plug(port) for port in ports]
        await host.apply(NetworkState(revision=1, networks=(network,), ports=tuple(ports), security_groups=(OPEN,)))
        assert guests[0].reaches("10.0.0.12")
        sending, hearing = Wire(guests[0].namespace), Wire(guests[1].namespace)
        try:
            body(host, Scene(*ports), sending, hearing)
        finally:
            sending.close()
            hearing.close()

    on_host(settings, main)


def arrived(frames: Frames, scene: Scene, sending: Wire, hearing: Wire) -> list[str]:
    """What of the frames the victim hears; each hundred is followed by one that must arrive."""
    found: list[str] = []
    batch = list(frames)
    for start in range(0, len(batch), 100):
        _, last, witness = marked("witness", lambda m: scene.frame4(ipv4(scene.ip, "10.0.0.12", 17, udp(7, 8, m))))
        part = batch[start : start + 100]
        for _, _, frame in part:
            sending.send(frame)
        sending.send(witness)
        heard = hearing.heard(last)
        assert last in heard, "an honest frame arrives"
        found += [name for name, mark, _ in part if mark in heard]
    return found


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_what_a_guest_sends_in_other_names_does_not_arrive(kind: str, settings: NetworkSettings) -> None:
    def body(host: Host, scene: Scene, sending: Wire, hearing: Wire) -> None:
        assert arrived(FORBIDDEN[kind](scene), scene, sending, hearing) == []

    on_scene(settings, body)


def test_what_a_guest_sends_in_its_own_name_arrives(settings: NetworkSettings) -> None:
    def body(host: Host, scene: Scene, sending: Wire, hearing: Wire) -> None:
        frames = list(honest(scene))
        assert arrived(iter(frames), scene, sending, hearing) == [name for name, _, _ in frames]

    on_scene(settings, body)


def test_the_same_frames_arrive_from_a_port_without_filter(settings: NetworkSettings) -> None:
    """The frames are whole: it is the filter that keeps them."""

    def body(host: Host, scene: Scene, sending: Wire, hearing: Wire) -> None:
        for kind in ("arp", "ipv4", "ipv6"):
            frames = list(FORBIDDEN[kind](scene))
            seen = arrived(iter(frames), scene, sending, hearing)
            assert len(seen) > len(frames) * 0.6, kind

    on_scene(settings, body, port_security_enabled=False)


def test_no_port_takes_the_mac_of_another_away(settings: NetworkSettings) -> None:
    """Also one without filter, which may send as anybody: the bridge knows where the others are."""

    async def body(host: Host) -> None:
        net = Net(1001)
        thief = host.port(net, "10.0.0.10", port_security_enabled=False)
        caller, victim = (host.port(net, f"10.0.0.{last}", "open") for last in (11, 12))
        guests = [host.plug(port) for port in (thief, caller, victim)]
        server = net.document(dhcp=True)
        await host.apply(
            NetworkState(revision=1, networks=(server,), ports=(thief, caller, victim), security_groups=(OPEN,))
        )
        assert guests[1].reaches("10.0.0.12")
        assert guests[1].reaches("10.0.0.2")
        assert server.dhcp_port is not None
        stealing, calling, hearing = (Wire(guest.namespace) for guest in guests)
        try:
            for mac in (victim.mac_address, server.dhcp_port.mac_address):
                for _ in range(3):
                    stealing.send(ethernet(mac, mac, 0x0800, b""))
            for target in (victim.mac_address, server.dhcp_port.mac_address):
                mark = marker()
                packet = ipv4("10.0.0.11", "10.0.0.12", 17, udp(5, 6, mark))
                calling.send(ethernet(caller.mac_address, target, 0x0800, packet))
                if target == victim.mac_address:
                    assert mark in hearing.heard(mark)
                assert mark not in stealing.heard(mark)
        finally:
            for wire in (stealing, calling, hearing):
                wire.close()

    on_host(settings, body)


# --------------------------------------------------------------------------------------------------- DHCP's frames


def test_no_frame_of_dhcp_passes_between_guests_against_their_groups(settings: NetworkSettings) -> None:
    """Requests go to the network's own server and offers come from it; between neighbours the groups decide."""

    async def body(host: Host) -> None:
        net = Net(1001)
        mute, listening = host.port(net, "10.0.0.11", "mute"), host.port(net, "10.0.0.12", "open")
        calling = host.port(net, "10.0.0.13", "open", port_security_enabled=False)
        deaf = host.port(net, "10.0.0.14", "out")
        ports = (mute, listening, calling, deaf)
        guests = [host.plug(port) for port in ports]
        groups = (
            OPEN,
            SecurityGroup(id="mute", rules=(SecurityGroupRule(direction="ingress"),)),
            SecurityGroup(id="out", rules=(SecurityGroupRule(direction="egress"),)),
        )
        await host.apply(
            NetworkState(revision=1, networks=(net.document(dhcp=True),), ports=ports, security_groups=groups)
        )
        assert guests[1].reaches("10.0.0.13")
        assert guests[3].reaches("10.0.0.2")
        wires = [Wire(guest.namespace) for guest in guests]
        server = Wire(f"qdhcp-{net.id}", f"ns-{net.leg_id[:11]}")
        try:
            requests = [
                (marker(), ethernet_target, address)
                for ethernet_target, address in (
                    (BROADCAST, "255.255.255.255"),
                    (listening.mac_address, "10.0.0.12"),
                    (listening.mac_address, "255.255.255.255"),
                )
            ]

            def ask(mark: bytes, target: str, address: str) -> None:
                message = bootp(mute.mac_address, end=mark)
                packet = ipv4("10.0.0.11", address, 17, udp(68, 67, message))
                wires[0].send(ethernet(mute.mac_address, target, 0x0800, packet))

            def broadcast_arrives() -> bool:
                ask(*requests[0])
                return requests[0][0] in server.heard(requests[0][0])

            assert eventually(broadcast_arrives, seconds=4), "the mute guest's link is up: its broadcasts arrive"
            for request in requests:
                ask(*request)
            heard = wires[1].heard(b"never")
            assert [mark in heard for mark, _, _ in requests] == [False] * 3
            offers = [(marker(), target) for target in (BROADCAST, deaf.mac_address)]
            for (mark, target), version in itertools.product(offers, (4, 6)):
                packet = ipv4("10.0.0.13", "10.0.0.14", 17, udp(67, 68, mark))
                six = ipv6("fe80::7", ALL_NODES, 17, udp6("fe80::7", ALL_NODES, (547, 546), mark))
                kind, payload = (0x0800, packet) if version == 4 else (0x86DD, six)
                wires[2].send(ethernet(calling.mac_address, target, kind, payload))
            heard = wires[3].heard(b"never")
            assert [mark in heard for mark, _ in offers] == [False] * 2
        finally:
            for wire in (*wires, server):
                wire.close()

    on_host(settings, body)


@pytest.mark.parametrize("security", [True, False])
def test_a_guest_asks_for_dhcp_in_its_own_name_only(security: bool, settings: NetworkSettings) -> None:
    """A lease of somebody else could be declined, and its owner would get none for ten minutes."""

    async def body(host: Host) -> None:
        net = Net(1001)
        me = host.port(net, "10.0.0.11", "open", port_security_enabled=security)
        victim = host.port(net, "10.0.0.12", "open")
        guest = host.plug(me)
        host.plug(victim)
        await host.apply(
            NetworkState(revision=1, networks=(net.document(dhcp=True),), ports=(me, victim), security_groups=(OPEN,))
        )
        assert guest.reaches("10.0.0.2")
        sending, server = Wire(guest.namespace), Wire(f"qdhcp-{net.id}", f"ns-{net.leg_id[:11]}")

        def request(source: str, ports: tuple[int, int], message: bytes, **fragment: int) -> bytes:
            return ethernet(
                me.mac_address, BROADCAST, 0x0800, ipv4(source, "10.0.0.2", 17, udp(*ports, message), **fragment)
            )

        try:
            bad: dict[str, bytes] = {}
            for source, kind in itertools.product(("10.0.0.11", "0.0.0.0"), (1, 3, 4, 7)):
                for name, options in (
                    ("for another", {"client": victim.mac_address}),
                    ("for nobody", {"client": "00:00:00:00:00:00"}),
                    ("by a relay", {"client": me.mac_address, "relay": "10.0.0.12"}),
                    ("that is an answer", {"client": me.mac_address, "operation": 2}),
                ):
                    mark = marker()
                    bad[f"{name} {source} {kind}"] = mark
                    sending.send(request(source, (68, 67), bootp(**options, kind=kind, end=mark)))  # type: ignore[arg-type]
            for port in (67, 1024, 53):
                bad[f"from port {port}"] = mark = marker()
                sending.send(request("10.0.0.11", (port, 67), bootp(me.mac_address, end=mark)))
            bad["too short"] = mark = marker()
            sending.send(request("10.0.0.11", (68, 67), mark))
            good = marker()
            sending.send(request("10.0.0.11", (68, 67), bootp(me.mac_address, end=good)))
            heard = server.heard(good)
            assert good in heard
            assert [name for name, mark in bad.items() if mark in heard] == []
            flood = [marker() for _ in range(300)]
            for mark in flood:
                sending.send(request("10.0.0.11", (68, 67), bootp(me.mac_address, end=mark)))
            heard = server.heard(flood[-1])
            assert 0 < sum(mark in heard for mark in flood) < 150, "a flood is cut"
        finally:
            sending.close()
            server.close()

    on_host(settings, body)
