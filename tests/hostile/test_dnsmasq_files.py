"""No text of a document adds a line or an option to what dnsmasq and nftables read; a broken item is left out alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tane.agent.network.dnsmasq import Dnsmasq
from tane.agent.network.duty import offenders
from tane.agent.network.plan import NetworkSettings, Plan
from tane.agent.network.planner import plan
from tane.agent.network.security import rule_text
from tane.linux import confine, process
from tane.wire.documents import (
    AddressPair,
    ExternalNetwork,
    FixedIp,
    HostRoute,
    Network,
    NetworkState,
    Port,
    RemotePort,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from tests.host.network.network_lab import (
    OPEN,
    External,
    Host,
    Net,
    eventually,
    floating,
    inside,
    new_id,
    on_host,
)
from tests.support import EACH_FIFTH_BY_DAY

SETTINGS = NetworkSettings(state_dir=Path("/nowhere"), cloud_id="test", local_ip="192.0.2.1")

INJECTIONS = (
    *("\n", "\r", "\r\n", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"),
    *("\nconf-script=/bin/sh", ",ignore", ",set:known", "#", "=", '"', "'", "\\", " ", "\t"),
    *(";", "{", "}", '"; flush ruleset; "', "$(id)", "`id`", "*", "%eth0", "%1/128", "/32,0.0.0.0", "é", "\ud800"),
)


def whole() -> NetworkState:
    """A document with one of everything, and beside each thing another that must stay."""
    net, external = Net(5), External()
    ports = tuple(
        Port(
            id=new_id(),
            network_id=net.id,
            mac_address=f"fa:16:3e:00:00:{last}",
            device=f"tap{last}",
            fixed_ips=(
                FixedIp(subnet_id=net.subnet_id, ip_address=f"10.0.0.{last}"),
                FixedIp(subnet_id="dhcpv6-stateless", ip_address=f"fd00:1::{last}"),
                FixedIp(subnet_id="dhcpv6-stateful", ip_address=f"fd00:2::{last}"),
            ),
            allowed_address_pairs=(AddressPair(ip_address="10.0.0.64/28", mac_address="fa:16:3e:00:00:77"),),
            security_group_ids=("open", "group"),
            hostname=f"web{last}",
        )
        for last in (11, 12)
    )
    document = net.document(
        dhcp=True,
        dns_nameservers=("9.9.9.9",),
        host_routes=(HostRoute(destination="10.9.0.0/16", nexthop="10.0.0.7"),),
    )
    sixes = tuple(
        Subnet(
            id=mode,
            cidr=f"fd00:{number}::/64",
            ip_version=6,
            gateway_ip=f"fd00:{number}::1",
            ipv6_ra_mode=mode,
            ipv6_address_mode=mode,
            dns_nameservers=("fd00::53",),
        )
        for number, mode in enumerate(("slaac", "dhcpv6-stateless", "dhcpv6-stateful"))
    )
    six_legs = tuple(
        msgspec.structs.replace(net.leg(), port_id=new_id(), ip_address=six.gateway_ip, prefixlen=64) for six in sixes
    )
    assert document.dhcp_port is not None
    server = msgspec.structs.replace(
        document.dhcp_port,
        fixed_ips=(
            *document.dhcp_port.fixed_ips,
            *(FixedIp(subnet_id=six.id, ip_address=f"{six.cidr[:-3]}2") for six in sixes),
        ),
    )
    document = msgspec.structs.replace(document, subnets=(*document.subnets, *sixes), dhcp_port=server)
    rules = (
        SecurityGroupRule(direction="ingress", protocol="tcp", port_range_min=22, remote_ip_prefix="10.0.0.0/8"),
        SecurityGroupRule(direction="ingress", remote_group_id="open"),
    )
    return NetworkState(
        revision=1,
        networks=(document, external.document()),
        ports=ports,
        remote_ports=(
            RemotePort(
                port_id="far",
                network_id=net.id,
                mac_address="fa:16:3e:00:00:13",
                ip_addresses=("10.0.0.13",),
                host_ip="192.0.2.2",
            ),
        ),
        routers=(
            Router(
                id=new_id(),
                interfaces=(net.leg(), *six_legs),
                gateway=external.gateway(),
                routes=(HostRoute(destination="10.8.0.0/16", nexthop="10.0.0.8"),),
                floating_ips=(floating(ports[0], "203.0.113.51"),),
            ),
        ),
        security_groups=(OPEN, SecurityGroup(id="group", rules=rules, members={"far": ("10.0.0.99", "fd00::/64")})),
        external=(external.leg(),),
    )


def hosts_of(made: Plan, state: NetworkState) -> tuple[str, ...]:
    """The lines of the hosts that the network's own server knows."""
    return next((server.hosts for server in made.dhcp if server.owner == state.networks[0].id), ())


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text of a document made of plain values, and where it is."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from texts(inner, (*path, number))


