"""Hosts follow the database each by itself: whom a change concerns, and what a host that hangs or is lost does."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import delete, insert

from tane.agent.network.fake import FakeNetwork
from tane.db import Tx
from tane.services.network.domain import desired, ports
from tane.services.network.domain.convergence import changed
from tane.services.network.domain.desired import Held, Snapshot
from tane.services.network.reconcilers import host as one_host
from tane.services.network.reconcilers import hosts as all_hosts
from tane.services.network.store import convergence
from tane.services.network.tables import port_binding
from tane.web.context import Context
from tane.wire.documents import NetworkApplied, NetworkState
from tane.wire.errors import HostError, OlderRevision, WholeNeeded
from tests.api.network_support import Net, add_host, first_host, public, reconcile
from tests.services.network.following import (
    SECONDS,
    bind,
    make,
    replace_network,
    settled,
    until,
    while_following,
    with_tunnels,
)
from tests.support import HOST_ID, ApiCloud

NAMES = ("host-1", "alpha", "beta")


@pytest.fixture
def admin(cloud: ApiCloud) -> Net:
    return Net(cloud.admin)


class Hanging(FakeNetwork):
    """Never answers."""

    asked = 0

    async def apply(self, state: NetworkState) -> NetworkApplied:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError


def test_a_host_that_hangs_delays_no_other_hosts_ports(cloud: ApiCloud, admin: Net) -> None:
    add_host(cloud.core, "alpha", "192.0.2.1")
    add_host(cloud.core, "beta", "192.0.2.2")
    hanging = Hanging("192.0.2.2")
    replace_network(cloud, "id-beta", hanging)
    network_id = admin.subnet()["network_id"]

    async def work() -> None:
        await until(lambda: hanging.asked > 0, "the hanging host was asked")
        for _ in range(3):
            body = {"network_id": network_id, "binding:host_id": "beta"}
            stuck = await make(cloud, admin, "POST", "ports", {"port": body})
            made = await make(cloud, admin, "POST", "ports", {"port": {**body, "binding:host_id": "alpha"}})
            end = time.monotonic() + 20
            while (await make(cloud, admin, "GET", f"ports/{made['id']}"))["status"] != "ACTIVE":
                assert time.monotonic() < end, "the port of a healthy host waits for another host"
                await asyncio.sleep(0.01)
            assert (await make(cloud, admin, "GET", f"ports/{stuck['id']}"))["status"] == "BUILD"

    while_following(cloud, work)


def test_a_host_that_hung_is_asked_again_and_its_ports_work_then(
    cloud: ApiCloud, admin: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_host, "APPLY_SECONDS", 0.2)
    add_host(cloud.core, "alpha", "192.0.2.1")
    healthy = cloud.core.hosts.agent("id-alpha").network
    hanging = Hanging("192.0.2.1")
    replace_network(cloud, "id-alpha", hanging)
    port = bind(admin, admin.subnet()["network_id"], "alpha")

    async def work() -> None:
        await until(lambda: hanging.asked > 1, "it is asked again after the deadline")
        replace_network(cloud, "id-alpha", healthy)
        end = time.monotonic() + SECONDS
        while (await make(cloud, admin, "GET", f"ports/{port['id']}"))["status"] != "ACTIVE":
            assert time.monotonic() < end
            await asyncio.sleep(0.05)

    while_following(cloud, work)


def test_names_descriptions_and_tags_make_no_host_apply(cloud: ApiCloud, admin: Net) -> None:
    outside = public(cloud)
    subnet = admin.subnet()
    port = bind(admin, subnet["network_id"], "host-1")
    router = admin.make("router", name="r", external_gateway_info={"network_id": outside})
    admin.attach(router["id"], subnet["id"])
    floating = admin.make("floatingip", floating_network_id=outside, port_id=port["id"])
    group = admin.make("security_group", name="g")
    first = first_host(cloud)
    ids = {
        "networks": subnet["network_id"],
        "subnets": subnet["id"],
        "ports": port["id"],
        "routers": router["id"],
        "security-groups": group["id"],
    }

    async def work() -> None:
        before = await settled(cloud, first)
        for collection, row_id in ids.items():
            single = collection.removesuffix("s").replace("-", "_")
            for values in ({"name": "other"}, {"description": "other"}):
                await make(cloud, admin, "PUT", f"{collection}/{row_id}", {single: values})
            await make(cloud, admin, "PUT", f"{collection}/{row_id}/tags", {"tags": ["a"]})
        await make(cloud, admin, "PUT", f"floatingips/{floating['id']}", {"floatingip": {"description": "x"}})
        assert await settled(cloud, first) == before

    while_following(cloud, work)


def test_only_the_hosts_a_change_concerns_apply(cloud: ApiCloud, admin: Net) -> None:
    """Three hosts with a network each but the third, which shares that of the second."""
    duties = [add_host(cloud.core, name, f"192.0.2.{n}") for n, name in enumerate(("alpha", "beta", "gamma"), 1)]
    one, two = admin.subnet("10.1.0.0/24"), admin.subnet("10.2.0.0/24")
    lone, other = (admin.make("security_group", name=name) for name in ("lone", "other"))
    bound = {
        name: bind(admin, network["network_id"], name, security_groups=[lone["id"]])
        for name, network in (("alpha", one), ("beta", two), ("gamma", two))
    }
    group = [lone["id"]]

    async def concerned(method: str, path: str, body: Any) -> tuple[list[bool], Any]:
        before = await settled(cloud, *duties)
        answer = await make(cloud, admin, method, path, body)
        after = await settled(cloud, *duties)
        return [new > old for new, old in zip(after, before, strict=True)], answer

    async def work() -> None:
        def port(network: Any, name: str) -> Any:
            body = {"network_id": network["network_id"], "binding:host_id": name, "security_groups": group}
            return {"port": body}

        assert (await concerned("POST", "ports", port(one, "alpha")))[0] == [True, False, False]
        found, made = await concerned("POST", "ports", port(two, "beta"))
        assert found == [False, True, True], "the other host of the network learns of the port"
        assert [far.port_id for far in duties[2].state.remote_ports] == [bound["beta"]["id"], made["id"]]
        off = {"port": {"admin_state_up": False}}
        assert (await concerned("PUT", f"ports/{made['id']}", off))[0] == [False, True, False]
        assert (await concerned("DELETE", f"ports/{made['id']}", None))[0] == [False, True, True]
        assert [far.port_id for far in duties[2].state.remote_ports] == [bound["beta"]["id"]]
        mtu = {"network": {"mtu": 1400}}
        assert (await concerned("PUT", f"networks/{two['network_id']}", mtu))[0] == [False, True, True]
        unbound = {"port": {"network_id": two["network_id"]}}
        assert (await concerned("POST", "ports", unbound))[0] == [False, False, False]
        rule = {"security_group_id": lone["id"], "direction": "ingress", "remote_group_id": lone["id"]}
        found, _ = await concerned("POST", "security-group-rules", {"security_group_rule": rule})
        assert found == [True, True, True], "each has a port in the group"
        more = {"port": {"security_groups": [*group, other["id"]]}}
        assert (await concerned("PUT", f"ports/{bound['beta']['id']}", more))[0] == [False, True, False]
        assert (await concerned("POST", "ports", port(one, "alpha")))[0] == [True, True, True], "a new member"

    while_following(cloud, work)


def test_hosts_learn_of_the_members_of_groups_their_rules_name(cloud: ApiCloud, admin: Net) -> None:
    alpha, beta = add_host(cloud.core, "alpha", "192.0.2.1"), add_host(cloud.core, "beta", "192.0.2.2")
    one, two = admin.subnet("10.1.0.0/24"), admin.subnet("10.2.0.0/24")
    clients, servers = admin.make("security_group", name="c"), admin.make("security_group", name="s")
    rule = {"security_group_id": servers["id"], "direction": "ingress", "remote_group_id": clients["id"]}
    admin.make("security_group_rule", **rule)
    bind(admin, one["network_id"], "alpha", security_groups=[servers["id"]])

    def members() -> dict[str, tuple[str, ...]]:
        assert alpha.state is not None
        return next(dict(group.members) for group in alpha.state.security_groups if group.id == clients["id"])

    async def work() -> None:
        before = await settled(cloud, alpha, beta)
        body = {"network_id": two["network_id"], "binding:host_id": "beta", "security_groups": [clients["id"]]}
        made = await make(cloud, admin, "POST", "ports", {"port": body})
        await until(lambda: made["id"] in members(), "a member in another network, on another host")
        pairs = [{"ip_address": "10.9.9.9"}]
        await make(cloud, admin, "PUT", f"ports/{made['id']}", {"port": {"allowed_address_pairs": pairs}})
        address = made["fixed_ips"][0]["ip_address"]
        await until(lambda: members()[made["id"]] == (address, "10.9.9.9"), "its address pairs are let in, too")
        await make(cloud, admin, "PUT", f"ports/{made['id']}", {"port": {"security_groups": []}})
        await until(lambda: members() == {}, "no member any longer")
        assert (await settled(cloud, alpha, beta))[0] - before[0] == 3

    while_following(cloud, work)


def _same(duty: FakeNetwork) -> tuple[Any, ...]:
    """The document without its order, and without groups that nothing filters by: these may stay for a while."""
    state = duty.state
    assert state is not None
    used = {group_id for port in state.ports for group_id in port.security_group_ids}
    rules = [rule for group in state.security_groups if group.id in used for rule in group.rules]
    named = {rule.remote_group_id for rule in rules}
    groups = [
        (group.id, group.rules if group.id in used else (), group.members if group.id in named else {})
        for group in sorted(state.security_groups, key=lambda item: item.id)
        if group.id in used | named
    ]
    return (
        sorted(state.networks, key=lambda item: item.id),
        sorted(state.ports, key=lambda item: item.id),
        sorted(state.remote_ports, key=lambda item: item.port_id),
        sorted(state.routers, key=lambda item: item.id),
        groups,
        state.external,
    )


class Recording(FakeNetwork):
    """Remembers how it was told: by whole documents, parts, or parts with a frame."""

    def __init__(self, local_ip: str) -> None:
        super().__init__(local_ip)
        self.told: Counter[str] = Counter()

    async def apply(self, state: NetworkState) -> NetworkApplied:
        self.told["whole" if state.since is None else "frame" if state.frame else "part"] += 1
        return await super().apply(state)


class Changes:
    """A caller who changes at random what hosts are told of."""

    def __init__(self, cloud: ApiCloud, admin: Net, seed: int) -> None:
        self.cloud, self.admin = cloud, admin
        self.random = random.Random(seed)
        self.outside = public(cloud)
        self.subnets = [admin.subnet(f"10.{number}.0.0/24") for number in range(4)]
        self.routers = [
            admin.make("router", name="out", external_gateway_info={"network_id": self.outside})["id"],
            admin.make("router", name="plain")["id"],
        ]
        self.groups = [admin.make("security_group", name=f"g{number}")["id"] for number in range(3)]
        self.ports: list[str] = []
        self.legs: set[tuple[str, str]] = set()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        return await make(self.cloud, self.admin, method, path, body)

    async def one(self) -> None:
        kinds = [self.new_port] * 6 + [self.drop_port, self.move_port, self.change_port] * 2
        kinds += [self.leg, self.rule, self.setting, self.router_switch, self.second_binding]
        await self.random.choice(kinds)()

    async def new_port(self) -> None:
        body = {
            "network_id": self.random.choice(self.subnets)["network_id"],
            "binding:host_id": self.random.choice(NAMES),
            "security_groups": self.random.sample(self.groups, 2),
        }
        self.ports.append((await self.call("POST", "ports", {"port": body}))["id"])

    async def drop_port(self) -> None:
        if self.ports:
            await self.call("DELETE", f"ports/{self.ports.pop(self.random.randrange(len(self.ports)))}")

    async def move_port(self) -> None:
        if self.ports:
            body = {"port": {"binding:host_id": self.random.choice((*NAMES, ""))}}
            await self.call("PUT", f"ports/{self.random.choice(self.ports)}", body)

    async def second_binding(self) -> None:
        """As of a server that goes to another host while it runs, or no longer does."""
        if not self.ports:
            return
        port_id, name = self.random.choice(self.ports), self.random.choice(NAMES)
        host_id = HOST_ID if name == "host-1" else f"id-{name}"
        with self.cloud.core.db.write() as tx:
            there = (port_binding.c.port_id == port_id) & (port_binding.c.host_id == host_id)
            if not tx.count(delete(port_binding).where(there)):
                tx.execute(insert(port_binding).values(port_id=port_id, host_id=host_id))
            changed(tx, hosts=[host_id])

    async def change_port(self) -> None:
        pairs = [{"ip_address": f"10.99.0.{self.random.randrange(9)}"}]
        some = ({"security_groups": self.random.sample(self.groups, 1)}, {"allowed_address_pairs": pairs})
        if self.ports:
            await self.call("PUT", f"ports/{self.random.choice(self.ports)}", {"port": self.random.choice(some)})

    async def leg(self) -> None:
        leg = (self.random.choice(self.routers), self.random.choice(self.subnets)["id"])
        # No two routers in one network: they would both want its gateway's address.
        if leg not in self.legs and leg[1] in {subnet_id for _, subnet_id in self.legs}:
            return
        verb = "remove" if leg in self.legs else "add"
        await self.call("PUT", f"routers/{leg[0]}/{verb}_router_interface", {"subnet_id": leg[1]})
        self.legs ^= {leg}

    async def rule(self) -> None:
        low = self.random.randrange(1, 60000)
        body = {
            "security_group_id": self.random.choice(self.groups),
            "remote_group_id": self.random.choice(self.groups),
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": low,
            "port_range_max": low,
        }
        await self.call("POST", "security-group-rules", {"security_group_rule": body})

    async def setting(self) -> None:
        network_id = self.random.choice(self.subnets)["network_id"]
        await self.call("PUT", f"networks/{network_id}", {"network": {"mtu": self.random.randrange(1300, 1450)}})

    async def router_switch(self) -> None:
        up = {"router": {"admin_state_up": self.random.random() < 0.5}}
        await self.call("PUT", f"routers/{self.random.choice(self.routers)}", up)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 2))])
def test_parts_come_to_the_same_as_whole_documents(cloud: ApiCloud, admin: Net, seed: int) -> None:
    """Changes of every kind, followed as they come; then each host's document is derived anew."""
    duties = [Recording(f"192.0.2.{number}") for number in range(1, 4)]
    with_tunnels(cloud)
    for name, duty in zip(NAMES, duties, strict=True):
        if name != "host-1":
            add_host(cloud.core, name, f"192.0.2.{NAMES.index(name) + 1}")
        replace_network(cloud, HOST_ID if name == "host-1" else f"id-{name}", duty)
    changes = Changes(cloud, admin, seed)

    async def work() -> None:
        for number in range(60):
            await changes.one()
            await asyncio.sleep(0.02 if number % 10 else 0.3)
        await settled(cloud, *duties)

    while_following(cloud, work)
    followed = [_same(duty) for duty in duties]
    told = duties[0].told + duties[1].told + duties[2].told
    reconcile(cloud)
    for name, duty, part in zip(NAMES, duties, followed, strict=True):
        assert part == _same(duty), name
    assert min(told["part"], told["frame"]) > 10 and told["whole"] == 3, told
    assert {port["status"] for port in admin.list("ports") if port["binding:host_id"]} == {"ACTIVE"}


