"""Stacks over the API: made, changed, replaced, rolled back, deleted."""

from __future__ import annotations

from typing import Any

from tests.api.compute_support import queries as noted
from tests.api.orchestration_support import at, begin, delete, hot, outputs, path, resources, show, stack, update
from tests.support import ApiCloud


def _value(**more: Any) -> dict[str, Any]:
    return {"type": "OS::Heat::TestResource", "properties": more}


def test_a_stack_is_made_in_the_order_of_need_and_shows_its_outputs(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {
            "one": _value(value="fred"),
            "two": _value(value={"get_attr": ["one", "output"]}),
            "word": {"type": "OS::Heat::RandomString", "properties": {"length": 10}},
        },
        outputs={"two": {"value": {"get_attr": ["two", "output"]}}, "word": {"value": {"get_resource": "word"}}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made
    assert outputs(made)["two"] == "fred" and len(outputs(made)["word"]) == 10
    found = resources(mia, made)
    assert {one["resource_status"] for one in found.values()} == {"CREATE_COMPLETE"}
    assert found["one"]["required_by"] == ["two"]
    told = mia.get(path(mia, made, "/events")).json()["events"]
    order = [(one["resource_name"], one["resource_status"]) for one in told]
    assert order[0] == ("rose", "CREATE_IN_PROGRESS") and order[-1] == ("rose", "CREATE_COMPLETE")
    assert order.index(("one", "CREATE_COMPLETE")) < order.index(("two", "CREATE_IN_PROGRESS"))
    gone = delete(cloud, mia, made)
    assert gone["stack_status"] == "DELETE_COMPLETE"
    assert not mia.get(at(mia, "/stacks")).json()["stacks"]


assert begin and update and show


def _changed(template: dict[str, Any], name: str, **properties: Any) -> dict[str, Any]:
    inner = {**template["resources"], name: {**template["resources"][name], "properties": properties}}
    return {**template, "resources": inner}


def test_an_update_changes_in_place_replaces_and_deletes_what_is_left(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot({"kept": _value(value="a"), "new": _value(value="b"), "old": _value(value="c")})
    made = stack(cloud, mia, template)
    before = resources(mia, made)
    wanted = hot({"kept": _value(value="A"), "new": _value(value="b", update_replace=True), "more": _value()})
    changed = update(cloud, mia, made, wanted)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed
    after = resources(mia, made)
    assert set(after) == {"kept", "new", "more"}
    assert after["kept"]["physical_resource_id"] == before["kept"]["physical_resource_id"]
    assert after["kept"]["resource_status"] == "UPDATE_COMPLETE"
    assert after["new"]["physical_resource_id"] != before["new"]["physical_resource_id"]
    assert mia.get(path(mia, made, "/resources/kept")).json()["resource"]["attributes"]["output"] == "A"


def test_a_failed_update_is_rolled_back_where_that_is_wished(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot({"one": _value(value="a"), "two": _value(value="b")})
    made = stack(cloud, mia, template, disable_rollback=False)
    wanted = hot({"one": _value(value="A"), "two": _value(value="B", fail=True), "more": _value()})
    rolled = update(cloud, mia, made, wanted)
    assert rolled["stack_status"] == "ROLLBACK_COMPLETE", rolled
    assert set(resources(mia, made)) == {"one", "two"}
    for name, value in (("one", "a"), ("two", "b")):
        shown = mia.get(path(mia, made, f"/resources/{name}")).json()["resource"]
        assert shown["attributes"]["output"] == value and shown["resource_status"].endswith("_COMPLETE")


def test_a_failed_creation_says_why_and_can_be_updated_and_deleted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"one": _value(fail=True), "two": _value(value={"get_attr": ["one", "output"]})}))
    assert made["stack_status"] == "CREATE_FAILED"
    assert "resources.one: Test Resource failed one" in made["stack_status_reason"]
    assert resources(mia, made)["two"]["resource_status"] == "INIT_COMPLETE"
    mended = update(cloud, mia, made, hot({"one": _value(), "two": _value(value={"get_attr": ["one", "output"]})}))
    assert mended["stack_status"] == "UPDATE_COMPLETE", mended
    broken = stack(cloud, mia, hot({"one": _value(fail=True)}), "daisy")
    assert delete(cloud, mia, broken)["stack_status"] == "DELETE_COMPLETE"


def test_a_failed_creation_with_rollback_leaves_nothing_but_the_stack(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(
        cloud,
        mia,
        hot({"one": _value(), "two": _value(fail=True, value={"get_attr": ["one", "output"]})}),
        disable_rollback=False,
    )
    assert made["stack_status"] == "ROLLBACK_COMPLETE", made
    assert resources(mia, made) == {}
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"


def test_a_stack_of_networks_and_a_server_is_made_and_deleted_whole(cloud: ApiCloud) -> None:
    from tests.api.network_support import public

    mia = cloud.new_user("mia", "garden")
    outside = public(cloud)
    template = hot(
        {
            "net": {"type": "OS::Neutron::Net"},
            "subnet": {
                "type": "OS::Neutron::Subnet",
                "properties": {"network": {"get_resource": "net"}, "cidr": "10.7.0.0/24"},
            },
            "router": {
                "type": "OS::Neutron::Router",
                "properties": {"external_gateway_info": {"network": outside}},
            },
            "leg": {
                "type": "OS::Neutron::RouterInterface",
                "properties": {"router": {"get_resource": "router"}, "subnet": {"get_resource": "subnet"}},
            },
            "group": {
                "type": "OS::Neutron::SecurityGroup",
                "properties": {"rules": [{"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}]},
            },
            "port": {
                "type": "OS::Neutron::Port",
                "properties": {"network": {"get_resource": "net"}, "security_groups": [{"get_resource": "group"}]},
            },
            "address": {
                "type": "OS::Neutron::FloatingIP",
                "properties": {"floating_network": outside, "port_id": {"get_resource": "port"}},
            },
        },
        outputs={"address": {"value": {"get_attr": ["address", "floating_ip_address"]}}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made
    assert outputs(made)["address"]
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    for kind in ("routers", "ports", "subnets", "floatingips"):
        assert not mia.get(f"/network/v2.0/{kind}?project_id={mia.project_id}").json()[kind]


def test_the_details_of_many_stacks_are_as_many_queries_as_those_of_one(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    seen = []
    with noted(cloud) as queries:
        for number in range(3):
            begin(mia, hot({"in": {"type": "in.yaml"}}), f"s{number}", files={"in.yaml": hot({"one": _value()})})
            queries.clear()
            mia.get(at(mia, "/stacks/detail"))
            seen.append(len(queries))
    assert seen[0] == seen[2]
