"""Resource types: what each makes in its service, and that it goes again."""

from __future__ import annotations

from typing import Any

from tests.api.compute_support import V, make_flavor, make_image
from tests.api.orchestration_support import (
    at,
    begin,
    delete,
    hot,
    outputs,
    path,
    refused,
    resources,
    show,
    stack,
    update,
)
from tests.support import ApiCloud, Caller


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def get(name: str) -> dict[str, str]:
    return {"get_resource": name}


def whole(mia: Caller, flavor_id: str, image_id: str) -> dict[str, Any]:
    """A network with a server that has a key, a volume and user data."""
    return hot(
        {
            "net": res("OS::Neutron::Net"),
            "subnet": res("OS::Neutron::Subnet", network=get("net"), cidr="10.8.0.0/24"),
            "port": res("OS::Neutron::Port", network=get("net")),
            "key": res("OS::Nova::KeyPair", name="rose-key", save_private_key=True),
            "group": res("OS::Nova::ServerGroup", policies=["soft-affinity"]),
            "disk": res("OS::Cinder::Volume", size=1, metadata={"a": 1}),
            "server": res(
                "OS::Nova::Server",
                image=image_id,
                flavor=flavor_id,
                key_name=get("key"),
                networks=[{"port": get("port")}],
                user_data="#!/bin/sh\necho rose",
                user_data_format="RAW",
                metadata={"colour": "red"},
                scheduler_hints={"group": get("group")},
            ),
            "plug": res("OS::Cinder::VolumeAttachment", instance_uuid=get("server"), volume_id=get("disk")),
        },
        outputs={
            "address": {"value": {"get_attr": ["server", "first_address"]}},
            "key": {"value": {"get_attr": ["key", "private_key"]}},
        },
    )


