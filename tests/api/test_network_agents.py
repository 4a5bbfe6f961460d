"""Agents, service providers and limits, as administrators and members see them."""

from __future__ import annotations

from typing import Any

import pytest

from tane.hosts import store as hosts
from tests.api.network_support import V2, Net, add_host, public, reconcile
from tests.support import HOST_ID, ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def agents(cloud: ApiCloud, query: str = "") -> dict[str, Any]:
    return {agent["host"]: agent for agent in Net(cloud.admin).list("agents", query)}


def test_a_list_of_what_only_administrators_see_is_empty_for_members(cloud: ApiCloud, mia: Net) -> None:
    network_id = mia.make("network")["id"]
    assert mia.list("agents") == [] and mia.list("network-ip-availabilities") == []
    error = mia.who.get(f"{V2}/agents/{HOST_ID}", 404).json()["NeutronError"]
    assert error["message"] == f"Agent {HOST_ID} could not be found."
    mia.who.get(f"{V2}/network-ip-availabilities/{network_id}", 404)
    mia.who.put(f"{V2}/agents/{HOST_ID}", {"agent": {"admin_state_up": False}}, 403)
    mia.who.delete(f"{V2}/agents/{HOST_ID}", 403)
    assert len(agents(cloud)) == 1


def test_an_agent_is_described_and_switched(cloud: ApiCloud) -> None:
    path = f"{V2}/agents/{HOST_ID}"
    changed = cloud.admin.put(path, {"agent": {"admin_state_up": False, "description": "rack 2"}}, 200).json()["agent"]
    assert (changed["admin_state_up"], changed["description"], changed["alive"]) == (False, "rack 2", True)
    assert cloud.admin.get(path).json()["agent"] == changed
    assert agents(cloud, "?admin_state_up=true") == {} and len(agents(cloud, "?description=rack 2")) == 1
    [service] = cloud.admin.get("/compute/v2.1/os-services?binary=nova-compute").json()["services"]
    assert service["status"] == "enabled"
    zones = cloud.admin.get(f"{V2}/availability_zones").json()["availability_zones"]
    assert {zone["state"] for zone in zones} == {"unavailable"}
    again = cloud.admin.put(path, {"agent": {"admin_state_up": True}}, 200).json()["agent"]
    assert (again["admin_state_up"], again["description"]) == (True, "rack 2")
    cloud.admin.put(path, {"agent": {"host": "other"}}, 400)
    cloud.admin.put(f"{V2}/agents/none", {"agent": {"description": "x"}}, 404)


def test_a_switched_off_agent_hands_the_gateway_to_another(cloud: ApiCloud) -> None:
    public(cloud)
    second = add_host(cloud.core, "host-2", "192.0.2.2")
    reconcile(cloud)
    assert not second.state.networks
    cloud.admin.put(f"{V2}/agents/{HOST_ID}", {"agent": {"admin_state_up": False}}, 200)
    reconcile(cloud)
    assert [network.external for network in second.state.networks] != []
    cloud.admin.put(f"{V2}/agents/id-host-2", {"agent": {"admin_state_up": False}}, 200)
    reconcile(cloud)
    assert not second.state.networks, "with every agent off the first serves on"


def test_only_an_agent_that_is_gone_is_deleted_and_it_comes_back_with_its_host(cloud: ApiCloud) -> None:
    path = f"{V2}/agents/{HOST_ID}"
    cloud.admin.put(path, {"agent": {"description": "old"}}, 200)
    error = cloud.admin.delete(path, 409).json()["NeutronError"]
    assert error["type"] == "AgentInUse" and "host-1" in error["message"]
    admin = cloud.admin
    cloud.advance(61)
    assert [agent["alive"] for agent in agents(cloud).values()] == [False]
    admin.delete(path, 204)
    assert agents(cloud) == {}
    for call in (lambda: admin.get(path, 404), lambda: admin.delete(path, 404)):
        call()
    admin.put(path, {"agent": {"description": "x"}}, 404)
    with cloud.core.db.write() as tx:
        hosts.seen(tx, [HOST_ID])
    back = agents(cloud)["host-1"]
    assert (back["alive"], back["description"], back["admin_state_up"]) == (True, None, True)


def test_service_providers_are_told(cloud: ApiCloud, mia: Net) -> None:
    [provider] = mia.who.get(f"{V2}/service-providers").json()["service_providers"]
    assert set(provider) == {"service_type", "name", "default"} and provider["service_type"] == "L3_ROUTER_NAT"
    mia.who.get(f"{V2}/extensions/service-type")


def test_a_limit_below_what_is_used_is_refused_unless_forced(cloud: ApiCloud, mia: Net) -> None:
    mia.make("network")
    mia.make("network")
    path = f"{V2}/quotas/{mia.who.project_id}"
    for body in ({"network": 1}, {"network": 1, "check_limit": True}, {"router": 5, "network": 0, "force": False}):
        error = cloud.admin.put(path, {"quota": body}, 400).json()["NeutronError"]
        assert "for network must be greater than or equal to already used 2" in error["message"]
    assert mia.who.get(path).json()["quota"]["network"] == 100 == mia.who.get(path).json()["quota"]["router"] * 10
    for body in ({"network": 2}, {"network": -1}, {"network": 1, "force": True}):
        answer = cloud.admin.put(path, {"quota": body}, 200).json()["quota"]
        assert answer["network"] == body["network"] and "force" not in answer and "check_limit" not in answer


def test_listing_a_projects_groups_makes_its_default_group(cloud: ApiCloud, mia: Net) -> None:
    admin = Net(cloud.admin)
    for name in ("project_id", "tenant_id"):
        who = Net(cloud.new_user(f"user-{name}", name))
        [group] = admin.list("security-groups", f"?{name}={who.who.project_id}")
        assert (group["name"], group["project_id"]) == ("default", who.who.project_id)
        assert who.list("security-groups") == [group]
    assert mia.list("security-groups", f"?project_id={admin.who.project_id}") == []
    assert admin.list("security-groups", "?project_id=none") == []
