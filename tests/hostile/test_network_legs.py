"""A router reaches unfiltered into the networks it is in: nobody leads one where he has no right to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tane.services.network.tables import GATEWAY
from tests.api.network_support import V2, Net, first_host, public, reconcile
from tests.support import ApiCloud


@pytest.fixture
def admin(cloud: ApiCloud) -> Net:
    return Net(cloud.admin)


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


@pytest.fixture
def tom(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("tom", "shed"))


@pytest.fixture
def outside(cloud: ApiCloud) -> str:
    return public(cloud)


def plaza(admin: Net, **more: Any) -> Any:
    """The subnet of a network that the administrator shares with everybody."""
    network = admin.make("network", name="plaza", shared=True)
    return admin.make("subnet", network_id=network["id"], ip_version=4, cidr="10.5.0.0/24", **more)


def lead(who: Net, router_id: str, expect: int, **leg: str) -> Any:
    return who.who.put(f"{V2}/routers/{router_id}/add_router_interface", leg, expect).json()["NeutronError"]


def outer_subnet(admin: Net, outside: str) -> Any:
    [subnet] = admin.list("subnets", f"?network_id={outside}")
    return subnet


def no_leg_but_gateways(cloud: ApiCloud, network_id: str) -> None:
    """What the database and the host's document say of the network."""
    reconcile(cloud)
    state = first_host(cloud).state
    assert state is not None
    assert not [leg for router in state.routers for leg in router.interfaces if leg.network_id == network_id]
    found = Net(cloud.admin).list("ports", f"?network_id={network_id}&device_owner=network:router_interface")
    assert found == []


def test_no_router_takes_the_gateway_of_a_shared_network(cloud: ApiCloud, admin: Net, mia: Net) -> None:
    subnet, router = plaza(admin), mia.make("router", name="r")
    error = lead(mia, router["id"], 400, subnet_id=subnet["id"])
    assert error["message"].endswith(f"because subnet {subnet['id']} is not owned by project making the request.")
    no_leg_but_gateways(cloud, subnet["network_id"])


def test_a_port_on_a_shared_network_does_not_become_a_routers(cloud: ApiCloud, admin: Net, mia: Net) -> None:
    subnet, router = plaza(admin), mia.make("router", name="r")
    own = mia.make("port", network_id=subnet["network_id"])
    assert "not owned by project" in lead(mia, router["id"], 400, port_id=own["id"])["message"]
    assert mia.show("port", own["id"]) == own
    no_leg_but_gateways(cloud, subnet["network_id"])


@pytest.mark.parametrize("name", ["mia", "admin"])
@pytest.mark.parametrize("shared", [False, True])
def test_no_router_has_an_interface_in_an_external_network(
    cloud: ApiCloud, request: pytest.FixtureRequest, outside: str, name: str, shared: bool
) -> None:
    who, admin = request.getfixturevalue(name), Net(cloud.admin)
    if shared:
        admin.change("network", outside, shared=True)
    router, subnet = who.make("router", name="r"), outer_subnet(admin, outside)
    seen = shared or name == "admin"
    error = lead(who, router["id"], 400 if seen else 404, subnet_id=subnet["id"])
    assert ("external network" in error["message"]) is seen
    given = admin.make("port", network_id=outside, project_id=who.who.project_id)
    assert "external network" in lead(who, router["id"], 400, port_id=given["id"])["message"]
    no_leg_but_gateways(cloud, outside)


def test_a_network_with_an_interface_does_not_become_external(admin: Net) -> None:
    subnet, router = admin.subnet(), admin.make("router", name="r")
    admin.attach(router["id"], subnet["id"])
    error = admin.change("network", subnet["network_id"], 409, **{"router:external": True})
    assert error["type"] == "NetworkInUse"


def test_an_owner_and_an_administrator_lead_routers_into_their_networks(admin: Net, mia: Net) -> None:
    subnet, router = mia.subnet(), mia.make("router", name="r")
    mia.attach(router["id"], subnet["id"])
    shared, second = plaza(admin), mia.make("router", name="r2")
    assert admin.attach(second["id"], shared["id"])["project_id"] == mia.who.project_id


