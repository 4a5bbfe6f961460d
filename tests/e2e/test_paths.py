"""Which hosts the packets of servers pass: the six ways of distributed routing, by the counters of every host.

Guests are namespaces on the devices of real ports, on two machines that joined; the gateway host is the cloud's own.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tane import ids
from tane.cli import dev
from tane.cli.common import State
from tane.linux.machines import Machine
from tests.e2e.real import MARKS, RealCloud, wait_for

pytestmark = MARKS
PINGS = 90
KINDS = ("vx", "qr-", "qg-", "rt-")
NOISE = 40
"""Packets that others than the pings may cost: neighbours that are looked for."""


@dataclass(frozen=True)
class Place:
    """A host; ``machine`` None is the cloud's own. ``folder`` is its state folder."""

    name: str
    folder: Path
    machine: Machine | None = None

    def run(self, *argv: str) -> str:
        command = list(argv) if self.machine is None else self.machine.command(*argv)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{self.name}: {argv}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def space(self) -> str:
        """The namespace of its guests."""
        return f"tane-{ids.of(self.folder).cloud_id}"

    def spaces(self) -> set[str]:
        return {line.split()[0] for line in self.run("ip", "netns", "list").splitlines() if line}

    def packets(self, router_id: str) -> Counter[str]:
        """Of its tunnels (``vx``), and of the router's legs by their kind (``qr-``, ``qg-``, ``rt-``)."""
        found: Counter[str] = Counter()
        for space in self.spaces() & {self.space, f"qrouter-{router_id}"}:
            for link in json.loads(self.run("ip", "-n", space, "-s", "-j", "link")):
                name = link["ifname"]
                kind = "vx" if name.startswith("vx") and name != "vxhosts" else name[:3]
                if kind in KINDS:
                    found[kind] += link["stats64"]["rx"]["packets"] + link["stats64"]["tx"]["packets"]
        return found


@dataclass(frozen=True)
class Guest:
    place: Place
    port_id: str
    address: str

    @property
    def space(self) -> str:
        return f"guest-{self.port_id[:8]}"

    def pings(self, target: str, times: int = PINGS) -> bool:
        """Whether all of them are answered."""
        asked = ("ping", "-n", "-q", "-i", "0.01", "-W", "2", "-c", str(times), target)
        return " 0% packet loss" in self.place.run("sh", "-c", f"ip netns exec {self.space} {' '.join(asked)} || true")


