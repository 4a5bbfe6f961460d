"""IPv6 of guests: what their router advertises, and what DHCPv6 tells whom."""

from __future__ import annotations

import ipaddress
import json
import struct
from contextlib import closing

import msgspec
import pytest
from network_lab import OPEN, Guest, Host, Net, derived_id, eventually, new_id, on_host, pings

from tane.agent.network.plan import NetworkSettings
from tane.agent.network.spoofing import link_local
from tane.linux import process
from tane.wire.documents import FixedIp, GuestAddressing, Network, NetworkState, Port, Router, RouterInterface, Subnet
from tests.hostile.frames import Wire, ethernet, ipv6, udp6

pytestmark = pytest.mark.root

SERVERS = "ff02::1:2"
SERVERS_MAC = "33:33:00:01:00:02"
SOLICIT, REQUEST, REPLY, INFORM = 1, 3, 7, 11


class Six:
    """A network with an IPv4 and an IPv6 subnet of one mode, and its router."""

    def __init__(self, mode: GuestAddressing, number: int = 1, **subnet: object) -> None:
        self.net = Net(1000 + number, f"10.0.{number}")
        self.prefix = f"fd00:{number}::"
        self.subnet = Subnet(
            id=derived_id(self.net.id, "six"),
            cidr=f"{self.prefix}/64",
            ip_version=6,
            gateway_ip=f"{self.prefix}1",
            ipv6_ra_mode=mode,
            ipv6_address_mode=mode,
            **subnet,  # type: ignore[arg-type]
        )

    def network(self) -> Network:
        bare = self.net.document(dhcp=True)
        assert bare.dhcp_port is not None
        server = msgspec.structs.replace(
            bare.dhcp_port,
            fixed_ips=(*bare.dhcp_port.fixed_ips, FixedIp(subnet_id=self.subnet.id, ip_address=f"{self.prefix}2")),
        )
        return msgspec.structs.replace(bare, subnets=(*bare.subnets, self.subnet), dhcp_port=server)

    def port(self, host: Host, last: int) -> Port:
        bare = host.port(self.net, f"10.0.{self.net.segment_id - 1000}.{last}", "open", hostname=f"web{last}")
        if self.subnet.ipv6_address_mode == "dhcpv6-stateful":
            address = f"{self.prefix}{last}"
        else:
            own = ipaddress.ip_address(link_local(bare.mac_address)).packed[8:]
            address = str(ipaddress.ip_address(ipaddress.ip_address(self.prefix).packed[:8] + own))
        six = FixedIp(subnet_id=self.subnet.id, ip_address=address)
        return msgspec.structs.replace(bare, fixed_ips=(*bare.fixed_ips, six))


def router(*networks: Six) -> Router:
    legs = [
        leg
        for six in networks
        for leg in (
            six.net.leg(),
            RouterInterface(
                port_id=derived_id(six.net.id, "leg six"),
                network_id=six.net.id,
                mac_address=six.net.leg().mac_address.replace("fa:16:3c", "fa:16:3a"),
                ip_address=f"{six.prefix}1",
                prefixlen=64,
            ),
        )
    ]
    return Router(id=new_id(), interfaces=tuple(legs))


def addresses(guest: Guest) -> set[str]:
    """Global IPv6 addresses of a guest."""
    told = json.loads(guest.ip("-6", "-j", "addr", "show", "dev", "eth0", "scope", "global"))
    return {entry["local"] for link in told for entry in link.get("addr_info", ()) if "local" in entry}


def default_route(guest: Guest) -> str:
    routes = json.loads(guest.ip("-6", "-j", "route", "show", "default"))
    return routes[0]["gateway"] if routes else ""


