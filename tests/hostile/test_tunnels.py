"""Frames for tunnels that come from who is no host, and what a guest sends to where tunnels end."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tane.agent.network.guard import outside_rules, tunnel_rules
from tane.agent.network.plan import NetworkSettings
from tane.linux import netns
from tane.linux.netlink import VXLAN_PORT
from tane.wire.documents import NetworkState, RemotePort
from tests.host.network.network_lab import OPEN, Net, eventually, host_of, run
from tests.hostile.frames import Wire, ethernet, ipv4, marker, udp

pytestmark = pytest.mark.root

HERE, PEER, STRANGER = "192.0.2.1", "192.0.2.2", "192.0.2.3"
OTHERWISE, BESIDE = "198.51.100.1", "198.51.100.3"
"""Another address of the machine, and who reaches it there."""


@pytest.fixture
def lan() -> Iterator[tuple[str, str]]:
    """(a machine's namespace, another on its LAN that has the addresses of a host and of somebody else)."""
    names = machine, world = [f"t{uuid4().hex[:6]}-{kind}" for kind in "mw"]
    for name in names:
        netns.create(name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", machine, "link", "add", "nic", "type", "veth", "peer", "name", "eth0", "netns", world)
    for name, link, addresses in ((machine, "nic", (HERE, OTHERWISE)), (world, "eth0", (PEER, STRANGER, BESIDE))):
        for address in addresses:
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", link)
        run("ip", "-n", name, "link", "set", link, "up")
    yield machine, world
    for name in names:
        netns.remove(name)


def test_frames_of_tunnels_are_taken_from_hosts_alone(lan: tuple[str, str], tmp_path: Path) -> None:
    machine, world = lan
    settings = NetworkSettings(state_dir=tmp_path / "n", cloud_id=uuid4().hex[:6], local_ip=HERE, host_link=False)

    async def story() -> None:
        async with host_of(settings, machine) as host:
            net = Net(1001)
            port = host.port(net, "10.0.0.11", "open")
            guest = host.plug(port)
            far = RemotePort(
                port_id="far",
                network_id=net.id,
                mac_address="fa:16:3e:00:00:13",
                ip_addresses=("10.0.0.13",),
                host_ip=PEER,
            )
            state = NetworkState(
                revision=1, networks=(net.document(),), ports=(port,), remote_ports=(far,), security_groups=(OPEN,)
            )
            await host.apply(state)

            def arrives(source: str, at: str = HERE, within: str = world) -> bool:
                mark = marker()
                packet = ipv4("10.0.0.13", "10.0.0.11", 17, udp(5, 6, mark))
                frame = ethernet(far.mac_address, port.mac_address, 0x0800, packet)
                with netns.entered(within):
                    sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                with closing(sending), closing(Wire(guest.namespace)) as hearing:
                    sending.bind((source, 0))
                    sending.sendto(struct.pack("!II", 0x08000000, net.segment_id << 8) + frame, (at, VXLAN_PORT))
                    return mark in hearing.heard(mark)

            assert eventually(lambda: arrives(PEER)), "what hosts send arrives"
            assert not arrives(STRANGER)
            assert not arrives(BESIDE, OTHERWISE), "the kernel listens on each address of the machine"
            assert not arrives(PEER, OTHERWISE)
            assert not arrives("127.0.0.1", "127.0.0.1", machine), "nor does it take them of local users"
            with netns.entered(world):
                other_host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with closing(other_host):
                other_host.bind((PEER, VXLAN_PORT))
                other_host.settimeout(5)
                guest.ip("neigh", "replace", "10.0.0.13", "lladdr", far.mac_address, "dev", "eth0")
                run("ip", "netns", "exec", guest.namespace, "ping", "-c1", "-W1", "10.0.0.13", check=False)
                assert other_host.recvfrom(2000)[1][0] == HERE, "what guests send goes out"
                other_host.settimeout(1)
                with netns.entered(machine):
                    local_user = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                with closing(local_user), pytest.raises(PermissionError):
                    local_user.sendto(b"not by a tunnel", (PEER, VXLAN_PORT))
                with pytest.raises(TimeoutError):
                    while b"not by a tunnel" not in other_host.recv(2000):
                        pass
            writes = host.network.kernel_writes
            await host.apply(state)
            assert host.network.kernel_writes == writes, "a second pass changes nothing"
            await host.apply(NetworkState(revision=2))
            with netns.entered(machine):
                left = run("nft", "list", "ruleset")
            assert "tunnels" not in left, "where no tunnel ends, the port is not the cloud's"

    asyncio.run(story())


def test_no_guest_reaches_a_tunnels_end_by_the_machine_of_its_gateway() -> None:
    """The other end would take it for that host's own, into any network that the guest names."""
    forward = outside_rules("abc", (), 14789).split("chain forward", 1)[1]
    assert 'iifname "tx-abc-*" udp dport 14789 drop' in forward


def test_a_host_with_an_address_of_the_other_version_takes_no_tunnel_from_the_others() -> None:
    rules = tunnel_rules("abc", 4789, HERE, [PEER, "2001:db8::2"])
    assert PEER in rules and "2001:db8::2" not in rules
    assert "2001:db8::2" in tunnel_rules("abc", 4789, "2001:db8::1", [PEER, "2001:db8::2"])
