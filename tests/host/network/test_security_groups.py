"""What security groups and anti-spoofing let through."""

from __future__ import annotations

import socket

import msgspec
import pytest
from network_lab import OPEN, Guest, Host, Net, inside, on_host

from tane.agent.network.plan import NetworkSettings
from tane.agent.network.spoofing import link_local
from tane.wire.documents import AddressPair, NetworkState, Port, SecurityGroup, SecurityGroupRule

pytestmark = pytest.mark.root

EGRESS = SecurityGroupRule(direction="egress")


def ingress(protocol: str | None = None, port: int | None = None, **options: str) -> SecurityGroupRule:
    return SecurityGroupRule(
        direction="ingress", protocol=protocol, port_range_min=port, port_range_max=port, **options
    )


def group(name: str, *rules: SecurityGroupRule, members: tuple[str, ...] = ()) -> SecurityGroup:
    return SecurityGroup(id=name, rules=(EGRESS, *rules), members={"far": members})


def pair_of(host: Host, *groups: str, **options: object) -> tuple[NetworkState, Guest, Guest]:
    """A client with an open group and a server with the groups named; ready to be applied."""
    net = Net(1001)
    client, server = host.port(net, "10.0.0.11", "open"), host.port(net, "10.0.0.12", *groups, **options)
    state = NetworkState(revision=1, networks=(net.document(),), ports=(client, server), security_groups=(OPEN,))
    return state, host.plug(client), host.plug(server)


def with_groups(state: NetworkState, *groups: SecurityGroup) -> NetworkState:
    return msgspec.structs.replace(state, revision=state.revision + 1, security_groups=(OPEN, *groups))


def with_port(state: NetworkState, old: Port, **changes: object) -> NetworkState:
    port = msgspec.structs.replace(old, **changes)
    ports = tuple(port if other.id == old.id else other for other in state.ports)
    return msgspec.structs.replace(state, revision=state.revision + 1, ports=ports)


def receives(opened: socket.socket) -> bool:
    try:
        return opened.recv(100) != b""
    except TimeoutError:
        return False


def test_a_port_without_security_group_refuses_ping_and_may_not_call_out(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host)
        await host.apply(with_groups(with_port(state, server.port, security_group_ids=("open",))))
        assert client.reaches("10.0.0.12")
        await host.apply(state)
        assert client.is_cut_off_from("10.0.0.12")
        assert server.is_cut_off_from("10.0.0.11")

    on_host(settings, body)


def test_a_rule_opens_its_port_only_and_its_removal_cuts_established_connections(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host, "web")
        host.serve(server, "web", 80)
        host.serve(server, "other", 81)
        await host.apply(with_groups(state, group("web", ingress("icmp"))))
        assert client.reaches("10.0.0.12")
        assert host.talk(client.namespace, "10.0.0.12", 80).name == ""
        await host.apply(with_groups(state, group("web", ingress("tcp", 80))))
        talk = host.talk(client.namespace, "10.0.0.12", 80)
        assert talk.name == "web"
        assert talk.answers()
        assert host.talk(client.namespace, "10.0.0.12", 81).name == ""
        assert client.is_cut_off_from("10.0.0.12"), "the rule for ping is gone"
        await host.apply(with_groups(state, group("web", ingress("icmp"))))
        assert not talk.answers(), "the connection was open before, and is cut"

    on_host(settings, body)


def test_an_unrelated_change_leaves_connections_alone(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host, "web")
        host.serve(server, "web", 80)
        await host.apply(with_groups(state, group("web", ingress("tcp", 80))))
        assert client.reaches("10.0.0.11")
        talk = host.talk(client.namespace, "10.0.0.12", 80)
        assert talk.answers()
        await host.apply(with_groups(state, group("web", ingress("tcp", 80), ingress("tcp", 443))))
        assert talk.answers()

    on_host(settings, body)


def test_replies_without_handshake_stop_too_when_the_rule_is_gone(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host, "dns")
        answer = SecurityGroup(id="dns", rules=(ingress("udp", 5000), ingress("icmp")))
        await host.apply(with_groups(state, answer))
        assert client.reaches("10.0.0.12")
        with host.udp(client, 4000) as asking, host.udp(server, 5000) as answering:
            asking.sendto(b"question", ("10.0.0.12", 5000))
            assert receives(answering)
            answering.sendto(b"answer", ("10.0.0.11", 4000))
            assert receives(asking), "an answer needs no egress rule"
            await host.apply(with_groups(state, SecurityGroup(id="dns")))
            answering.sendto(b"more", ("10.0.0.11", 4000))
            assert not receives(asking)

    on_host(settings, body)


