"""A stack is abandoned and adopted again: what it made stays, and is the new one's."""

from __future__ import annotations

import json
from typing import Any

from tests.api.compute_support import make_flavor, make_image
from tests.api.orchestration_support import at, begin, delete, hot, outputs, path, resources, show, stack
from tests.support import ApiCloud, Caller

N = "/network/v2.0"


def abandon(caller: Caller, shown: dict[str, Any]) -> dict[str, Any]:
    return dict(caller.delete(path(caller, shown, "/abandon"), 200).json())


def adopt(cloud: ApiCloud, caller: Caller, data: Any, name: str = "lily", **more: Any) -> dict[str, Any]:
    """As ``openstack stack adopt`` does."""
    body = {"stack_name": name, "adopt_stack_data": json.dumps(data), "files": data.get("files", {}), **more}
    made = caller.post(at(caller, "/stacks"), body, 201).json()["stack"]
    cloud.run_jobs()
    return show(caller, name, made["id"])


def ids(caller: Caller, shown: dict[str, Any], **query: Any) -> dict[str, str]:
    return {name: one["physical_resource_id"] for name, one in resources(caller, shown, **query).items()}


def test_what_a_stack_left_is_adopted_with_all_that_it_kept(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    get = {"network": {"get_resource": "net"}}
    bed = hot(
        {"it": {"type": "OS::Neutron::Net", "properties": {"name": {"get_param": "name"}}}},
        parameters={"name": {"type": "string"}},
    )
    template = hot(
        {
            "net": {"type": "OS::Neutron::Net"},
            "subnet": {"type": "OS::Neutron::Subnet", "properties": {**get, "cidr": "10.9.0.0/24"}},
            "router": {"type": "OS::Neutron::Router"},
            "leg": {
                "type": "OS::Neutron::RouterInterface",
                "properties": {"router": {"get_resource": "router"}, "subnet": {"get_resource": "subnet"}},
            },
            "word": {
                "type": "OS::Heat::RandomString",
                "properties": {"length": 300, "character_sequences": [{"sequence": "/ &<", "min": 2}]},
            },
            "key": {"type": "OS::Nova::KeyPair", "properties": {"name": "mia", "save_private_key": True}},
            "disk": {"type": "OS::Cinder::Volume", "properties": {"size": 1}},
            "server": {
                "type": "OS::Nova::Server",
                "properties": {
                    "flavor": make_flavor(cloud.admin),
                    "image": make_image(mia),
                    "networks": [{"subnet": {"get_resource": "subnet"}}],
                },
            },
            "tie": {
                "type": "OS::Cinder::VolumeAttachment",
                "properties": {"instance_uuid": {"get_resource": "server"}, "volume_id": {"get_resource": "disk"}},
            },
            "beds": {
                "type": "OS::Heat::AutoScalingGroup",
                "properties": {
                    "min_size": 1,
                    "max_size": 3,
                    "desired_capacity": 2,
                    "resource": {"type": "bed.yaml", "properties": {"name": "bed"}},
                },
            },
            "handle": {"type": "OS::Heat::WaitConditionHandle"},
            "wait": {
                "type": "OS::Heat::WaitCondition",
                "properties": {"handle": {"get_resource": "handle"}, "timeout": 600},
            },
        },
        outputs={
            "word": {"value": {"get_attr": ["word", "value"]}},
            "key": {"value": {"get_attr": ["key", "private_key"]}},
        },
    )
    files = {"bed.yaml": json.dumps(bed)}
    made = stack(cloud, mia, template, files=files)
    mia.post(path(mia, made, "/resources/handle/signal"), {"status": "SUCCESS"}, 200)
    cloud.run_jobs()
    made = show(mia, "rose", made["id"])
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    before, nets = ids(mia, made), {one["id"] for one in mia.get(f"{N}/networks").json()["networks"]}
    data = abandon(mia, made)
    again = adopt(cloud, mia, data)
    assert again["stack_status"] == "ADOPT_COMPLETE", again["stack_status_reason"]
    after, made_anew = ids(mia, again), ("beds", "handle", "wait")
    assert [name for name in before if before[name] != after[name] and name not in made_anew] == []
    assert outputs(again) == outputs(made)
    assert {one["id"] for one in mia.get(f"{N}/networks").json()["networks"]} == nets
    told = {one["resource_status"] for one in resources(mia, again, nested_depth=3).values()}
    assert told == {"ADOPT_COMPLETE"}
    # It is a stack as any other: an update finds nothing to change, and all goes with it.
    mia.put(path(mia, again), {"template": template, "files": files}, 202)
    cloud.run_jobs()
    assert ids(mia, again) == after
    assert delete(cloud, mia, again)["stack_status"] == "DELETE_COMPLETE"
    assert not mia.get(f"{N}/ports").json()["ports"] and not mia.get("/compute/v2.1/servers").json()["servers"]


def test_what_is_not_there_or_not_named_fails_and_costs_nothing(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    template = hot({"net": {"type": "OS::Neutron::Net", "properties": {"name": "beds"}}})
    theirs = bob.post(f"{N}/networks", {"network": {"name": "beds"}}, 201).json()["network"]["id"]
    for number, (entry, reason) in enumerate(
        (({"resource_id": theirs}, "could not be found"), ({}, "Resource ID was not provided"))
    ):
        shown = adopt(cloud, mia, {"template": template, "resources": {"net": entry}}, f"lily{number}")
        assert shown["stack_status"] == "ADOPT_FAILED" and reason in shown["stack_status_reason"], shown
        assert resources(mia, shown)["net"]["resource_status"] == "ADOPT_FAILED"
        assert delete(cloud, mia, shown)["stack_status"] == "DELETE_COMPLETE"
    bob.get(f"{N}/networks/{theirs}")


def test_what_its_author_may_not_delete_is_deleted_for_nobody(cloud: ApiCloud) -> None:
    """He may see it, and name it: it is no part of a stack that an administrator deletes for him."""
    mia = cloud.new_user("mia", "garden")
    body = {"network": {"name": "everybodys", "shared": True}}
    shared = cloud.admin.post(f"{N}/networks", body, 201).json()["network"]["id"]
    template = hot(
        {
            "net": {"type": "OS::Neutron::Net", "properties": {"name": "everybodys"}},
            "own": {"type": "OS::Neutron::Net", "properties": {"name": "own"}},
        }
    )
    own = mia.post(f"{N}/networks", {"network": {"name": "own"}}, 201).json()["network"]["id"]
    for caller in (cloud.admin, mia):
        entries = {"net": {"resource_id": shared}, "own": {"resource_id": own}}
        shown = adopt(cloud, mia, {"template": template, "resources": entries}, f"lily{caller.user_id[:4]}")
        assert shown["stack_status"] == "ADOPT_COMPLETE", shown["stack_status_reason"]
        caller.delete(path(mia, shown))
        cloud.run_jobs()
        assert show(mia, shown["stack_name"], shown["id"])["stack_status"] == "DELETE_COMPLETE"
        mia.get(f"{N}/networks/{shared}")
        mia.get(f"{N}/networks/{own}", 404)
        own = mia.post(f"{N}/networks", {"network": {"name": "own"}}, 201).json()["network"]["id"]


def test_who_mends_a_stack_whose_adoption_failed_adopts_nothing(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "garden")
    named = mia.post(f"{N}/networks", {"network": {"name": "named"}}, 201).json()["network"]["id"]
    template = hot(
        {
            "first": {"type": "OS::Neutron::Net"},
            "then": {"type": "OS::Neutron::Net", "depends_on": "first", "properties": {"name": "named"}},
            "last": {"type": "OS::Neutron::Net", "depends_on": "then"},
        }
    )
    entries = {"first": {"resource_id": "0" * 8}, "then": {"resource_id": named}}
    shown = adopt(cloud, mia, {"template": template, "resources": entries})
    assert shown["stack_status"] == "ADOPT_FAILED"
    bob.put(path(bob, shown), {"template": template, "parameters": {}}, 202)
    cloud.run_jobs()
    assert show(bob, "lily", shown["id"])["stack_status"] == "UPDATE_COMPLETE"
    assert named not in ids(bob, shown).values()
    assert delete(cloud, bob, shown)["stack_status"] == "DELETE_COMPLETE"
    mia.get(f"{N}/networks/{named}")


def test_what_is_brought_has_a_form_and_bounds(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot({"net": {"type": "OS::Neutron::Net"}})
    deep: dict[str, Any] = {}
    for _ in range(8):
        deep = {"resources": {"net": deep}}
    for wrong in (
        "nonsense: [",
        [],
        {"resources": {}},
        {"template": template, "resources": []},
        {"template": template, "resources": {"net": {"resource_id": "../servers"}}},
        {"template": template, "resources": {"net": {"resource_id": 7}}},
        {"template": template, "resources": {"net": {"metadata": {"a": "x" * 70_000}}}},
        {"template": template, **deep},
        {"template": template, "resources": {str(number): {} for number in range(1001)}},
    ):
        mia.post(at(mia, "/stacks"), {"stack_name": "lily", "adopt_stack_data": wrong}, 400)
    begin(mia, template, "lily", 201)
    data = {"template": {**template, "resources": {"word": {"type": "OS::Heat::RandomString"}}}}
    bad = {"resources": {"word": {"resource_id": "x", "resource_data": {"value": ["a"]}}}}
    lacking = {"resources": {"word": {"resource_id": "x"}}}
    shown = adopt(cloud, mia, {**data, **lacking}, "tulip")
    assert "resource_data.value was not provided" in shown["stack_status_reason"]
    shown = adopt(cloud, mia, {**data, **bad}, "iris")
    assert shown["stack_status"] == "ADOPT_FAILED" and "resource_data.value" in shown["stack_status_reason"]


def test_what_a_stack_has_adopted_before_it_was_whole_is_left(cloud: ApiCloud) -> None:
    """Whoever deletes it, or changes it, and however far the adoption came: also in nested stacks."""
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "garden")
    net: dict[str, Any] = {"type": "OS::Neutron::Net"}
    bed = json.dumps(hot({"inner": net}))
    template = hot(
        {
            "first": net,
            "bed": {"type": "bed.yaml"},
            "last": {**net, "depends_on": ["first", "bed"]},
        }
    )

    def half(name: str, last: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        made = [mia.post(f"{N}/networks", {"network": {}}, 201).json()["network"]["id"] for _ in range(2)]
        entries = {"first": {"resource_id": made[0]}, "bed": {"resources": {"inner": {"resource_id": made[1]}}}}
        data = {"template": template, "files": {"bed.yaml": bed}, "resources": {**entries, "last": last}}
        return adopt(cloud, mia, data, name), made

    there = mia.post(f"{N}/networks", {"network": {}}, 201).json()["network"]["id"]
    for name, caller in (("lily", mia), ("tulip", cloud.admin)):
        shown, made = half(name, {})
        assert shown["stack_status"] == "ADOPT_FAILED"
        assert delete(cloud, caller, shown)["stack_status"] == "DELETE_COMPLETE"
        for one in made:
            mia.get(f"{N}/networks/{one}")
    # An update that takes one out, and another's that makes it whole, leave them, too.
    for name, caller, gone in (("iris", mia, 404), ("daisy", bob, 200)):
        shown, made = half(name, {})
        other = hot({"bed": template["resources"]["bed"], "last": net})
        caller.put(path(caller, shown), {"template": other, "files": {"bed.yaml": bed}}, 202)
        cloud.run_jobs()
        assert show(mia, name, shown["id"])["stack_status"] == "UPDATE_COMPLETE"
        mia.get(f"{N}/networks/{made[0]}", 200)
        assert delete(cloud, caller, shown)["stack_status"] == "DELETE_COMPLETE"
        mia.get(f"{N}/networks/{made[1]}", gone)
    shown, made = half("whole", {"resource_id": there})
    assert shown["stack_status"] == "ADOPT_COMPLETE"
    assert delete(cloud, mia, shown)["stack_status"] == "DELETE_COMPLETE"
    for one in (*made, there):
        mia.get(f"{N}/networks/{one}", 404)
