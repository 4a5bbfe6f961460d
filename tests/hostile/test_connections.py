"""A project that fills the host's table of connections fills its own share of it, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from tane.agent.network import duty, relief, tracked
from tane.agent.network.duty import LinuxNetwork
from tane.agent.network.plan import NetworkSettings, bridge_name
from tane.linux import netns
from tane.linux.conntrack import Conntrack
from tane.wire.documents import NetworkState, Port, SecurityGroup, SecurityGroupRule
from tests.host.network.network_lab import OPEN, Guest, Host, Net, on_host, run

pytestmark = pytest.mark.root
SHARE = 8
MINE, THEIRS = "1" * 32, "2" * 32


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NetworkSettings:
    """Of a host whose table has 64 places, which is looked at when the test says so."""
    real = relief._used
    monkeypatch.setattr(relief, "_used", lambda descriptor: (real(descriptor)[0], SHARE * relief.SHARES))
    monkeypatch.setattr(duty, "LOOK_SECONDS", 3600)
    return NetworkSettings(state_dir=tmp_path / "network", cloud_id=uuid4().hex[:6], host_link=False)


def listening(host: Host, guest: Guest) -> socket.socket:
    opened = host.udp(guest, 4000)
    opened.settimeout(0.2)
    host.sockets.append(opened)
    return opened


def begun(host: Host, sender: Guest, receiver: socket.socket, address: str, ports: range) -> int:
    """How many of these flows, one of each source port, come through."""
    arrived = 0
    for port in ports:
        with host.udp(sender, port) as client:
            client.sendto(b"x", (address, 4000))
        try:
            arrived += receiver.recvfrom(10)[1][1] == port
        except TimeoutError:
            continue
    return arrived


def tracked_of(host: Host, port: Port) -> tuple[int, int]:
    """How many connections are tracked that the port's project begins, and that are begun to it from elsewhere."""
    descriptor = netns.open_named(host.namespace)
    table = Conntrack(descriptor)
    try:
        found = table.marked()
    finally:
        table.close()
        os.close(descriptor)
    begins, begun_to = tracked.numbers(port)
    return found.get(begins, 0), found.get(begun_to, 0)


