"""Another resource takes the place of one that holds something, and the stack goes back to it where that is wished."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tane.agent.compute.drivers.fake import FakeCompute
from tane.services.orchestration.reconcilers import deadlines
from tane.wire.errors import HostError
from tests.api.compute_support import V, make_flavor, make_image
from tests.api.orchestration_support import at, hot, path, resources, show, stack, update
from tests.support import ApiCloud, Caller

N = "/network/v2.0"


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def value(word: str = "a", **more: Any) -> dict[str, Any]:
    return res("OS::Heat::TestResource", value=word, **more)


def get(name: str) -> dict[str, str]:
    return {"get_resource": name}


def fails(after: str) -> dict[str, Any]:
    """A resource that fails when that one is done."""
    return {**value(fail=True), "depends_on": after}


NET = {
    "net": res("OS::Neutron::Net"),
    "sub": res("OS::Neutron::Subnet", network=get("net"), cidr="10.1.0.0/24"),
}


def ids(caller: Caller, made: dict[str, Any]) -> dict[str, Any]:
    return {name: one["physical_resource_id"] for name, one in resources(caller, made).items()}


def unwell(caller: Caller, made: dict[str, Any], *names: str) -> None:
    for name in names:
        caller.patch(path(caller, made, f"/resources/{name}"), {"mark_unhealthy": True}, 200)


def holder(caller: Caller, port_id: str) -> str:
    return str(caller.get(f"{N}/ports/{port_id}").json()["port"]["device_id"])


def addresses(caller: Caller, port_id: str) -> list[str]:
    return [one["ip_address"] for one in caller.get(f"{N}/ports/{port_id}").json()["port"]["fixed_ips"]]


def settle(cloud: ApiCloud) -> None:
    """What waits for hosts, and tries again, ends."""
    for _ in range(3):
        cloud.run_jobs()
        cloud.advance(60)
    cloud.run_jobs()


class Garden:
    """A project with what servers are made of."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.cloud, self.mia = cloud, cloud.new_user("mia", "garden")
        self.image, self.flavor = make_image(self.mia), make_flavor(cloud.admin)

    def server(self, **more: Any) -> dict[str, Any]:
        return res("OS::Nova::Server", image=self.image, **{"flavor": self.flavor, **more})

    def made(self, template: Any) -> dict[str, Any]:
        shown = stack(self.cloud, self.mia, template)
        assert shown["stack_status"] == "CREATE_COMPLETE", shown["stack_status_reason"]
        return shown

    def updated(self, made: dict[str, Any], template: Any, status: str = "UPDATE_COMPLETE", **more: Any) -> None:
        update(self.cloud, self.mia, made, template, **more)
        settle(self.cloud)
        shown = show(self.mia, made["stack_name"], made["id"])
        assert shown["stack_status"] == status, shown["stack_status_reason"]


def test_a_server_takes_its_port_over_from_the_one_it_replaces_and_gives_it_back(cloud: ApiCloud) -> None:
    garden = Garden(cloud)
    mia = garden.mia

    def template(word: str, **more: Any) -> dict[str, Any]:
        web = garden.server(networks=[{"port": get("port")}], user_data=word)
        return hot({**NET, "port": res("OS::Neutron::Port", network=get("net")), "web": web, **more})

    made = garden.made(template("a"))
    before = ids(mia, made)
    garden.updated(made, template("b"))
    after = ids(mia, made)
    assert after["web"] != before["web"] and after["port"] == before["port"]
    assert holder(mia, after["port"]) == after["web"]
    garden.updated(made, template("c", bad=fails("web")), "ROLLBACK_COMPLETE", disable_rollback=False)
    assert ids(mia, made) == after and holder(mia, after["port"]) == after["web"]
    assert [one["id"] for one in mia.get(f"{V}/servers").json()["servers"]] == [after["web"]]


