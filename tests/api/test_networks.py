"""Networks and subnets as their users see them."""

from __future__ import annotations

import pytest

from tests.api.network_support import V2, Net, public, reconcile
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def test_a_network_has_every_field_clients_expect(mia: Net) -> None:
    network = mia.make("network", name="green", description="d")
    assert network["status"] == "ACTIVE" and network["subnets"] == [] and network["shared"] is False
    assert network["router:external"] is False and network["mtu"] == 1450 and network["port_security_enabled"] is True
    assert network["project_id"] == network["tenant_id"] == mia.who.project_id
    assert network["created_at"].endswith("Z") and network["revision_number"] == 1 and network["tags"] == []
    assert "provider:network_type" not in network
    assert mia.show("network", network["id"]) == network
    assert mia.change("network", network["id"], name="blue")["revision_number"] == 2


def test_a_network_cannot_be_given_to_another_project(cloud: ApiCloud, mia: Net) -> None:
    network = mia.make("network", name="green")
    for caller in (mia.who, cloud.admin):
        for name in ("project_id", "tenant_id"):
            body = {"network": {name: cloud.admin.project_id}}
            answer = caller.request("PUT", f"{V2}/networks/{network['id']}", json=body)
            assert (answer.status_code, name in answer.text) == (400, True)


def test_the_administrator_sees_the_segment_of_a_network(cloud: ApiCloud, mia: Net) -> None:
    first, second = mia.make("network", name="a"), mia.make("network", name="b")
    admin = Net(cloud.admin)
    shown = [admin.show("network", n["id"]) for n in (first, second)]
    assert {n["provider:network_type"] for n in shown} == {"vxlan"}
    assert shown[0]["provider:segmentation_id"] != shown[1]["provider:segmentation_id"]


def test_only_an_administrator_makes_external_and_shared_networks(cloud: ApiCloud, mia: Net) -> None:
    error = mia.make("network", 403, name="x", **{"router:external": True})
    assert error["type"] == "PolicyNotAuthorized" and "Only an administrator" in error["message"]
    mia.make("network", 403, name="x", shared=True)
    mia.make("network", 403, name="x", **{"provider:network_type": "vxlan"})
    mine = mia.make("network", name="x", shared=False, **{"router:external": False})
    mia.change("network", mine["id"], 403, shared=True)
    made = Net(cloud.admin).make("network", name="out", **{"router:external": True})
    assert made["is_default"] is False


def test_types_this_cloud_has_not_are_refused_with_the_reason(cloud: ApiCloud) -> None:
    admin = Net(cloud.admin)
    error = admin.make("network", 400, name="v", **{"provider:network_type": "vlan", "provider:segmentation_id": 5})
    assert error["type"] == "InvalidInput" and "vlan" in error["message"]
    one = admin.make("network", **{"provider:network_type": "vxlan", "provider:segmentation_id": 77})
    assert one["provider:segmentation_id"] == 77
    error = admin.make("network", 409, **{"provider:network_type": "vxlan", "provider:segmentation_id": 77})
    assert error["type"] == "TunnelIdInUse"


