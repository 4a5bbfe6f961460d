"""Templates of Amazon's format: what they make is the same as OpenStack's own types make."""

from __future__ import annotations

from typing import Any

from tests.api.compute_support import V, make_flavor, make_image
from tests.api.orchestration_support import at, begin, delete, outputs, path, refused, resources, show, stack, update
from tests.support import ApiCloud, Caller


def aws(resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, **more}


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]}


def outside(cloud: ApiCloud, mia: Caller) -> str:
    """An external network, and a network of one's own with a way to it; returns the subnet's id."""
    admin = cloud.admin
    ext = admin.post("/network/v2.0/networks", {"network": {"name": "ext", "router:external": True}}).json()["network"]
    admin.post(
        "/network/v2.0/subnets",
        {"subnet": {"network_id": ext["id"], "ip_version": 4, "cidr": "198.51.100.0/24", "enable_dhcp": False}},
    )
    net = mia.post("/network/v2.0/networks", {"network": {"name": "in"}}).json()["network"]
    body = {"subnet": {"network_id": net["id"], "ip_version": 4, "cidr": "10.9.0.0/24", "name": "inside"}}
    subnet = mia.post("/network/v2.0/subnets", body).json()["subnet"]
    router = mia.post("/network/v2.0/routers", {"router": {"external_gateway_info": {"network_id": ext["id"]}}}).json()[
        "router"
    ]
    mia.put(f"/network/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return str(subnet["id"])


def test_a_template_as_amazons_guide_writes_it_is_made_changed_and_deleted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    subnet = outside(cloud, mia)
    flavor_id, image_id = make_flavor(cloud.admin), make_image(mia, "rose")
    ssh = {"IpProtocol": "tcp", "FromPort": "22", "ToPort": "22", "CidrIp": "0.0.0.0/0"}
    template = aws(
        {
            "Group": res("AWS::EC2::SecurityGroup", GroupDescription="web", SecurityGroupIngress=[ssh]),
            "Web": res(
                "AWS::EC2::Instance",
                ImageId=image_id,
                InstanceType={"Fn::FindInMap": ["Sizes", ref("Size"), "flavor"]},
                SubnetId=subnet,
                SecurityGroups=[ref("Group")],
                Tags=[{"Key": "colour", "Value": "red"}],
                UserData={"Fn::Base64": {"Fn::Join": ["", ["#!/bin/sh\n", "echo ", ref("AWS::StackName"), "\n"]]}},
            ),
            "Disk": res("AWS::EC2::Volume", Size=1, AvailabilityZone=att("Web", "AvailabilityZone")),
            "Plug": res("AWS::EC2::VolumeAttachment", InstanceId=ref("Web"), VolumeId=ref("Disk"), Device="/dev/vdc"),
            "Address": res("AWS::EC2::EIP"),
            "Lead": res("AWS::EC2::EIPAssociation", EIP=ref("Address"), InstanceId=ref("Web")),
        },
        Parameters={"Size": {"Type": "String", "Default": "small", "AllowedValues": ["small"]}},
        Mappings={"Sizes": {"small": {"flavor": flavor_id}}},
        Outputs={
            "Address": {"Value": ref("Address")},
            "Private": {"Value": att("Web", "PrivateIp")},
            "Public": {"Value": att("Web", "PublicIp")},
            "Url": {"Value": {"Fn::Join": ["", ["http://", att("Web", "PublicIp"), "/"]]}},
        },
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    told = outputs(made)
    assert told["Private"].startswith("10.9.0.") and told["Address"].startswith("198.51.100.")
    assert told["Public"] == told["Address"] and told["Url"] == f"http://{told['Address']}/"
    [server] = mia.get(f"{V}/servers/detail").json()["servers"]
    assert server["metadata"] == {"colour": "red"}
    assert server["os-extended-volumes:volumes_attached"]
    [group] = [
        one for one in mia.get("/network/v2.0/security-groups").json()["security_groups"] if one["description"] == "web"
    ]
    [rule] = [one for one in group["security_group_rules"] if one["direction"] == "ingress"]
    assert (rule["protocol"], rule["port_range_min"], rule["remote_ip_prefix"]) == ("tcp", 22, "0.0.0.0/0")
    template["Resources"]["Web"]["Properties"]["Tags"][0]["Value"] = "white"
    template["Resources"]["Group"]["Properties"]["SecurityGroupIngress"] = [{**ssh, "FromPort": "80", "ToPort": "81"}]
    changed = update(cloud, mia, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    [server] = mia.get(f"{V}/servers/detail").json()["servers"]
    assert server["metadata"] == {"colour": "white"}
    assert resources(mia, made)["Web"]["physical_resource_id"] == server["id"]
    [group] = mia.get(f"/network/v2.0/security-groups?id={group['id']}").json()["security_groups"]
    [rule] = [one for one in group["security_group_rules"] if one["direction"] == "ingress"]
    assert (rule["port_range_min"], rule["port_range_max"]) == (80, 81)
    gone = delete(cloud, mia, made)
    assert gone["stack_status"] == "DELETE_COMPLETE", gone["stack_status_reason"]
    assert not mia.get(f"{V}/servers").json()["servers"]
    assert not mia.get("/network/v2.0/floatingips").json()["floatingips"]
    assert not mia.get(f"/volume/v3/{mia.project_id}/volumes").json()["volumes"]


def test_a_wait_condition_hears_what_cfn_signal_sends_to_its_address(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = aws(
        {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": res("AWS::CloudFormation::WaitCondition", Handle=ref("Handle"), Timeout="600", Count=2),
        },
        Outputs={"Data": {"Value": att("Wait", "Data")}, "Handle": {"Value": ref("Handle")}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_IN_PROGRESS", made["stack_status_reason"]
    address = "/orchestration" + outputs(made)["Handle"].partition("/orchestration")[2]
    assert "/signal/" in address
    told = {"Status": "SUCCESS", "Reason": "done", "UniqueId": "1", "Data": "rose"}
    mia.put(address, {"Status": "SUCCESS"}, 400)
    mia.put(f"{address}x", told, 404)
    for number in ("1", "2"):
        mia.put(address, {**told, "UniqueId": number}, 200)
        cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "CREATE_COMPLETE", shown["stack_status_reason"]
    assert outputs(shown)["Data"] == '{"1":"rose","2":"rose"}'
    other = {**template, "Resources": {**template["Resources"]}}
    other["Resources"]["Wait"] = res("AWS::CloudFormation::WaitCondition", Handle="http://x/signal/1/2", Timeout="600")
    failed = stack(cloud, mia, other, "daisy")
    assert "no wait condition handle of this stack" in failed["stack_status_reason"]


def test_a_stack_in_a_stack_is_of_a_file_that_the_client_sent(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    inner = """{"AWSTemplateFormatVersion": "2010-09-09",
 "Parameters": {"Word": {"Type": "String"}},
 "Resources": {"It": {"Type": "OS::Heat::TestResource", "Properties": {"value": {"Ref": "Word"}}}},
 "Outputs": {"Told": {"Value": {"Fn::GetAtt": ["It", "output"]}}}}"""
    address = "https://example.org/inner.template"
    template = aws(
        {"Inner": res("AWS::CloudFormation::Stack", TemplateURL=address, Parameters={"Word": "rose"})},
        Outputs={"Told": {"Value": att("Inner", "Outputs.Told")}},
    )
    made = stack(cloud, mia, template, files={address: inner})
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert outputs(made)["Told"] == "rose"
    assert "is fetched by nobody" in begin(mia, template, "daisy", 400)["error"]["message"]


def test_what_is_refused_is_told_before_anything_is_made(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for resource, words in (
        (res("AWS::EC2::Volume", Size=0, AvailabilityZone="nova"), "0 is out of range"),
        (res("AWS::EC2::SecurityGroup"), "Property GroupDescription not assigned"),
        (res("AWS::EC2::Instance", ImageId="nothing", InstanceType="m1"), "nothing"),
    ):
        assert words in refused(mia, aws({"It": resource}))
    assert not mia.get(at(mia, "/stacks")).json()["stacks"]
    told = refused(mia, aws({"It": res("AWS::EC2::EIPAssociation", EIP="198.51.100.4")}))
    assert "Either 'InstanceId' or 'NetworkInterfaceId' must be provided." in told


def launched(mia: Caller, cloud: ApiCloud, group: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A template with a group of servers in a subnet that is there."""
    flavor_id, image_id = make_flavor(cloud.admin), make_image(mia, "rose")
    launch = res(
        "AWS::AutoScaling::LaunchConfiguration", ImageId=image_id, InstanceType=flavor_id, UserData="#!/bin/sh"
    )
    return aws({"Launch": launch, "Group": group}, **more)


def test_a_group_of_servers_follows_what_an_alarm_calls(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    subnet = outside(cloud, mia)
    group = res(
        "AWS::AutoScaling::AutoScalingGroup",
        AvailabilityZones={"Fn::GetAZs": ""},
        LaunchConfigurationName=ref("Launch"),
        MinSize="1",
        MaxSize=3,
        VPCZoneIdentifier=[subnet],
        Tags=[{"Key": "role", "Value": "web"}],
    )
    template = launched(
        mia, cloud, group, Outputs={"Up": {"Value": ref("Up")}, "All": {"Value": att("Group", "InstanceList")}}
    )
    template["Resources"]["Up"] = res(
        "AWS::AutoScaling::ScalingPolicy",
        AutoScalingGroupName=ref("Group"),
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment="1",
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    [server] = mia.get(f"{V}/servers/detail").json()["servers"]
    assert server["metadata"] == {"role": "web"}
    assert outputs(made)["All"] == next(iter(server["addresses"].values()))[0]["addr"]
    address = "/orchestration" + outputs(made)["Up"].partition("/orchestration")[2]
    for expected in (2, 3, 3):
        mia.post(address, {"state": "alarm"}, 200)
        cloud.run_jobs()
        assert len(mia.get(f"{V}/servers").json()["servers"]) == expected
    mia.post(address, {"state": "ok"}, 200)
    template["Resources"]["Launch"]["Properties"]["UserData"] = "#!/bin/sh\ntrue"
    before = {one["id"] for one in mia.get(f"{V}/servers").json()["servers"]}
    changed = update(cloud, mia, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    after = {one["id"] for one in mia.get(f"{V}/servers").json()["servers"]}
    assert len(after) == 3 and not before & after
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert not mia.get(f"{V}/servers").json()["servers"]


def test_servers_of_a_group_change_some_at_a_time(cloud: ApiCloud) -> None:
    """As UpdatePolicy says: here one by one, with all that are wanted in service, so that one comes first."""
    mia = cloud.new_user("mia", "garden")
    subnet = outside(cloud, mia)
    group = res(
        "AWS::AutoScaling::AutoScalingGroup",
        AvailabilityZones=["nova"],
        LaunchConfigurationName=ref("Launch"),
        MinSize=2,
        MaxSize=3,
        VPCZoneIdentifier=[subnet],
    )
    rolling = {"MinInstancesInService": ref("Least"), "MaxBatchSize": 1, "PauseTime": "PT0S"}
    template = launched(mia, cloud, {**group, "UpdatePolicy": {"AutoScalingRollingUpdate": rolling}})
    template["Parameters"] = {"Least": {"Type": "Number", "Default": "2"}}
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    before = {one["id"] for one in mia.get(f"{V}/servers").json()["servers"]}
    template["Resources"]["Launch"]["Properties"]["UserData"] = "#!/bin/sh\ntrue"
    changed = update(cloud, mia, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    after = {one["id"] for one in mia.get(f"{V}/servers").json()["servers"]}
    assert len(after) == 2 and not before & after
    child = resources(mia, made)["Group"]["physical_resource_id"]
    [found] = mia.get(at(mia, f"/stacks?show_nested=true&id={child}")).json()["stacks"]
    events = mia.get(path(mia, found, "/events")).json()["events"]
    assert sum(one["physical_resource_id"] == child and "UPDATE_IN" in one["resource_status"] for one in events) == 4
    for pause, words in (("5", "a duration"), ("PT2H", "Maximum PauseTime is 1 hour")):
        rolling["PauseTime"] = pause
        template["Resources"]["Launch"]["Properties"]["UserData"] += "\n"
        changed = update(cloud, mia, made, template)
        assert changed["stack_status"] == "UPDATE_FAILED" and words in changed["stack_status_reason"], changed
    rolling |= {"PauseTime": "PT0S", "MaxBatchsize": 1}
    template["Resources"]["Launch"]["Properties"]["UserData"] += "\n"
    changed = update(cloud, mia, made, template)
    assert "MaxBatchsize is not supported" in changed["stack_status_reason"], changed


def test_a_group_of_a_fixed_size_is_as_large_as_it_is_told(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    net = mia.post("/network/v2.0/networks", {"network": {"name": "in"}}).json()["network"]
    mia.post("/network/v2.0/subnets", {"subnet": {"network_id": net["id"], "ip_version": 4, "cidr": "10.9.0.0/24"}})
    group = res("OS::Heat::InstanceGroup", AvailabilityZones=["nova"], LaunchConfigurationName=ref("Launch"), Size=1)
    template = launched(mia, cloud, group)
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    for size in (3, 0):
        group["Properties"]["Size"] = size
        changed = update(cloud, mia, made, template)
        assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
        assert len(mia.get(f"{V}/servers").json()["servers"]) == size
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    group["Properties"] |= {"LaunchConfigurationName": "nothing", "Size": 1}
    failed = stack(cloud, mia, template, "daisy")
    assert "no launch configuration nothing" in failed["stack_status_reason"]


def test_a_network_as_amazons_guide_draws_it_is_made_and_deleted(cloud: ApiCloud) -> None:
    """A VPC with a subnet at a route table, the gateway, an interface with a fixed address, a server, its address."""
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    ext = {"network": {"name": "ext", "router:external": True}}
    ext_id = admin.post("/network/v2.0/networks", ext).json()["network"]["id"]
    pool = {"network_id": ext_id, "ip_version": 4, "cidr": "198.51.100.0/24", "enable_dhcp": False}
    admin.post("/network/v2.0/subnets", {"subnet": pool})
    template = aws(
        {
            "Vpc": res("AWS::EC2::VPC", CidrBlock="10.7.0.0/16"),
            "Subnet": res("AWS::EC2::Subnet", CidrBlock="10.7.1.0/24", VpcId=ref("Vpc"), AvailabilityZone="nova"),
            "Table": res("AWS::EC2::RouteTable", VpcId=ref("Vpc")),
            "Tie": res("AWS::EC2::SubnetRouteTableAssociation", RouteTableId=ref("Table"), SubnetId=ref("Subnet")),
            "Gateway": res("AWS::EC2::InternetGateway"),
            "Way": res("AWS::EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
            "Group": res("AWS::EC2::SecurityGroup", GroupDescription="web", VpcId=ref("Vpc")),
            "Nic": res(
                "AWS::EC2::NetworkInterface",
                SubnetId=ref("Subnet"),
                GroupSet=[ref("Group")],
                PrivateIpAddress="10.7.1.9",
            ),
            "Web": res(
                "AWS::EC2::Instance",
                ImageId=make_image(mia),
                InstanceType=make_flavor(admin),
                NetworkInterfaces=[{"NetworkInterfaceId": ref("Nic"), "DeviceIndex": "0"}],
            ),
            "Address": res("AWS::EC2::EIP", InstanceId=ref("Web"), Domain="vpc"),
        },
        Outputs={
            "Inside": {"Value": att("Nic", "PrivateIpAddress")},
            "Zone": {"Value": att("Subnet", "AvailabilityZone")},
        },
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert outputs(made) == {"Inside": "10.7.1.9", "Zone": "nova"}
    ids = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    routers = {one["id"]: one for one in mia.get("/network/v2.0/routers").json()["routers"]}
    assert routers.pop(ids["Table"])["external_gateway_info"]["network_id"] == ext_id
    assert [one["external_gateway_info"] for one in routers.values()] == [None]
    legs = mia.get("/network/v2.0/ports", params={"device_id": ids["Table"]}).json()["ports"]
    assert ids["Subnet"] in [ip["subnet_id"] for leg in legs for ip in leg["fixed_ips"]]
    [floating] = mia.get("/network/v2.0/floatingips").json()["floatingips"]
    assert floating["port_id"] == ids["Nic"] and floating["floating_ip_address"] == ids["Address"]
    drift = mia.get(path(mia, made, "/drift")).json()["drift"]
    assert drift["counts"]["MODIFIED"] == drift["counts"]["DELETED"] == 0
    # Another group is given to the port it has.
    del template["Resources"]["Nic"]["Properties"]["GroupSet"]
    assert update(cloud, mia, made, template)["stack_status"] == "UPDATE_COMPLETE"
    port = mia.get(f"/network/v2.0/ports/{ids['Nic']}").json()["port"]
    assert len(port["security_groups"]) == 1 and ids["Group"] not in port["security_groups"]
    gone = delete(cloud, mia, made)
    assert gone["stack_status"] == "DELETE_COMPLETE", gone["stack_status_reason"]
    for kind in ("routers", "ports", "floatingips"):
        assert mia.get(f"/network/v2.0/{kind}").json()[kind] == []


def test_a_vpc_without_route_tables_leads_outside_itself(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    vpc = {"Vpc": res("AWS::EC2::VPC"), "Way": res("AWS::EC2::VPCGatewayAttachment", VpcId=ref("Vpc"))}
    shown = stack(cloud, mia, aws(vpc), "rose")
    assert "Expected 1 external network, found 0" in shown["stack_status_reason"]
    assert delete(cloud, mia, shown)["stack_status"] == "DELETE_COMPLETE"
    cloud.admin.post("/network/v2.0/networks", {"network": {"name": "ext", "router:external": True}})
    shown = stack(cloud, mia, aws(vpc), "tulip")
    assert shown["stack_status"] == "CREATE_COMPLETE", shown["stack_status_reason"]
    [router] = mia.get("/network/v2.0/routers").json()["routers"]
    assert router["external_gateway_info"] is not None
    assert delete(cloud, mia, shown)["stack_status"] == "DELETE_COMPLETE"


def test_what_there_is_no_type_of_is_told_with_the_reason(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for kind, why in (
        ("AWS::ElasticLoadBalancing::LoadBalancer", "no load balancers"),
        ("AWS::RDS::DBInstance", "no databases as a service"),
        ("AWS::CloudWatch::Alarm", "alarms are of OS::Aodh"),
    ):
        answer = begin(mia, aws({"It": res(kind)}), expect=400)
        assert why in answer["error"]["message"], answer


def test_tags_gateways_and_route_tables_change_what_is_there(cloud: ApiCloud) -> None:
    """Without interruption, as with Amazon: nothing is replaced, and the way outside stays."""
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    ext = admin.post("/network/v2.0/networks", {"network": {"name": "ext", "router:external": True}}).json()["network"]
    vpc = ref("Vpc")
    template = aws(
        {
            "Vpc": res("AWS::EC2::VPC", CidrBlock="10.7.0.0/16"),
            "Subnet": res("AWS::EC2::Subnet", CidrBlock="10.7.1.0/24", VpcId=vpc),
            "Table": res("AWS::EC2::RouteTable", VpcId=vpc),
            "Tie": res("AWS::EC2::SubnetRouteTableAssociation", RouteTableId=ref("Table"), SubnetId=ref("Subnet")),
            "Gateway": res("AWS::EC2::InternetGateway"),
            "Way": res("AWS::EC2::VPCGatewayAttachment", VpcId=vpc, InternetGatewayId=ref("Gateway")),
        }
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    before = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    parts = template["Resources"]
    for name in ("Vpc", "Subnet", "Table", "Gateway"):
        parts[name]["Properties"]["Tags"] = [{"Key": "bed", "Value": "two"}]
    parts["Vpc"]["Properties"] |= {"CidrBlock": "10.8.0.0/16", "InstanceTenancy": "dedicated"}
    parts["Subnet"]["Properties"]["AvailabilityZone"] = "nova"
    parts["Gate"] = res("AWS::EC2::InternetGateway")
    parts["Way"]["Properties"]["InternetGatewayId"] = ref("Gate")
    parts["Other"] = res("AWS::EC2::RouteTable", VpcId=vpc)
    parts["Tie"]["Properties"]["RouteTableId"] = ref("Other")
    changed = update(cloud, mia, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    after = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    assert {name: after[name] for name in before} == before

    def leading() -> list[str]:
        routers = mia.get("/network/v2.0/routers").json()["routers"]
        ways = {one["id"]: (one["external_gateway_info"] or {}).get("network_id") for one in routers}
        return sorted(name for name in ("Table", "Other") if ways[after[name]] == ext["id"])

    def legs() -> list[str]:
        listed = mia.get("/network/v2.0/ports").json()["ports"]
        return [one["device_id"] for one in listed if one["device_owner"] == "network:router_interface"]

    assert leading() == ["Other", "Table"] and legs() == [after["Other"]]
    # One that failed is replaced, and what the new one set stays when the old one goes.
    for name in ("Way", "Tie"):
        mia.patch(path(mia, made, f"/resources/{name}"), {"mark_unhealthy": True}, 200)
    changed = update(cloud, mia, made, template)
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    assert resources(mia, made)["Tie"]["physical_resource_id"] != after["Tie"]
    assert leading() == ["Other", "Table"] and legs() == [after["Other"]]
    del parts["Way"]
    assert update(cloud, mia, made, template)["stack_status"] == "UPDATE_COMPLETE"
    assert leading() == []
    gone = delete(cloud, mia, made)
    assert gone["stack_status"] == "DELETE_COMPLETE", gone["stack_status_reason"]
