"""What a new template does not say any more is taken away from what is there, in place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network_support import public
from tests.api.orchestration_support import hot, path, resources, stack, update
from tests.support import ApiCloud, Caller

N = "/network/v2.0"


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


def shown(caller: Caller, made: dict[str, Any], name: str, collection: str, single: str) -> dict[str, Any]:
    """What a service shows of a resource."""
    physical = resources(caller, made)[name]["physical_resource_id"]
    return dict(caller.get(f"{collection}/{physical}").json()[single])


def follow(cloud: ApiCloud, caller: Caller, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Make a stack, update it, and see that nothing was replaced."""
    made = stack(cloud, caller, hot(before))
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    ids = {name: one["physical_resource_id"] for name, one in resources(caller, made).items()}
    made = update(cloud, caller, made, hot(after))
    assert made["stack_status"] == "UPDATE_COMPLETE", made["stack_status_reason"]
    assert {name: one["physical_resource_id"] for name, one in resources(caller, made).items()} == ids
    return made


def test_a_port_is_what_it_would_be_without_what_was_taken_out(cloud: ApiCloud, mia: Caller) -> None:
    base = {
        "net": res("OS::Neutron::Net"),
        "sub": res("OS::Neutron::Subnet", network={"get_resource": "net"}, cidr="10.1.0.0/24"),
        "group": res("OS::Neutron::SecurityGroup"),
    }
    full = res(
        "OS::Neutron::Port",
        network={"get_resource": "net"},
        allowed_address_pairs=[{"ip_address": "10.1.0.99"}],
        security_groups=[{"get_resource": "group"}],
        fixed_ips=[{"ip_address": "10.1.0.7"}, {"ip_address": "10.1.0.8"}],
        device_id="own",
    )
    bare = res("OS::Neutron::Port", network={"get_resource": "net"})
    made = follow(cloud, mia, {**base, "port": full}, {**base, "port": bare})
    port = shown(mia, made, "port", f"{N}/ports", "port")
    assert (port["allowed_address_pairs"], port["device_id"]) == ([], "")
    assert [one["ip_address"] for one in port["fixed_ips"]] == ["10.1.0.7"]
    [group] = mia.get(f"{N}/security-groups", params={"name": "default"}).json()["security_groups"]
    assert port["security_groups"] == [group["id"]]
    drift = mia.get(path(mia, made, "/drift")).json()["drift"]
    assert drift["stack_drift_status"] == "IN_SYNC"


def test_a_port_without_addresses_gets_one_again(cloud: ApiCloud, mia: Caller) -> None:
    base = {
        "net": res("OS::Neutron::Net", port_security_enabled=False),
        "sub": res("OS::Neutron::Subnet", network={"get_resource": "net"}, cidr="10.1.0.0/24"),
    }
    port = res("OS::Neutron::Port", network={"get_resource": "net"})
    none = res(
        "OS::Neutron::Port", network={"get_resource": "net"}, no_fixed_ips=True, port_security_enabled=False, name="p"
    )
    made = follow(cloud, mia, {**base, "port": none}, {**base, "port": port})
    now = shown(mia, made, "port", f"{N}/ports", "port")
    assert len(now["fixed_ips"]) == 1 and now["name"].startswith("rose-port-")
    assert now["port_security_enabled"] is False


def test_things_of_other_services_lose_what_was_taken_out(cloud: ApiCloud, mia: Caller) -> None:
    before = {
        "net": res("OS::Neutron::Net", dns_domain="a.example.", port_security_enabled=False),
        "sub": res(
            "OS::Neutron::Subnet",
            network={"get_resource": "net"},
            cidr="10.1.0.0/24",
            host_routes=[{"destination": "10.9.0.0/24", "nexthop": "10.1.0.9"}],
        ),
        "volume": res("OS::Cinder::Volume", size=1, description="x", name="n"),
        "group": res("OS::Neutron::SecurityGroup", description="x"),
        "pool": res("OS::Neutron::SubnetPool", prefixes=["10.0.0.0/8"], min_prefixlen=20, default_prefixlen=24),
    }
    after = {
        "net": res("OS::Neutron::Net"),
        "sub": res("OS::Neutron::Subnet", network={"get_resource": "net"}, cidr="10.1.0.0/24"),
        "volume": res("OS::Cinder::Volume", size=1),
        "group": res("OS::Neutron::SecurityGroup"),
        "pool": res("OS::Neutron::SubnetPool", prefixes=["10.0.0.0/8"]),
    }
    made = follow(cloud, mia, before, after)
    net = shown(mia, made, "net", f"{N}/networks", "network")
    assert (net["dns_domain"], net["port_security_enabled"]) == ("", True)
    assert shown(mia, made, "sub", f"{N}/subnets", "subnet")["host_routes"] == []
    volume = shown(mia, made, "volume", f"/volume/v3/{mia.project_id}/volumes", "volume")
    assert not volume["description"] and volume["name"].startswith("rose-volume-")
    assert not shown(mia, made, "group", f"{N}/security-groups", "security_group")["description"]
    pool = shown(mia, made, "pool", f"{N}/subnetpools", "subnetpool")
    assert [int(pool[f"{one}_prefixlen"]) for one in ("min", "default", "max")] == [8, 8, 32]


