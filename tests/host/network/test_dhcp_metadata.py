"""What a guest is told at boot: its lease, its routes, its names and its metadata."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest
from network_lab import OPEN, Guest, Host, Net, eventually, inside, new_id, on_host

from tane.agent.network.plan import NetworkSettings
from tane.linux import process
from tane.wire.documents import NetworkState, Router

pytestmark = pytest.mark.root

_PRINT_LEASE = "#!/bin/sh\n[ $1 = bound ] && set\nexit 0\n"


def lease(guest: Guest, tmp_path: Path) -> dict[str, str]:
    """What DHCP tells the guest (udhcpc's variables), empty without an answer."""
    script = tmp_path / f"{guest.namespace}.sh"
    script.write_text(_PRINT_LEASE)
    script.chmod(0o755)
    argv = ("busybox", "udhcpc", "-fnq", "-i", "eth0", "-s", str(script), "-t", "4", "-T", "1")
    options = [word for option in ("staticroutes", "mtu", "hostname", "dns", "domain") for word in ("-O", option)]
    told = inside(guest.namespace, *argv, *options, check=False)
    pairs = (line.partition("=") for line in told.splitlines())
    return {name: value.strip("'") for name, _, value in pairs}


def configure(guest: Guest, told: dict[str, str]) -> None:
    guest.ip("addr", "add", f"{told['ip']}/{told['mask']}", "dev", "eth0")
    words = told["staticroutes"].split()
    for destination, gateway in zip(words[::2], words[1::2], strict=True):
        guest.ip("route", "add", destination, "via", gateway)


def one_guest(host: Host, net: Net, **subnet: object) -> tuple[NetworkState, Guest]:
    port = host.port(net, "10.0.0.11", "open", hostname="web")
    network = net.document(dhcp=True, **subnet)
    state = NetworkState(revision=1, networks=(network,), ports=(port,), security_groups=(OPEN,))
    return state, host.plug(port, configure=False)


def pidfile(host: Host, net: Net) -> Path:
    return host.network.settings.state_dir / "dhcp" / net.id / "pid"


def test_a_guest_gets_its_address_routes_mtu_and_name(settings: NetworkSettings, tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state, guest = one_guest(host, net, dns_nameservers=("9.9.9.9", "8.8.8.8"))
        await host.apply(state)
        told = lease(guest, tmp_path)
        assert told["ip"] == "10.0.0.11"
        assert told["staticroutes"] == "169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.1"
        assert told["router"] == "10.0.0.1"
        assert told["mtu"] == "1450"
        assert told["hostname"] == "web"
        assert told["domain"] == "cloud.example"
        assert told["dns"] == "9.9.9.9 8.8.8.8"

    on_host(settings, body)


def test_without_dns_servers_the_network_answers_for_its_own_names(settings: NetworkSettings, tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state, guest = one_guest(host, net)
        await host.apply(state)
        told = lease(guest, tmp_path)
        assert told["dns"] == "10.0.0.2"
        configure(guest, told)
        answer = inside(guest.namespace, "busybox", "nslookup", "web.cloud.example", "10.0.0.2", check=False)
        assert "10.0.0.11" in answer

    on_host(settings, body)


def test_a_port_that_comes_later_or_takes_an_address_over_gets_it(settings: NetworkSettings, tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state, first = one_guest(host, net)
        await host.apply(state)
        pid = process.read_pid(pidfile(host, net))
        later = host.port(net, "10.0.0.12", "open")
        second = host.plug(later, configure=False)
        assert lease(first, tmp_path)["ip"] == "10.0.0.11"
        await host.apply(msgspec.structs.replace(state, ports=(*state.ports, later)))
        assert lease(second, tmp_path)["ip"] == "10.0.0.12"
        assert process.read_pid(pidfile(host, net)) == pid, "a new port needs no restart"
        heir = host.port(net, "10.0.0.11", "open")
        third = host.plug(heir, configure=False)
        await host.apply(msgspec.structs.replace(state, ports=(heir, later)))
        assert lease(third, tmp_path)["ip"] == "10.0.0.11", "though the former owner's lease has not ended"

    on_host(settings, body)


def test_a_dnsmasq_that_died_is_started_by_the_next_pass(settings: NetworkSettings, tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state, guest = one_guest(host, net)
        await host.apply(state)
        pid = process.read_pid(pidfile(host, net))
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not process.alive(pidfile(host, net)))
        applied = await host.apply(state)
        assert f"started dnsmasq of {net.id}" in applied.summary
        assert lease(guest, tmp_path)["ip"] == "10.0.0.11"

    on_host(settings, body)


def test_a_guest_reads_its_own_metadata_whoever_shares_its_address(settings: NetworkSettings, tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        mine, theirs = Net(1001), Net(1002)
        state, guest = one_guest(host, mine)
        other, stranger = one_guest(host, theirs)
        await host.apply(
            msgspec.structs.replace(state, networks=state.networks + other.networks, ports=state.ports + other.ports)
        )
        for asking in (guest, stranger):
            configure(asking, lease(asking, tmp_path))
            assert eventually(lambda asking=asking: asking.reaches("10.0.0.2"))
            curl = await host.curl(asking.namespace, "/latest/meta-data/", "X-Tag: 7")
            assert curl == (200, f"{asking.port.id} /latest/meta-data/")
            assert host.asked[-1][2]["x-tag"] == "7"

    on_host(settings, body)


def test_a_guest_without_dhcp_reads_its_metadata_through_the_router(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        port = host.port(net, "10.0.0.11", "open")
        guest = host.plug(port, gateway="10.0.0.1")
        await host.apply(
            NetworkState(
                revision=1,
                networks=(net.document(),),
                ports=(port,),
                routers=(Router(id=new_id(), interfaces=(net.leg(),)),),
                security_groups=(OPEN,),
            )
        )
        assert guest.reaches("10.0.0.1")
        assert await host.curl(guest.namespace, "/openstack") == (200, f"{port.id} /openstack")

    on_host(settings, body)


def test_a_guest_cannot_play_dhcp_server(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state, guest = one_guest(host, net)
        guest.ip("addr", "add", "10.0.0.11/24", "dev", "eth0")
        victim = host.port(net, "10.0.0.12", "open")
        target = host.plug(victim)
        await host.apply(msgspec.structs.replace(state, ports=(*state.ports, victim)))
        assert guest.reaches("10.0.0.12")
        with host.udp(target, 68) as listening, host.udp(guest, 67) as sending, host.udp(guest, 70) as other:
            other.sendto(b"fine", ("10.0.0.12", 68))
            assert listening.recv(10) == b"fine"
            sending.sendto(b"offer", ("10.0.0.12", 68))
            with pytest.raises(TimeoutError):
                listening.recv(10)

    on_host(settings, body)


def test_the_metadata_server_refuses_what_is_not_http(settings: NetworkSettings, tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        state, guest = one_guest(host, net)
        await host.apply(state)
        configure(guest, lease(guest, tmp_path))
        assert guest.reaches("10.0.0.2")
        assert (await host.ask(guest.namespace, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert (await host.ask(guest.namespace, b"DELETE / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        large = b"GET / HTTP/1.1\r\nX-Large: " + b"x" * 20000 + b"\r\n\r\n"
        assert (await host.ask(guest.namespace, large)).startswith(b"HTTP/1.1 431 ")
        body_too_large = b"PUT / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"
        assert (await host.ask(guest.namespace, body_too_large)).startswith(b"HTTP/1.1 413 ")
        for digits in (b"9" * 5000, b"0" * 5000):
            assert (
                await host.ask(guest.namespace, b"PUT / HTTP/1.1\r\nContent-Length: " + digits + b"\r\n\r\n")
            ).startswith(b"HTTP/1.1 413 ")
        twice = b"PUT /one HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /two HTTP/1.1\r\nConnection: close\r\n\r\n"
        answers = await host.ask(guest.namespace, twice)
        assert answers.count(b"HTTP/1.1 200 OK") == 2
        assert [(path, headers[":method"]) for _, path, headers in host.asked] == [("/one", "PUT"), ("/two", "GET")]

    on_host(settings, body)