@pytest.mark.nightly
def test_a_volume_goes_to_the_server_that_comes_in_place_of_its_own_and_back(cloud: ApiCloud) -> None:
    garden = Garden(cloud)
    mia = garden.mia

    def template(word: str, **more: Any) -> dict[str, Any]:
        plug = res("OS::Cinder::VolumeAttachment", instance_uuid=get("web"), volume_id=get("disk"))
        web = garden.server(networks=[{"network": get("net")}], user_data=word)
        return hot({**NET, "disk": res("OS::Cinder::Volume", size=1), "web": web, "plug": plug, **more})

    def at_server(volume_id: str) -> list[str]:
        shown = mia.get(f"/volume/v3/volumes/{volume_id}").json()["volume"]
        return [one["server_id"] for one in shown["attachments"]]

    made = garden.made(template("a"))
    before = ids(mia, made)
    garden.updated(made, template("b"))
    after = ids(mia, made)
    assert after["web"] != before["web"] and after["disk"] == before["disk"]
    assert at_server(after["disk"]) == [after["web"]]
    garden.updated(made, template("c", bad=fails("plug")), "ROLLBACK_COMPLETE", disable_rollback=False)
    assert ids(mia, made) == after and at_server(after["disk"]) == [after["web"]]
    unwell(mia, made, "plug")
    garden.updated(made, template("b"))
    assert at_server(after["disk"]) == [after["web"]]


@pytest.mark.nightly
def test_a_broken_server_gives_up_what_its_successor_needs(cloud: ApiCloud) -> None:
    """It can be changed no more: it is deleted first."""
    garden = Garden(cloud)
    mia = garden.mia
    plug = res("OS::Cinder::VolumeAttachment", instance_uuid=get("web"), volume_id=get("disk"))
    web = garden.server(networks=[{"port": get("port")}])
    port = res("OS::Neutron::Port", network=get("net"))
    template = hot({**NET, "port": port, "disk": res("OS::Cinder::Volume", size=1), "web": web, "plug": plug})
    made = garden.made(template)
    before = ids(mia, made)
    cloud.admin.post(f"{V}/servers/{before['web']}/action", {"os-resetState": {"state": "error"}}, 202)
    unwell(mia, made, "web")
    garden.updated(made, template)
    after = ids(mia, made)
    assert after["web"] != before["web"] and holder(mia, after["port"]) == after["web"]


