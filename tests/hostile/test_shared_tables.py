"""What the kernel keeps of guests' frames, in tables and memory that all tenants of a host share, is bounded for each:
none takes the others' room."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time

import msgspec
import pytest

from tane.agent.network.bounds import TABLE
from tane.agent.network.plan import NetworkSettings
from tane.linux import netns
from tane.linux.netlink import MOST_LEARNED
from tane.linux.space import Space
from tane.wire.documents import NetworkState, Router, RouterInterface
from tests.host.network.conftest import settings
from tests.host.network.network_lab import OPEN, Host, Net, eventually, inside, new_id, on_host, pings, run
from tests.hostile import frames

__all__ = ["settings"]
REACHABLE, STALE = 0x02, 0x04
pytestmark = pytest.mark.root


def raw(namespace: str) -> socket.socket:
    with netns.entered(namespace):
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind(("eth0", 0))
    return link


def mac_of(host: Host, namespace: str, address: str) -> str:
    """As a guest has learned it."""
    assert eventually(lambda: pings(namespace, address))
    return run("ip", "-n", namespace, "neigh", "show", address).split("lladdr ")[1].split()[0]


def test_fragments_of_one_port_that_never_come_whole_leave_room_for_others(settings: NetworkSettings) -> None:
    async def main(host: Host) -> None:
        bad, good = Net(1001), Net(1002, "10.0.1")
        ports = [host.port(bad, "10.0.0.10", "open"), host.port(bad, "10.0.0.11", "open")]
        ports += [host.port(good, f"10.0.1.{last}", "open") for last in (10, 11)]
        one, _, mine, other = [host.plug(port) for port in ports]
        for guest in (mine, other):
            guest.ip("link", "set", "eth0", "mtu", "1450")
        networks = (bad.document(), good.document())
        await host.apply(NetworkState(revision=1, networks=networks, ports=tuple(ports), security_groups=(OPEN,)))
        await asyncio.to_thread(attack, host, one.namespace, ports[0].mac_address)
        assert mine.reaches("10.0.1.11")
        large = ("ping", "-c3", "-n", "-i0.2", "-W2", "-s2000", "10.0.1.11")
        assert " 0% packet loss" in inside(mine.namespace, *large, check=False)

    def attack(host: Host, namespace: str, mine: str) -> None:
        target = mac_of(host, namespace, "10.0.0.11")
        whole = frames.ipv4("10.0.0.10", "10.0.0.11", 17, frames.udp(9, 9, bytes(1400)), fragment=0x2000)
        hidden = frames.ipv6(
            "fe80::1", "fe80::2", 44, frames.fragment_header(17, 0, more=True) + frames.udp(9, 9, bytes(1400))
        )
        with raw(namespace) as link:
            for number in range(6000):
                one = whole[:4] + struct.pack("!H", number) + whole[6:10] + bytes(2) + whole[12:]
                one = one[:10] + struct.pack("!H", frames.checksum(one[:20])) + one[12:]
                # Of what is dropped a sender in the same kernel is told.
                with contextlib.suppress(OSError):
                    link.send(frames.ethernet(mine, target, 0x0800, one))
                with contextlib.suppress(OSError):
                    link.send(frames.ethernet(mine, target, 0x86DD, hidden))
        held = int(inside(host.namespace, "cat", "/proc/net/sockstat").split("FRAG: inuse ")[1].split()[0])
        assert 0 < held <= 2000, "the allowance of one port"

    on_host(settings, main)


def test_a_port_that_sends_as_anybody_fills_no_bridge(settings: NetworkSettings) -> None:
    async def main(host: Host) -> None:
        net = Net(1001)
        ports = [host.port(net, "10.0.0.10", port_security_enabled=False), host.port(net, "10.0.0.11", "open")]
        bad, good = [host.plug(port) for port in ports]
        state = NetworkState(revision=1, networks=(net.document(),), ports=tuple(ports), security_groups=(OPEN,))
        await host.apply(state)
        assert bad.reaches("10.0.0.11")
        await asyncio.to_thread(attack, bad.namespace)
        learned = await asyncio.to_thread(count, host.namespace)
        assert 100 < learned <= MOST_LEARNED, "some are an honest guest's own guests"
        assert good.reaches("10.0.0.10")
        await host.apply(msgspec.structs.replace(state, revision=2, ports=(ports[0],)))
        known = inside(host.namespace, "nft", "list", "set", "bridge", TABLE, "learned")
        assert known.count("02:aa:") > 100, "another's change of a port forgets nothing"

    def count(namespace: str) -> int:
        space = Space.named(namespace)
        try:
            return len(list(space.netlink._neighbour_table(socket.AF_BRIDGE, REACHABLE, STALE)))
        finally:
            space.close()

    def attack(namespace: str) -> None:
        with raw(namespace) as link:
            for number in range(20_000):
                mac = f"02:aa:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
                with contextlib.suppress(OSError):
                    link.send(frames.ethernet(mac, "02:00:00:00:00:01", 0x88B5, bytes(46)))

    on_host(settings, main)


def test_a_guest_that_sends_to_addresses_nobody_has_leaves_others_their_neighbours(
    settings: NetworkSettings,
) -> None:
    """The kernel has one table of neighbours for all namespaces."""

    async def main(host: Host) -> None:
        one, other = Net(1001), Net(1002, "10.0.1")
        ports = [host.port(one, f"10.0.0.{last}", "open") for last in (10, 11)]
        ports.append(host.port(other, "10.0.1.10", "open"))
        nets = (one, one, other)
        bad, good, _ = [host.plug(port, gateway=f"{net.prefix}.1") for port, net in zip(ports, nets, strict=True)]
        wide = other.document()
        router = Router(id=new_id(), interfaces=(one.leg(), wide_leg(other)))
        state = NetworkState(
            revision=1,
            networks=(one.document(), wide),
            ports=tuple(ports),
            routers=(router,),
            security_groups=(OPEN,),
        )
        await host.apply(state)
        assert bad.reaches("10.0.1.10") and good.reaches("10.0.1.10")
        attacking = asyncio.create_task(asyncio.to_thread(attack, bad.namespace))
        # Each is a connection of its own.
        assert [await asyncio.to_thread(pings, good.namespace, "10.0.1.10") for _ in range(5)] == [True] * 5
        await attacking
        asked = run("ip", "-n", f"qrouter-{router.id}", "neigh", "show").count("INCOMPLETE")
        assert 0 < asked <= 500
        assert bad.reaches("10.0.1.10")

    def wide_leg(net: Net) -> RouterInterface:
        return msgspec.structs.replace(net.leg(), prefixlen=16)

    def attack(namespace: str) -> None:
        with netns.entered(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            until = time.monotonic() + 2
            for number in range(20_000):
                sender.sendto(b"?", (f"10.0.{2 + number // 250 % 250}.{1 + number % 250}", 9))
                if time.monotonic() > until:
                    break

    on_host(settings, main)