def test_a_subnet_has_no_pools_and_no_gateway_as_in_heat(cloud: ApiCloud, mia: Caller) -> None:
    net = {"net": res("OS::Neutron::Net")}
    base = {"network": {"get_resource": "net"}, "cidr": "10.1.0.0/24"}
    pools = [{"start": "10.1.0.10", "end": "10.1.0.20"}]
    full = res("OS::Neutron::Subnet", **base, allocation_pools=pools, gateway_ip="10.1.0.9")
    made = follow(cloud, mia, {**net, "sub": full}, {**net, "sub": res("OS::Neutron::Subnet", **base)})
    found = shown(mia, made, "sub", f"{N}/subnets", "subnet")
    assert (found["allocation_pools"], found["gateway_ip"]) == ([], None)


def test_an_address_leads_nowhere_and_a_router_has_no_gateway(cloud: ApiCloud, mia: Caller) -> None:
    base = {
        "net": res("OS::Neutron::Net"),
        "sub": res("OS::Neutron::Subnet", network={"get_resource": "net"}, cidr="10.1.0.0/24"),
        "port": res(
            "OS::Neutron::Port",
            network={"get_resource": "net"},
            fixed_ips=[{"ip_address": "10.1.0.7"}],
        ),
        "leg": res("OS::Neutron::RouterInterface", router={"get_resource": "r"}, subnet={"get_resource": "sub"}),
        "r": res("OS::Neutron::Router", external_gateway_info={"network": public(cloud)}),
    }
    leads = res(
        "OS::Neutron::FloatingIP",
        floating_network=public(cloud),
        port_id={"get_resource": "port"},
        fixed_ip_address="10.1.0.7",
    )
    other = res("OS::Neutron::FloatingIP", floating_network=public(cloud), port_id={"get_resource": "port"})
    nowhere = res("OS::Neutron::FloatingIP", floating_network=public(cloud))
    made = follow(cloud, mia, {**base, "ip": leads}, {**base, "ip": other})
    assert shown(mia, made, "ip", f"{N}/floatingips", "floatingip")["fixed_ip_address"] == "10.1.0.7"
    made = update(cloud, mia, made, hot({**base, "ip": nowhere}))
    assert shown(mia, made, "ip", f"{N}/floatingips", "floatingip")["port_id"] is None
    made = update(cloud, mia, made, hot({**base, "ip": nowhere, "r": res("OS::Neutron::Router")}))
    assert made["stack_status"] == "UPDATE_COMPLETE", made["stack_status_reason"]
    assert shown(mia, made, "r", f"{N}/routers", "router")["external_gateway_info"] is None


def test_a_user_has_no_address_any_more_and_keeps_the_password(cloud: ApiCloud) -> None:
    admin = cloud.admin
    full = res("OS::Keystone::User", name="fred", password="x", email="f@x", default_project="admin", description="d")
    made = follow(cloud, admin, {"user": full}, {"user": res("OS::Keystone::User", name="fred")})
    user = shown(admin, made, "user", "/identity/v3/users", "user")
    assert not user.get("email") and not user.get("default_project_id") and user["description"] == ""


