"""Smaller rules of networks, subnets, ports and floating IPs that clients of Neutron count on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network_support import V2, Net, public
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def floating(cloud: ApiCloud, mia: Net) -> tuple[Any, Any]:
    """A port and a floating IP that leads to it."""
    subnet, router = mia.subnet(), mia.make("router", external_gateway_info={"network_id": public(cloud)})
    mia.attach(router["id"], subnet["id"])
    port = mia.make("port", network_id=subnet["network_id"])
    return port, mia.make("floatingip", floating_network_id=public(cloud), port_id=port["id"])


def test_an_empty_change_takes_a_floating_ip_off(cloud: ApiCloud, mia: Net) -> None:
    port, address = floating(cloud, mia)
    assert mia.change("floatingip", address["id"], description="d")["port_id"] == port["id"]
    taken = mia.change("floatingip", address["id"])
    assert (taken["port_id"], taken["fixed_ip_address"], taken["router_id"]) == (None, None, None)
    assert mia.change("floatingip", address["id"], port_id=port["id"])["port_id"] == port["id"]
    for fixed in ("10.0.0.3", port["fixed_ips"][0]["ip_address"]):
        assert "without a port_id" in mia.change("floatingip", address["id"], 400, fixed_ip_address=fixed)["message"]
    assert mia.show("floatingip", address["id"])["port_id"] == port["id"]


def test_an_external_network_goes_with_the_floating_ips_that_lead_nowhere(cloud: ApiCloud, mia: Net) -> None:
    admin = Net(cloud.admin)
    network_id = public(cloud)
    _, used = floating(cloud, mia)
    unused = mia.make("floatingip", floating_network_id=network_id)
    assert admin.drop("network", network_id, 409)["type"] == "NetworkInUse"
    assert {row["id"] for row in mia.list("floatingips")} == {used["id"], unused["id"]}
    mia.drop("floatingip", used["id"])
    [router] = mia.list("routers")
    mia.change("router", router["id"], external_gateway_info=None)
    admin.drop("network", network_id)
    assert mia.list("floatingips") == [] and admin.list("ports", f"?network_id={network_id}") == []


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
def test_a_subnet_of_addresses_that_make_themselves_goes_while_ports_have_them(mia: Net, mode: str) -> None:
    network_id = mia.subnet("10.0.0.0/24")["network_id"]
    base = {"network_id": network_id, "ip_version": 6, "ipv6_ra_mode": mode, "ipv6_address_mode": mode}
    six = mia.make("subnet", cidr="fd00::/64", **base)
    port = mia.make("port", network_id=network_id)
    assert len(port["fixed_ips"]) == 2
    router = mia.make("router")
    mia.attach(router["id"], six["id"])
    assert mia.drop("subnet", six["id"], 409)["type"] == "SubnetInUse"
    mia.attach(router["id"], six["id"], verb="remove")
    mia.drop("subnet", six["id"])
    left = mia.show("port", port["id"])
    assert [":" in held["ip_address"] for held in left["fixed_ips"]] == [False]
    assert left["revision_number"] == port["revision_number"] + 1


def test_a_subnet_of_given_addresses_stays_while_a_port_has_one(mia: Net) -> None:
    for cidr, more in (("10.0.0.0/24", {}), ("fd00::/64", {}), ("fd01::/64", {"ipv6_address_mode": "dhcpv6-stateful"})):
        subnet = mia.subnet(cidr, **more)
        mia.make("port", network_id=subnet["network_id"])
        assert mia.drop("subnet", subnet["id"], 409)["type"] == "SubnetInUse"


@pytest.mark.parametrize("mtu", [-1, 1, 67, 1451, 9000, 2**63])
def test_an_mtu_no_link_has_is_refused(mia: Net, mtu: int) -> None:
    mia.make("network", 400, mtu=mtu)
    mia.change("network", mia.make("network")["id"], 400, mtu=mtu)


def test_ipv6_needs_1280_bytes(mia: Net) -> None:
    network = mia.make("network", mtu=1279)
    six = {"network_id": network["id"], "ip_version": 6, "cidr": "fd00::/64"}
    error = mia.make("subnet", 409, **six)
    assert error["type"] == "NetworkMTUSubnetConflict"
    assert error["message"] == f"MTU of {network['id']} is not valid, subnet requires a minimum of 1280"
    mia.make("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    assert mia.change("network", network["id"], mtu=68)["mtu"] == 68
    assert mia.change("network", network["id"], mtu=1280)["mtu"] == 1280
    mia.make("subnet", **six)
    assert mia.change("network", network["id"], 409, mtu=1279)["type"] == "NetworkMTUSubnetConflict"
    assert mia.change("network", network["id"], mtu=0)["mtu"] == 1450
    assert mia.make("network", mtu=0)["mtu"] == 1450


def test_the_same_group_twice_on_a_port_is_one(mia: Net) -> None:
    one, two = (mia.make("security_group", name=name)["id"] for name in ("a", "b"))
    port = mia.make("port", network_id=mia.make("network")["id"], security_groups=[one, one])
    assert port["security_groups"] == [one]
    changed = mia.change("port", port["id"], security_groups=[two, one, two])
    assert sorted(changed["security_groups"]) == sorted([one, two])


MANY: dict[str, dict[str, Any]] = {
    "network": {},
    "subnet": {"network_id": "NETWORK", "ip_version": 4},
    "port": {"network_id": "NETWORK"},
    "router": {},
    "floatingip": {"floating_network_id": "PUBLIC"},
    "security_group": {},
    "security_group_rule": {"security_group_id": "GROUP", "direction": "ingress", "protocol": "tcp"},
}


@pytest.mark.parametrize("single", MANY)
@pytest.mark.parametrize("wrapped", [False, True])
def test_many_are_made_at_once_each_bare_or_in_its_singular(
    cloud: ApiCloud, mia: Net, single: str, wrapped: bool
) -> None:
    known = {
        "NETWORK": mia.make("network")["id"],
        "PUBLIC": public(cloud),
        "GROUP": mia.make("security_group", name="g")["id"],
    }
    base = {name: known.get(str(value), value) for name, value in MANY[single].items()}
    more: list[dict[str, Any]] = [{"description": "one"}, {"description": "two"}]
    if single == "subnet":
        more = [{**item, "cidr": f"10.0.{number}.0/24"} for number, item in enumerate(more)]
    if single == "security_group_rule":
        more = [{**item, "port_range_min": 1 + number, "port_range_max": 9} for number, item in enumerate(more)]
    items = [{**base, **item} for item in more]
    path, plural = f"{V2}/{single.replace('_', '-')}s", f"{single}s"
    sent: list[Any] = [{single: item} for item in items] if wrapped else items
    made = mia.who.post(path, {plural: sent}, 201).json()[plural]
    assert [row["description"] for row in made] == ["one", "two"]
    before = len(mia.list(plural.replace("_", "-")))
    bad = {**items[0], "description": "three", "surprise": 1}
    mia.who.post(path, {plural: [{single: bad} if wrapped else bad]}, 400)
    mia.who.post(path, {plural: []}, 400)
    mia.who.post(path, {plural: [1]}, 400)
    mia.who.post(path, {single: items}, 400)
    mia.who.post(path, {plural: [{single: [items[0]]}]}, 400)
    assert len(mia.list(plural.replace("_", "-"))) == before


def test_what_a_wrapped_item_asks_is_asked_of_the_policy(mia: Net) -> None:
    for item in ({"shared": True}, {"network": {"shared": True}}):
        mia.who.post(f"{V2}/networks", {"networks": [item]}, 403)
