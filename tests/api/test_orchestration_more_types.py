"""Types that administrators use, components of software, and what is refused for want of a service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tane.services.orchestration.resources import swift_container
from tane.web import inside
from tests.api.network_support import public
from tests.api.orchestration_support import begin, delete, hot, path, refused, resources, stack, update
from tests.support import ApiCloud, Caller


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def get(name: str) -> dict[str, str]:
    return {"get_resource": name}


def test_quotas_of_a_project_are_set_changed_and_taken_back(cloud: ApiCloud) -> None:
    admin, mia = cloud.admin, cloud.new_user("mia", "garden")
    where = {
        "compute": f"/compute/v2.1/os-quota-sets/{mia.project_id}",
        "volume": f"/volume/v3/{admin.project_id}/os-quota-sets/{mia.project_id}",
        "network": f"/network/v2.0/quotas/{mia.project_id}",
    }

    def now() -> list[int]:
        compute, volume, network = (next(iter(admin.get(one).json().values())) for one in where.values())
        return [compute["cores"], compute["ram"], volume["volumes"], network["port"]]

    before = now()
    template = hot(
        {
            "compute": res("OS::Nova::Quota", project="garden", cores=7, ram=777),
            "volume": res("OS::Cinder::Quota", project="garden", volumes=8),
            "network": res("OS::Neutron::Quota", project="garden", port=9),
        }
    )
    made = stack(cloud, admin, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert now() == [7, 777, 8, 9]
    template["resources"]["compute"]["properties"] = {"project": "garden", "cores": 6}
    changed = update(cloud, admin, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    assert now() == [6, before[1], 8, 9]
    assert delete(cloud, admin, made)["stack_status"] == "DELETE_COMPLETE"
    assert now() == before
    refused = stack(cloud, mia, hot({"quota": res("OS::Nova::Quota", project=mia.project_id, cores=99)}))
    assert refused["stack_status"] == "CREATE_FAILED"
    assert now() == before


def test_qualities_of_volumes_and_aggregates_of_hosts_are_made_changed_and_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    template = hot(
        {
            "specs": res("OS::Cinder::QoSSpecs", name="slow", specs={"total_iops_sec": 500, "consumer": "front-end"}),
            "kind": res("OS::Cinder::VolumeType", name="slow"),
            "tie": res("OS::Cinder::QoSAssociation", qos_specs=get("specs"), volume_types=[get("kind")]),
            "beds": res("OS::Nova::HostAggregate", name="beds", hosts=["host-1"], metadata={"soil": "peat", "a": 1}),
        }
    )
    made = stack(cloud, admin, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    there = resources(admin, made)
    specs = f"/volume/v3/{admin.project_id}/qos-specs/{there['specs']['physical_resource_id']}"
    assert admin.get(specs).json()["qos_specs"]["specs"] == {"total_iops_sec": "500"}
    assert len(admin.get(f"{specs}/associations").json()["qos_associations"]) == 1
    beds = f"/compute/v2.1/os-aggregates/{there['beds']['physical_resource_id']}"
    assert admin.get(beds).json()["aggregate"]["hosts"] == ["host-1"]
    template["resources"]["specs"]["properties"]["specs"] = {"read_iops_sec": 400}
    template["resources"]["beds"]["properties"] |= {"hosts": [], "metadata": {"soil": "sand"}}
    changed = update(cloud, admin, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    assert admin.get(specs).json()["qos_specs"]["specs"] == {"read_iops_sec": "400"}
    aggregate = admin.get(beds).json()["aggregate"]
    assert (aggregate["hosts"], aggregate["metadata"]) == ([], {"soil": "sand"})
    template["resources"]["beds"]["properties"]["hosts"] = ["host-1"]
    update(cloud, admin, made, template)
    assert delete(cloud, admin, made)["stack_status"] == "DELETE_COMPLETE"
    assert not admin.get("/compute/v2.1/os-aggregates").json()["aggregates"]
    admin.get(specs, 404)


def test_subnets_come_from_a_pool_of_the_template(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    pool = res("OS::Neutron::SubnetPool", prefixes=["10.70.0.0/16"], default_prefixlen=26, tags=["beds"])
    subnet = res("OS::Neutron::Subnet", network=get("net"), subnetpool=get("pool"))
    template = hot({"pool": pool, "net": res("OS::Neutron::Net"), "subnet": subnet})
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    found = mia.get(f"/network/v2.0/subnets/{resources(mia, made)['subnet']['physical_resource_id']}").json()["subnet"]
    assert found["cidr"] == "10.70.0.0/26"
    template["resources"]["pool"]["properties"]["max_prefixlen"] = 30
    assert update(cloud, mia, made, template)["stack_status"] == "UPDATE_COMPLETE"
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    pool["properties"]["min_prefixlen"] = 28
    assert "Illegal prefix bounds: default_prefixlen=26, min_prefixlen=28" in refused(mia, hot({"pool": pool}))


def deployed(mia: Caller, server: str) -> list[tuple[str, str]]:
    found = mia.get(f"/orchestration/v1/{mia.project_id}/software_deployments/metadata/{server}").json()["metadata"]
    return [(one["group"], one["config"]) for one in found]


def test_a_machine_of_others_is_told_the_part_of_a_component_that_an_action_is_for(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    configs = [
        {"actions": ["CREATE"], "config": "plant", "tool": "script"},
        {"actions": ["UPDATE"], "config": "water", "tool": "puppet"},
    ]
    deployment: dict[str, Any] = {"config": get("component"), "server": get("machine"), "signal_transport": "NO_SIGNAL"}
    template = hot(
        {
            "machine": res("OS::Heat::DeployedServer", software_config_transport="POLL_TEMP_URL"),
            "component": res("OS::Heat::SoftwareComponent", configs=configs),
            "deployment": res("OS::Heat::SoftwareDeployment", **deployment),
        }
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    machine = resources(mia, made)["machine"]["physical_resource_id"]
    assert deployed(mia, machine) == [("script", "plant")]
    shown = mia.get(path(mia, made, "/resources/machine")).json()["resource"]["attributes"]["os_collect_config"]
    assert shown["collectors"] == ["request", "local"]
    template["resources"]["deployment"]["properties"]["input_values"] = {"litres": 2}
    update(cloud, mia, made, template)
    assert deployed(mia, machine) == [("puppet", "water")]
    configs[1]["actions"] = ["CREATE"]
    assert "more than one configuration for the same action" in refused(mia, template)


@pytest.mark.parametrize(
    ("kind", "names"),
    [("AWS::CloudFormation::WaitCondition", ("Handle", "Timeout")), ("OS::Heat::WaitCondition", ("handle", "timeout"))],
)
def test_a_handle_of_updates_waits_anew_at_each_of_them(cloud: ApiCloud, kind: str, names: tuple[str, str]) -> None:
    mia = cloud.new_user("mia", "garden")
    condition = dict(zip(names, ({"Ref": "handle"}, "600"), strict=True))
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "handle": {"Type": "OS::Heat::UpdateWaitConditionHandle"},
            "wait": {"Type": kind, "Properties": condition},
        },
        "Outputs": {"handle": {"Value": {"Ref": "handle"}}},
    }
    made = stack(cloud, mia, template)
    for action in ("CREATE", "UPDATE"):
        shown = mia.get(path(mia, made)).json()["stack"]
        assert shown["stack_status"] == f"{action}_IN_PROGRESS"
        [address] = [one["output_value"] for one in shown["outputs"]]
        told = {"Status": "SUCCESS", "Reason": "", "UniqueId": "1", "Data": ""}
        assert cloud.call("PUT", address[address.index("/orchestration") :], json=told).status_code == 200
        cloud.run_jobs()
        assert mia.get(path(mia, made)).json()["stack"]["stack_status"] == f"{action}_COMPLETE"
        if action == "CREATE":
            update(cloud, mia, made, template)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("OS::Octavia::LoadBalancer", "no load balancers (Octavia)"),
        ("OS::Neutron::Trunk", "network has no trunks"),
        ("OS::Zaqar::Queue", "no queues (Zaqar)"),
        ("AWS::ElasticLoadBalancing::LoadBalancer", "no load balancers"),
    ],
)
def test_what_tane_has_no_service_for_is_refused_by_name(cloud: ApiCloud, kind: str, why: str) -> None:
    mia = cloud.new_user("mia", "garden")
    message = begin(mia, hot({"it": {"type": kind}}), expect=400)["error"]["message"]
    assert kind in message and why in message


def test_containers_and_buckets_are_made_told_of_and_emptied_if_that_is_asked_for(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {
            "bed": res(
                "OS::Swift::Container",
                name="bed",
                PurgeOnDelete=True,
                **{
                    "X-Container-Read": ".r:*",
                    "X-Container-Meta": {"soil": "peat"},
                    "X-Account-Meta": {"owner": "mia"},
                },
            ),
            "bucket": res("AWS::S3::Bucket", AccessControl="PublicRead", Tags=[{"Key": "a", "Value": "b"}]),
        },
        outputs={"count": {"value": {"get_attr": ["bed", "ObjectCount"]}}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    account = f"/object-store/v1/AUTH_{mia.project_id}"
    shown = mia.request("HEAD", f"{account}/bed").headers
    assert (shown["x-container-read"], shown["x-container-meta-soil"]) == (".r:*", "peat")
    assert mia.request("HEAD", account).headers["x-account-meta-owner"] == "mia"
    bucket = resources(mia, made)["bucket"]["physical_resource_id"]
    assert mia.request("HEAD", f"{account}/{bucket}").headers["x-container-meta-s3-tag-a"] == "b"
    for name in ("rose", "lily/white"):
        mia.request("PUT", f"{account}/bed/{name}", content=b"x", expect=201)
    shown = mia.get(path(mia, made)).json()["stack"]
    assert [one["output_value"] for one in shown["outputs"]] == [2]
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert mia.request("HEAD", f"{account}/bed").status_code == 404
    assert mia.request("HEAD", f"{account}/{bucket}").status_code == 404


def test_a_container_with_objects_stays_and_its_stack_says_so(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"bed": res("OS::Swift::Container", name="bed")}))
    kept = f"/object-store/v1/AUTH_{mia.project_id}/bed/rose"
    mia.request("PUT", kept, content=b"x", expect=201)
    failed = delete(cloud, mia, made)
    assert failed["stack_status"] == "DELETE_FAILED"
    assert "non-empty container (bed)" in failed["stack_status_reason"]
    mia.request("DELETE", kept, expect=204)
    assert delete(cloud, mia, failed)["stack_status"] == "DELETE_COMPLETE"


def test_metadata_of_containers_that_no_header_can_have_are_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for name, value in (("soil", "peat\r\nX-Evil: 1"), ("so:il", "peat"), ("soil", "p" * 300)):
        given = {"name": "bed", "X-Container-Meta": {name: value}}
        assert "x-container-meta" in refused(mia, hot({"bed": res("OS::Swift::Container", **given)}))


def photos(**more: Any) -> dict[str, Any]:
    return res("OS::Swift::Container", name="photos", PurgeOnDelete=True, **more)


def test_a_change_of_a_container_or_bucket_leaves_its_objects_where_they_are(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    account = f"/object-store/v1/AUTH_{mia.project_id}"
    public = {"X-Container-Read": ".r:*", "X-Container-Meta": {"soil": "peat", "bed": "2"}}
    made = stack(cloud, mia, hot({"bed": photos(**public), "bucket": res("AWS::S3::Bucket")}))
    bucket = resources(mia, made)["bucket"]["physical_resource_id"]
    for place in ("photos", bucket):
        mia.request("PUT", f"{account}/{place}/rose", content=b"x", expect=201)
    changed = {"bed": photos(**{"X-Container-Meta": {"bed": "3"}}), "bucket": res("AWS::S3::Bucket", Tags=[])}
    changed["bucket"]["properties"] |= {"AccessControl": "PublicRead", "Tags": [{"Key": "a", "Value": "b"}]}
    made = update(cloud, mia, made, hot(changed))
    assert made["stack_status"] == "UPDATE_COMPLETE", made["stack_status_reason"]
    for place in ("photos", bucket):
        assert mia.request("GET", f"{account}/{place}/rose").content == b"x"
    head = mia.request("HEAD", f"{account}/photos").headers
    assert head["x-container-meta-bed"] == "3" and not head.get("x-container-read")
    assert "x-container-meta-soil" not in head
    head = mia.request("HEAD", f"{account}/{bucket}").headers
    assert (head["x-container-read"], head["x-container-meta-s3-tag-a"]) == (".r:*", "b")


def test_a_refused_change_of_a_container_loses_nothing_and_is_taken_back(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    kept = f"/object-store/v1/AUTH_{mia.project_id}/photos/rose"
    made = stack(cloud, mia, hot({"bed": photos()}))
    mia.request("PUT", kept, content=b"x", expect=201)
    wrong = hot({"bed": photos(**{"X-Container-Read": ".x:rose"})})
    assert update(cloud, mia, made, wrong)["stack_status"] == "UPDATE_FAILED"
    made = update(cloud, mia, made, hot({"bed": photos()}))
    assert made["stack_status"] == "UPDATE_COMPLETE", made["stack_status_reason"]
    assert mia.request("GET", kept).content == b"x"


def test_one_that_takes_the_place_of_a_container_keeps_what_is_in_it(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    kept = f"/object-store/v1/AUTH_{mia.project_id}/photos/rose"
    made = stack(cloud, mia, hot({"bed": photos()}))
    mia.request("PUT", kept, content=b"x", expect=201)
    body = {"mark_unhealthy": True, "resource_status_reason": "weeds"}
    mia.request("PATCH", path(mia, made, "/resources/bed"), json=body, expect=200)
    made = update(cloud, mia, made, hot({"bed": photos()}))
    assert made["stack_status"] == "UPDATE_COMPLETE", made["stack_status_reason"]
    assert mia.request("GET", kept).content == b"x"
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert mia.request("GET", kept).status_code == 404


def test_a_container_that_was_there_before_is_not_the_stacks_and_stays_as_it_is(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    place = f"/object-store/v1/AUTH_{mia.project_id}/photos"
    mia.request("PUT", place, expect=201)
    mia.request("PUT", f"{place}/rose", content=b"x", expect=201)
    template = hot({"bed": photos(**{"X-Container-Read": ".r:*"})})
    failed = stack(cloud, mia, template, disable_rollback=False)
    assert failed["stack_status"] == "ROLLBACK_COMPLETE"
    assert mia.request("GET", f"{place}/rose").content == b"x"
    assert not mia.request("HEAD", place).headers.get("x-container-read")
    failed = stack(cloud, mia, template, "lily")
    assert "There is a container photos already" in failed["stack_status_reason"]
    assert delete(cloud, mia, failed)["stack_status"] == "DELETE_COMPLETE"
    assert mia.request("GET", f"{place}/rose").content == b"x"


def test_a_container_is_not_given_to_a_resource_of_another_name(cloud: ApiCloud) -> None:
    """It would go with the old one."""
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"bed": photos()}))
    kept = f"/object-store/v1/AUTH_{mia.project_id}/photos/rose"
    mia.request("PUT", kept, content=b"x", expect=201)
    failed = update(cloud, mia, made, hot({"couch": photos()}))
    assert "The container photos is that of the resource bed" in failed["stack_status_reason"]
    assert update(cloud, mia, made, hot({"bed": photos()}))["stack_status"] == "UPDATE_COMPLETE"
    assert mia.request("GET", kept).content == b"x"


def test_a_container_of_an_abandoned_stack_is_adopted_with_its_objects(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    kept = f"/object-store/v1/AUTH_{mia.project_id}/photos/rose"
    made = stack(cloud, mia, hot({"bed": photos()}))
    mia.request("PUT", kept, content=b"x", expect=201)
    data = mia.request("DELETE", path(mia, made, "/abandon"), expect=200).json()
    body = {"stack_name": "lily", "adopt_stack_data": json.dumps(data), "timeout_mins": 60}
    again = mia.post(path(mia, made).split("/stacks/")[0] + "/stacks", body, 201).json()["stack"]
    cloud.run_jobs()
    shown = mia.get(path(mia, {"stack_name": "lily", **again})).json()["stack"]
    assert shown["stack_status"] == "ADOPT_COMPLETE", shown["stack_status_reason"]
    assert mia.request("GET", kept).content == b"x"


def test_a_container_goes_with_its_objects_in_one_call_a_page(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    account = f"/object-store/v1/AUTH_{mia.project_id}"
    made = stack(cloud, mia, hot({"bed": photos()}))
    for name in ("a%2Fb", "/lead", "q%3Fx", "p%23y%25", "%20space%20", "%F0%9F%8C%B7", "trail/", "n%0Al", "1", "2"):
        mia.request("PUT", f"{account}/photos/{name}", content=b"x", expect=201)
    monkeypatch.setattr(swift_container, "PAGE", 4)
    asked: list[str] = []
    whole = inside.ask

    async def counted(core: Any, ctx: Any, service: str, method: str, *args: Any, **more: Any) -> Any:
        asked.append(method)
        return await whole(core, ctx, service, method, *args, **more)

    monkeypatch.setattr(inside, "ask", counted)
    gone = delete(cloud, mia, made)
    assert gone["stack_status"] == "DELETE_COMPLETE", gone["stack_status_reason"]
    assert asked == ["GET", "POST"] * 3 + ["GET", "DELETE"]
    assert mia.request("HEAD", f"{account}/photos").status_code == 404


def test_a_container_whose_author_may_no_more_is_deleted_as_who_asks_for_that(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "garden")
    made = stack(cloud, mia, hot({"bed": photos()}))
    mia.request("PUT", f"/object-store/v1/AUTH_{mia.project_id}/photos/rose", content=b"x", expect=201)
    roles = {one["name"]: one["id"] for one in cloud.admin.get("/identity/v3/roles").json()["roles"]}
    hers = f"/identity/v3/projects/{mia.project_id}/users/{mia.user_id}/roles"
    cloud.admin.put(f"{hers}/{roles['reader']}", None, 204)
    cloud.admin.delete(f"{hers}/{roles['member']}")
    gone = delete(cloud, bob, made)
    assert gone["stack_status"] == "DELETE_COMPLETE", gone["stack_status_reason"]
    assert bob.request("HEAD", f"/object-store/v1/AUTH_{mia.project_id}/photos").status_code == 404


def renewed(cloud: ApiCloud, caller: Caller, made: dict[str, Any], template: Any, *names: str) -> None:
    """Have an update put others in the place of resources."""
    for name in names:
        body = {"mark_unhealthy": True, "resource_status_reason": "weeds"}
        caller.request("PATCH", path(caller, made, f"/resources/{name}"), json=body, expect=200)
    changed = update(cloud, caller, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]


def test_what_is_set_stays_set_when_another_resource_takes_the_place_of_one(cloud: ApiCloud) -> None:
    admin, mia = cloud.admin, cloud.new_user("mia", "garden")
    reader = {"role": "reader", "project": "garden"}
    template = hot(
        {
            "quota": res("OS::Nova::Quota", project="garden", cores=7),
            "specs": res("OS::Cinder::QoSSpecs", name="slow", specs={"total_iops_sec": 500}),
            "kind": res("OS::Cinder::VolumeType", name="slow"),
            "tie": res("OS::Cinder::QoSAssociation", qos_specs=get("specs"), volume_types=[get("kind")]),
            "roles": res("OS::Keystone::UserRoleAssignment", user=mia.user_id, roles=[reader]),
        }
    )
    made = stack(cloud, admin, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]

    def now() -> tuple[int, int, int]:
        specs = resources(admin, made)["specs"]["physical_resource_id"]
        ties = admin.get(f"/volume/v3/{admin.project_id}/qos-specs/{specs}/associations").json()["qos_associations"]
        cores = admin.get(f"/compute/v2.1/os-quota-sets/{mia.project_id}").json()["quota_set"]["cores"]
        hers = f"/identity/v3/projects/{mia.project_id}/users/{mia.user_id}/roles"
        return cores, len(ties), len(admin.get(hers).json()["roles"])

    assert now() == (7, 1, 2)
    renewed(cloud, admin, made, template, "quota", "tie", "roles")
    assert now() == (7, 1, 2)
    assert delete(cloud, admin, made)["stack_status"] == "DELETE_COMPLETE"


def test_ways_stay_open_when_another_resource_takes_the_place_of_one(cloud: ApiCloud) -> None:
    mia, outside = cloud.new_user("mia", "garden"), public(cloud)
    route = {"destination": "198.51.100.0/24", "nexthop": "10.0.0.9"}
    template = hot(
        {
            "net": res("OS::Neutron::Net"),
            "subnet": res("OS::Neutron::Subnet", network=get("net"), cidr="10.0.0.0/24"),
            "router": res("OS::Neutron::Router"),
            "leg": res("OS::Neutron::RouterInterface", router=get("router"), subnet=get("subnet")),
            "gate": res("OS::Neutron::RouterGateway", router_id=get("router"), network=outside),
            "routes": res("OS::Neutron::ExtraRouteSet", router=get("router"), routes=[route]),
            "port": res("OS::Neutron::Port", network=get("net"), fixed_ips=[{"subnet": get("subnet")}]),
            "address": res("OS::Neutron::FloatingIP", floating_network=outside),
            "tie": res("OS::Neutron::FloatingIPAssociation", floatingip_id=get("address"), port_id=get("port")),
        }
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    renewed(cloud, mia, made, template, "gate", "routes", "tie")
    [router] = mia.get("/network/v2.0/routers").json()["routers"]
    assert router["routes"] == [route] and router["external_gateway_info"]["network_id"] == outside
    [address] = mia.get("/network/v2.0/floatingips").json()["floatingips"]
    assert address["port_id"] is not None
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