def test_another_projects_subnet_and_port_are_not_there(mia: Net, tom: Net) -> None:
    subnet, router = mia.subnet(), tom.make("router", name="r")
    own = mia.make("port", network_id=subnet["network_id"])
    assert lead(tom, router["id"], 404, subnet_id=subnet["id"])["type"] == "SubnetNotFound"
    assert lead(tom, router["id"], 404, port_id=own["id"])["type"] == "PortNotFound"
    assert lead(tom, mia.make("router", name="r")["id"], 404, port_id=own["id"])["type"] == "RouterNotFound"


@pytest.mark.parametrize("values", [{"device_id": "x"}, {"binding:host_id": "host-1"}])
def test_only_a_port_that_nothing_uses_becomes_a_routers(admin: Net, values: dict[str, str]) -> None:
    subnet, router = admin.subnet(), admin.make("router", name="r")
    used = admin.make("port", network_id=subnet["network_id"], **values)
    assert lead(admin, router["id"], 409, port_id=used["id"])["type"] == "PortInUse"


# --------------------------------------------------------------------------- ports that belong to the service itself


def interface(admin: Net, mia: Net, outside: str) -> tuple[Net, str]:
    subnet, router = mia.subnet(), mia.make("router", name="r")
    return mia, str(mia.attach(router["id"], subnet["id"])["port_id"])


def interface_by_port(admin: Net, mia: Net, outside: str) -> tuple[Net, str]:
    subnet, router = mia.subnet(), mia.make("router", name="r")
    made = mia.make("port", network_id=subnet["network_id"])
    mia.who.put(f"{V2}/routers/{router['id']}/add_router_interface", {"port_id": made["id"]}, 200)
    return mia, str(made["id"])


def dhcp(admin: Net, mia: Net, outside: str) -> tuple[Net, str]:
    [found] = mia.list("ports", f"?network_id={mia.subnet()['network_id']}&device_owner=network:dhcp")
    return mia, str(found["id"])


def router_gateway(admin: Net, mia: Net, outside: str) -> tuple[Net, str]:
    mia.make("router", name="r", external_gateway_info={"network_id": outside})
    [found] = admin.list("ports", "?device_owner=network:router_gateway")
    return admin, str(found["id"])


def floating(admin: Net, mia: Net, outside: str) -> tuple[Net, str]:
    mia.make("floatingip", floating_network_id=outside)
    [found] = admin.list("ports", "?device_owner=network:floatingip")
    return admin, str(found["id"])


def external_gateway(admin: Net, mia: Net, outside: str) -> tuple[Net, str]:
    [found] = admin.list("ports", "?device_owner=network:external_gateway")
    return admin, str(found["id"])


KEPT = (interface, interface_by_port, dhcp, router_gateway, floating, external_gateway)
CHANGES: tuple[dict[str, Any], ...] = (
    {"device_id": ""},
    {"device_owner": ""},
    {"device_id": "", "device_owner": ""},
    {"device_id": None, "device_owner": None},
    {"device_owner": "compute:nova"},
    {"device_id": "6f1c5e9e-5bb2-4f33-9c33-7a1c14e8a222"},
    {"port_security_enabled": True},
    {"allowed_address_pairs": [{"ip_address": "0.0.0.0/0"}]},
    {"security_groups": ["default"]},
    {"mac_address": "fa:16:3e:00:00:07"},
)
Maker = Callable[[Net, Net, str], tuple[Net, str]]