def test_older_revisions_and_parts_that_do_not_follow_are_refused() -> None:
    duty = FakeNetwork("192.0.2.1")

    def apply(state: NetworkState) -> NetworkApplied:
        return asyncio.run(duty.apply(state))

    with pytest.raises(WholeNeeded, match="this host has nothing, not revision 4"):
        apply(NetworkState(revision=5, since=4))
    apply(NetworkState(revision=5))
    with pytest.raises(OlderRevision, match="revision 4 is older than 5, which this host has"):
        apply(NetworkState(revision=4))
    apply(NetworkState(revision=5))
    assert apply(NetworkState(revision=7, since=5)).revision == 7
    with pytest.raises(WholeNeeded, match="this host has revision 7, not revision 5"):
        apply(NetworkState(revision=8, since=5))
    assert duty.passes == 3


def test_a_database_from_a_backup_takes_the_place_of_what_its_hosts_have(cloud: ApiCloud, admin: Net) -> None:
    first = first_host(cloud)
    port = bind(admin, admin.subnet()["network_id"], "host-1")
    cloud.wait(first.apply(NetworkState(revision=1000)))
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "ACTIVE"
    assert first.state is not None and first.state.revision < 1000


def test_a_document_takes_the_place_of_the_very_one_it_names_and_of_no_other() -> None:
    duty = FakeNetwork("192.0.2.1")
    asyncio.run(duty.apply(NetworkState(revision=9)))
    for wrong in (NetworkState(revision=4, replaces=8), NetworkState(revision=4, replaces=9, since=3)):
        with pytest.raises(OlderRevision):
            asyncio.run(duty.apply(wrong))
    assert asyncio.run(duty.apply(NetworkState(revision=4, replaces=9))).revision == 4
    with pytest.raises(OlderRevision):
        asyncio.run(duty.apply(NetworkState(revision=3, replaces=9)))


