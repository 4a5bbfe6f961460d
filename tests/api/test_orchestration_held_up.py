"""What others' things hold up: it is told while it is tried again, ends soon, and what could not go is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network_support import public
from tests.api.orchestration_support import delete, hot, path, resources, stack, update
from tests.support import ApiCloud, Caller

N = "/network/v2.0"
OLD, NEW = "10.9.0.0/24", "10.10.0.0/24"


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def subnet(cidr: str, **more: Any) -> dict[str, Any]:
    net = {"get_resource": "net"}
    return hot({"net": res("OS::Neutron::Net"), "sub": res("OS::Neutron::Subnet", network=net, cidr=cidr), **more})


def fails(after: str) -> dict[str, Any]:
    return {"type": "OS::Heat::TestResource", "depends_on": after, "properties": {"fail": True}}


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


def used(cloud: ApiCloud, caller: Caller) -> dict[str, Any]:
    """A stack of a network and its subnet, on which there is a port that is no part of it."""
    made = stack(cloud, caller, subnet(OLD))
    net = resources(caller, made)["net"]["physical_resource_id"]
    caller.post(f"{N}/ports", {"port": {"network_id": net}}, 201)
    return made


def told(caller: Caller, made: dict[str, Any], name: str) -> list[str]:
    found = caller.get(path(caller, made, "/events")).json()["events"]
    return [one["resource_status_reason"] for one in found if one["resource_name"] == name]


def test_a_deletion_that_others_hold_up_says_so_and_fails_soon(cloud: ApiCloud, mia: Caller) -> None:
    made = used(cloud, mia)
    began = cloud.core.clock.now()
    gone = delete(cloud, mia, made)
    assert gone["stack_status"] == "DELETE_FAILED" and "One or more ports" in gone["stack_status_reason"]
    assert (cloud.core.clock.now() - began).total_seconds() < 30
    assert any(one.startswith("It is tried again: SubnetInUse") for one in told(mia, made, "sub"))


@pytest.mark.parametrize("way", ["old-template", "roll-back", "then-roll-back"])
def test_who_goes_back_has_the_subnet_again_that_others_use(cloud: ApiCloud, mia: Caller, way: str) -> None:
    made = used(cloud, mia)
    before = resources(mia, made)["sub"]["physical_resource_id"]
    after = update(cloud, mia, made, subnet(NEW), disable_rollback=way != "roll-back")
    if way == "old-template":
        assert after["stack_status"] == "UPDATE_FAILED" and "One or more ports" in after["stack_status_reason"]
        body = {"template": subnet(OLD)}
        changes = mia.put(path(mia, made, "/preview"), body).json()["resource_changes"]
        assert [one["resource_name"] for one in changes["replaced"]] == []
        after = update(cloud, mia, made, subnet(OLD))
    if way == "then-roll-back":
        after = update(cloud, mia, made, subnet(OLD, bad=fails("sub")), disable_rollback=False)
        assert after["stack_status"] == "ROLLBACK_COMPLETE"
        after = update(cloud, mia, made, subnet(OLD))
    assert after["stack_status"] in ("UPDATE_COMPLETE", "ROLLBACK_COMPLETE"), after["stack_status_reason"]
    assert resources(mia, made)["sub"]["physical_resource_id"] == before
    found = mia.get(f"{N}/subnets").json()["subnets"]
    assert [one["cidr"] for one in found] == [OLD]


def test_what_became_of_a_stack_can_be_read_after_its_deletion(cloud: ApiCloud, mia: Caller) -> None:
    """As ``openstack stack delete --wait`` does."""
    made = stack(cloud, mia, hot({"net": res("OS::Neutron::Net")}))
    mia.delete(path(mia, made))
    cloud.run_jobs()
    found = mia.get(path(mia, made, "/events")).json()["events"]
    assert [(one["resource_name"], one["resource_status"]) for one in found[-2:]] == [
        ("net", "DELETE_COMPLETE"),
        ("rose", "DELETE_COMPLETE"),
    ]
    of_net = mia.get(path(mia, made, "/resources/net/events")).json()["events"]
    assert {one["resource_name"] for one in of_net} == {"net"} and len(of_net) == 4
    eve = cloud.new_user("eve", "shed")
    eve.get(path(mia, made, "/events").replace(mia.project_id, eve.project_id), 404)


def test_no_time_is_heats_usual_time(cloud: ApiCloud, mia: Caller) -> None:
    """The SDK sends 0 for less than a minute."""
    made = stack(cloud, mia, hot({}), timeout_mins=0)
    assert made["stack_status"] == "CREATE_COMPLETE"


def test_an_interface_that_could_not_be_taken_off_stays_where_it_is_wanted_again(cloud: ApiCloud, mia: Caller) -> None:
    outside = public(cloud)
    gateway = {"network": outside}
    legs = {"router": {"get_resource": "r"}, "subnet": {"get_resource": "sub"}}
    router = {"r": res("OS::Neutron::Router", external_gateway_info=gateway)}
    whole = subnet(OLD, **router, leg=res("OS::Neutron::RouterInterface", **legs))
    made = stack(cloud, mia, whole)
    net = resources(mia, made)["net"]["physical_resource_id"]
    port = mia.post(f"{N}/ports", {"port": {"network_id": net}}, 201).json()["port"]["id"]
    address = {"floatingip": {"floating_network_id": outside, "port_id": port}}
    mia.post(f"{N}/floatingips", address, 201)
    failed = update(cloud, mia, made, subnet(OLD, **router))
    assert failed["stack_status"] == "UPDATE_FAILED" and "floating" in failed["stack_status_reason"]
    again = update(cloud, mia, made, whole)
    assert again["stack_status"] == "UPDATE_COMPLETE", again["stack_status_reason"]
    interfaces = mia.get(f"{N}/ports", params={"device_owner": "network:router_interface"}).json()["ports"]
    assert len(interfaces) == 1


@pytest.mark.parametrize("purge", [True, False])
def test_a_container_that_was_not_empty_keeps_its_objects_when_it_is_wanted_again(
    cloud: ApiCloud, mia: Caller, purge: bool
) -> None:
    bed = res("OS::Swift::Container", name="bed")
    made = stack(cloud, mia, hot({"bed": bed}))
    place = f"/object-store/v1/AUTH_{mia.project_id}/bed"
    mia.request("PUT", f"{place}/rose", content=b"x", expect=201)
    failed = update(cloud, mia, made, hot({"other": {"type": "OS::Heat::None"}}))
    assert failed["stack_status"] == "UPDATE_FAILED" and "empty" in failed["stack_status_reason"]
    if not purge:
        mia.request("DELETE", f"{place}/rose", expect=204)
    wanted = res("OS::Swift::Container", name="bed", PurgeOnDelete=purge)
    again = update(cloud, mia, made, hot({"bed": wanted}))
    assert again["stack_status"] == "UPDATE_COMPLETE", again["stack_status_reason"]
    mia.request("HEAD", place, expect=204)
    if purge:
        assert mia.request("GET", f"{place}/rose").content == b"x"


def test_an_update_goes_on_where_a_thing_of_others_in_a_nested_stack_is_gone(cloud: ApiCloud, mia: Caller) -> None:
    net = mia.post(f"{N}/networks", {"network": {"name": "beds"}}, 201).json()["network"]["id"]
    files = {"in.yaml": hot({"net": {"type": "OS::Neutron::Net", "external_id": net}})}
    made = stack(cloud, mia, hot({"in": {"type": "in.yaml"}}), files=files)
    mia.delete(f"{N}/networks/{net}")
    template = hot({"in": {"type": "in.yaml"}, "more": {"type": "OS::Heat::None"}})
    after = update(cloud, mia, made, template, files=files)
    assert after["stack_status"] == "UPDATE_COMPLETE", after["stack_status_reason"]


def test_what_could_not_be_deleted_is_looked_at_like_the_rest(cloud: ApiCloud, mia: Caller) -> None:
    made = used(cloud, mia)
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_FAILED"
    found = mia.get(path(mia, made, "/drift")).json()["drift"]["resources"]
    [sub] = [one for one in found if one["resource_name"] == "sub"]
    assert (sub["drift_status"], sub["mend"]["action"]) == ("IN_SYNC", "update")


def test_routers_and_groups_that_others_use_are_there_for_who_goes_back(cloud: ApiCloud, mia: Caller) -> None:
    """Not subnets alone: a router with a leg of others, a group that others' ports have."""
    both = {"way": res("OS::Neutron::Router"), "group": res("OS::Neutron::SecurityGroup", name="g")}
    made = stack(cloud, mia, hot(both))
    before = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    net = mia.post(f"{N}/networks", {"network": {}}, 201).json()["network"]["id"]
    body = {"network_id": net, "ip_version": 4, "cidr": OLD}
    sub = mia.post(f"{N}/subnets", {"subnet": body}, 201).json()["subnet"]["id"]
    mia.put(f"{N}/routers/{before['way']}/add_router_interface", {"subnet_id": sub}, 200)
    mia.post(f"{N}/ports", {"port": {"network_id": net, "security_groups": [before["group"]]}}, 201)
    without = update(cloud, mia, made, hot({"word": res("OS::Heat::None")}))
    assert without["stack_status"] == "UPDATE_FAILED"
    after = update(cloud, mia, made, hot(both))
    assert after["stack_status"] == "UPDATE_COMPLETE", after["stack_status_reason"]
    assert {name: one["physical_resource_id"] for name, one in resources(mia, made).items()} == before


def test_what_an_update_could_not_delete_is_not_told_to_be_made_again(cloud: ApiCloud, mia: Caller) -> None:
    made = used(cloud, mia)
    after = update(cloud, mia, made, hot({"word": res("OS::Heat::None")}))
    assert after["stack_status"] == "UPDATE_FAILED"
    found = mia.get(path(mia, made, "/drift")).json()["drift"]["resources"]
    told = {one["resource_name"]: (one["mend"] or {}).get("action") for one in found}
    assert "sub" in told and told["sub"] in (None, "", "none")