def test_a_remote_group_lets_in_its_members_only(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, _ = pair_of(host, "db")
        database = group("db", ingress(remote_group_id="apps"))
        await host.apply(with_groups(state, database, group("apps", members=("10.0.0.11",))))
        assert client.reaches("10.0.0.12")
        await host.apply(with_groups(state, database, group("apps", members=("10.0.0.99",))))
        assert client.is_cut_off_from("10.0.0.12")

    on_host(settings, body)


def test_a_remote_prefix_lets_in_its_addresses_only(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, _ = pair_of(host, "web")
        await host.apply(with_groups(state, group("web", ingress("icmp", remote_ip_prefix="10.0.0.8/29"))))
        assert client.reaches("10.0.0.12")
        await host.apply(with_groups(state, group("web", ingress("icmp", remote_ip_prefix="10.0.0.16/29"))))
        assert client.is_cut_off_from("10.0.0.12")

    on_host(settings, body)


def test_rules_for_ipv6_are_kept(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host, "six")
        echo = SecurityGroupRule(direction="ingress", ethertype="IPv6", protocol="icmp", port_range_min=128)
        target = link_local(server.port.mac_address) + "%eth0"
        out = SecurityGroupRule(direction="egress", ethertype="IPv6")
        await host.apply(with_groups(state, SecurityGroup(id="six", rules=(echo, out))))
        assert client.reaches(target)
        await host.apply(with_groups(state, SecurityGroup(id="six", rules=(out,))))
        assert client.is_cut_off_from(target)

    on_host(settings, body)


def test_a_guest_cannot_send_as_somebody_else(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host, "open")
        await host.apply(state)
        assert client.reaches("10.0.0.12")
        client.ip("addr", "add", "10.0.0.66/24", "dev", "eth0")
        server.ip("neigh", "replace", "10.0.0.66", "lladdr", client.port.mac_address, "dev", "eth0")
        ping = ("ping", "-c1", "-W1", "-I", "10.0.0.66", "10.0.0.12")
        assert " 0 received" in inside(client.namespace, *ping, check=False), "a foreign IP address"
        pair = AddressPair(ip_address="10.0.0.64/29", mac_address=client.port.mac_address)
        await host.apply(with_port(state, client.port, allowed_address_pairs=(pair,)))
        assert " 1 received" in inside(client.namespace, *ping), "an allowed address pair"
        await host.apply(state)
        assert " 0 received" in inside(client.namespace, *ping, check=False)
        client.ip("link", "set", "eth0", "address", "fa:16:3e:99:99:99")
        assert client.is_cut_off_from("10.0.0.12"), "a foreign MAC address"
        await host.apply(with_port(state, client.port, port_security_enabled=False))
        assert client.reaches("10.0.0.12"), "without port security anything goes"

    on_host(settings, body)


def test_a_guest_cannot_answer_arp_for_the_gateway(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host, "open")
        await host.apply(state)
        assert client.reaches("10.0.0.12")
        client.ip("addr", "add", "10.0.0.1/24", "dev", "eth0")
        assert server.is_cut_off_from("10.0.0.1")
        assert "10.0.0.1 dev eth0 lladdr" not in server.ip("neigh")

    on_host(settings, body)


def test_a_port_that_is_administratively_down_carries_nothing(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, server = pair_of(host, "open")
        await host.apply(state)
        assert client.reaches("10.0.0.12")
        await host.apply(with_port(state, server.port, admin_state_up=False))
        assert client.is_cut_off_from("10.0.0.12")
        await host.apply(state)
        assert client.reaches("10.0.0.12")

    on_host(settings, body)


def test_a_rule_nobody_understands_fails_its_group_and_nothing_else(settings: NetworkSettings) -> None:
    async def body(host: Host) -> None:
        state, client, _ = pair_of(host, "web")
        applied = await host.network.apply(with_groups(state, group("web", ingress("teleport"), ingress("icmp"))))
        assert applied.failed == {"web": "the rule's protocol teleport is unknown"}
        assert client.reaches("10.0.0.12")

    on_host(settings, body)