def test_another_projects_network_is_not_there(cloud: ApiCloud, mia: Net) -> None:
    network = mia.make("network", name="secret")
    other = Net(cloud.new_user("tom", "shed"))
    assert other.list("networks") == []
    for method in ("GET", "PUT", "DELETE"):
        answer = other.who.request(
            method, f"{V2}/networks/{network['id']}", json={"network": {"name": "x"}}, expect=404
        )
        assert answer.json()["NeutronError"]["type"] == "NetworkNotFound"
    other.make("subnet", 404, network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    other.make("port", 404, network_id=network["id"])
    assert [n["id"] for n in Net(cloud.admin).list("networks")] == [network["id"]]


def test_a_shared_network_is_seen_by_all_and_changed_by_its_owner(cloud: ApiCloud, mia: Net) -> None:
    shared = Net(cloud.admin).make("network", name="plaza", shared=True)
    assert mia.show("network", shared["id"])["shared"] is True
    assert mia.change("network", shared["id"], 403, name="mine")["type"] == "PolicyNotAuthorized"
    mia.drop("network", shared["id"], 403)


def test_a_reader_lists_but_does_not_make(cloud: ApiCloud, mia: Net) -> None:
    network = mia.make("network", name="n")
    reader = Net(cloud.new_user("rob", "garden", "reader"))
    assert [n["id"] for n in reader.list("networks")] == [network["id"]]
    reader.make("network", 403, name="x")
    reader.drop("network", network["id"], 403)
    assert cloud.call("GET", f"{V2}/networks").status_code == 401


def test_bad_input_names_the_field(mia: Net) -> None:
    assert "network.name" in mia.make("network", 400, name="x" * 256)["message"]
    assert "colour" in mia.make("network", 400, name="x", colour="red")["message"]
    assert "mtu" in mia.make("network", 400, name="x", mtu=9000)["message"]
    mia.who.post(f"{V2}/networks", {}, 400)
    mia.make("network", 400, name="x", project_id="elsewhere")


def test_networks_are_made_in_bulk_or_not_at_all(mia: Net) -> None:
    made = mia.who.post(f"{V2}/networks", {"networks": [{"name": "a"}, {"name": "b"}]}, 201).json()["networks"]
    assert [n["name"] for n in made] == ["a", "b"]
    mia.who.post(f"{V2}/networks", {"networks": [{"name": "c"}, {"name": "d", "mtu": 1}]}, 400)
    assert len(mia.list("networks")) == 2


def test_lists_are_filtered_sorted_trimmed_and_paged(mia: Net) -> None:
    ids = {name: mia.make("network", name=name)["id"] for name in ("a", "b", "c", "d", "e")}
    assert [n["name"] for n in mia.list("networks", "?name=b&name=d&sort_key=name")] == ["b", "d"]
    assert [n["name"] for n in mia.list("networks", f"?id={ids['a']}&id={ids['c']}&sort_key=name&sort_dir=desc")] == [
        "c",
        "a",
    ]
    assert mia.list("networks", "?name=a&fields=id&fields=name") == [{"id": ids["a"], "name": "a"}]
    assert mia.list("networks", "?admin_state_up=false") == []
    assert len(mia.list("networks", f"?tenant_id={mia.who.project_id}&shared=False&status=ACTIVE")) == 5
    seen, path = [], f"{V2}/networks?limit=2&sort_key=name"
    while path:
        page = mia.who.get(path).json()
        seen += [n["name"] for n in page["networks"]]
        path = next((link["href"] for link in page["networks_links"] if link["rel"] == "next"), "")
    assert seen == ["a", "b", "c", "d", "e"]
    back = mia.who.get(f"{V2}/networks?limit=2&sort_key=name&marker={ids['e']}&page_reverse=True").json()
    assert [n["name"] for n in back["networks"]] == ["c", "d"]
    mia.who.get(f"{V2}/networks?sort_key=nonsense", 400)
    mia.who.get(f"{V2}/networks?marker={ids['a'][:-1]}x&limit=1", 404)


def test_a_list_is_filtered_by_the_time_that_is_shown(mia: Net) -> None:
    subnet = mia.subnet()
    for path in ("networks", "subnets"):
        [found] = mia.list(path)
        assert mia.list(path, f"?created_at={found['created_at']}") == [found]
        for other in ("2001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00%2B23:00", "asc", ""):
            assert mia.list(path, f"?created_at={other}") == []
    assert mia.list("subnets", "?allocation_pools=x") == [mia.show("subnet", subnet["id"])]


def test_a_project_makes_no_more_networks_than_its_quota(cloud: ApiCloud, mia: Net) -> None:
    path = f"{V2}/quotas/{mia.who.project_id}"
    assert mia.who.get(path).json()["quota"]["network"] == 100
    mia.who.put(path, {"quota": {"network": 5}}, 403)
    cloud.admin.put(path, {"quota": {"network": 1}}, 200)
    mia.make("network", name="one")
    error = mia.make("network", 409, name="two")
    assert error == {"type": "OverQuota", "message": "Quota exceeded for resources: ['network'].", "detail": ""}
    details = mia.who.get(f"{path}/details").json()["quota"]["network"]
    assert details == {"limit": 1, "used": 1, "reserved": 0}
    cloud.admin.delete(path)
    assert mia.who.get(path).json()["quota"]["network"] == 100


def test_a_subnet_gets_gateway_and_pool_of_its_range(mia: Net) -> None:
    subnet = mia.subnet("10.1.2.0/24", dns_nameservers=["9.9.9.9"])
    assert subnet["gateway_ip"] == "10.1.2.1" and subnet["enable_dhcp"] is True
    assert subnet["allocation_pools"] == [{"start": "10.1.2.2", "end": "10.1.2.254"}]
    assert mia.show("network", subnet["network_id"])["subnets"] == [subnet["id"]]
    without = mia.subnet("10.1.3.0/29", gateway_ip=None)
    assert without["gateway_ip"] is None
    assert without["allocation_pools"] == [{"start": "10.1.3.1", "end": "10.1.3.6"}]
    middle = mia.subnet("10.1.3.0/29", gateway_ip="10.1.3.4")
    assert [pool["end"] for pool in middle["allocation_pools"]] == ["10.1.3.3", "10.1.3.6"]
    six = mia.subnet("2001:db8::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert six["gateway_ip"] == "2001:db8::1" and six["ip_version"] == 6


def pool(start: str, end: str) -> dict[str, str]:
    return {"start": f"10.9.0.{start}", "end": f"10.9.{end}"}


@pytest.mark.postgresql_by_night
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"cidr": "10.0.0.0/33"}, "HTTPBadRequest"),
        ({"cidr": "10.0.0.128/25"}, "InvalidInput"),
        ({"cidr": "2001:db8::/64"}, "InvalidInput"),
        ({"cidr": "10.9.0.0/24", "gateway_ip": "10.9.0.0"}, "InvalidInput"),
        (
            {"cidr": "10.9.0.0/24", "allocation_pools": [pool("9", "0.2")]},
            "InvalidAllocationPool",
        ),
        (
            {"cidr": "10.9.0.0/24", "allocation_pools": [pool("9", "1.2")]},
            "OutOfBoundsAllocationPool",
        ),
        ({"cidr": "10.9.0.0/24", "dns_nameservers": ["nine"]}, "HTTPBadRequest"),
        ({"cidr": "10.9.0.0/24", "host_routes": [{"destination": "x", "nexthop": "10.9.0.9"}]}, "HTTPBadRequest"),
        ({"cidr": "10.9.0.0/24", "ipv6_ra_mode": "slaac"}, "InvalidInput"),
        ({}, "BadRequest"),
    ],
)
def test_subnets_that_make_no_sense_are_refused(mia: Net, values: dict[str, object], kind: str) -> None:
    network_id = mia.subnet("10.0.0.0/24")["network_id"]
    assert mia.make("subnet", 400, network_id=network_id, ip_version=4, **values)["type"] == kind