def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any connections may begin."""
    bound = f"{tracked.PER_SECOND}/second burst {tracked.AT_ONCE}"
    monkeypatch.setattr(tracked, "_RULES", [rule.replace(bound, "1/minute burst 5") for rule in tracked._RULES])


def state(net: Net, *ports: Port) -> NetworkState:
    return NetworkState(revision=1, networks=(net.document(),), ports=ports, security_groups=(OPEN,))


@pytest.mark.parametrize("secured", [True, False], ids=["filtered", "unfiltered"])
def test_who_has_most_of_the_table_begins_anew_and_nobody_else(settings: NetworkSettings, secured: bool) -> None:
    async def body(host: Host) -> None:
        net = Net(1001)
        groups = ("open",) if secured else ()
        mine = [
            host.port(net, f"10.0.0.{n}", *groups, project_id=MINE, port_security_enabled=secured) for n in (11, 12)
        ]
        other, server = host.port(net, "10.0.0.13", "open", project_id=THEIRS), host.port(net, "10.0.0.14", "open")
        every = (*mine, other, server)
        one, two, theirs, there = (host.plug(port) for port in every)
        await host.apply(state(net, *every))
        receiver = listening(host, there)
        for guest in (one, two, theirs):
            assert guest.reaches("10.0.0.14")
        assert begun(host, theirs, receiver, "10.0.0.14", range(8001, 8005)) == 4
        assert begun(host, one, receiver, "10.0.0.14", range(5001, 5013)) == 12
        await host.network.relieve()
        assert tracked_of(host, mine[0])[0] >= 12, "half of the table is free: it may have more"
        # A tenant may order this at any moment: who begins what is known all the same.
        late = host.port(net, "10.0.0.15", "open", project_id=MINE)
        host.plug(late)
        await host.apply(state(net, late, *every))
        assert begun(host, two, receiver, "10.0.0.14", range(6001, 6025)) == 24
        assert tracked_of(host, mine[0])[0] >= 36, "of all of its ports"
        before = tracked_of(host, other)
        assert before[0] >= 4
        assert await host.network.relieve(spare=True) == {}, "less than three quarters are in use"
        await host.network.relieve()
        assert tracked_of(host, mine[0]) == (0, 0) and tracked_of(host, other) == before
        assert begun(host, one, receiver, "10.0.0.14", range(5001, 5003)) == 2, "what goes on begins anew"

    on_host(settings, body)


def test_what_is_begun_to_a_port_from_elsewhere_counts_apart(settings: NetworkSettings) -> None:
    """A stranger's flood takes no place of what its victim begins."""

    async def body(host: Host) -> None:
        net = Net(1001)
        mine, server = host.port(net, "10.0.0.11", "open", project_id=MINE), host.port(net, "10.0.0.14", "open")
        outside = host.port(net, "10.0.0.99", "open")
        one, there = host.plug(mine), host.plug(server)
        await host.apply(state(net, mine, server))
        # Its port is no port of this host: as what comes by a tunnel or from a router.
        stranger = host.plug(outside)
        run("ip", "-n", host.namespace, "link", "set", outside.device, "master", bridge_name(net.id), "up")
        assert stranger.reaches("10.0.0.11") and one.reaches("10.0.0.14")
        own, other = listening(host, one), listening(host, there)
        assert begun(host, one, other, "10.0.0.14", range(6001, 6005)) == 4
        assert begun(host, stranger, own, "10.0.0.11", range(5001, 5041)) == 40
        begins, begun_to = tracked_of(host, mine)
        assert begins >= 4 and begun_to >= 40
        await host.network.relieve()
        assert tracked_of(host, mine) == (begins, 0)

    on_host(settings, body)


def test_so_many_begin_in_a_second_that_no_table_is_full_before_it_is_looked_at(
    settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch)

    async def body(host: Host) -> None:
        net = Net(1001)
        mine, server = host.port(net, "10.0.0.11", "open", project_id=MINE), host.port(net, "10.0.0.14", "open")
        other = host.port(net, "10.0.0.13", "open", project_id=THEIRS)
        one, theirs, there = host.plug(mine), host.plug(other), host.plug(server)
        await host.apply(state(net, mine, server, other))
        receiver = listening(host, there)
        assert theirs.reaches("10.0.0.14") and one.reaches("10.0.0.14")
        assert 1 <= begun(host, one, receiver, "10.0.0.14", range(5001, 5011)) <= 6
        late = host.port(net, "10.0.0.15", "open", project_id=MINE)
        host.plug(late)
        await host.apply(state(net, late, mine, server, other))
        assert begun(host, one, receiver, "10.0.0.14", range(6001, 6003)) == 0, "a change of ports gives nothing back"
        assert begun(host, theirs, receiver, "10.0.0.14", range(7001, 7003)) == 2
        # One that is there is not held up, however many packets it has.
        with host.udp(theirs, 7001) as client:
            for _ in range(20):
                client.sendto(b"x", ("10.0.0.14", 4000))
        assert [receiver.recv(10) for _ in range(20)] == [b"x"] * 20

    on_host(settings, body)


def test_what_only_passes_a_network_counts_too(settings: NetworkSettings) -> None:
    """As what comes by a tunnel and goes to a router: neither end is a port of this host."""

    async def body(host: Host) -> None:
        net = Net(1001)
        mine = host.port(net, "10.0.0.11", "open", project_id=MINE)
        one = host.plug(mine)
        await host.apply(state(net, mine))
        ends = [host.plug(host.port(net, f"10.0.0.{last}", "open")) for last in (98, 99)]
        for end in ends:
            run("ip", "-n", host.namespace, "link", "set", end.port.device, "master", bridge_name(net.id), "up")
        assert ends[0].reaches("10.0.0.99") and one.reaches("10.0.0.99")
        receiver = listening(host, ends[1])
        assert begun(host, one, receiver, "10.0.0.99", range(6001, 6005)) == 4
        assert begun(host, ends[0], receiver, "10.0.0.99", range(5001, 5041)) == 40
        before = tracked_of(host, mine)
        forgotten = await host.network.relieve()
        assert len(forgotten) == 1 and max(forgotten.values()) >= 40
        assert tracked_of(host, mine) == before

    on_host(settings, body)