@pytest.mark.parametrize("make", KEPT)
def test_a_services_port_changes_through_its_own_api_only(
    cloud: ApiCloud, admin: Net, mia: Net, outside: str, make: Maker
) -> None:
    owner, port_id = make(admin, mia, outside)
    before = owner.show("port", port_id)
    for who in {id(owner): owner, id(admin): admin}.values():
        for change in CHANGES:
            error = who.change("port", port_id, 409, **change)
            assert error["type"] == "UnsupportedPortDeviceOwner" and before["device_owner"] in error["message"]
    after = owner.show("port", port_id)
    assert after == before
    assert owner.change("port", port_id, name="mine", description="a note")["name"] == "mine"
    if make is not dhcp:
        assert owner.drop("port", port_id, 409)["type"] == "ServicePortInUse"


@pytest.mark.parametrize("make", KEPT)
def test_a_services_port_goes_to_no_server_router_or_floating_ip(
    cloud: ApiCloud, admin: Net, mia: Net, outside: str, make: Maker
) -> None:
    owner, port_id = make(admin, mia, outside)
    other = owner.make("router", name="other")
    assert lead(owner, other["id"], 409, port_id=port_id)["type"] == "PortInUse"
    assert owner.make("floatingip", 400, floating_network_id=outside, port_id=port_id)["type"] == "BadRequest"


@pytest.mark.parametrize(
    "owned", sorted(("network:dhcp", "network:router_interface", "network:router_gateway", GATEWAY))
)
def test_nobody_makes_a_port_a_services(admin: Net, mia: Net, owned: str) -> None:
    network_id = mia.subnet()["network_id"]
    own = mia.make("port", network_id=network_id)
    for spelling in (owned, owned.upper(), f" {owned}"):
        mia.make("port", 403, network_id=network_id, device_owner=spelling)
        mia.change("port", own["id"], 403, device_owner=spelling)
    assert "network service alone" in admin.make("port", 400, network_id=network_id, device_owner=owned)["message"]
    assert "network service alone" in admin.change("port", own["id"], 400, device_owner=owned)["message"]


def test_a_port_that_was_a_routers_is_gone_with_it(cloud: ApiCloud, mia: Net) -> None:
    subnet, router = mia.subnet(), mia.make("router", name="r")
    made = mia.make("port", network_id=subnet["network_id"])
    path = f"{V2}/routers/{router['id']}"
    mia.who.put(f"{path}/add_router_interface", {"port_id": made["id"]}, 200)
    assert mia.show("port", made["id"])["port_security_enabled"] is False
    mia.who.put(f"{path}/remove_router_interface", {"port_id": made["id"]}, 200)
    mia.who.get(f"{V2}/ports/{made['id']}", 404)


def test_a_routers_interface_moves_within_the_rules_by_which_it_was_added(mia: Net) -> None:
    subnet, router = mia.subnet(), mia.make("router", name="r")
    port_id = mia.attach(router["id"], subnet["id"])["port_id"]
    moved = mia.change("port", port_id, fixed_ips=[{"subnet_id": subnet["id"], "ip_address": "10.0.0.9"}])
    assert moved["fixed_ips"][0]["ip_address"] == "10.0.0.9"
    mia.change("port", port_id, 400, fixed_ips=[])
    second = mia.make("subnet", network_id=subnet["network_id"], ip_version=4, cidr="10.8.0.0/24")
    mia.attach(router["id"], mia.subnet("10.8.0.0/16")["id"])
    error = mia.change("port", port_id, 400, fixed_ips=[{"subnet_id": second["id"]}])
    assert "overlaps" in error["message"]
    mia.change("router", router["id"], routes=[{"destination": "10.99.0.0/24", "nexthop": "10.0.0.77"}])
    third = mia.make("subnet", network_id=subnet["network_id"], ip_version=4, cidr="10.7.0.0/24")
    error = mia.change("port", port_id, 409, fixed_ips=[{"subnet_id": third["id"]}])
    assert error["type"] == "RouterInterfaceInUseByRoute"


# ------------------------------------------------------------------------------------- gateways of external networks


def gateway_addresses(admin: Net, network_id: str) -> list[str]:
    found = admin.list("ports", f"?network_id={network_id}&device_owner={GATEWAY}")
    return [entry["ip_address"] for made in found for entry in made["fixed_ips"]]