def state(ports: list[Port], *networks: Six, routed: bool = True, **more: object) -> NetworkState:
    return NetworkState(
        revision=1,
        networks=tuple(six.network() for six in networks),
        ports=tuple(ports),
        routers=(router(*networks),) if routed else (),
        security_groups=(OPEN,),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("mode", ["slaac", pytest.param("dhcpv6-stateless", marks=pytest.mark.nightly)])
def test_guests_make_addresses_of_what_their_router_advertises(
    settings: NetworkSettings, mode: GuestAddressing
) -> None:
    """And reach those of its other networks by the route it advertises."""

    async def body(host: Host) -> None:
        networks = Six(mode, 1), Six(mode, 2)
        ports = [six.port(host, 11) for six in networks]
        guests = [host.plug(port, configure=False) for port in ports]
        document = state(ports, *networks)
        await host.apply(document)
        for guest, port, six in zip(guests, ports, networks, strict=True):
            own = port.fixed_ips[1].ip_address
            assert eventually(lambda own=own, guest=guest: own in addresses(guest), seconds=10)  # type: ignore[misc]
            assert eventually(lambda guest=guest: bool(default_route(guest)))  # type: ignore[misc]
            assert default_route(guest).startswith("fe80::")
            assert pings_eventually(guest, f"{six.prefix}1")
        assert pings_eventually(guests[0], ports[1].fixed_ips[1].ip_address)
        writes = host.network.kernel_writes
        await host.apply(document)
        assert host.network.kernel_writes == writes, "a second pass changes nothing"

    on_host(settings, body)


def pings_eventually(guest: Guest, target: str) -> bool:
    return eventually(lambda: pings(guest.namespace, target), seconds=5)


# --------------------------------------------------------------------------------------------------------- DHCPv6


class Client:
    """A DHCPv6 client (RFC 8415) that says of itself what it likes; ``mac``: what its DUID is made of."""

    def __init__(self, guest: Guest, mac: str | None = None) -> None:
        self.own = guest.port.mac_address
        self.duid = struct.pack("!HH", 3, 1) + bytes.fromhex((mac or self.own).replace(":", ""))
        self.wire = Wire(guest.namespace)

    def close(self) -> None:
        self.wire.close()

    def message(self, kind: int, *options: tuple[int, bytes]) -> bytes:
        """With the options 23 (name servers) and 24 (domains) asked for."""
        asked = [(1, self.duid), (6, struct.pack("!HH", 23, 24)), (8, b"\0\0"), *options]
        body = b"".join(struct.pack("!HH", number, len(value)) + value for number, value in asked)
        return struct.pack("!I", kind << 24 | 0x515151) + body

    def send(self, message: bytes, source: str | None = None) -> None:
        address = source or link_local(self.own)
        packet = ipv6(address, SERVERS, 17, udp6(address, SERVERS, (546, 547), message), hops=1)
        self.wire.send(ethernet(self.own, SERVERS_MAC, 0x86DD, packet))

    def ask(self, kind: int, *options: tuple[int, bytes], source: str | None = None) -> dict[int, bytes]:
        """The options of the answer, none without one; -1 is its kind."""
        self.send(self.message(kind, *options), source)
        for frame in self.wire.frames():
            start = 14 + 40
            if frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x11" and frame[start : start + 4] == PORTS:
                return {-1: frame[start + 8 : start + 9], **options_of(frame[start + 12 :])}
        return {}

    def address(self) -> str:
        """The address it is given; it asks again, as clients do: the server may have begun a moment ago."""
        return next(filter(None, (self._address() for _ in range(8))), "")

    def _address(self) -> str:
        association = (3, bytes(12))
        offered = self.ask(SOLICIT, association)
        if 2 not in offered:
            return ""
        told = self.ask(REQUEST, association, (2, offered[2]))
        given = options_of(told.get(3, b"")[12:])
        return str(ipaddress.ip_address(given[5][:16])) if 5 in given else ""


PORTS = struct.pack("!HH", 547, 546)


def options_of(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        number, size = struct.unpack("!HH", data[:4])
        found[number] = data[4 : 4 + size]
        data = data[4 + size :]
    return found


def ready(guest: Guest) -> None:
    """A new link needs a moment until the kernel sends on it, and its own address is checked for another's."""
    assert eventually(lambda: "tentative" not in guest.ip("-6", "addr", "show", "dev", "eth0"))
    assert pings_eventually(guest, "ff02::1%eth0")


def test_each_guest_gets_its_own_address_by_dhcpv6_whatever_it_says_it_is(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        six = Six("dhcpv6-stateful", dns_nameservers=("fd00::53", "9.9.9.9"))
        ports = [six.port(host, last) for last in (11, 12)]
        guests = [host.plug(port, configure=False) for port in ports]
        document = state(ports, six)
        await host.apply(document)
        for guest in guests:
            ready(guest)
        thief, honest = Client(guests[1], guests[0].port.mac_address), Client(guests[0])
        with closing(thief), closing(honest):
            assert thief.address() == f"{six.prefix}12", "known by its MAC, not by what it says"
            assert honest.address() == f"{six.prefix}11"
            told = honest.ask(SOLICIT, (3, bytes(12)))
            assert told[23] == ipaddress.ip_address("fd00::53").packed
            assert told[24] == b"\x05cloud\x07example\0"
            assert honest.ask(SOLICIT, (3, bytes(12)), source=link_local(guests[1].port.mac_address)) == {}
            relayed = struct.pack("!BB", 12, 0) + bytes(16) + ipaddress.ip_address(link_local(honest.own)).packed
            inner = thief.message(SOLICIT, (3, bytes(12)))
            thief.send(relayed + struct.pack("!HH", 9, len(inner)) + inner)
            assert b"\x0d" not in {frame[62:63] for frame in thief.wire.frames()}, "no relay is answered"
            offered = thief.ask(SOLICIT, (3, bytes(12)))
            for kind in (8, 9):
                given = struct.pack("!HH", 5, 24) + ipaddress.ip_address(f"{six.prefix}11").packed + bytes(8)
                assert thief.ask(kind, (2, offered[2]), (3, bytes(12) + given)) == {}, "nobody gives another's back"
        assert eventually(lambda: default_route(guests[0]).startswith("fe80::"), seconds=20), (
            "the router says the way out"
        )
        assert addresses(guests[0]) == set(), "nobody makes an address of his own"

    on_host(settings, body)


def test_a_guest_without_ipv4_reads_its_own_metadata_and_nobody_elses(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        six = Six("slaac")
        ports = [six.port(host, last) for last in (11, 12)]
        guests = [host.plug(port, configure=False) for port in ports]
        document = state(ports, six)
        await host.apply(document)
        for guest in guests:
            ready(guest)
            told = await host.curl(guest.namespace, "/openstack/latest/meta_data.json", at="fe80::a9fe:a9fe%eth0")
            assert told == (200, f"{guest.port.id} /openstack/latest/meta_data.json")
        assert (await host.apply(document)).summary == "Revision 1: nothing to do."
        thief, victim = guests[0], link_local(guests[1].port.mac_address)
        thief.ip("addr", "flush", "dev", "eth0", "scope", "link")
        thief.ip("addr", "add", f"{victim}/64", "dev", "eth0", "nodad")
        with pytest.raises(OSError):
            await host.curl(thief.namespace, "/", at="fe80::a9fe:a9fe%eth0")

    on_host(settings, body)


def test_who_makes_its_own_address_is_told_the_rest_by_dhcpv6(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        six = Six("dhcpv6-stateless")
        port = six.port(host, 11)
        guest = host.plug(port, configure=False)
        await host.apply(state([port], six, routed=False))
        ready(guest)
        with closing(Client(guest)) as client:
            told = next(filter(None, (client.ask(INFORM) for _ in range(8))))
        assert told[-1] == bytes([REPLY]) and told[24] == b"\x05cloud\x07example\0"
        assert told[23] == ipaddress.ip_address(f"{six.prefix}2").packed, "the network answers for its own names"

    on_host(settings, body)


def test_an_address_that_is_anothers_now_is_given_to_that_one(settings: NetworkSettings) -> None:
    """A lease names its holder by what that chose itself; whose the address is says the cloud."""

    async def body(host: Host) -> None:
        six = Six("dhcpv6-stateful")
        first, second = six.port(host, 11), six.port(host, 11)
        for port in (first, second):
            guest = host.plug(port, configure=False)
            await host.apply(state([port], six, routed=False))
            ready(guest)
            with closing(Client(guest)) as client:
                assert client.address() == f"{six.prefix}11"

    on_host(settings, body)


def test_a_daemon_that_was_not_told_is_told_by_the_next_pass(
    settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent may be ended between writing the files and telling of them."""

    async def body(host: Host) -> None:
        six = Six("dhcpv6-stateful")
        ports = [six.port(host, last) for last in (11, 12)]
        host.plug(ports[0], configure=False)
        await host.apply(state(ports[:1], six, routed=False))
        guest = host.plug(ports[1], configure=False)
        with monkeypatch.context() as patch:
            patch.setattr(process, "send_signal", lambda *_: (_ for _ in ()).throw(OSError("ended here")))
            applied = await host.network.apply(state(ports, six, routed=False))
            assert six.net.id in applied.failed
        await host.apply(state(ports, six, routed=False))
        ready(guest)
        with closing(Client(guest)) as client:
            assert client.address() == f"{six.prefix}12"

    on_host(settings, body)