def test_what_the_groups_refuse_takes_nothing_of_what_may_begin(
    settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood at a closed port stops nobody at the open ones."""
    slowly(monkeypatch)
    closed = SecurityGroup(id="closed", rules=(SecurityGroupRule(direction="egress"),))

    async def body(host: Host) -> None:
        net = Net(1001)
        shut = host.port(net, "10.0.0.11", "closed", project_id=MINE)
        open_ = host.port(net, "10.0.0.12", "open", project_id=MINE)
        refusing, there = host.plug(shut), host.plug(open_)
        await host.apply(msgspec.structs.replace(state(net, shut, open_), security_groups=(OPEN, closed)))
        stranger = host.plug(host.port(net, "10.0.0.99", "open"))
        run("ip", "-n", host.namespace, "link", "set", stranger.port.device, "master", bridge_name(net.id), "up")
        assert stranger.reaches("10.0.0.12")
        assert begun(host, stranger, listening(host, refusing), "10.0.0.11", range(5001, 5009)) == 0
        assert begun(host, stranger, listening(host, there), "10.0.0.12", range(6001, 6003)) == 2

    on_host(settings, body)


def test_the_watch_outlives_what_goes_wrong(settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def fails(namespace: str, *, spare: bool) -> None:
        looks.append(namespace)
        raise LookupError(namespace)

    monkeypatch.setattr(duty, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(duty, "relieve", fails)

    async def body(host: Host) -> None:
        deadline = time.monotonic() + 10
        while len(looks) < 3:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    on_host(settings, body)


def test_a_table_is_counted_each_time_and_gone_through_now_and_then(
    settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who fills it from half to the last place takes no more than two looks' time. What is gone through and has nobody
    with more than a share is not gone through again at once."""
    spared: list[bool] = []
    waited: list[float] = []
    enough, real = asyncio.Event(), asyncio.sleep

    def looks(namespace: str, *, spare: bool) -> dict[int, int]:
        spared.append(spare)
        return {}

    async def passes(seconds: float, *rest: object) -> None:
        if seconds >= duty.LOOK_SECONDS:
            waited.append(seconds)
            if len(waited) > 6:
                enough.set()
                await asyncio.Event().wait()
        await real(0 if seconds >= duty.LOOK_SECONDS else seconds)

    monkeypatch.setattr(asyncio, "sleep", passes)
    monkeypatch.setattr(duty, "relieve", looks)

    async def body(host: Host) -> None:
        await asyncio.wait_for(enough.wait(), 10)
        assert spared == [False, True, True] * 2
        assert set(waited) == {duty.LOOK_SECONDS}

    on_host(settings, body)


@pytest.mark.parametrize("how", ["close", "teardown"])
def test_nothing_looks_at_a_host_that_was_let_go_while_its_first_document_was_applied(
    settings: NetworkSettings, how: str
) -> None:
    async def main() -> None:
        network = LinuxNetwork(settings, nobody)
        applying = asyncio.create_task(network.apply(NetworkState(revision=0)))
        await asyncio.sleep(0)
        await getattr(network, how)()
        assert applying.done(), "it was under way"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        again = LinuxNetwork(settings, nobody)
        await again.teardown()
        for one in (again, *([network] if how == "teardown" else [])):
            await one.close()

    asyncio.run(main())


async def nobody(port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
    raise LookupError(port_id)
