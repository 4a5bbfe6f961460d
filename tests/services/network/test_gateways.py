"""Which host has the external networks and the routers that lead there, and when that changes."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from tane.agent.network.fake import FakeNetwork
from tane.hosts import registry
from tane.hosts import store as host_store
from tane.services.network.tables import network_gateway
from tests.api.network_support import Net, add_host, first_host, public, reconcile
from tests.services.network.following import (
    bind,
    make,
    settled,
    until,
    while_following,
    with_tunnels,
)
from tests.support import HOST_ID, ApiCloud


@pytest.fixture
def admin(cloud: ApiCloud) -> Net:
    return Net(cloud.admin)


def gateways(*duties: FakeNetwork) -> list[bool]:
    """Which hosts have the external network's leg and the router."""
    states = [duty.state for duty in duties]
    return [bool(state and state.external and state.routers) for state in states]


@pytest.fixture
def routed(cloud: ApiCloud, admin: Net) -> tuple[FakeNetwork, FakeNetwork]:
    """Two hosts, and a router with a gateway on the first."""
    second = add_host(cloud.core, "beta", "192.0.2.2")
    subnet = admin.subnet()
    router = admin.make("router", name="r", external_gateway_info={"network_id": public(cloud)})
    admin.attach(router["id"], subnet["id"])
    bind(admin, subnet["network_id"], "beta")
    first = with_tunnels(cloud)
    reconcile(cloud)
    assert gateways(first, second) == [True, False]
    return first, second


def test_gateways_move_when_their_host_is_switched_off_and_stay_there(
    cloud: ApiCloud, admin: Net, routed: tuple[FakeNetwork, FakeNetwork]
) -> None:
    first, second = routed

    async def work() -> None:
        await settled(cloud, first, second)
        await make(cloud, admin, "PUT", f"agents/{HOST_ID}", {"agent": {"admin_state_up": False}})
        await until(lambda: gateways(first, second) == [False, True], "both hosts follow")
        await until(lambda: not second.state.remote_ports, "the router's legs are here now")
        await make(cloud, admin, "PUT", f"agents/{HOST_ID}", {"agent": {"admin_state_up": True}})
        await settled(cloud, first, second)
        assert gateways(first, second) == [False, True], "what works is not moved back"

    while_following(cloud, work)


@pytest.mark.parametrize("how", ["forced down", "lost"])
def test_gateways_move_from_a_host_that_is_forced_down_or_lost(
    cloud: ApiCloud, admin: Net, routed: tuple[FakeNetwork, FakeNetwork], how: str
) -> None:
    with cloud.core.db.write() as tx:
        if how == "forced down":
            host_store.change(tx, HOST_ID, forced_down=True)
    if how == "lost":
        cloud.advance(61)
        with cloud.core.db.write() as tx:
            host_store.seen(tx, ["id-beta"])
    reconcile(cloud)
    assert gateways(*routed) == [False, True]
    assert {router["status"] for router in Net(cloud.admin).list("routers")} == {"ACTIVE"}


def test_gateways_move_within_seconds_from_a_host_whose_line_broke(
    cloud: ApiCloud, routed: tuple[FakeNetwork, FakeNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second = routed
    agent = cloud.core.hosts.agent(HOST_ID)
    cloud.core.hosts.remove(HOST_ID)
    reconcile(cloud)
    assert not gateways(second)[0], "an agent that starts anew is back in a moment"
    monkeypatch.setattr(registry, "LOST_SECONDS", 0.0)
    reconcile(cloud)
    assert gateways(second) == [True]
    cloud.core.hosts.add(agent)
    reconcile(cloud)
    assert gateways(*routed) == [False, True], "what came back has no gateways any more"


def test_a_cloud_that_is_cut_off_from_all_hosts_calls_none_of_them_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LOST_SECONDS", 0.0)
    hosts = registry.Hosts()
    for name in ("alpha", "beta", "gamma"):
        hosts.add(registry.HostAgent(name, name, distant=True))
    hosts.remove("alpha")
    hosts.remove("beta")
    assert hosts.lost() == {"alpha", "beta"}
    hosts.remove("gamma")
    assert hosts.lost() == set()
    monkeypatch.setattr(registry, "LOST_SECONDS", 60.0)
    hosts._left = dict.fromkeys(hosts._left, float("-inf"))
    hosts.add(registry.HostAgent("alpha", "alpha", distant=True))
    assert hosts.lost() == set(), "the others are on their way back, too"


def test_gateways_stay_when_no_host_answers(cloud: ApiCloud, routed: tuple[FakeNetwork, FakeNetwork]) -> None:
    """Not the hosts are lost then: the controller has slept."""
    cloud.advance(61)
    reconcile(cloud)
    assert gateways(*routed) == [True, False]


def test_a_leg_of_a_router_that_is_switched_off_leads_nowhere(cloud: ApiCloud, admin: Net) -> None:
    network = admin.make("network")
    subnet = admin.make("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    router = admin.make("router")
    leg = admin.who.put(
        f"/network/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}, 200
    ).json()["port_id"]

    def interfaces() -> list[str]:
        reconcile(cloud)
        state = first_host(cloud).state
        assert state is not None
        [found] = [told for told in state.routers if told.id == router["id"]]
        return [interface.port_id for interface in found.interfaces]

    assert interfaces() == [leg]
    for up in (False, True):
        admin.who.put(f"/network/v2.0/ports/{leg}", {"port": {"admin_state_up": up}}, 200)
        assert interfaces() == ([leg] if up else [])


def test_a_database_of_before_gets_its_gateway_hosts_with_the_first_pass(
    cloud: ApiCloud, routed: tuple[FakeNetwork, FakeNetwork]
) -> None:
    with cloud.core.db.write() as tx:
        tx.execute(delete(network_gateway))
    reconcile(cloud)
    assert gateways(*routed) == [True, False]
    with cloud.core.db.read() as tx:
        assert {row.host_id for row in tx.all(select(network_gateway))} == {HOST_ID}