class Paths:
    """Two networks of a tenant behind one router, with guests where they are asked for."""

    def __init__(self, cloud: RealCloud) -> None:
        self.cloud, self.tenant = cloud, cloud.tenant("ann")
        path = "/network/v2.0/"
        self.second = self.tenant.post(f"{path}networks", {"network": {"name": "two"}})["network"]["id"]
        subnet = {"network_id": self.second, "ip_version": 4, "cidr": "10.0.1.0/24"}
        made = self.tenant.post(f"{path}subnets", {"subnet": subnet})["subnet"]["id"]
        joined = f"{path}routers/{self.tenant.router}/add_router_interface"
        self.tenant.client.call("PUT", joined, {"subnet_id": made})
        machines = [Place(machine.name, machine.folder, machine) for machine in dev.every(State.of(cloud.folder))]
        self.gateway, self.one, self.two = Place("gateway", cloud.folder), *machines

    def guest(self, place: Place, network_id: str) -> Guest:
        port = {"port": {"network_id": network_id, "security_groups": [self.tenant.group]}}
        made = self.tenant.post("/network/v2.0/ports", port)["port"]
        guest = Guest(place, made["id"], made["fixed_ips"][0]["ip_address"])
        gateway = guest.address.rsplit(".", 1)[0] + ".1"
        self.change(guest, **{"binding:host_id": place.name})
        self.settle(guest)
        # What QEMU would open is a wire into a namespace instead; its port is then connected anew.
        device = f"tap{guest.port_id[:11]}"
        place.run("ip", "netns", "add", guest.space)
        place.run("ip", "-n", place.space, "link", "delete", device)
        wire = ("type", "veth", "peer", "name", "eth0", "address", made["mac_address"], "netns", guest.space)
        place.run("ip", "-n", place.space, "link", "add", device, *wire)
        for argv in (
            ("address", "add", f"{guest.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "mtu", "1400", "up"),
            ("route", "add", "default", "via", gateway),
        ):
            place.run("ip", "-n", guest.space, *argv)
        for up in (False, True):
            self.change(guest, admin_state_up=up)
            self.settle(guest, "ACTIVE" if up else "DOWN")
        wait_for(f"{guest.address} on {place.name}", lambda: guest.pings(gateway, 1), 60)
        return guest

    def change(self, guest: Guest, **values: object) -> None:
        self.cloud.admin().call("PUT", f"/network/v2.0/ports/{guest.port_id}", {"port": values})

    def settle(self, guest: Guest, status: str = "ACTIVE") -> None:
        path = f"/network/v2.0/ports/{guest.port_id}"
        wait_for(f"the port {status}", lambda: self.tenant.get(path)["port"]["status"] == status, 60)

    def seen(self, sender: Guest, target: str) -> dict[str, set[str]]:
        """Which kinds of links of which hosts the pings passed, by the names of the hosts."""
        assert wait_for(f"{target} from {sender.address}", lambda: sender.pings(target, 1), 60)
        places = (self.gateway, self.one, self.two)
        before = [place.packets(self.tenant.router) for place in places]
        assert sender.pings(target)
        after = [place.packets(self.tenant.router) for place in places]
        found: dict[str, set[str]] = {}
        for place, was, now in zip(places, before, after, strict=True):
            grown = {kind: now[kind] - was[kind] for kind in KINDS}
            assert not any(NOISE < more < PINGS for more in grown.values()), f"{place.name}: {grown}"
            found[place.name] = {kind for kind, more in grown.items() if more >= PINGS}
        return found


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    cloud = RealCloud(tmp_path_factory.mktemp("paths"))
    State.of(cloud.folder).prepare()
    dev.prepare(State.of(cloud.folder))
    cloud.up()
    cloud.tane("dev", "hosts", "2")
    yield Paths(cloud)
    cloud.tane("down", "--purge")


def test_packets_of_servers_take_no_other_hosts_than_they_have_to(paths: Paths) -> None:
    first, second = paths.tenant.network, paths.second
    here, beside = paths.guest(paths.one, first), paths.guest(paths.one, first)
    there = paths.guest(paths.two, first)
    other_here, other_there = paths.guest(paths.one, second), paths.guest(paths.two, second)
    nothing: set[str] = set()
    # The same network on the same host; on two hosts.
    assert paths.seen(here, beside.address) == {"gateway": nothing, "machine-1": nothing, "machine-2": nothing}
    assert paths.seen(here, there.address) == {"gateway": nothing, "machine-1": {"vx"}, "machine-2": {"vx"}}
    # Two networks on the same host: it stays there. On two hosts: from one to the other, past the gateway host.
    assert paths.seen(here, other_here.address) == {"gateway": nothing, "machine-1": {"qr-"}, "machine-2": nothing}
    way = {"gateway": nothing, "machine-1": {"vx", "qr-"}, "machine-2": {"vx", "qr-"}}
    assert paths.seen(here, other_there.address) == way


def test_what_has_no_floating_ip_leaves_by_the_gateway_host(paths: Paths) -> None:
    guest = paths.guest(paths.one, paths.second)
    [outside] = paths.tenant.get(f"/network/v2.0/networks/{paths.tenant.public}")["network"]["subnets"]
    target = paths.cloud.admin().call("GET", f"/network/v2.0/subnets/{outside}")["subnet"]["gateway_ip"]
    # The answers come from the gateway's part of the router to the server directly.
    way = {"gateway": {"vx", "rt-", "qg-", "qr-"}, "machine-1": {"vx", "rt-", "qr-"}, "machine-2": set()}
    assert paths.seen(guest, target) == way
    floating = {"floating_network_id": paths.tenant.public, "port_id": guest.port_id}
    made = paths.tenant.post("/network/v2.0/floatingips", {"floatingip": floating})["floatingip"]
    address = made["floating_ip_address"]
    shown = f"/network/v2.0/floatingips/{made['id']}"
    wait_for("the floating IP", lambda: paths.tenant.get(shown)["floatingip"]["status"] == "ACTIVE", 60)
    # With one it leaves from its own host: the gateway host is but where the network outside ends.
    way = {"gateway": {"vx"}, "machine-1": {"vx", "qg-", "qr-"}, "machine-2": set()}
    assert paths.seen(guest, target) == way
    # And so does what comes from outside, also from another server of the cloud.
    other = paths.guest(paths.two, paths.tenant.network)
    before = paths.gateway.packets(paths.tenant.router)
    asked = ("ping", "-n", "-q", "-i", "0.01", "-c", str(PINGS), address)
    paths.gateway.run("ip", "netns", "exec", paths.cloud.outside, *asked)
    grown = paths.gateway.packets(paths.tenant.router) - before
    assert {kind for kind, more in grown.items() if more > NOISE} == {"vx"}
    assert other.pings(address)