def test_a_server_with_its_disk_and_key_is_made_changed_and_deleted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    flavor_id, image_id = make_flavor(cloud.admin), make_image(mia, "rose")
    template = whole(mia, flavor_id, image_id)
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert outputs(made)["address"].startswith("10.8.0.") and "PRIVATE KEY" in outputs(made)["key"]
    [server] = mia.get(f"{V}/servers/detail").json()["servers"]
    assert server["metadata"] == {"colour": "red"} and server["key_name"] == "rose-key"
    assert server["os-extended-volumes:volumes_attached"]
    before = resources(mia, made)
    template["resources"]["server"]["properties"]["metadata"] = {"colour": "white"}
    changed = update(cloud, mia, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    [server] = mia.get(f"{V}/servers/detail").json()["servers"]
    assert server["metadata"] == {"colour": "white"}
    assert resources(mia, made)["server"]["physical_resource_id"] == before["server"]["physical_resource_id"]
    gone = delete(cloud, mia, made)
    assert gone["stack_status"] == "DELETE_COMPLETE", gone["stack_status_reason"]
    assert not mia.get(f"{V}/servers").json()["servers"]
    assert not mia.get(f"/volume/v3/{mia.project_id}/volumes").json()["volumes"]


def test_a_server_that_cannot_be_built_fails_its_stack_with_the_reason(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    flavor_id = make_flavor(cloud.admin)
    image_id = make_image(mia, "rose")
    small = hot({"server": res("OS::Nova::Server", image=image_id, flavor=flavor_id, networks=[{"port": "nothing"}])})
    refused = mia.post(at(mia, "/stacks"), {"stack_name": "x", "template": small}, 400).json()
    assert "Unable to find port with name or id 'nothing'" in refused["error"]["message"]


def test_nested_templates_and_groups_are_stacks_of_their_own(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    inner = """
heat_template_version: 2021-04-16
parameters: {word: {type: string}}
resources:
  it: {type: OS::Heat::TestResource, properties: {value: {get_param: word}}}
outputs:
  told: {value: {get_attr: [it, output]}}
"""
    template = hot(
        {
            "one": res("inner.yaml", word="rose"),
            "many": res("OS::Heat::ResourceGroup", count=3, resource_def=res("inner.yaml", word="rose-%index%")),
        },
        outputs={
            "one": {"value": {"get_attr": ["one", "told"]}},
            "many": {"value": {"get_attr": ["many", "told"]}},
            "third": {"value": {"get_attr": ["many", "resource.2.told"]}},
            "refs": {"value": {"get_attr": ["many", "refs"]}},
        },
    )
    made = stack(cloud, mia, template, files={"inner.yaml": inner})
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    told = outputs(made)
    assert told["one"] == "rose" and told["many"] == ["rose-0", "rose-1", "rose-2"] and told["third"] == "rose-2"
    assert len(told["refs"]) == 3
    assert len(resources(mia, made)) == 2
    found = mia.get(path(mia, made, "/resources"), params={"nested_depth": "2"}).json()["resources"]
    assert len(found) == 2 + 1 + 3 + 3
    assert [one["stack_name"] for one in mia.get(at(mia, "/stacks")).json()["stacks"]] == ["rose"]
    template["resources"]["many"]["properties"]["count"] = 1
    changed = update(
        cloud, mia, made, template, files={"inner.yaml": inner.replace("get_param: word", "get_param: OS::stack_name")}
    )
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    assert len(outputs(changed)["many"]) == 1 and outputs(changed)["one"].startswith("rose-one-")
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert not mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"]


def test_a_wait_condition_counts_signals_and_tells_a_failure(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {
            "handle": res("OS::Heat::WaitConditionHandle"),
            "wait": res("OS::Heat::WaitCondition", handle=get("handle"), count=2, timeout=600),
        },
        outputs={"data": {"value": {"get_attr": ["wait", "data"]}}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_IN_PROGRESS"
    for number in ("1", "2"):
        signal = {"id": number, "data": f"d{number}", "status": "SUCCESS"}
        mia.post(path(mia, made, "/resources/handle/signal"), signal, 200)
        cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "CREATE_COMPLETE", shown
    assert outputs(shown)["data"] == '{"1":"d1","2":"d2"}'
    other = stack(cloud, mia, template, "daisy")
    mia.post(path(mia, other, "/resources/handle/signal"), {"status": "FAILURE", "reason": "no water"}, 200)
    cloud.run_jobs()
    assert "no water" in show(mia, "daisy", other["id"])["stack_status_reason"]


def test_what_the_keystone_types_make_needs_an_administrator(cloud: ApiCloud) -> None:
    template = hot(
        {
            "project": res("OS::Keystone::Project", name="pond"),
            "user": res(
                "OS::Keystone::User",
                name="frog",
                password="croak-croak",
                default_project=get("project"),
                roles=[{"role": "member", "project": get("project")}],
            ),
        }
    )
    made = stack(cloud, cloud.admin, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert cloud.login("frog", "croak-croak", "pond").project_id
    assert delete(cloud, cloud.admin, made)["stack_status"] == "DELETE_COMPLETE"
    mia = cloud.new_user("mia", "garden")
    refused = stack(cloud, mia, hot({"project": res("OS::Keystone::Project", name="pond")}), "other")
    assert refused["stack_status"] == "CREATE_FAILED" and "PolicyNotAuthorized" in refused["stack_status_reason"]
    assert delete(cloud, mia, refused)["stack_status"] == "DELETE_COMPLETE"


def test_a_group_grows_and_shrinks_by_its_policy_and_never_beyond_its_bounds(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {
            "group": res(
                "OS::Heat::AutoScalingGroup",
                min_size=1,
                max_size=3,
                desired_capacity=2,
                resource={"type": "OS::Heat::RandomString"},
            ),
            "more": res(
                "OS::Heat::ScalingPolicy",
                auto_scaling_group_id=get("group"),
                adjustment_type="change_in_capacity",
                scaling_adjustment=2,
            ),
        },
        outputs={
            "size": {"value": {"get_attr": ["group", "current_size"]}},
            "refs": {"value": {"get_attr": ["group", "refs"]}},
            "url": {"value": {"get_attr": ["more", "signal_url"]}},
        },
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert outputs(made)["size"] == 2
    before = outputs(made)["refs"]
    url = outputs(made)["url"].partition("/orchestration")[2]
    assert cloud.call("POST", f"/orchestration{url}", json={}).status_code == 200
    cloud.run_jobs()
    after = outputs(show(mia, "rose", made["id"]))
    assert after["size"] == 3 and after["refs"][:2] == before
    assert cloud.call("POST", f"/orchestration{url[:-3]}abc", json={}).status_code == 404
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"


def test_a_chain_is_made_one_after_another(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    chain = res("OS::Heat::ResourceChain", resources=["OS::Heat::TestResource"] * 2, resource_properties={"value": "a"})
    made = stack(cloud, mia, hot({"chain": chain}, outputs={"all": {"value": {"get_attr": ["chain", "output"]}}}))
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert outputs(made)["all"] == ["a", "a"]


def test_a_deployment_waits_for_the_servers_signal_and_shows_its_outputs(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {
            "config": res(
                "OS::Heat::SoftwareConfig",
                group="script",
                config="echo $word",
                inputs=[{"name": "word"}],
                outputs=[{"name": "result"}],
            ),
            "deploy": res(
                "OS::Heat::SoftwareDeployment", config=get("config"), server="s1", input_values={"word": "rose"}
            ),
        },
        outputs={"result": {"value": {"get_attr": ["deploy", "result"]}}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_IN_PROGRESS"
    [todo] = mia.get(at(mia, "/software_deployments/metadata/s1")).json()["metadata"]
    inputs = {one["name"]: one["value"] for one in todo["inputs"]}
    assert inputs["word"] == "rose"
    url = inputs["deploy_signal_id"].partition("/orchestration")[2]
    assert (
        cloud.call("POST", f"/orchestration{url}", json={"result": "red", "deploy_status_code": 0}).status_code == 200
    )
    cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "CREATE_COMPLETE" and outputs(shown)["result"] == "red"
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert not mia.get(at(mia, "/software_configs")).json()["software_configs"]


def test_policies_of_a_group_may_be_parameters(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    group = res("OS::Heat::ResourceGroup", count=2, resource_def={"type": "OS::Heat::TestResource"})
    rolling = {"rolling_update": {"max_batch_size": {"get_param": "size"}}}
    size = {"size": {"type": "number", "default": 1}}
    made = stack(cloud, mia, hot({"g": {**group, "update_policy": rolling}}, parameters=size))
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]


def test_a_group_is_one_by_whatever_name(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    registry = {"My::Group": "OS::Heat::AutoScalingGroup", "My::User": "AWS::IAM::User"}
    template = {
        "group": res("My::Group", min_size=1, max_size=2, resource={"type": "OS::Heat::TestResource"}),
        "up": res(
            "OS::Heat::ScalingPolicy",
            auto_scaling_group_id=get("group"),
            scaling_adjustment=1,
            adjustment_type="change_in_capacity",
        ),
        "user": res("My::User"),
        "key": res("AWS::IAM::AccessKey", UserName=get("user")),
    }
    made = stack(cloud, mia, hot(template), environment={"resource_registry": registry})
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    mia.post(path(mia, made, "/resources/up/signal"), {}, 200)
    cloud.run_jobs()
    told = mia.get(path(mia, made, "/resources/group")).json()["resource"]["attributes"]
    assert told["current_size"] == 2


def test_strict_inputs_have_to_be_given(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = {
        "config": res("OS::Heat::StructuredConfig", config={"a": {"get_input": "x"}}),
        "deployment": res(
            "OS::Heat::StructuredDeployment",
            config=get("config"),
            server="s1",
            signal_transport="NO_SIGNAL",
            input_values_validate="STRICT",
        ),
    }
    made = stack(cloud, mia, hot(template))
    assert made["stack_status"] == "CREATE_FAILED"
    assert "The Parameter (x) was not provided." in made["stack_status_reason"]
    template["deployment"]["properties"]["input_values"] = {"x": 1}
    assert update(cloud, mia, made, hot(template))["stack_status"] == "UPDATE_COMPLETE"


def test_the_zones_of_a_template_are_those_of_the_cloud(cloud: ApiCloud) -> None:
    admin = cloud.admin
    made = admin.post(f"{V}/os-aggregates", {"aggregate": {"name": "x", "availability_zone": "west"}}).json()
    host = admin.get(f"{V}/os-hypervisors").json()["hypervisors"][0]["hypervisor_hostname"]
    admin.post(f"{V}/os-aggregates/{made['aggregate']['id']}/action", {"add_host": {"host": host}})
    zones = {"Fn::GetAZs": ""}
    template = {
        "HeatTemplateFormatVersion": "2012-12-12",
        "Resources": {"v": {"Type": "OS::Heat::Value", "Properties": {"value": zones}}},
        "Outputs": {"zones": {"Value": zones}},
    }
    listed = admin.get(f"{V}/os-availability-zone").json()["availabilityZoneInfo"]
    told = outputs(stack(cloud, admin, template))["zones"]
    assert "west" in told and told == [one["zoneName"] for one in listed]


def test_a_nested_stack_has_another_time_when_that_is_said(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    first, then = (
        hot({"s": res("OS::Heat::Stack", template="heat_template_version: 2021-04-16", timeout=minutes)})
        for minutes in (5, 7)
    )
    update(cloud, mia, stack(cloud, mia, first), then)
    [nested] = [one for one in mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"] if one["parent"]]
    assert mia.get(path(mia, nested)).json()["stack"]["timeout_mins"] == 7


def test_ports_of_amazons_rules_are_numbers(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    rule = {"IpProtocol": "tcp", "FromPort": "http", "ToPort": "80", "CidrIp": "0.0.0.0/0"}
    group = res("AWS::EC2::SecurityGroup", GroupDescription="x", SecurityGroupIngress=[rule])
    assert "SecurityGroupIngress[0].FromPort is a number." in refused(mia, hot({"sg": group}))


def test_properties_may_be_any_function_and_a_resource_tells_its_description(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    replaced = {"map_replace": [{"value": "a"}, {"values": {"a": "b"}}]}
    template = hot(
        {"one": {"type": "OS::Heat::TestResource", "description": "a rose", "properties": replaced}},
        outputs={"o": {"value": {"get_attr": ["one", "output"]}}},
    )
    made = stack(cloud, mia, template)
    assert outputs(made) == {"o": "b"}
    assert mia.get(path(mia, made, "/resources/one")).json()["resource"]["description"] == "a rose"
    told = mia.put(path(mia, made, "/preview"), {"template": template}, 200).json()["resource_changes"]
    assert [one["description"] for one in told["unchanged"]] == ["a rose"]


def test_environments_are_merged_as_they_say(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    files = {
        "a.yaml": "parameter_merge_strategies: {list: merge}\nparameters: {list: [a]}\n",
        "b.yaml": "parameter_merge_strategies: {list: merge}\nparameters: {list: [b]}\n",
    }
    template = hot({}, parameters={"list": {"type": "comma_delimited_list"}})
    names = ["a.yaml", "b.yaml"]
    made = stack(cloud, mia, template, files=files, environment_files=names)
    assert made["parameters"]["list"] == "a,b"
    body = {"files": files, "environment_files": names}
    mia.request("PATCH", path(mia, made), json=body, expect=202)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["parameters"]["list"] == "a,b"
    files["c.yaml"] = "parameter_merge_strategies: {list: overwrite}\nparameters: {list: [c]}\n"
    told = begin(mia, template, "lily", 400, files=files, environment_files=[*names, "c.yaml"])["error"]["message"]
    assert "Conflicting merge strategy 'overwrite' for parameter 'list' in file 'c.yaml'" in told
