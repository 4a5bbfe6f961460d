"""What an update would do inside nested stacks (``openstack stack update --dry-run --show-nested``)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.compute_support import make_network
from tests.api.orchestration_support import hot, path, stack, update
from tests.api.test_orchestration_replacing import Garden
from tests.support import ApiCloud, Caller


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


PARAMETERS = {"word": {"type": "string", "default": "a"}, "size": {"type": "number", "default": 1}}
INNER = hot(
    {
        "disk": res("OS::Cinder::Volume", size={"get_param": "size"}),
        "net": res("OS::Neutron::Net", name={"get_param": "word"}),
        "draw": res("OS::Heat::RandomString", length=8, salt={"get_param": "word"}),
    },
    parameters=PARAMETERS,
)


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


def told(caller: Caller, made: dict[str, Any], template: Any, files: Any, **more: Any) -> dict[str, list[str]]:
    """What happens, as stack/resource by the kind of change; nested names without their random ends."""
    where = path(caller, made, "/preview?show_nested=true")
    changes = caller.put(where, {"template": template, "files": files, **more}, 200).json()["resource_changes"]
    return {
        what: sorted(f"{'-'.join(one['stack_name'].split('-')[:2])}/{one['resource_name']}" for one in found)
        for what, found in changes.items()
        if found
    }


def test_each_resource_of_a_file_is_told_with_what_happens_to_it(cloud: ApiCloud, mia: Caller) -> None:
    files = {"in.yaml": INNER}
    made = stack(cloud, mia, hot({"tier": res("in.yaml")}), files=files)
    assert told(mia, made, hot({"tier": res("in.yaml")}), files) == {
        "unchanged": ["rose-tier/disk", "rose-tier/draw", "rose-tier/net", "rose/tier"]
    }
    changed = hot({"tier": res("in.yaml", word="b")})
    assert told(mia, made, changed, files) == {
        "unchanged": ["rose-tier/disk"],
        "updated": ["rose-tier/net", "rose/tier"],
        "replaced": ["rose-tier/draw"],
    }
    less = {"in.yaml": {**INNER, "resources": {"disk": INNER["resources"]["disk"], "new": {"type": "OS::Heat::None"}}}}
    assert told(mia, made, changed, less) == {
        "unchanged": ["rose-tier/disk"],
        "updated": ["rose/tier"],
        "added": ["rose-tier/new"],
        "deleted": ["rose-tier/draw", "rose-tier/net"],
    }
    gone = told(mia, made, hot({"other": {"type": "OS::Heat::None"}}), {})
    assert gone["deleted"] == ["rose-tier/disk", "rose-tier/draw", "rose-tier/net", "rose/tier"]
    # It does what it says.
    after = update(cloud, mia, made, changed, files=files)
    assert after["stack_status"] == "UPDATE_COMPLETE"
    assert set(told(mia, made, changed, files)) == {"unchanged"}


def test_members_that_a_group_gets_and_loses_are_told(cloud: ApiCloud, mia: Caller) -> None:
    def group(count: int, word: str = "a") -> dict[str, Any]:
        member = {"type": "in.yaml", "properties": {"word": word}}
        return hot({"group": res("OS::Heat::ResourceGroup", count=count, resource_def=member)})

    files = {"in.yaml": INNER}
    made = stack(cloud, mia, group(2), files=files)
    found = told(mia, made, group(3), files)
    assert found["added"] == ["rose-group/2", "rose-group/disk", "rose-group/draw", "rose-group/net"]
    assert found["updated"] == ["rose/group"] and len(found["unchanged"]) == 8
    found = told(mia, made, group(1), files)
    assert found["deleted"] == ["rose-group/1", "rose-group/disk", "rose-group/draw", "rose-group/net"]
    found = told(mia, made, group(2, "b"), files)
    assert found["updated"] == ["rose-group/0", "rose-group/1", "rose-group/net", "rose-group/net", "rose/group"]


def test_without_being_asked_only_the_stack_itself_is_told(cloud: ApiCloud, mia: Caller) -> None:
    files = {"in.yaml": INNER}
    made = stack(cloud, mia, hot({"tier": res("in.yaml")}), files=files)
    body = {"template": hot({"tier": res("in.yaml", word="b")}), "files": files}
    changes = mia.put(path(mia, made, "/preview"), body, 200).json()["resource_changes"]
    assert {what: len(found) for what, found in changes.items() if found} == {"updated": 1}


def test_groups_that_grow_by_signals_are_told_with_the_members_that_they_have(cloud: ApiCloud, mia: Caller) -> None:
    inner = '{heat_template_version: 2021-04-16, resources: {net: {type: "OS::Neutron::Net"}}}'
    template = hot(
        {
            "scaling": res("OS::Heat::AutoScalingGroup", min_size=2, max_size=3, resource=res("OS::Neutron::Net")),
            "chain": res("OS::Heat::ResourceChain", resources=["OS::Heat::None", "OS::Heat::RandomString"]),
            "stack": res("OS::Heat::Stack", template=inner),
        }
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    found = told(mia, made, template, {})
    assert set(found) == {"unchanged"} and len(found["unchanged"]) == 3 + 2 + 2 + 1
    template["resources"]["scaling"]["properties"]["resource"]["properties"]["name"] = "b"
    found = told(mia, made, template, {})
    assert len([one for one in found["updated"] if one.startswith("rose-scaling/")]) == 2


def test_a_group_of_amazon_is_told_whatever_happens_to_what_its_servers_are_made_of(cloud: ApiCloud) -> None:
    garden = Garden(cloud)
    network = make_network(garden.mia)
    [subnet] = garden.mia.get(f"/network/v2.0/subnets?network_id={network}").json()["subnets"]

    def template(word: str) -> dict[str, Any]:
        made_of = {"ImageId": garden.image, "InstanceType": garden.flavor, "UserData": word}
        sizes = {"LaunchConfigurationName": {"get_resource": "launch"}, "MinSize": 1, "MaxSize": 2}
        where = {"AvailabilityZones": ["nova"], "VPCZoneIdentifier": [subnet["id"]]}
        return hot(
            {
                "launch": res("AWS::AutoScaling::LaunchConfiguration", **made_of),
                "group": res("AWS::AutoScaling::AutoScalingGroup", **where, **sizes),
            }
        )

    made = stack(cloud, garden.mia, template("a"))
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert set(told(garden.mia, made, template("a"), {})) == {"unchanged"}
    found = told(garden.mia, made, template("b"), {})
    assert found["replaced"] == ["rose/launch"] and "rose/group" in found["updated"]
