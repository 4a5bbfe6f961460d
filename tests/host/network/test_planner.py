"""What a document asks of the kernel; no kernel needed."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import msgspec
import pytest
from network_lab import OPEN, External, Net, floating, new_id

from tane.agent.network.plan import NetworkSettings, Plan
from tane.agent.network.planner import plan
from tane.agent.network.security import rule_text, zones
from tane.agent.network.spoofing import link_local
from tane.wire.documents import (
    FixedIp,
    HostPeer,
    HostRoute,
    HostsNetwork,
    NetworkState,
    Port,
    RemotePort,
    Router,
    SecurityGroup,
    SecurityGroupRule,
)

SETTINGS = NetworkSettings(state_dir=Path("/nowhere"), cloud_id="test", local_ip="192.0.2.1")


def port_of(net: Net, device: str = "tap0", **options: object) -> Port:
    fixed = (FixedIp(subnet_id=net.subnet_id, ip_address="10.0.0.11"),)
    port = Port(id=new_id(), network_id=net.id, mac_address="fa:16:3e:00:00:11", device=device, fixed_ips=fixed)
    return msgspec.structs.replace(port, **options)


def planned(settings: NetworkSettings = SETTINGS, **document: object) -> Plan:
    return plan(NetworkState(revision=1, **document), settings, "inet")  # type: ignore[arg-type]


def test_interface_names_are_those_users_know_and_fit_the_kernel() -> None:
    net, external = Net(5), External()
    router = Router(id=new_id(), interfaces=(net.leg(),), gateway=external.gateway())
    made = planned(
        networks=(net.document(dhcp=True), external.document()), routers=(router,), external=(external.leg(),)
    )
    assert made.failed == {}
    assert {f"qrouter-{router.id}", f"qdhcp-{net.id}"} <= made.namespaces.keys()
    legs = {link.leg.name for link in made.links.values() if link.leg}
    qr, qg = f"qr-{net.leg().port_id[:11]}", f"qg-{external.gateway().port_id[:11]}"
    assert legs == {qr, qg, f"ns-{net.leg_id[:11]}", f"tx-test-{external.id[:7]}"}
    assert all(len(name) <= 15 for name in (*made.links, *legs))


def test_a_bridge_has_the_same_mac_every_time() -> None:
    net = Net(5)
    macs = {link.mac for _ in range(2) for link in planned(networks=(net.document(),)).links.values()}
    assert len(macs) == 1


def test_one_broken_resource_leaves_the_others_in() -> None:
    net = Net(5)
    good, bad = port_of(net, "tap1"), port_of(net, "tap2", mac_address="nonsense")
    lost = port_of(Net(6), "tap3")
    evil = port_of(net, 'x" ; flush')
    made = planned(networks=(net.document(),), ports=(good, bad, lost, evil))
    assert set(made.failed) == {bad.id, lost.id, evil.id}
    assert "tap1" in made.links
    assert "; flush" not in made.rules and 'x"' not in made.rules


def test_two_interfaces_of_one_name_are_refused() -> None:
    net = Net(5)
    ports = (port_of(net), port_of(net))
    made = planned(networks=(net.document(),), ports=ports)
    assert list(made.failed) == [ports[1].id]


def test_remote_ports_without_a_local_ip_are_told() -> None:
    net = Net(5)
    remote = RemotePort(
        port_id="far", network_id=net.id, mac_address="fa:16:3e:00:00:12", ip_addresses=(), host_ip="192.0.2.2"
    )
    settings = NetworkSettings(state_dir=Path("/nowhere"), cloud_id="test")
    made = planned(settings, networks=(net.document(),), remote_ports=(remote,))
    assert "local_ip" in made.failed[net.id]
    assert planned(networks=(net.document(),), remote_ports=(remote,)).failed == {}


def test_a_port_that_is_to_come_has_its_interface_and_frames_still_go_where_it_is() -> None:
    net = Net(5)
    port = port_of(net, comes=True)
    remote = RemotePort(
        port_id=port.id,
        network_id=net.id,
        mac_address=port.mac_address,
        ip_addresses=("10.0.0.11",),
        host_ip="192.0.2.2",
    )
    made = planned(networks=(net.document(),), ports=(port,), remote_ports=(remote,))
    assert made.failed == {} and port.device in made.links and port.device in made.rules
    assert {entry.link for entry in made.fdb if entry.mac == port.mac_address} == {f"vx{net.id[:13]}"}
    assert all(port.id not in listener.ports.values() for listener in made.listeners)
    here = planned(networks=(net.document(),), ports=(msgspec.structs.replace(port, comes=False),))
    assert {entry.link for entry in here.fdb if entry.mac == port.mac_address} == {port.device}


def test_one_host_that_tells_nonsense_takes_the_way_to_the_others_from_nobody() -> None:
    settings = NetworkSettings(state_dir=Path("/nowhere"), cloud_id="test", local_ip="192.0.2.1")
    peers = [
        HostPeer(host_ip=end, address=f"100.64.0.{number}")
        for number, end in enumerate(("192.0.2.2", "::::", "2001:db8::1", "192.0.2.3"), start=2)
    ]
    hosts = HostsNetwork(address="100.64.0.1", prefixlen=10, peers=tuple(peers))
    made = planned(settings, hosts=hosts)
    assert {entry.remote for entry in made.fdb if entry.link == "vxhosts"} == {"192.0.2.2", "192.0.2.3"}
    assert made.links["vxhosts"].address == "100.64.0.1/10"
    assert list(made.failed) == ["vxhosts"]


def test_a_floating_ip_of_a_router_without_gateway_fails_alone() -> None:
    net = Net(5)
    port = port_of(net)
    address = floating(port, "203.0.113.51")
    router = Router(id=new_id(), interfaces=(net.leg(),), floating_ips=(address,))
    made = planned(networks=(net.document(),), ports=(port,), routers=(router,))
    assert list(made.failed) == [address.id]


def test_a_router_that_is_down_has_no_namespace() -> None:
    net = Net(5)
    router = Router(id=new_id(), interfaces=(net.leg(),), admin_state_up=False)
    assert planned(networks=(net.document(),), routers=(router,)).namespaces == {}


def test_a_network_without_gateway_names_no_router_by_dhcp() -> None:
    net = Net(5)
    network = net.document(
        dhcp=True, gateway_ip=None, host_routes=(HostRoute(destination="10.9.0.0/16", nexthop="10.0.0.7"),)
    )
    (server,) = planned(networks=(network,), ports=(port_of(net),)).dhcp
    assert "tag:subnet0,option:router" in server.options
    routes = "169.254.169.254/32,10.0.0.2,10.9.0.0/16,10.0.0.7"
    assert f"tag:subnet0,option:classless-static-route,{routes}" in server.options


def test_a_subnet_without_dhcp_has_no_server_but_its_metadata() -> None:
    net = Net(5)
    made = planned(networks=(net.document(dhcp=True, enable_dhcp=False),), ports=(port_of(net),))
    assert made.dhcp == []
    assert [listener.address for listener in made.listeners] == ["169.254.169.254"]


def test_zones_are_never_shared() -> None:
    given = zones([("a", 1), ("b", 65536), ("c", 131071), ("d", 0), ("e", 65535)])
    assert len(set(given.values())) == 5
    assert all(1 <= zone <= 65535 for zone in given.values())


def test_a_link_local_address_comes_from_the_mac() -> None:
    assert link_local("fa:16:3e:00:00:11") == "fe80::f816:3eff:fe00:11"
    assert ipaddress.ip_address(link_local("00:00:00:00:00:01")).is_link_local


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "meta protocol ip accept"),
        ({"protocol": "any"}, "meta protocol ip accept"),
        ({"protocol": "tcp"}, "meta protocol ip meta l4proto 6 accept"),
        (
            {"protocol": "TCP", "port_range_min": 22, "port_range_max": 22},
            "meta protocol ip meta l4proto 6 th dport 22 accept",
        ),
        (
            {"protocol": "17", "port_range_min": 5, "port_range_max": 9},
            "meta protocol ip meta l4proto 17 th dport 5-9 accept",
        ),
        ({"protocol": "112"}, "meta protocol ip meta l4proto 112 accept"),
        ({"protocol": "icmp", "port_range_min": 8}, "meta protocol ip meta l4proto 1 icmp type 8 accept"),
        (
            {"protocol": "icmp", "port_range_min": 3, "port_range_max": 4},
            "meta protocol ip meta l4proto 1 icmp type 3 icmp code 4 accept",
        ),
        (
            {"protocol": "icmp", "ethertype": "IPv6", "port_range_min": 128},
            "meta protocol ip6 meta l4proto 58 icmpv6 type 128 accept",
        ),
        ({"remote_ip_prefix": "0.0.0.0/0"}, "meta protocol ip accept"),
        ({"remote_ip_prefix": "10.0.0.5"}, "meta protocol ip ip saddr 10.0.0.5/32 accept"),
        (
            {"direction": "egress", "remote_ip_prefix": "fd00::/8", "ethertype": "IPv6"},
            "meta protocol ip6 ip6 daddr fd00::/8 accept",
        ),
    ],
)
def test_a_rule_becomes_one_line(rule: dict[str, object], text: str) -> None:
    document = SecurityGroupRule(**{"direction": "ingress", **rule})  # type: ignore[arg-type]
    assert rule_text(document, {}) == text


@pytest.mark.parametrize(
    "rule",
    [
        {"protocol": "teleport"},
        {"protocol": "256"},
        {"remote_ip_prefix": "fd00::/8"},
        {"remote_ip_prefix": "nonsense"},
        {"remote_group_id": "unknown"},
        {"protocol": "tcp", "port_range_min": 9, "port_range_max": 5},
    ],
)
def test_a_rule_that_cannot_be_fails_its_group(rule: dict[str, object]) -> None:
    net = Net(5)
    group = SecurityGroup(id="g", rules=(SecurityGroupRule(direction="ingress", **rule),))  # type: ignore[arg-type]
    made = planned(
        networks=(net.document(),),
        ports=(port_of(net, security_group_ids=("g", "open")),),
        security_groups=(group, OPEN),
    )
    assert set(made.failed) == {"g"}