def test_a_port_hands_its_address_on_and_gets_it_back(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def template(key: str = "network", **more: Any) -> dict[str, Any]:
        port = res("OS::Neutron::Port", fixed_ips=[{"ip_address": "10.1.0.9"}], **{key: get("net")})
        return hot({**NET, "port": port, **more})

    made = stack(cloud, mia, template())
    first = ids(mia, made)["port"]
    unwell(mia, made, "port")
    assert update(cloud, mia, made, template())["stack_status"] == "UPDATE_COMPLETE"
    second = ids(mia, made)["port"]
    assert second != first and addresses(mia, second) == ["10.1.0.9"]
    other = template("network_id", bad=fails("port"))
    assert update(cloud, mia, made, other, disable_rollback=False)["stack_status"] == "ROLLBACK_COMPLETE"
    assert ids(mia, made)["port"] == second and addresses(mia, second) == ["10.1.0.9"]


def test_an_interface_goes_to_the_router_that_comes_in_place_of_its_own(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def template(**more: Any) -> dict[str, Any]:
        leg = res("OS::Neutron::RouterInterface", router=get("router"), subnet=get("sub"))
        return hot({**NET, "router": res("OS::Neutron::Router"), "leg": leg, **more})

    def legs(router_id: str) -> list[str]:
        found = mia.get(f"{N}/ports", params={"device_id": router_id}).json()["ports"]
        return [one["ip_address"] for port in found for one in port["fixed_ips"]]

    made = stack(cloud, mia, template())
    first = ids(mia, made)["router"]
    unwell(mia, made, "router")
    failed = update(cloud, mia, made, template(bad=fails("leg")))
    assert failed["stack_status"] == "UPDATE_FAILED"
    assert update(cloud, mia, made, template())["stack_status"] == "UPDATE_COMPLETE"
    second = ids(mia, made)["router"]
    assert second != first and legs(second) == ["10.1.0.1"]
    # Another interface of the same two has the same id: what goes does not take it away.
    unwell(mia, made, "leg")
    assert update(cloud, mia, made, template())["stack_status"] == "UPDATE_COMPLETE"
    assert ids(mia, made)["router"] == second and legs(second) == ["10.1.0.1"]


@pytest.mark.nightly
def test_a_server_that_others_failed_to_replace_is_gone_back_to(cloud: ApiCloud) -> None:
    """Those that were never whole make way for one another; the first, which is well, stays."""
    garden = Garden(cloud)
    mia, large = garden.mia, make_flavor(cloud.admin, "large", ram=1 << 30)
    huge = make_flavor(cloud.admin, "huge", ram=1 << 31 - 1)

    def template(flavor: str) -> dict[str, Any]:
        web = garden.server(networks=[{"port": get("port")}], flavor=flavor)
        return hot({**NET, "port": res("OS::Neutron::Port", network=get("net")), "web": web})

    made = garden.made(template(garden.flavor))
    first = ids(mia, made)
    garden.updated(made, template(large), "UPDATE_FAILED")
    garden.updated(made, template(huge), "ROLLBACK_COMPLETE", disable_rollback=False)
    assert ids(mia, made) == first and holder(mia, first["port"]) == first["web"]
    garden.updated(made, template(large), "UPDATE_FAILED", disable_rollback=True)
    garden.updated(made, template(garden.flavor))
    assert ids(mia, made) == first and holder(mia, first["port"]) == first["web"]
    assert [one["id"] for one in mia.get(f"{V}/servers").json()["servers"]] == [first["web"]]


def test_a_roll_back_goes_back_over_two_replacements(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    handle = {"type": "OS::Heat::WaitConditionHandle"}
    wait = res("OS::Heat::WaitCondition", handle=get("handle"), timeout=60)

    def template(word: str, **more: Any) -> dict[str, Any]:
        return hot({"one": value(update_replace_value=word), "handle": handle, **more})

    made = stack(cloud, mia, template("x"))
    first = ids(mia, made)["one"]
    for word in ("y", "z"):
        mia.put(path(mia, made), {"template": template(word, wait=wait)}, 202)
        cloud.run_jobs()
    assert ids(mia, made)["one"] != first
    mia.post(path(mia, made, "/actions"), {"cancel_update": None}, 201)
    cloud.run_jobs()
    assert ids(mia, made)["one"] == first


def test_who_sends_the_old_template_again_has_what_was_there_again(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"one": value(update_replace_value="x")}))
    first = ids(mia, made)["one"]
    slow = value(update_replace_value="y", fail=True, action_wait_secs={"create": 2})
    mia.put(path(mia, made), {"template": hot({"one": slow})}, 202)
    cloud.run_jobs()
    cloud.advance(5)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_FAILED"
    update(cloud, mia, made, hot({"one": value(update_replace_value="x")}))
    assert ids(mia, made)["one"] == first


@pytest.mark.parametrize("network", [{"port": get("port")}, {"network": get("net")}])
def test_a_broken_server_that_is_to_be_retained_is_not_deleted_for_another(cloud: ApiCloud, network: Any) -> None:
    garden = Garden(cloud)
    mia = garden.mia
    web = {**garden.server(networks=[network]), "deletion_policy": "retain"}
    template = hot({**NET, "port": res("OS::Neutron::Port", network=get("net")), "web": web})
    made = garden.made(template)
    before = ids(mia, made)["web"]
    cloud.admin.post(f"{V}/servers/{before}/action", {"os-resetState": {"state": "error"}}, 202)
    unwell(mia, made, "web")
    update(cloud, mia, made, template)
    settle(cloud)
    assert before in [one["id"] for one in mia.get(f"{V}/servers").json()["servers"]]


def test_a_router_has_its_gateway_again_after_a_roll_back(cloud: ApiCloud) -> None:
    mia, nets = cloud.new_user("mia", "garden"), []
    for number in (1, 2):
        body = {"network": {"name": f"out-{number}", "router:external": True}}
        nets.append(cloud.admin.post(f"{N}/networks", body, 201).json()["network"]["id"])
        subnet = {"network_id": nets[-1], "cidr": f"203.0.{number}.0/24", "ip_version": 4}
        cloud.admin.post(f"{N}/subnets", {"subnet": subnet}, 201)

    def template(network: str, **more: Any) -> dict[str, Any]:
        gateway = res("OS::Neutron::RouterGateway", router_id=get("router"), network=network)
        return hot({"router": res("OS::Neutron::Router"), "gateway": gateway, **more})

    made = stack(cloud, mia, template(nets[0]))
    shown = update(cloud, mia, made, template(nets[1], bad=fails("gateway")), disable_rollback=False)
    assert shown["stack_status"] == "ROLLBACK_COMPLETE"
    router = mia.get(f"{N}/routers/{ids(mia, made)['router']}").json()["router"]
    assert router["external_gateway_info"]["network_id"] == nets[0]


def test_a_hook_of_a_resource_that_was_replaced_is_cleared(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    environment = {"resource_registry": {"resources": {"one": {"hooks": "pre-delete"}}}}
    made = stack(cloud, mia, hot({"one": value(update_replace_value="x")}), environment=environment)
    update(cloud, mia, made, hot({"one": value(update_replace_value="y")}), environment=environment)
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_IN_PROGRESS"
    mia.post(path(mia, made, "/resources/one/signal"), {"unset_hook": "pre-delete"}, 200)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_COMPLETE"


def test_a_stack_goes_whose_volume_was_not_let_go_to_another_server(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden = Garden(cloud)
    mia = garden.mia
    plug = res("OS::Cinder::VolumeAttachment", instance_uuid=get("web"), volume_id=get("disk"))
    web = garden.server(networks=[{"network": get("net")}])
    template = hot({**NET, "disk": res("OS::Cinder::Volume", size=1), "web": web, "plug": plug})
    made = garden.made(template)
    unwell(mia, made, "plug")

    async def refuses(self: FakeCompute, *given: Any, **named: Any) -> None:
        raise HostError("no")

    monkeypatch.setattr(FakeCompute, "detach_volume", refuses)
    garden.updated(made, template, "UPDATE_FAILED")
    mia.delete(path(mia, made), 204)
    settle(cloud)
    assert show(mia, "rose", made["id"])["stack_status"] == "DELETE_COMPLETE"


def test_what_a_stack_had_no_time_for_is_not_done_after_the_next_action(cloud: ApiCloud) -> None:
    """A nested stack was busy till the time of its parent's suspension was over: a resume does not suspend it."""
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"one": {"type": "in.yaml"}}), files={"in.yaml": hot({"deep": value()})})
    [inner] = [one for one in mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"] if one["parent"]]
    waits = hot({"deep": value("b", action_wait_secs={"update": -1})})
    mia.put(path(mia, inner), {"template": waits, "timeout_mins": 300}, 202)
    cloud.run_jobs()
    mia.post(path(mia, made, "/actions"), {"suspend": None}, None)
    cloud.run_jobs()
    cloud.advance(3700)
    cloud.wait(deadlines.look(cloud.core))
    cloud.run_jobs()
    mia = cloud.login("mia", "mia-secret", "garden")
    mia.post(path(mia, made, "/actions"), {"resume": None}, None)
    cloud.run_jobs()
    cloud.advance(10)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "RESUME_COMPLETE"
    assert show(mia, inner["stack_name"], inner["id"])["stack_status"] == "RESUME_COMPLETE"


def test_a_preview_tells_that_an_update_goes_back_to_what_was_replaced(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def template(length: int, **more: Any) -> dict[str, Any]:
        return hot({"key": res("OS::Heat::RandomString", length=length), **more})

    made = stack(cloud, mia, template(8))
    first = ids(mia, made)["key"]
    update(cloud, mia, made, template(9, bad=fails("key")))
    told = mia.put(path(mia, made, "/preview"), {"template": template(8)}, 200).json()["resource_changes"]
    assert [(one["resource_name"], one["physical_resource_id"]) for one in told["updated"]] == [("key", first)]
    update(cloud, mia, made, template(8))
    assert ids(mia, made)["key"] == first


@pytest.mark.nightly
def test_what_a_server_gets_back_is_as_it_was_put_on_it(cloud: ApiCloud) -> None:
    garden = Garden(cloud)
    mia, spoken = garden.mia, {"x-openstack-nova-api-version": "2.90"}

    def template(word: str, **more: Any) -> dict[str, Any]:
        disk = {"volume_id": get("disk"), "device_name": "vdb", "boot_index": -1, "delete_on_termination": True}
        networks = [{"port": get("port"), "tag": "lan"}]
        web = garden.server(networks=networks, user_data=word, block_device_mapping_v2=[disk])
        port = res("OS::Neutron::Port", network=get("net"))
        return hot({**NET, "port": port, "disk": res("OS::Cinder::Volume", size=1), "web": web, **more})

    made = garden.made(template("a"))
    server = f"{V}/servers/{ids(mia, made)['web']}"
    garden.updated(made, template("b", bad=fails("web")), "ROLLBACK_COMPLETE", disable_rollback=False)
    [port] = mia.get(f"{server}/os-interface", headers=spoken).json()["interfaceAttachments"]
    [disk] = mia.get(f"{server}/os-volume_attachments", headers=spoken).json()["volumeAttachments"]
    assert (port["tag"], disk["delete_on_termination"]) == ("lan", True)


def test_an_interface_of_amazon_hands_its_address_on(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def template(words: str) -> dict[str, Any]:
        subnet = {"CidrBlock": "10.0.1.0/24", "VpcId": {"Ref": "Vpc"}}
        port = {"SubnetId": {"Ref": "Sub"}, "PrivateIpAddress": "10.0.1.77", "Description": words}
        return {
            "HeatTemplateFormatVersion": "2012-12-12",
            "Resources": {
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
                "Sub": {"Type": "AWS::EC2::Subnet", "Properties": subnet},
                "Port": {"Type": "AWS::EC2::NetworkInterface", "Properties": port},
            },
        }

    made = stack(cloud, mia, template("a"))
    before = ids(mia, made)["Port"]
    update(cloud, mia, made, template("b"))
    assert ids(mia, made)["Port"] == before
    unwell(mia, made, "Port")
    update(cloud, mia, made, template("b"))
    settle(cloud)
    after = ids(mia, made)["Port"]
    assert after != before and addresses(mia, after) == ["10.0.1.77"]


def test_a_roll_back_leaves_alone_what_the_update_had_not_come_to(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def template(**bad: Any) -> dict[str, Any]:
        nets = {f"net-{number}": res("OS::Neutron::Net") for number in range(12)}
        return hot({"bad": res("OS::Heat::TestResource", **bad), **nets})

    made = stack(cloud, mia, template(value="a"))
    before = ids(mia, made)
    update(cloud, mia, made, template(value="b", fail=True), disable_rollback=False)
    settle(cloud)
    assert show(mia, "rose", made["id"])["stack_status"] == "ROLLBACK_COMPLETE"
    after = ids(mia, made)
    assert {name: after[name] for name in before if name != "bad"} == {
        name: before[name] for name in before if name != "bad"
    }
    events = mia.get(path(mia, made, "/events")).json()["events"]
    failed = {one["resource_name"] for one in events if one["resource_status"] == "UPDATE_FAILED"}
    assert failed == {"rose", "bad"}


def test_what_a_nested_stack_holds_outlives_a_failed_update_of_another_part_of_it(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def inner(**more: Any) -> dict[str, str]:
        return {"in.yaml": json.dumps(hot({"net": res("OS::Neutron::Net"), "word": value(**more)}))}

    outer = hot({"one": res("in.yaml")})
    made = stack(cloud, mia, outer, files=inner(word="a"))
    before = ids(mia, made)["one"]
    [nested] = [one for one in mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"] if one["parent"]]
    net = ids(mia, nested)["net"]
    update(cloud, mia, made, outer, files=inner(word="b", fail=True))
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_FAILED"
    update(cloud, mia, made, outer, files=inner(word="b"))
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_COMPLETE"
    assert ids(mia, made)["one"] == before and ids(mia, nested)["net"] == net


def test_what_others_refer_to_stays_where_a_change_of_it_failed(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def template(**more: Any) -> dict[str, Any]:
        return hot({**NET, "port": res("OS::Neutron::Port", network=get("net"), **more)})

    made = stack(cloud, mia, template())
    before = ids(mia, made)
    shown = update(cloud, mia, made, template(value_specs={"no_such_thing": 1}))
    assert shown["stack_status"] == "UPDATE_FAILED"
    update(cloud, mia, made, template(name="p"))
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_COMPLETE" and ids(mia, made) == before


def test_a_stack_goes_whose_broken_server_holds_a_volume(cloud: ApiCloud) -> None:
    garden = Garden(cloud)
    mia = garden.mia
    plug = res("OS::Cinder::VolumeAttachment", instance_uuid=get("web"), volume_id=get("disk"))
    web = garden.server(networks=[{"network": get("net")}])
    made = garden.made(hot({**NET, "disk": res("OS::Cinder::Volume", size=1), "web": web, "plug": plug}))
    cloud.admin.post(f"{V}/servers/{ids(mia, made)['web']}/action", {"os-resetState": {"state": "error"}}, 202)
    mia.delete(path(mia, made), 204)
    settle(cloud)
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "DELETE_COMPLETE", shown["stack_status_reason"]


def test_what_is_wanted_again_while_it_is_deleted_is_made_again(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    environment = {"resource_registry": {"resources": {"slow": {"deep": {"hooks": "pre-delete"}}}}}
    more: dict[str, Any] = {"environment": environment, "files": {"in.yaml": json.dumps(hot({"deep": value()}))}}
    whole, less = hot({"one": value(), "slow": res("in.yaml")}), hot({"one": value()})
    made = stack(cloud, mia, whole, **more)
    [inner] = [one for one in mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"] if one["parent"]]
    for template in (less, whole):
        mia.put(path(mia, made), {"template": template, **more}, 202)
        cloud.run_jobs()
    mia.post(path(mia, inner, "/resources/deep/signal"), {"unset_hook": "pre-delete"}, 200)
    settle(cloud)
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "UPDATE_COMPLETE", shown["stack_status_reason"]
    assert sorted(ids(mia, made)) == ["one", "slow"]


def test_an_update_ends_what_waits_for_what_it_takes_out(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    handle = res("OS::Heat::WaitConditionHandle")
    waits = {"handle": handle, "wait": res("OS::Heat::WaitCondition", handle=get("handle"), timeout=3000)}
    made = stack(cloud, mia, hot({"one": value()}))
    mia.put(path(mia, made), {"template": hot({"one": value(), **waits})}, 202)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_IN_PROGRESS"
    update(cloud, mia, made, hot({"one": value("b")}))
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_COMPLETE" and list(ids(mia, made)) == ["one"]


def test_a_stack_suspends_no_server_that_it_only_names(cloud: ApiCloud) -> None:
    garden = Garden(cloud)
    mia = garden.mia
    own = garden.made(hot({**NET, "web": garden.server(networks=[{"network": get("net")}])}))
    server = ids(mia, own)["web"]
    named = {**garden.server(), "external_id": server}
    made = stack(cloud, mia, hot({"web": named}), "lily")
    mia.post(path(mia, made, "/actions"), {"suspend": None}, None)
    settle(cloud)
    assert show(mia, "lily", made["id"])["stack_status"] == "SUSPEND_COMPLETE"
    assert mia.get(f"{V}/servers/{server}").json()["server"]["status"] == "ACTIVE"


def test_a_rule_of_a_group_is_described_otherwise_and_comes_back(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def template(words: str, **more: Any) -> dict[str, Any]:
        rule = res("OS::Neutron::SecurityGroupRule", security_group=get("group"), protocol="tcp", description=words)
        return hot({"group": res("OS::Neutron::SecurityGroup"), "rule": rule, **more})

    def described(made: dict[str, Any]) -> list[str]:
        group = mia.get(f"{N}/security-groups/{ids(mia, made)['group']}").json()["security_group"]
        return [rule["description"] for rule in group["security_group_rules"] if rule["direction"] == "ingress"]

    made = stack(cloud, mia, template("a"))
    update(cloud, mia, made, template("b"))
    assert described(made) == ["b"]
    update(cloud, mia, made, template("c", bad=fails("rule")), disable_rollback=False)
    assert show(mia, "rose", made["id"])["stack_status"] == "ROLLBACK_COMPLETE" and described(made) == ["b"]


def test_a_resource_is_marked_by_the_id_of_what_it_stands_for(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"net": res("OS::Neutron::Net")}))
    mia.patch(path(mia, made, f"/resources/{ids(mia, made)['net']}"), {"mark_unhealthy": True}, 200)
    assert resources(mia, made)["net"]["resource_status"] == "CHECK_FAILED"