def test_pools_may_not_overlap_nor_hold_the_gateway(mia: Net) -> None:
    network = mia.make("network", name="n")
    base = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
    pools = [{"start": "10.0.0.1", "end": "10.0.0.9"}]
    assert mia.make("subnet", 409, **base, allocation_pools=pools)["type"] == "GatewayConflictWithAllocationPools"
    pools = [{"start": "10.0.0.5", "end": "10.0.0.9"}, {"start": "10.0.0.9", "end": "10.0.0.20"}]
    assert mia.make("subnet", 409, **base, allocation_pools=pools)["type"] == "OverlappingAllocationPools"


def test_two_projects_use_the_same_range(cloud: ApiCloud, mia: Net) -> None:
    mia.subnet("10.0.0.0/24")
    Net(cloud.new_user("tom", "shed")).subnet("10.0.0.0/24")


def test_a_network_in_use_stays_and_an_empty_one_goes_with_its_subnets(mia: Net) -> None:
    subnet = mia.subnet()
    port = mia.make("port", network_id=subnet["network_id"])
    assert mia.drop("network", subnet["network_id"], 409)["type"] == "NetworkInUse"
    assert mia.drop("subnet", subnet["id"], 409)["type"] == "SubnetInUse"
    mia.drop("port", port["id"])
    mia.drop("network", subnet["network_id"])
    assert mia.list("subnets") == [] and mia.list("ports") == []