def put(value: Any, path: tuple[Any, ...], text: str) -> Any:
    if not path:
        return text
    if isinstance(value, dict):
        return {key: put(inner, path[1:], text) if key == path[0] else inner for key, inner in value.items()}
    return [put(inner, path[1:], text) if number == path[0] else inner for number, inner in enumerate(value)]


def loose(kind: Any, value: dict[str, Any]) -> Any:
    """A document without the checks that its types would make: as a program hands it over."""
    hints = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return kind(**{name: _inner(hints[name], inner) for name, inner in value.items()})


def _inner(hint: Any, value: Any) -> Any:
    structs = list(_structs(hint))
    if not structs or value is None or isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if isinstance(value, list | tuple):
        return tuple(loose(structs[0], inner) for inner in value)
    return loose(structs[0], value)


def _structs(hint: Any) -> Iterator[Any]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for inner in getattr(hint, "__args__", ()):
        yield from _structs(inner)


STATE = whole()
FIELDS = [(path, text) for path, text in texts(msgspec.to_builtins(STATE))]


def spellings(text: str) -> Iterator[str]:
    for injection in INJECTIONS:
        yield text + injection
        yield injection + text
        yield text[:3] + injection + text[3:]
        yield injection


def outputs(made: Plan, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Every text that a program reads: its name, and its lines."""
    yield "nft", made.rules.split("\n")
    yield "outside", made.outside_rules.split("\n")
    for space in made.namespaces.values():
        yield f"nft {space.name}", space.rules.split("\n")
    for server in made.dhcp:
        daemon = Dnsmasq(folder / server.owner)
        daemon.folder.mkdir(exist_ok=True)
        for name, lines in (
            ("config", daemon._configuration(server)),
            ("hosts", server.hosts),
            ("options", server.options),
            ("names", server.names),
        ):
            daemon._write(name, lines)
            yield name, (daemon.folder / name).read_bytes().decode().split("\n")


# What a line of each file may look like, from its first octet to its last.
_IP4 = r"\d{1,3}(\.\d{1,3}){3}"
_IP6 = r"[0-9a-f:]+"
_FORMS = {
    "config": re.compile(
        r"(bind-interfaces|except-interface=lo|no-resolv|no-hosts|dhcp-authoritative|dhcp-ignore=tag:!known|no-ping"
        r"|dhcp-ignore-clid|quiet-dhcp|expand-hosts|interface=ns-[A-Za-z0-9-]{1,11}"
        r"|dhcp-option-force=option:mtu,\d+|domain=[A-Za-z0-9._-]+|local=/[A-Za-z0-9._-]+/"
        rf"|dhcp-range=set:subnet\d+,({_IP4},static,{_IP4}|{_IP6},(static|ra-only|ra-stateless),\d+),\d+s"
        r"|port=0|enable-ra|quiet-ra|quiet-dhcp6|interface=qr-[A-Za-z0-9-]{1,11}|ra-param=qr-[A-Za-z0-9-]{1,11},\d+"
        r"|dhcp-hostsfile=hosts|dhcp-optsfile=options|addn-hosts=names|dhcp-leasefile=db/leases|)"
    ),
    "hosts": re.compile(rf"([0-9a-f]{{2}}(:[0-9a-f]{{2}}){{5}},[A-Za-z0-9][A-Za-z0-9_-]*(,{_IP4}|,\[{_IP6}\])?|)"),
    "options": re.compile(
        rf"(tag:subnet\d+,(option:router(,{_IP4})?|option:dns-server(,{_IP4})+"
        rf"|(option:classless-static-route|249)(,{_IP4}/\d+,{_IP4})+|option6:domain-search,[A-Za-z0-9._-]+"
        rf"|option6:dns-server(,\[{_IP6}\])+)|tag:qr-[A-Za-z0-9-]{{1,11}},option6:dns-server(,\[{_IP6}\])+|)"
    ),
    "names": re.compile(r"([0-9a-f.:]+( [A-Za-z0-9][A-Za-z0-9_.-]*){1,2}|)"),
}
_NFT = re.compile(r'[A-Za-z0-9_ "{}()@.:,;/<=!&|*$-]*')


@EACH_FIFTH_BY_DAY
@pytest.mark.parametrize("number", range(len(FIELDS)), ids=["/".join(map(str, path)) for path, _ in FIELDS])
def test_no_text_of_a_document_adds_a_line_or_an_option(number: int, every: int, tmp_path: Path) -> None:
    path, text = FIELDS[number]
    plain = msgspec.to_builtins(STATE)
    settled = plan(STATE, SETTINGS, "inet")
    assert settled.failed == {}
    whole_lines = {name: len(lines) for name, lines in outputs(settled, tmp_path)}
    # By day the fields share the spellings.
    for spelling in list(spellings(text))[number % every :: every]:
        made = plan(loose(NetworkState, put(plain, path, spelling)), SETTINGS, "inet")
        assert made.failed or spelling.lower() == text, f"{spelling!r} is told"
        for name, lines in outputs(made, tmp_path):
            form = _FORMS.get(name, _NFT)
            assert [line for line in lines if not form.fullmatch(line)] == [], (name, spelling)
            assert len(lines) <= whole_lines.get(name, len(lines)), (name, spelling)
        for device in (*made.links, *(link.leg.name for link in made.links.values() if link.leg)):
            assert re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", device)


NO_ADDRESSES = (
    *("fe80::1%x/128", "fe80::1%eth0", "fe80::1%1\n", " 10.0.0.5", "10.0.0.5 ", "10.0.0.5\n"),
    *("10.0.0.05", "10.0.0", "", "::ffff:10.0.0.5%1"),
)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_a_broken_item_is_left_out_alone(text: str) -> None:
    """The others stay as they were, also another rule of the same group."""
    state = whole()
    first, second = state.ports
    whole_plan = plan(state, SETTINGS, "inet")

    def changed(**changes: Any) -> Plan:
        return plan(msgspec.structs.replace(state, **changes), SETTINGS, "inet")

    fixed = msgspec.structs.replace(first, fixed_ips=(FixedIp(subnet_id="s", ip_address=text),))
    pair = msgspec.structs.replace(
        first, allowed_address_pairs=(AddressPair(ip_address=text, mac_address=first.mac_address),)
    )
    for port in (fixed, pair):
        made = changed(ports=(port, second))
        assert list(made.failed) == [first.id]
        assert first.device not in made.links
        assert made.links.keys() | {first.device} == whole_plan.links.keys()
        assert f'"{second.device}" . fa:16:3e:00:00:12 . 10.0.0.12' in made.rules
    group = state.security_groups[1]
    bad = msgspec.structs.replace(group.rules[0], remote_ip_prefix=text)
    made = changed(security_groups=(OPEN, msgspec.structs.replace(group, rules=(bad, group.rules[1]))))
    assert list(made.failed) == ["group"]
    assert made.links.keys() == whole_plan.links.keys()
    made = changed(security_groups=(OPEN, msgspec.structs.replace(group, members={"far": ("10.0.0.99", text)})))
    assert list(made.failed) == ["group"]
    subnet = msgspec.structs.replace(state.networks[0].subnets[1], gateway_ip=text)
    first_of_all, _, *others = state.networks[0].subnets
    network = msgspec.structs.replace(state.networks[0], subnets=(first_of_all, subnet, *others))
    made = changed(networks=(network, state.networks[1]))
    assert list(made.failed) == ["slaac"]
    assert hosts_of(made, state) == hosts_of(whole_plan, state) != ()
    router = state.routers[0]
    route = HostRoute(destination="10.8.0.0/16", nexthop=text)
    made = changed(routers=(msgspec.structs.replace(router, routes=(route,)),))
    assert list(made.failed) == [router.id]
    assert f"qrouter-{router.id}" in made.namespaces
    loose = msgspec.structs.replace(router.floating_ips[0], floating_ip_address=text)
    made = changed(routers=(msgspec.structs.replace(router, floating_ips=(loose,)),))
    assert list(made.failed) == [loose.id]
    outside = msgspec.structs.replace(state.external[0], gateway_ip=text)
    made = changed(external=(outside,))
    assert list(made.failed) == [state.external[0].network_id]


@pytest.mark.parametrize(
    ("low", "high", "protocol"),
    [(0, 70000, "tcp"), (-1, None, "udp"), (1 << 40, 1 << 40, "tcp"), (256, None, "icmp"), (8, 300, "icmp")],
)
def test_a_rule_with_a_number_that_no_packet_has_is_left_out(low: int, high: int | None, protocol: str) -> None:
    state = whole()
    rule = SecurityGroupRule(direction="ingress", protocol=protocol, port_range_min=low, port_range_max=high)
    group, empty = SecurityGroup(id="group", rules=(rule,)), SecurityGroup(id="group")
    made = plan(msgspec.structs.replace(state, security_groups=(OPEN, group)), SETTINGS, "inet")
    assert list(made.failed) == ["group"]
    assert made.rules == plan(msgspec.structs.replace(state, security_groups=(OPEN, empty)), SETTINGS, "inet").rules


@pytest.mark.parametrize("name", ["ignore", "infinite", "5m", "3600", "10.0.0.99", "_x", "-", ""])
def test_a_host_name_is_no_word_of_dnsmasqs_own(name: str) -> None:
    state = whole()
    port = msgspec.structs.replace(state.ports[0], hostname=name)
    made = plan(msgspec.structs.replace(state, ports=(port,)), SETTINGS, "inet")
    six = [f"fa:16:3e:00:00:11,host-fd00-{number}--11" for number in (1, 2)]
    hosts = hosts_of(made, state)
    assert hosts in (("fa:16:3e:00:00:11,host-10-0-0-11,10.0.0.11", f"{six[1]},[fd00:2::11]", six[0]), ())
    assert hosts or made.failed, name


def test_networks_are_known_by_their_documents_only() -> None:
    """An id that is no id becomes no file, namespace or interface."""
    for text in ("../../etc", "a/b", "..", "x" * 65, "a b", "a\n"):
        network = Network(id=text, segment_id=7, subnets=())
        made = plan(NetworkState(revision=1, networks=(network,)), SETTINGS, "inet")
        assert list(made.failed) == [text]
        assert not made.links and not made.namespaces


def test_an_external_network_of_two_versions_is_refused() -> None:
    external = External()
    leg = ExternalNetwork(network_id=external.id, cidr="203.0.113.0/24", gateway_ip="fd00::1")
    made = plan(NetworkState(revision=1, networks=(external.document(),), external=(leg,)), SETTINGS, "inet")
    assert list(made.failed) == [external.id]


# ------------------------------------------------------------------------------------------------------ its leases


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "text"])
def test_what_dnsmasq_wrote_is_read_as_a_strangers(kind: str, tmp_path: Path) -> None:
    """Its folder is its own: a link to somebody else's file there is neither read nor written."""
    folder = tmp_path / "net"
    (folder / "db").mkdir(parents=True)
    leases, secret = folder / "db" / "leases", tmp_path / "secret"
    secret.write_text("1 fa:16:3e:00:00:01 10.0.0.11 web *\n")
    if kind == "link":
        leases.symlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(leases)
    elif kind == "folder":
        leases.mkdir()
    else:
        leases.write_bytes(b"\xff\xfe\n\n1 2\n" + b"x" * 100)
    daemon = Dnsmasq(folder)
    for name in ("config", "hosts", "options", "names"):
        (folder / name).write_text("")
    assert all(len(line.split()) < 4 for line in daemon._read_leases())
    daemon._prepare(["1 fa:16:3e:00:00:02 10.0.0.12 db *"])
    assert leases.read_text() == "1 fa:16:3e:00:00:02 10.0.0.12 db *\n"
    assert secret.read_text() == "1 fa:16:3e:00:00:01 10.0.0.11 web *\n"
    assert not process.alive(daemon.pidfile)


@pytest.mark.root
def test_dnsmasq_has_no_more_than_it_needs(tmp_path: Path) -> None:
    """A user of its own, two capabilities, its files through closed folders; and it serves and reads again."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    settings = NetworkSettings(state_dir=closed, cloud_id=uuid4().hex[:6], host_link=False)

    async def body(host: Host) -> None:
        net = Net(1001)
        ports = [host.port(net, f"10.0.0.{last}", "open", hostname=f"web{last}") for last in (11, 12)]
        guest = host.plug(ports[0])
        state = NetworkState(
            revision=1, networks=(net.document(dhcp=True),), ports=(ports[0],), security_groups=(OPEN,)
        )
        await host.apply(state)
        folder = closed / "dhcp" / net.id
        pid = process.read_pid(folder / "pid")
        assert pid is not None
        assert eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "dnsmasq\n")
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        user = confine.identity(f"dnsmasq-{net.id}")
        assert user is not None and status["Uid"].split() == [str(user.uid)] * 4
        assert status["Gid"].split() == [str(user.gid)] * 4 and status["Groups"].strip() == ""
        allowed = 1 << 12 | 1 << 10
        assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {allowed}
        assert status["NoNewPrivs"].strip() == "1"
        modes = {path.name: (path.stat().st_uid, path.stat().st_mode & 0o777) for path in folder.iterdir()}
        assert all(modes[name] == (0, 0o640) for name in ("config", "hosts", "options", "names"))
        assert modes["db"] == (user.uid, 0o700)

        def knows(name: str) -> bool:
            return (
                "10.0.0."
                in inside(guest.namespace, "busybox", "nslookup", name, "10.0.0.2", check=False).split(name)[-1]
            )

        assert guest.reaches("10.0.0.2")
        assert eventually(lambda: knows("web11.cloud.example"))
        assert not knows("web12.cloud.example")
        await host.apply(msgspec.structs.replace(state, ports=tuple(ports)))
        assert eventually(lambda: knows("web12.cloud.example")), "it read its files again"
        assert process.read_pid(folder / "pid") == pid

    on_host(settings, body)


@pytest.mark.root
@pytest.mark.parametrize(
    "pairs",
    [
        ("10.0.0.0/24",),
        ("10.0.0.0/24", "10.0.0.0/28", "10.0.0.5", "10.0.0.11"),
        ("0.0.0.0/0", "10.0.0.0/8", "255.255.255.255"),
        ("::/0", "fd00::/64", "fe80::/10", "fd00::1", "fd00:0::1"),
        ("10.0.0.0/24", "10.0.0.0/24"),
    ],
)
def test_overlapping_address_pairs_stop_nobody(pairs: tuple[str, ...], tmp_path: Path) -> None:
    """The kernel refuses a whole filter for a set whose intervals overlap."""
    settings = NetworkSettings(state_dir=tmp_path, cloud_id=uuid4().hex[:6], host_link=False)

    async def body(host: Host) -> None:
        net = Net(1001)
        first, second = (host.port(net, f"10.0.0.{last}", "open") for last in (11, 12))
        listed = tuple(AddressPair(ip_address=pair, mac_address=first.mac_address) for pair in pairs)
        first = msgspec.structs.replace(first, allowed_address_pairs=listed)
        guests = [host.plug(first), host.plug(second)]
        await host.apply(
            NetworkState(revision=1, networks=(net.document(),), ports=(first, second), security_groups=(OPEN,))
        )
        assert guests[0].reaches("10.0.0.12")

    on_host(settings, body)


@pytest.mark.root
def test_a_port_whose_rules_the_kernel_refuses_is_left_out_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason, which nobody thought of: the others work, also what changes about them."""
    settings = NetworkSettings(state_dir=tmp_path, cloud_id=uuid4().hex[:6], host_link=False)
    wanted = rule_text

    def unforeseen(rule: SecurityGroupRule, groups: Any) -> str:
        return "no such statement" if rule.protocol == "tcp" else wanted(rule, groups)

    monkeypatch.setattr("tane.agent.network.security.rule_text", unforeseen)

    async def body(host: Host) -> None:
        net = Net(1001)
        ports = [host.port(net, f"10.0.0.{last}", "open") for last in range(11, 16)]
        ports[2] = msgspec.structs.replace(ports[2], security_group_ids=("open", "bad"))
        guests = [host.plug(port) for port in ports]
        bad = SecurityGroup(id="bad", rules=(SecurityGroupRule(direction="ingress", protocol="tcp"),))
        state = NetworkState(
            revision=1, networks=(net.document(dhcp=True),), ports=tuple(ports), security_groups=(OPEN, bad)
        )
        applied = await host.network.apply(state)
        assert list(applied.failed) == [ports[2].id]
        assert "its packet filter was refused" in applied.failed[ports[2].id]
        assert guests[0].reaches("10.0.0.15")
        assert guests[0].is_cut_off_from("10.0.0.13")

    on_host(settings, body)


def test_offenders_are_found_by_halving() -> None:
    ports = tuple(whole().ports[0] for _ in range(1))
    many = tuple(msgspec.structs.replace(ports[0], id=str(number)) for number in range(100))
    bad = {"3", "4", "77"}
    asked = []

    def accepted(part: tuple[Port, ...]) -> bool:
        asked.append(len(part))
        return not bad & {port.id for port in part}

    assert {port.id for port in offenders(many, accepted, 200)} == bad
    assert len(asked) < 45