def test_what_administrators_make_loses_what_was_taken_out(cloud: ApiCloud) -> None:
    admin, type_id = cloud.admin, {"get_resource": "type"}
    optional: dict[str, dict[str, Any]] = {
        "aggregate": {"availability_zone": "west"},
        "type": {"description": "d"},
        "encrypted": {"cipher": "aes-xts-plain64", "key_size": 256},
        "region": {"description": "d", "parent_region": "RegionOne"},
        "service": {"description": "d", "name": "n"},
    }
    needed = {
        "aggregate": res("OS::Nova::HostAggregate", name="a"),
        "type": res("OS::Cinder::VolumeType", name="t"),
        "encrypted": res("OS::Cinder::EncryptedVolumeType", provider="luks", volume_type=type_id),
        "region": res("OS::Keystone::Region", id="west"),
        "service": res("OS::Keystone::Service", type="dns"),
    }
    full = {
        name: {**one, "properties": {**one["properties"], **optional.get(name, {})}} for name, one in needed.items()
    }
    made = follow(cloud, admin, full, needed)
    volume = f"/volume/v3/{admin.project_id}"
    aggregate = shown(admin, made, "aggregate", "/compute/v2.1/os-aggregates", "aggregate")
    assert aggregate["availability_zone"] is None
    assert not shown(admin, made, "type", f"{volume}/types", "volume_type")["description"]
    kind = resources(admin, made)["type"]["physical_resource_id"]
    encryption = admin.get(f"{volume}/types/{kind}/encryption").json()
    assert (encryption["cipher"], encryption["key_size"]) == (None, None)
    region = shown(admin, made, "region", "/identity/v3/regions", "region")
    assert not region["description"] and region["parent_region_id"] is None
    service = shown(admin, made, "service", "/identity/v3/services", "service")
    assert not service.get("description") and service["name"].startswith("rose-service-")


@pytest.mark.parametrize("kind", ["OS", "AWS"])
def test_a_group_lets_everything_out_again_without_rules_of_its_own(cloud: ApiCloud, mia: Caller, kind: str) -> None:
    if kind == "OS":
        out = {"direction": "egress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
        into = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
        before, after = ({"sg": res("OS::Neutron::SecurityGroup", rules=[one])} for one in (out, into))
    else:
        rule = {"IpProtocol": "tcp", "FromPort": "80", "ToPort": "80", "CidrIp": "10.0.0.0/8"}
        before, after = (
            {"sg": res("AWS::EC2::SecurityGroup", GroupDescription="g", **{f"SecurityGroup{way}": [rule]})}
            for way in ("Egress", "Ingress")
        )
    made = follow(cloud, mia, before, after)
    rules = shown(mia, made, "sg", f"{N}/security-groups", "security_group")["security_group_rules"]
    out_rules = [(one["ethertype"], one["protocol"]) for one in rules if one["direction"] == "egress"]
    assert sorted(out_rules) == [("IPv4", None), ("IPv6", None)]
    assert [one["protocol"] for one in rules if one["direction"] == "ingress"] == ["tcp"]


def test_a_group_that_lets_nothing_out_is_found_and_mended(cloud: ApiCloud, mia: Caller) -> None:
    template = hot({"sg": res("OS::Neutron::SecurityGroup")})
    made = stack(cloud, mia, template)
    group = shown(mia, made, "sg", f"{N}/security-groups", "security_group")
    for rule in group["security_group_rules"]:
        mia.delete(f"{N}/security-group-rules/{rule['id']}")
    [found] = mia.get(path(mia, made, "/drift")).json()["drift"]["resources"]
    assert found["drift_status"] == "MODIFIED"
    update(cloud, mia, made, template, converge=True)
    rules = shown(mia, made, "sg", f"{N}/security-groups", "security_group")["security_group_rules"]
    assert sorted((one["ethertype"], one["direction"]) for one in rules) == [("IPv4", "egress"), ("IPv6", "egress")]


def test_metadata_that_are_taken_out_are_gone_and_signals_stay(cloud: ApiCloud, mia: Caller) -> None:
    group = res("OS::Heat::AutoScalingGroup", min_size=1, max_size=2, resource={"type": "OS::Heat::TestResource"})
    handle = {"type": "OS::Heat::WaitConditionHandle"}
    before = {"group": {**group, "metadata": {"replace_failed": True}}, "handle": {**handle, "metadata": {"a": 1}}}
    made = stack(cloud, mia, hot(before))
    mia.post(path(mia, made, "/resources/handle/signal"), {"id": "7"}, 200)
    made = update(cloud, mia, made, hot({"group": group, "handle": handle}))
    assert made["stack_status"] == "UPDATE_COMPLETE"
    assert mia.get(path(mia, made, "/resources/group/metadata")).json()["metadata"] == {}
    assert list(mia.get(path(mia, made, "/resources/handle/metadata")).json()["metadata"]) == ["7"]
