"""What has become of a stack's resources behind its back, and how an update mends it."""

from __future__ import annotations

import json
from typing import Any

from tests.api.compute_support import make_flavor, make_image, make_network
from tests.api.network_support import Net, public
from tests.api.orchestration_support import at, hot, path, resources, show, stack, update
from tests.support import ApiCloud, Caller


def drift(caller: Caller, shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is told of each resource, by its name."""
    found = caller.get(path(caller, shown, "/drift")).json()["drift"]
    return {one["resource_name"]: one for one in found["resources"]}


def states(caller: Caller, shown: dict[str, Any]) -> dict[str, str]:
    return {name: one["drift_status"] for name, one in drift(caller, shown).items()}


def mend(cloud: ApiCloud, caller: Caller, shown: dict[str, Any]) -> dict[str, Any]:
    """As ``openstack stack update --existing --converge`` does."""
    caller.patch(path(caller, shown), {"converge": True}, 202)
    cloud.run_jobs()
    return show(caller, shown["stack_name"], shown["id"])


def _networks(outside: str) -> dict[str, Any]:
    return {
        "net": {"type": "OS::Neutron::Net", "properties": {"name": "beds", "tags": ["green"]}},
        "subnet": {
            "type": "OS::Neutron::Subnet",
            "properties": {
                "network": {"get_resource": "net"},
                "cidr": "10.7.0.0/24",
                "dns_nameservers": ["10.7.0.53"],
                "allocation_pools": [{"start": "10.7.0.20", "end": "10.7.0.90"}],
            },
        },
        "six": {
            "type": "OS::Neutron::Subnet",
            "properties": {
                "network": {"get_resource": "net"},
                "ip_version": 6,
                "cidr": "2001:DB8:0::/64",
                "gateway_ip": "",
            },
        },
        "router": {"type": "OS::Neutron::Router", "properties": {"external_gateway_info": {"network": outside}}},
        "leg": {
            "type": "OS::Neutron::RouterInterface",
            "properties": {"router": {"get_resource": "router"}, "subnet": {"get_resource": "subnet"}},
        },
        "group": {
            "type": "OS::Neutron::SecurityGroup",
            "properties": {
                "rules": [
                    {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},
                    {"remote_mode": "remote_group_id", "protocol": "udp"},
                ]
            },
        },
        "port": {
            "type": "OS::Neutron::Port",
            "properties": {
                "network": {"get_resource": "net"},
                "security_groups": [{"get_resource": "group"}],
                "fixed_ips": [{"subnet": {"get_resource": "subnet"}}],
            },
        },
        "address": {"type": "OS::Neutron::FloatingIP", "properties": {"floating_network": outside}},
        "tie": {
            "type": "OS::Neutron::FloatingIPAssociation",
            "properties": {"floatingip_id": {"get_resource": "address"}, "port_id": {"get_resource": "port"}},
        },
        "word": {"type": "OS::Heat::RandomString"},
    }


def test_of_a_stack_that_nobody_has_touched_nothing_has_drifted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(_networks(public(cloud)))
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made
    told = drift(mia, made)
    assert told.pop("word")["drift_status"] == "NOT_CHECKED"
    assert {one["drift_status"] for one in told.values()} == {"IN_SYNC"}, told
    whole = mia.get(path(mia, made, "/drift")).json()["drift"]
    assert whole["stack_drift_status"] == "IN_SYNC" and whole["counts"]["IN_SYNC"] == len(told)


def test_what_others_changed_or_deleted_is_told_and_mended(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(_networks(public(cloud)))
    made = stack(cloud, mia, template)
    ids = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    network = "/network/v2.0"
    mia.put(f"{network}/networks/{ids['net']}", {"network": {"name": "weeds"}}, 200)
    mia.put(f"{network}/subnets/{ids['subnet']}", {"subnet": {"dns_nameservers": ["10.7.0.1"]}}, 200)
    rule = {"security_group_id": ids["group"], "direction": "ingress", "protocol": "tcp", "port_range_min": 80}
    mia.post(f"{network}/security-group-rules", {"security_group_rule": {**rule, "port_range_max": 80}}, 201)
    mia.put(f"{network}/floatingips/{ids['address']}", {"floatingip": {"port_id": None}}, 200)
    router, _, subnet = ids["leg"].partition(":subnet_id=")
    mia.put(f"{network}/routers/{router}/remove_router_interface", {"subnet_id": subnet}, 200)
    mia.delete(f"{network}/ports/{ids['port']}")
    told = drift(mia, made)
    found = {state: {n for n, one in told.items() if one["drift_status"] == state} for state in ("MODIFIED", "DELETED")}
    assert found == {"MODIFIED": {"net", "subnet", "group", "tie"}, "DELETED": {"leg", "port"}}
    [renamed] = told["net"]["differences"]
    assert renamed == {"property": "name", "expected": "beds", "actual": "weeds", "unmended": None}
    assert (told["net"]["mend"]["action"], told["port"]["mend"]["action"]) == ("update", "create")
    # A look at it is all it was.
    assert {one["resource_status"] for one in resources(mia, made).values()} == {"CREATE_COMPLETE"}
    planned = mia.patch(path(mia, made, "/preview"), {"converge": True}, 200).json()["resource_changes"]
    assert {one["resource_name"] for one in planned["updated"]} >= {"net", "subnet", "group", "tie"}
    assert {one["resource_name"] for one in planned["replaced"]} == {"leg", "port"}
    mended = mend(cloud, mia, made)
    assert mended["stack_status"] == "UPDATE_COMPLETE", mended
    told = drift(mia, made)
    assert {one["drift_status"] for name, one in told.items() if name != "word"} == {"IN_SYNC"}, told
    after = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    assert [name for name in ids if ids[name] != after[name]] == ["port"]


def test_an_update_that_is_not_asked_to_mend_leaves_the_world_alone(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"net": {"type": "OS::Neutron::Net", "properties": {"name": "beds"}}}))
    net = resources(mia, made)["net"]["physical_resource_id"]
    mia.put(f"/network/v2.0/networks/{net}", {"network": {"name": "weeds"}}, 200)
    mia.patch(path(mia, made), {}, 202)
    cloud.run_jobs()
    assert states(mia, made) == {"net": "MODIFIED"}


def test_what_is_in_nested_stacks_is_told_and_mended_with_them(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    net = {"type": "OS::Neutron::Net", "properties": {"name": {"get_param": "name"}}}
    inner = hot({"net": net}, parameters={"name": {"type": "string"}})
    group = {
        "type": "OS::Heat::ResourceGroup",
        "properties": {"count": 1, "resource_def": {"type": "bed.yaml", "properties": {"name": "bed%index%"}}},
    }
    made = stack(cloud, mia, hot({"beds": group}), files={"bed.yaml": json.dumps(inner)})
    told = mia.get(path(mia, made, "/drift")).json()["drift"]["resources"]
    assert [(one["resource_name"], one.get("parent_resource")) for one in told] == [
        ("beds", None),
        ("0", "beds"),
        ("net", "0"),
    ]
    deepest = told[2]["physical_resource_id"]
    mia.put(f"/network/v2.0/networks/{deepest}", {"network": {"name": "weeds"}}, 200)
    assert states(mia, made) == {"beds": "MODIFIED", "0": "MODIFIED", "net": "MODIFIED"}
    assert mend(cloud, mia, made)["stack_status"] == "UPDATE_COMPLETE"
    assert mia.get(f"/network/v2.0/networks/{deepest}").json()["network"]["name"] == "bed0"
    assert states(mia, made) == {"beds": "IN_SYNC", "0": "IN_SYNC", "net": "IN_SYNC"}


def test_servers_volumes_and_keys_are_compared_and_what_no_update_mends_is_told(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    flavor = make_flavor(cloud.admin)
    template = hot(
        {
            "net": {"type": "OS::Neutron::Net"},
            "subnet": {
                "type": "OS::Neutron::Subnet",
                "properties": {"network": {"get_resource": "net"}, "cidr": "10.8.0.0/24"},
            },
            "key": {"type": "OS::Nova::KeyPair", "properties": {"name": "mia"}},
            "server": {
                "type": "OS::Nova::Server",
                "properties": {
                    "flavor": flavor,
                    "image": make_image(mia),
                    "key_name": {"get_resource": "key"},
                    "metadata": {"role": "bed", "rows": 3},
                    "networks": [{"network": {"get_resource": "net"}}],
                },
                "depends_on": "subnet",
            },
            "disk": {"type": "OS::Cinder::Volume", "properties": {"size": 1, "metadata": {"of": "mia"}}},
            "tie": {
                "type": "OS::Cinder::VolumeAttachment",
                "properties": {"instance_uuid": {"get_resource": "server"}, "volume_id": {"get_resource": "disk"}},
            },
            "big": {"type": "OS::Cinder::Volume", "properties": {"size": 1, "name": {"get_param": "secret"}}},
        },
        parameters={"secret": {"type": "string", "hidden": True}},
    )
    made = stack(cloud, mia, template, parameters={"secret": "rosebud"})
    assert made["stack_status"] == "CREATE_COMPLETE", made
    assert set(states(mia, made).values()) == {"IN_SYNC"}, drift(mia, made)
    ids = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    server = f"/compute/v2.1/servers/{ids['server']}"
    mia.put(f"{server}/metadata", {"metadata": {"role": "weed"}}, 200)
    mia.request("DELETE", f"{server}/os-volume_attachments/{ids['disk']}", expect=202)
    volume = f"/volume/v3/{mia.project_id}/volumes/{ids['big']}"
    mia.put(volume, {"volume": {"name": "big"}}, 200)
    mia.post(f"{volume}/action", {"os-extend": {"new_size": 2}}, 202)
    cloud.run_jobs()
    told = drift(mia, made)
    assert {name for name, one in told.items() if one["drift_status"] != "IN_SYNC"} == {"server", "tie", "big"}
    assert told["server"]["differences"][0]["actual"] == {"role": "weed"}
    renamed, grown = told["big"]["differences"]
    assert (renamed["expected"], renamed["actual"]) == ("******", "big")
    assert (grown["property"], grown["unmended"][:25]) == ("size", "A volume does not shrink:")
    assert mend(cloud, mia, made)["stack_status"] == "UPDATE_COMPLETE"
    left = {name: one["drift_status"] for name, one in drift(mia, made).items()}
    assert {name for name, state in left.items() if state != "IN_SYNC"} == {"big"}
    assert mia.get(volume).json()["volume"]["name"] == "rosebud"


def test_what_is_of_others_is_only_looked_for(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    net = mia.post("/network/v2.0/networks", {"network": {"name": "beds"}}, 201).json()["network"]["id"]
    template = hot({"net": {"type": "OS::Neutron::Net", "external_id": net, "properties": {"name": "weeds"}}})
    made = stack(cloud, mia, template)
    assert states(mia, made) == {"net": "IN_SYNC"}, made
    mia.delete(f"/network/v2.0/networks/{net}")
    told = drift(mia, made)["net"]
    assert (told["drift_status"], told["mend"]["action"]) == ("DELETED", "none")
    assert mend(cloud, mia, made)["stack_status"] == "UPDATE_COMPLETE"


def test_a_resource_that_the_caller_may_not_see_is_not_checked(cloud: ApiCloud) -> None:
    """With access rules that let it look at the stack, and at nothing else."""
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"net": {"type": "OS::Neutron::Net"}}))
    rules = [{"service": "orchestration", "method": "GET", "path": f"{path(mia, made)}/drift"}]
    credential = {"application_credential": {"name": "robot", "access_rules": rules}}
    made_ = mia.post(f"/identity/v3/users/{mia.user_id}/application_credentials", credential, 201).json()
    robot = {key: made_["application_credential"][key] for key in ("id", "secret")}
    proof = {"identity": {"methods": ["application_credential"], "application_credential": robot}}
    token = cloud.call("POST", "/identity/v3/auth/tokens", json={"auth": proof}).headers["x-subject-token"]
    limited = Caller(cloud, token, mia.project_id, mia.user_id)
    [one] = drift(limited, made).values()
    assert one["drift_status"] == "NOT_CHECKED" and "It cannot be looked at" in one["drift_status_reason"]
    bob = cloud.new_user("bob", "shed")
    bob.get(path(mia, made, "/drift").replace(mia.project_id, bob.project_id), 404)


def _address(cloud: ApiCloud, mia: Caller) -> tuple[dict[str, Any], str]:
    """A floating address of a stack that leads to a port, and that port, which is in no stack."""
    net = Net(mia)
    inside, outside = net.make("network", name="beds"), public(cloud)
    subnet = net.make("subnet", network_id=inside["id"], ip_version=4, cidr="10.9.0.0/24")
    router = net.make("router", external_gateway_info={"network_id": outside})
    mia.put(f"/network/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}, 200)
    port = net.make("port", network_id=inside["id"])["id"]
    address = {"floating_network": outside, "port_id": port}
    made = stack(cloud, mia, hot({"address": {"type": "OS::Neutron::FloatingIP", "properties": address}}))
    assert made["stack_status"] == "CREATE_COMPLETE", made
    return made, port


def test_a_service_keeps_its_address_when_the_port_it_led_to_is_gone(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    net, (made, port) = Net(mia), _address(cloud, mia)
    [address] = net.list("floatingips")
    net.drop("port", port)
    cloud.core.memory.clear()  # As in a process that did not make the stack.
    told = drift(mia, made)["address"]
    assert (told["drift_status"], told["mend"]["action"]) == ("MODIFIED", "none")
    lost = f"Unable to find port with name or id '{port}'"
    assert told["differences"] == [{"property": "port_id", "expected": port, "actual": None, "unmended": lost}]
    other = net.make("port", network_id=net.list("networks", "?name=beds")[0]["id"])["id"]
    wanted = hot(
        {
            "address": {
                "type": "OS::Neutron::FloatingIP",
                "properties": {"floating_network": address["floating_network_id"], "port_id": other},
            }
        }
    )
    mended = update(cloud, mia, made, wanted, converge=True)
    assert mended["stack_status"] == "UPDATE_COMPLETE", mended
    [left] = net.list("floatingips")
    assert (left["id"], left["floating_ip_address"]) == (address["id"], address["floating_ip_address"])
    assert left["port_id"] == other


def test_what_names_something_that_is_gone_or_has_another_name_is_still_there(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    flavor, image = make_flavor(cloud.admin), make_image(mia, "rose")
    net, inside = Net(mia), make_network(mia, "beds")
    template = hot(
        {
            "disk": {"type": "OS::Cinder::Volume", "properties": {"size": 1, "image": "rose"}},
            "port": {"type": "OS::Neutron::Port", "properties": {"network": "beds"}},
            "server": {
                "type": "OS::Nova::Server",
                "properties": {"flavor": flavor, "image": image, "networks": [{"network": "beds"}]},
            },
        }
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made
    ids = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    mia.delete(f"/image/v2/images/{image}")
    net.change("network", inside, name="weeds")
    cloud.admin.delete(f"/compute/v2.1/flavors/{flavor}", 202)
    cloud.core.memory.clear()
    told = drift(mia, made)
    assert {name: one["drift_status"] for name, one in told.items()} == {
        "disk": "IN_SYNC",
        "port": "MODIFIED",
        "server": "MODIFIED",
    }
    assert (told["port"]["mend"]["action"], told["server"]["mend"]["action"]) == ("none", "none")
    reasons = {one["property"]: one["unmended"] for name in ("port", "server") for one in told[name]["differences"]}
    assert set(reasons) == {"network", "networks", "flavor"}
    assert reasons["network"] == reasons["networks"] == "Unable to find network with name or id 'beds'"
    # It is the template that has to be mended; nothing is replaced or made twice meanwhile.
    mia.patch(path(mia, made), {"converge": True}, 400)
    cloud.run_jobs()
    assert {name: one["physical_resource_id"] for name, one in resources(mia, made).items()} == ids


def test_what_is_adopted_needs_no_more_what_it_was_once_made_of(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = make_image(mia, "rose")
    disk = {"size": 1, "image": {"get_attr": ["seed", "value"]}}
    template = hot(
        {
            "seed": {"type": "OS::Heat::Value", "properties": {"value": {"get_attr": ["word", "output"]}}},
            "word": {"type": "OS::Heat::TestResource", "properties": {"value": image}},
            "disk": {"type": "OS::Cinder::Volume", "properties": disk},
        }
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made
    left = mia.request("DELETE", path(mia, made, "/abandon"), expect=200).json()
    mia.delete(f"/image/v2/images/{image}")
    again = stack(cloud, mia, None, "again", adopt_stack_data=json.dumps(left))
    assert again["stack_status"] == "ADOPT_COMPLETE", again
    assert states(mia, again)["disk"] == "IN_SYNC"


def test_nobody_reads_a_hidden_parameter_of_a_stack_around_in_what_has_drifted(cloud: ApiCloud) -> None:
    """A file that says nothing of ``hidden`` gets it from the template that does."""
    mia, net = (who := cloud.new_user("mia", "garden")), Net(who)
    beds = net.make("network", name="rosebud")
    parameters = {"name": {"type": "string"}}
    properties = {"network": {"get_param": "name"}, "name": {"get_param": "name"}}
    port = {"type": "OS::Neutron::Port", "properties": properties}
    bed = {"type": "bed.yaml", "properties": {"name": {"get_param": "secret"}}}
    group = {"type": "OS::Heat::ResourceGroup", "properties": {"count": 1, "resource_def": bed}}
    template = hot({"beds": group}, parameters={"secret": {"type": "string", "hidden": True}})
    files = {"bed.yaml": json.dumps(hot({"port": port}, parameters=parameters))}
    made = stack(cloud, mia, template, files=files, parameters={"secret": "rosebud"})
    assert made["stack_status"] == "CREATE_COMPLETE", made
    [inside] = net.list("ports")
    net.change("port", inside["id"], name="a rosebud")
    net.change("network", beds["id"], name="weeds")
    cloud.core.memory.clear()
    answer = mia.get(path(mia, made, "/drift"))
    [found] = [one for one in answer.json()["drift"]["resources"] if one["resource_name"] == "port"]
    shown = {one["property"]: (one["expected"], one["actual"], one["unmended"]) for one in found["differences"]}
    assert shown == {
        "name": ("******", "******", None),
        "network": ("******", beds["id"], "Unable to find network with name or id '******'"),
    }
    assert "rosebud" not in answer.text
    # By its own address the nested stack tells no more.
    stacks = mia.get(at(mia, "/stacks?show_nested=true")).json()["stacks"]
    assert len(stacks) == 3
    told = [mia.get(path(mia, one, "/drift")).text for one in stacks]
    assert not [text for text in told if "rosebud" in text]
    for _ in range(2):
        net.make("network", name="rosebud")
    answer = mia.get(path(mia, made, "/drift"))
    [found] = [one for one in answer.json()["drift"]["resources"] if one["resource_name"] == "port"]
    assert found["drift_status"] == "NOT_CHECKED"
    assert "Multiple network matches found for name '******'" in found["drift_status_reason"]
    assert "rosebud" not in answer.text


def test_what_was_lost_in_a_nested_stack_is_told_and_kept_without_hidden_parameters(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    key = {"type": "OS::Nova::KeyPair", "properties": {"name": {"get_param": "name"}}}
    inner = hot({"key": key}, parameters={"name": {"type": "string"}})
    bed = {"type": "bed.yaml", "properties": {"name": {"get_param": "secret"}}}
    template = hot({"bed": bed}, parameters={"secret": {"type": "string", "hidden": True}})
    made = stack(cloud, mia, template, files={"bed.yaml": json.dumps(inner)}, parameters={"secret": "rosebud"})
    mia.request("DELETE", "/compute/v2.1/os-keypairs/rosebud", expect=202)
    [lost] = [
        one for one in mia.get(path(mia, made, "/drift")).json()["drift"]["resources"] if one["resource_name"] == "key"
    ]
    assert lost["drift_status"] == "DELETED"
    assert "******" in lost["drift_status_reason"] and "rosebud" not in lost["drift_status_reason"]
    mia.patch(path(mia, made), {"converge": True}, 202)
    noted = resources(mia, made, nested_depth="2")["key"]["resource_status_reason"]
    assert "******" in noted and "rosebud" not in noted


def test_a_plan_says_that_an_instance_with_other_user_data_is_another_instance(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    make_network(mia)
    image, flavor = make_image(mia), make_flavor(cloud.admin)

    def template(words: str) -> dict[str, Any]:
        web = {
            "Type": "AWS::EC2::Instance",
            "Properties": {"ImageId": image, "InstanceType": flavor, "UserData": words},
        }
        return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Web": web}}

    made = stack(cloud, mia, template("a"))
    assert made["stack_status"] == "CREATE_COMPLETE", made
    other = {"template": template("b")}
    told = mia.put(path(mia, made, "/preview"), other, 200).json()["resource_changes"]
    [change] = told["replaced"]
    assert (change["resource_name"], change["replacing_properties"]) == ("Web", ["UserData"])
    assert not told["updated"]


def test_a_plan_says_what_the_update_will_refuse(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    first, second = (Net(mia).make("network", name=name)["id"] for name in ("beds", "weeds"))
    restricted = {"resource_registry": {"resources": {"word": {"restricted_actions": ["update", "replace"]}}}}

    def template(net: str, word: str, text: str) -> dict[str, Any]:
        return hot(
            {
                "net": {"type": "OS::Neutron::Net", "external_id": net},
                "word": {"type": "OS::Heat::Value", "properties": {"value": word}},
                "free": {"type": "OS::Heat::Value", "properties": {"value": text}},
            }
        )

    made = stack(cloud, mia, template(first, "a", "a"), environment=restricted)
    body = {"template": template(second, "b", "b"), "environment": restricted}
    told = mia.put(path(mia, made, "/preview"), body, 200).json()["resource_changes"]
    assert {one["resource_name"]: one["refused_reason"] for one in told["updated"]} == {
        "net": "Update to property external_id is not supported.",
        "word": "update is restricted for resource.",
        "free": None,
    }
    assert update(cloud, mia, made, **body)["stack_status"] == "UPDATE_FAILED"


def test_what_was_never_made_is_told_and_made(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    net = {"type": "OS::Neutron::Net"}
    bad = {"type": "OS::Nova::KeyPair", "depends_on": "net", "properties": {"name": "key", "public_key": "no key"}}
    made = stack(cloud, mia, hot({"net": net, "key": bad}))
    assert made["stack_status"] == "CREATE_FAILED"
    told = drift(mia, made)["key"]
    assert (told["drift_status"], told["drift_status_reason"]) == ("DELETED", "It was never made.")
    mia.post(path(mia, made, "/actions"), {"check": None}, 201)
    cloud.run_jobs()
    assert resources(mia, made)["key"]["resource_status_reason"].endswith("It was never made.")


def test_a_protocol_may_be_written_in_capitals_or_be_any(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    rules = [{"protocol": "TCP", "port_range_min": 22, "port_range_max": 22}, {"protocol": "any"}]
    one = {"security_group": {"get_resource": "other"}, "protocol": "Any", "remote_ip_prefix": "10.0.0.0/8"}
    template = hot(
        {
            "group": {"type": "OS::Neutron::SecurityGroup", "properties": {"rules": rules}},
            "other": {"type": "OS::Neutron::SecurityGroup"},
            "rule": {"type": "OS::Neutron::SecurityGroupRule", "properties": one},
        }
    )
    made = stack(cloud, mia, template)
    assert (states(mia, made)["group"], states(mia, made)["rule"]) == ("IN_SYNC", "IN_SYNC"), drift(mia, made)
