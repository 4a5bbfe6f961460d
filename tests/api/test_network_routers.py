"""Routers and floating IPs as their users see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network_support import V2, Net, first_host, public, reconcile
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


@pytest.fixture
def outside(cloud: ApiCloud) -> str:
    return public(cloud)


def routed(mia: Net, outside: str, cidr: str = "10.0.0.0/24") -> tuple[Any, Any]:
    """A subnet behind a router with a gateway."""
    subnet = mia.subnet(cidr)
    router = mia.make("router", name="r", external_gateway_info={"network_id": outside})
    mia.attach(router["id"], subnet["id"])
    return router, subnet


def test_a_router_is_made_changed_and_deleted(mia: Net) -> None:
    router = mia.make("router", name="r")
    assert router["status"] == "ACTIVE" and router["external_gateway_info"] is None and router["routes"] == []
    assert mia.change("router", router["id"], name="s", admin_state_up=False)["admin_state_up"] is False
    assert [r["id"] for r in mia.list("routers", "?name=s")] == [router["id"]]
    mia.drop("router", router["id"])
    mia.who.get(f"{V2}/routers/{router['id']}", 404)


def test_a_gateway_takes_an_address_of_the_external_network(cloud: ApiCloud, mia: Net, outside: str) -> None:
    router = mia.make("router", name="r", external_gateway_info={"network_id": outside})
    info = router["external_gateway_info"]
    assert info["network_id"] == outside and info["enable_snat"] is True
    assert info["external_fixed_ips"][0]["ip_address"] == "203.0.113.10"
    assert mia.list("ports") == []
    [port] = Net(cloud.admin).list("ports", f"?device_id={router['id']}")
    assert port["device_owner"] == "network:router_gateway"
    cleared = mia.change("router", router["id"], external_gateway_info=None)
    assert cleared["external_gateway_info"] is None
    mia.change("router", router["id"], external_gateway_info={"network_id": outside})
    mia.drop("router", router["id"])
    left = Net(cloud.admin).list("ports", f"?network_id={outside}")
    assert [port["device_owner"] for port in left] == ["network:external_gateway"]


def test_only_external_networks_are_gateways_and_snat_is_the_administrators(
    cloud: ApiCloud, mia: Net, outside: str
) -> None:
    network_id = mia.subnet()["network_id"]
    mia.make("router", 400, external_gateway_info={"network_id": network_id})
    mia.make("router", 404, external_gateway_info={"network_id": "nothing"})
    assert mia.make("router", 404, availability_zone_hints=["mars"])["type"] == "AvailabilityZoneNotFound"
    without = {"network_id": outside, "enable_snat": False}
    assert mia.make("router", 403, external_gateway_info=without)["type"] == "PolicyNotAuthorized"
    made = Net(cloud.admin).make("router", external_gateway_info=without)
    assert made["external_gateway_info"]["enable_snat"] is False


def test_an_interface_takes_the_gateway_address_of_its_subnet(mia: Net) -> None:
    subnet, router = mia.subnet("10.0.0.0/24"), mia.make("router", name="r")
    added = mia.attach(router["id"], subnet["id"])
    assert added["subnet_id"] == subnet["id"] and added["subnet_ids"] == [subnet["id"]]
    port = mia.show("port", added["port_id"])
    assert port["device_owner"] == "network:router_interface" and port["device_id"] == router["id"]
    assert port["fixed_ips"][0]["ip_address"] == "10.0.0.1" and port["security_groups"] == []
    assert mia.attach(router["id"], subnet["id"], 400)["NeutronError"]["message"].endswith(f"{subnet['id']}.")
    assert mia.drop("port", port["id"], 409)["type"] == "ServicePortInUse"
    assert mia.drop("router", router["id"], 409)["type"] == "RouterInUse"
    assert mia.drop("subnet", subnet["id"], 409)["type"] == "SubnetInUse"
    removed = mia.attach(router["id"], subnet["id"], verb="remove")
    assert removed["port_id"] == added["port_id"]
    error = mia.attach(router["id"], subnet["id"], 404, verb="remove")["NeutronError"]
    assert error["type"] == "RouterInterfaceNotFoundForSubnet"
    mia.drop("router", router["id"])


def test_a_port_becomes_an_interface(mia: Net) -> None:
    subnet, router = mia.subnet("10.0.0.0/24"), mia.make("router", name="r")
    port = mia.make("port", network_id=subnet["network_id"], fixed_ips=[{"ip_address": "10.0.0.9"}])
    path = f"{V2}/routers/{router['id']}/add_router_interface"
    assert mia.who.put(path, {"port_id": port["id"]}, 200).json()["port_id"] == port["id"]
    used = mia.make("port", network_id=subnet["network_id"], device_id="something")
    assert mia.who.put(path, {"port_id": used["id"]}, 409).json()["NeutronError"]["type"] == "PortInUse"
    mia.who.put(path, {}, 400)
    mia.who.put(path, {"port_id": port["id"], "subnet_id": subnet["id"]}, 400)


def test_a_router_joins_only_ranges_that_do_not_overlap(mia: Net) -> None:
    router = mia.make("router", name="r")
    mia.attach(router["id"], mia.subnet("10.0.0.0/24")["id"])
    error = mia.attach(router["id"], mia.subnet("10.0.0.0/16")["id"], 400)["NeutronError"]
    assert "overlaps" in error["message"]
    without = mia.subnet("10.7.0.0/24", gateway_ip=None)
    mia.attach(router["id"], without["id"], 400)
    local = mia.subnet("169.254.7.0/24")
    assert "link-local" in mia.attach(router["id"], local["id"], 400)["NeutronError"]["message"]
    six = mia.make("subnet", network_id=local["network_id"], ip_version=6, cidr="fe80::/64")
    assert "link-local" in mia.attach(router["id"], six["id"], 400)["NeutronError"]["message"]


def test_routes_lead_to_neighbours_of_the_router_only(mia: Net) -> None:
    subnet, router = mia.subnet("10.0.0.0/24"), mia.make("router", name="r")
    mia.attach(router["id"], subnet["id"])
    route = {"destination": "192.0.2.0/24", "nexthop": "10.0.0.7"}
    assert mia.change("router", router["id"], routes=[route])["routes"] == [route]
    far = {"destination": "192.0.2.0/24", "nexthop": "10.9.0.7"}
    assert mia.change("router", router["id"], 400, routes=[far])["type"] == "InvalidRoutes"
    own = {"destination": "192.0.2.0/24", "nexthop": "10.0.0.1"}
    assert mia.change("router", router["id"], 400, routes=[own])["type"] == "InvalidRoutes"
    error = mia.attach(router["id"], subnet["id"], 409, verb="remove")["NeutronError"]
    assert error["type"] == "RouterInterfaceInUseByRoute"
    more = {"destination": "198.51.100.0/24", "nexthop": "10.0.0.8"}
    path = f"{V2}/routers/{router['id']}"
    body = {"router": {"routes": [more]}}
    assert mia.who.put(f"{path}/add_extraroutes", body, 200).json()["router"]["routes"] == [route, more]
    assert mia.who.put(f"{path}/remove_extraroutes", body, 200).json()["router"]["routes"] == [route]


def test_a_floating_ip_is_made_associated_and_given_back(cloud: ApiCloud, mia: Net, outside: str) -> None:
    router, subnet = routed(mia, outside)
    port = mia.make("port", network_id=subnet["network_id"], name="web")
    floating = mia.make("floatingip", floating_network_id=outside)
    assert floating["status"] == "DOWN" and floating["port_id"] is None and floating["port_details"] is None
    floating = mia.change("floatingip", floating["id"], port_id=port["id"])
    assert floating["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    assert floating["router_id"] == router["id"] and floating["port_details"]["name"] == "web"
    reconcile(cloud)
    assert mia.show("floatingip", floating["id"])["status"] == "ACTIVE"
    other = mia.make("floatingip", floating_network_id=outside)
    error = mia.change("floatingip", other["id"], 409, port_id=port["id"])
    assert error["type"] == "FloatingIPPortAlreadyAssociated"
    error = mia.attach(router["id"], subnet["id"], 409, verb="remove")["NeutronError"]
    assert error["type"] == "RouterInterfaceInUseByFloatingIP"
    error = mia.change("router", router["id"], 409, external_gateway_info=None)
    assert error["type"] == "RouterExternalGatewayInUseByFloatingIp"
    loose = mia.change("floatingip", floating["id"], port_id=None)
    assert loose["port_id"] is None and loose["router_id"] is None and loose["status"] == "DOWN"
    mia.change("floatingip", floating["id"], port_id=port["id"])
    mia.drop("port", port["id"])
    assert mia.show("floatingip", floating["id"])["port_id"] is None
    mia.drop("floatingip", floating["id"])
    mia.who.get(f"{V2}/floatingips/{floating['id']}", 404)


def test_a_floating_ip_needs_a_router_to_its_network(mia: Net, outside: str) -> None:
    port = mia.make("port", network_id=mia.subnet()["network_id"])
    error = mia.make("floatingip", 404, floating_network_id=outside, port_id=port["id"])
    assert error["type"] == "ExternalGatewayForFloatingIPNotFound"
    assert mia.list("floatingips") == []
    mia.make("floatingip", 400, floating_network_id=port["network_id"])
    mia.make("floatingip", 403, floating_network_id=outside, floating_ip_address="203.0.113.77")
    mia.make("floatingip", 404, floating_network_id=outside, port_id="nothing")
    mia.make("floatingip", 400, floating_network_id=outside, fixed_ip_address="10.0.0.3")


def test_another_projects_port_gets_no_floating_ip(cloud: ApiCloud, mia: Net, outside: str) -> None:
    _, subnet = routed(mia, outside)
    port = mia.make("port", network_id=subnet["network_id"])
    tom = Net(cloud.new_user("tom", "shed"))
    assert tom.make("floatingip", 404, floating_network_id=outside, port_id=port["id"])["type"] == "PortNotFound"
    floating = mia.make("floatingip", floating_network_id=outside)
    assert tom.list("floatingips") == []
    tom.change("floatingip", floating["id"], 404, description="x")
    tom.drop("floatingip", floating["id"], 404)


def test_an_administrator_chooses_the_address(cloud: ApiCloud, outside: str) -> None:
    admin = Net(cloud.admin)
    made = admin.make("floatingip", floating_network_id=outside, floating_ip_address="203.0.113.77")
    assert made["floating_ip_address"] == "203.0.113.77"
    error = admin.make("floatingip", 409, floating_network_id=outside, floating_ip_address="203.0.113.77")
    assert error["type"] == "IpAddressAlreadyAllocated"


def test_the_host_is_told_of_routers_gateways_and_floating_ips(cloud: ApiCloud, mia: Net, outside: str) -> None:
    duty = first_host(cloud)
    router, subnet = routed(mia, outside)
    port = mia.make("port", network_id=subnet["network_id"])
    floating = mia.make("floatingip", floating_network_id=outside, port_id=port["id"])
    reconcile(cloud)
    assert duty.state is not None
    [told] = duty.state.routers
    assert told.gateway is not None and told.gateway.next_hop == "203.0.113.1" and told.gateway.prefixlen == 24
    assert [(i.ip_address, i.prefixlen) for i in told.interfaces] == [("10.0.0.1", 24)]
    assert [(f.id, f.fixed_ip_address) for f in told.floating_ips] == [(floating["id"], "10.0.0.3")]
    [external] = duty.state.external
    assert (external.network_id, external.gateway_ip) == (outside, "203.0.113.1")
    duty.refuse = {router["id"]: "no namespaces left"}
    reconcile(cloud)
    assert mia.show("router", router["id"])["status"] == "ERROR"
    assert mia.show("floatingip", floating["id"])["status"] == "ERROR"
    duty.refuse = {}
    reconcile(cloud)
    assert mia.show("router", router["id"])["status"] == "ACTIVE"
    mia.change("router", router["id"], admin_state_up=False)
    reconcile(cloud)
    assert duty.state.routers == () and mia.show("floatingip", floating["id"])["status"] == "DOWN"


def test_an_interface_works_also_while_its_router_is_switched_off(cloud: ApiCloud, mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/24")
    router = mia.make("router", name="r", admin_state_up=False)
    port_id = mia.attach(router["id"], subnet["id"])["port_id"]
    reconcile(cloud)
    assert mia.who.get(f"{V2}/ports/{port_id}").json()["port"]["status"] == "ACTIVE"