def test_a_crash_between_applying_and_writing_back_heals(cloud: ApiCloud, admin: Net) -> None:
    class Killed(BaseException):
        pass

    first = first_host(cloud)
    port = bind(admin, admin.subnet()["network_id"], "host-1")

    def report(*_: Any) -> int:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_host, "_report", report)
        with pytest.raises(Killed):
            reconcile(cloud)
    assert first.state is not None and [told.id for told in first.state.ports] == [port["id"]]
    assert admin.show("port", port["id"])["status"] == "BUILD"

    async def work() -> None:
        end = time.monotonic() + SECONDS
        while (await make(cloud, admin, "GET", f"ports/{port['id']}"))["status"] != "ACTIVE":
            assert time.monotonic() < end
            await asyncio.sleep(0.02)

    while_following(cloud, work)


def test_a_change_between_looking_and_writing_down_what_concerns_the_host_is_not_missed(
    cloud: ApiCloud, admin: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port comes elsewhere while a host's first document of the network is derived."""
    alpha = add_host(cloud.core, "alpha", "192.0.2.1")
    add_host(cloud.core, "beta", "192.0.2.2")
    network_id = admin.subnet()["network_id"]
    bind(admin, network_id, "alpha")
    ctx = Context(request_id="test", project_id=admin.who.project_id, roles=("admin",))
    made: list[str] = []

    def load(tx: Tx, host_id: str, held: Held | None = None) -> Snapshot:
        found = desired.load(tx, host_id, held)
        if host_id == "id-alpha" and not made:
            made.extend(ports.create(cloud.core, ctx, [{"network_id": network_id, "binding_host": "beta"}]))
        return found

    monkeypatch.setattr(one_host, "load", load)
    reconcile(cloud)
    assert alpha.state is not None and [far.port_id for far in alpha.state.remote_ports] == made


def test_a_host_is_followed_from_when_it_joins(cloud: ApiCloud, admin: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_hosts, "LOOK_SECONDS", 0.1)
    network_id = admin.subnet()["network_id"]

    async def work() -> None:
        await settled(cloud, first_host(cloud))
        duty = add_host(cloud.core, "late", "192.0.2.7")
        await until(lambda: duty.passes > 0, "a new host is told what it should hold")
        body = {"network_id": network_id, "binding:host_id": "late"}
        made = await make(cloud, admin, "POST", "ports", {"port": body})
        await until(lambda: duty.state is not None and len(duty.state.ports) == 1, "it is told of its port")
        assert made["status"] == "BUILD"

    while_following(cloud, work)


def test_old_changes_are_forgotten_and_a_host_behind_them_gets_all(
    cloud: ApiCloud, admin: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_hosts, "KEPT_SECONDS", 0.2)
    monkeypatch.setattr(all_hosts, "LOOK_SECONDS", 0.05)
    first = first_host(cloud)
    network_id = admin.subnet()["network_id"]
    bind(admin, network_id, "host-1")

    def kept() -> int:
        with cloud.core.db.read() as tx:
            return len(convergence.since(tx, 0))

    async def work() -> None:
        await until(lambda: kept() == 0, "changes are kept for a while only")
        first.broken = HostError("busy", transient=True)
        for _ in range(2):
            body = {"network_id": network_id, "binding:host_id": "host-1"}
            await make(cloud, admin, "POST", "ports", {"port": body})
        await until(lambda: kept() == 0, "also while a host does not answer")
        first.broken = None
        await until(lambda: first.state is not None and len(first.state.ports) == 3, "it gets the whole document")

    while_following(cloud, work)


def test_the_cloud_may_stop_in_the_moment_in_which_a_host_asks(
    cloud: ApiCloud, admin: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    network_id = admin.subnet()["network_id"]
    ask = all_hosts.Fleet.news
    broken: list[dict[str, Any]] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: broken.append(told))
        stopped = asyncio.create_task(all_hosts.follow(cloud.core))

        async def news(fleet: all_hosts.Fleet, host_id: str, held: Held) -> Any:
            stopped.cancel()
            return await ask(fleet, host_id, held)

        monkeypatch.setattr(all_hosts.Fleet, "news", news)
        await until(lambda: first_host(cloud).state is not None, "the host holds its first document")
        await make(cloud, admin, "POST", "ports", {"port": {"network_id": network_id, "binding:host_id": "host-1"}})
        with pytest.raises(asyncio.CancelledError):
            await stopped

    cloud.wait(work())
    gc.collect()
    assert broken == []