def test_dhcp_has_a_port_while_a_subnet_wants_it(mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/24")
    query = f"?network_id={subnet['network_id']}&device_owner=network:dhcp"
    [dhcp] = mia.list("ports", query)
    assert dhcp["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.2"}]
    mia.change("subnet", subnet["id"], enable_dhcp=False)
    assert mia.list("ports", query) == []
    mia.change("subnet", subnet["id"], enable_dhcp=True)
    assert len(mia.list("ports", query)) == 1
    mia.drop("subnet", subnet["id"])
    assert mia.list("ports", query) == []


def test_the_external_network_of_a_new_cloud(cloud: ApiCloud, mia: Net) -> None:
    network_id = public(cloud)
    assert public(cloud) == network_id
    shown = mia.show("network", network_id)
    assert shown["name"] == "public" and shown["router:external"] and shown["is_default"]
    [subnet] = Net(cloud.admin).list("subnets", f"?network_id={network_id}")
    assert subnet["name"] == "public-subnet" and subnet["gateway_ip"] == "203.0.113.1" and not subnet["enable_dhcp"]
    assert subnet["allocation_pools"] == [{"start": "203.0.113.10", "end": "203.0.113.250"}]


def test_tags_are_put_found_and_taken_away(mia: Net) -> None:
    network, other = mia.make("network", name="n"), mia.make("network", name="o")
    path = f"{V2}/networks/{network['id']}/tags"
    assert mia.who.put(path, {"tags": ["red", "blue"]}, 200).json() == {"tags": ["blue", "red"]}
    mia.who.put(f"{path}/green", expect=201)
    mia.who.get(f"{path}/green", 204)
    assert mia.show("network", network["id"])["tags"] == ["blue", "green", "red"]
    assert [n["id"] for n in mia.list("networks", "?tags=red,blue")] == [network["id"]]
    assert [n["id"] for n in mia.list("networks", "?not-tags-any=red,black")] == [other["id"]]
    mia.who.delete(f"{path}/green")
    mia.who.delete(f"{path}/green", 404)
    mia.who.delete(path)
    assert mia.who.get(path).json() == {"tags": []}


def test_versions_extensions_and_zones_are_told(cloud: ApiCloud, mia: Net) -> None:
    assert cloud.call("GET", "/network/").json()["versions"][0]["id"] == "v2.0"
    assert len(cloud.call("GET", V2).json()["resources"]) == 8
    aliases = {e["alias"] for e in mia.list("extensions")}
    assert {"router", "security-group", "external-net", "quotas"} <= aliases
    assert mia.who.get(f"{V2}/extensions/router").json()["extension"]["alias"] == "router"
    mia.who.get(f"{V2}/extensions/bgp", 404)
    zones = mia.who.get(f"{V2}/availability_zones").json()["availability_zones"]
    assert {zone["state"] for zone in zones} == {"available"}
    assert mia.list("agents") == []


def test_the_administrator_sees_the_hosts_as_agents(cloud: ApiCloud) -> None:
    admin = Net(cloud.admin)
    admin.make("network", name="n")
    reconcile(cloud)
    [agent] = admin.list("agents", "?alive=true")
    assert agent["host"] == "host-1" and agent["alive"] is True and agent["configurations"]["revision"] == 0
    assert admin.who.get(f"{V2}/agents/{agent['id']}").json()["agent"] == agent
    admin.who.get(f"{V2}/agents/none", 404)


def test_the_administrator_sees_how_full_networks_are(cloud: ApiCloud, mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/29")
    mia.make("port", network_id=subnet["network_id"])
    path = f"{V2}/network-ip-availabilities/{subnet['network_id']}"
    mia.who.get(path, 404)
    shown = cloud.admin.get(path).json()["network_ip_availability"]
    assert (shown["total_ips"], shown["used_ips"]) == (5, 2)


def test_one_request_changes_one_network(cloud: ApiCloud) -> None:
    net = Net(cloud.new_user("mia", "garden"))
    network = net.make("network", name="lan")
    net.who.put(f"{V2}/networks/{network['id']}", {"networks": [{"name": "a"}, {"name": "b"}]}, 400)