def test_the_gateway_of_an_external_network_is_a_port(cloud: ApiCloud, admin: Net, mia: Net, outside: str) -> None:
    assert gateway_addresses(admin, outside) == ["203.0.113.1"]
    subnet = outer_subnet(admin, outside)
    taken = {"floating_network_id": outside, "floating_ip_address": "203.0.113.1"}
    assert admin.make("floatingip", 409, **taken)["type"] == "IpAddressAlreadyAllocated"
    info = {"network_id": outside, "external_fixed_ips": [{"ip_address": "203.0.113.1"}]}
    assert admin.make("router", 409, external_gateway_info=info)["type"] == "IpAddressAlreadyAllocated"
    admin.make("port", 409, network_id=outside, fixed_ips=[{"ip_address": "203.0.113.1"}])
    admin.change("subnet", subnet["id"], gateway_ip="203.0.113.254")
    assert gateway_addresses(admin, outside) == ["203.0.113.254"]
    admin.change("subnet", subnet["id"], gateway_ip=None)
    assert gateway_addresses(admin, outside) == []
    admin.change("subnet", subnet["id"], gateway_ip="203.0.113.1")
    assert mia.list("ports") == []


def test_the_gateways_port_is_no_users_and_hinders_nothing(cloud: ApiCloud, admin: Net, outside: str) -> None:
    [availability] = admin.who.get(f"{V2}/network-ip-availabilities?network_id={outside}").json().values()
    assert availability[0]["used_ips"] == 0
    details = admin.who.get(f"{V2}/quotas/{admin.who.project_id}/details").json()["quota"]
    assert details["port"]["used"] == 0
    six = admin.make("subnet", network_id=outside, ip_version=6, cidr="2001:db8:7::/64")
    assert gateway_addresses(admin, outside) == ["203.0.113.1", "2001:db8:7::1"]
    admin.drop("subnet", six["id"])
    assert gateway_addresses(admin, outside) == ["203.0.113.1"]
    admin.drop("network", outside)
    assert admin.list("ports") == []


def test_the_gateways_port_comes_and_goes_with_the_network_being_external(admin: Net) -> None:
    subnet = admin.subnet("10.6.0.0/24")
    admin.change("network", subnet["network_id"], **{"router:external": True})
    assert gateway_addresses(admin, subnet["network_id"]) == ["10.6.0.1"]
    admin.change("network", subnet["network_id"], **{"router:external": False})
    assert gateway_addresses(admin, subnet["network_id"]) == []


def test_the_addresses_of_an_external_network_go_by_floating_ips_and_gateways_only(
    cloud: ApiCloud, admin: Net, mia: Net, outside: str
) -> None:
    assert mia.make("port", 403, network_id=outside)["type"] == "PolicyNotAuthorized"
    admin.change("network", outside, shared=True)
    assert mia.make("port", network_id=outside)["fixed_ips"]


def test_no_route_leads_past_the_floating_ips_of_others(admin: Net, mia: Net, tom: Net, outside: str) -> None:
    """By another router of the cloud as next hop a packet would come into its networks unasked."""
    victim = mia.make("router", name="v", external_gateway_info={"network_id": outside})
    there = victim["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    router = tom.make("router", name="r", external_gateway_info={"network_id": outside})
    own = router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    floating_address = mia.make("floatingip", floating_network_id=outside)["floating_ip_address"]
    for hop in (there, own, floating_address, "203.0.113.200"):
        route = {"destination": "10.0.0.0/24", "nexthop": hop}
        assert tom.change("router", router["id"], 400, routes=[route])["type"] == "InvalidRoutes"
        path = f"{V2}/routers/{router['id']}/add_extraroutes"
        tom.who.put(path, {"router": {"routes": [route]}}, 400)
    for hop in ("203.0.113.1", "203.0.113.253"):
        tom.change("router", router["id"], routes=[{"destination": "10.0.0.0/24", "nexthop": hop}])
    admin.change("router", router["id"], routes=[{"destination": "10.0.0.0/24", "nexthop": there}])
