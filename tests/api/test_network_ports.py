"""Ports as their users see them."""

from __future__ import annotations

import time

import pytest

from tane.services.network.interface import server_ports
from tests.api.network_support import V2, Net, first_host, reconcile
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def test_a_port_gets_an_address_a_mac_and_the_default_group(mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/24")
    port = mia.make("port", network_id=subnet["network_id"], name="p")
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.3"}]
    assert port["mac_address"].startswith("fa:16:3e:") and port["status"] == "DOWN"
    [group] = mia.list("security-groups")
    assert port["security_groups"] == [group["id"]] and group["name"] == "default"
    assert port["port_security_enabled"] is True and port["binding:vnic_type"] == "normal"
    assert "binding:host_id" not in port
    assert mia.show("port", port["id"]) == port


def test_addresses_are_chosen_by_the_user_and_given_once(mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/24")
    base = {"network_id": subnet["network_id"]}
    port = mia.make("port", **base, fixed_ips=[{"ip_address": "10.0.0.77"}])
    assert port["fixed_ips"][0]["subnet_id"] == subnet["id"]
    taken = [{"subnet_id": subnet["id"], "ip_address": "10.0.0.77"}]
    assert mia.make("port", 409, **base, fixed_ips=taken)["type"] == "IpAddressAlreadyAllocated"
    outside = [{"ip_address": "10.0.1.7"}]
    assert mia.make("port", 400, **base, fixed_ips=outside)["type"] == "InvalidIpForNetwork"
    broadcast = [{"subnet_id": subnet["id"], "ip_address": "10.0.0.255"}]
    assert mia.make("port", 400, **base, fixed_ips=broadcast)["type"] == "InvalidIpForSubnet"
    assert mia.make("port", **base, fixed_ips=[])["fixed_ips"] == []
    assert mia.make("port", 409, **base, mac_address=port["mac_address"])["type"] == "MacAddressInUse"
    assert mia.make("port", 400, **base, mac_address="01:00:00:00:00:01")["type"] == "HTTPBadRequest"


def test_every_address_of_a_pool_is_given_before_it_is_empty(mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/28", enable_dhcp=False)
    base = {"network_id": subnet["network_id"]}
    mia.make("port", **base, fixed_ips=[{"ip_address": "10.0.0.14"}])
    mia.make("port", **base, fixed_ips=[{"ip_address": "10.0.0.7"}])
    body = {"ports": [base for _ in range(10)]}
    made = mia.who.post(f"{V2}/ports", body, 201).json()["ports"]
    last = mia.make("port", **base)
    given = {port["fixed_ips"][0]["ip_address"] for port in [*made, last]}
    assert len(given) == 11 and "10.0.0.1" not in given and "10.0.0.15" not in given
    assert mia.make("port", 409, **base)["type"] == "IpAddressGenerationFailure"
    mia.drop("port", made[4]["id"])
    assert mia.make("port", **base)["fixed_ips"] == made[4]["fixed_ips"]


def test_a_network_of_both_versions_gives_an_address_of_each(mia: Net) -> None:
    network_id = mia.subnet("10.0.0.0/24")["network_id"]
    six = mia.make("subnet", network_id=network_id, ip_version=6, cidr="2001:db8:1::/64")
    self_made = mia.make(
        "subnet",
        network_id=network_id,
        ip_version=6,
        cidr="2001:db8:2::/64",
        ipv6_ra_mode="slaac",
        ipv6_address_mode="slaac",
    )
    port = mia.make("port", network_id=network_id, mac_address="fa:16:3e:01:02:03")
    held = {entry["subnet_id"]: entry["ip_address"] for entry in port["fixed_ips"]}
    assert held[six["id"]] == "2001:db8:1::2"
    assert held[self_made["id"]] == "2001:db8:2:0:f816:3eff:fe01:203"


def test_addresses_change_and_those_that_stay_stay(mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/24")
    port = mia.make("port", network_id=subnet["network_id"])
    first = port["fixed_ips"][0]
    changed = mia.change("port", port["id"], fixed_ips=[first, {"subnet_id": subnet["id"]}])
    assert changed["fixed_ips"][0] == first and len(changed["fixed_ips"]) == 2
    assert mia.change("port", port["id"], fixed_ips=[changed["fixed_ips"][1]])["fixed_ips"] == changed["fixed_ips"][1:]


def test_groups_pairs_and_port_security_depend_on_each_other(mia: Net) -> None:
    network_id = mia.subnet()["network_id"]
    group = mia.make("security_group", name="web")
    port = mia.make("port", network_id=network_id, security_groups=[group["id"]])
    assert port["security_groups"] == [group["id"]]
    assert (
        mia.change("port", port["id"], 409, port_security_enabled=False)["type"] == "PortSecurityPortHasSecurityGroup"
    )
    bare = mia.change("port", port["id"], port_security_enabled=False, security_groups=[])
    assert bare["security_groups"] == [] and bare["port_security_enabled"] is False
    pair = [{"ip_address": "10.0.0.200"}]
    error = mia.change("port", port["id"], 409, allowed_address_pairs=pair)
    assert error["type"] == "AddressPairAndPortSecurityRequired"
    open_port = mia.make("port", network_id=network_id, allowed_address_pairs=pair)
    assert open_port["allowed_address_pairs"] == [{**pair[0], "mac_address": open_port["mac_address"]}]
    mia.make("port", 404, network_id=network_id, security_groups=["nothing"])


def test_on_a_shared_network_only_its_owner_chooses_addresses(cloud: ApiCloud, mia: Net) -> None:
    admin = Net(cloud.admin)
    network = admin.make("network", name="plaza", shared=True)
    admin.make("subnet", network_id=network["id"], ip_version=4, cidr="10.5.0.0/24")
    port = mia.make("port", network_id=network["id"])
    for values in (
        {"fixed_ips": [{"ip_address": "10.5.0.99"}]},
        {"mac_address": "fa:16:3e:00:00:01"},
        {"device_owner": "network:dhcp"},
        {"port_security_enabled": False},
    ):
        mia.make("port", 403, network_id=network["id"], **values)
    mia.change("port", port["id"], 403, allowed_address_pairs=[{"ip_address": "10.5.0.1"}])
    other = Net(cloud.new_user("tom", "shed"))
    assert other.list("ports") == []
    other.who.get(f"{V2}/ports/{port['id']}", 404)


def test_ports_are_found_by_address_device_and_group(mia: Net) -> None:
    subnet = mia.subnet("10.0.0.0/24", enable_dhcp=False)
    one = mia.make("port", network_id=subnet["network_id"], device_id="d1", device_owner="x")
    two = mia.make("port", network_id=subnet["network_id"], name="two")
    assert [p["id"] for p in mia.list("ports", "?fixed_ips=ip_address=10.0.0.2")] == [one["id"]]
    assert [p["id"] for p in mia.list("ports", "?device_id=d1&device_owner=x")] == [one["id"]]
    assert [p["id"] for p in mia.list("ports", f"?mac_address={two['mac_address']}")] == [two["id"]]
    both = f"?fixed_ips=subnet_id={subnet['id']}&fixed_ips=ip_address=10.0.0.3"
    assert [p["id"] for p in mia.list("ports", both)] == [two["id"]]
    assert len(mia.list("ports", f"?security_groups={one['security_groups'][0]}")) == 2


def test_only_the_administrator_binds_ports_to_hosts(cloud: ApiCloud, mia: Net) -> None:
    network_id = mia.subnet()["network_id"]
    mia.make("port", 403, network_id=network_id, **{"binding:host_id": "host-1"})
    admin = Net(cloud.admin)
    port = admin.make("port", network_id=network_id, **{"binding:host_id": "host-1"})
    assert port["binding:vif_type"] == "bridge" and port["status"] == "BUILD"
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "ACTIVE"
    lost = admin.make("port", network_id=network_id, **{"binding:host_id": "nowhere"})
    assert lost["binding:vif_type"] == "binding_failed" and lost["status"] == "DOWN"


def test_a_port_is_active_when_its_host_says_so_and_not_before(cloud: ApiCloud, mia: Net) -> None:
    duty = first_host(cloud)
    admin = Net(cloud.admin)
    port = admin.make("port", network_id=mia.subnet()["network_id"], **{"binding:host_id": "host-1"})
    duty.refuse = {port["id"]: "the kernel said no"}
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "ERROR"
    duty.refuse = {}
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "ACTIVE"
    assert duty.state is not None and [p.id for p in duty.state.ports] == [port["id"]]
    assert duty.state.ports[0].device == f"tap{port['id'][:11]}"
    admin.change("port", port["id"], admin_state_up=False)
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "DOWN"
    admin.drop("port", port["id"])
    reconcile(cloud)
    assert duty.state.ports == ()
    assert reconcile(cloud) is None


def test_fifty_ports_at_once_and_a_list_of_five_hundred(cloud: ApiCloud, mia: Net) -> None:
    network_id = mia.subnet("10.8.0.0/16")["network_id"]
    cloud.admin.put(f"{V2}/quotas/{mia.who.project_id}", {"quota": {"port": 501}}, 200)
    for _ in range(10):
        made = mia.who.post(f"{V2}/ports", {"ports": [{"network_id": network_id}] * 50}, 201).json()["ports"]
        assert len({port["mac_address"] for port in made}) == 50
    assert mia.make("port", 409, network_id=network_id)["type"] == "OverQuota"
    before = time.process_time()
    found = mia.list("ports")
    print(f"list of {len(found)} ports: {(time.process_time() - before) * 1000:.0f} ms CPU")
    assert len({port["fixed_ips"][0]["ip_address"] for port in found}) == 501


def test_nobody_leads_a_port_into_another_projects_router_or_server(cloud: ApiCloud, mia: Net) -> None:
    victim = Net(cloud.new_user("tom", "shed")).make("router", name="r")
    network_id = mia.subnet()["network_id"]
    leg = {"device_id": victim["id"], "device_owner": "network:router_interface"}
    assert mia.make("port", 403, network_id=network_id, **leg)["type"] == "PolicyNotAuthorized"
    port = mia.make("port", network_id=network_id, device_id="server", device_owner="compute:nova")
    mia.change("port", port["id"], 403, device_owner="network:dhcp")
    with cloud.core.db.read() as tx:
        assert server_ports(tx, "server") == []


def test_the_port_of_dhcp_comes_back(mia: Net) -> None:
    subnet = mia.subnet()
    query = f"?network_id={subnet['network_id']}&device_owner=network:dhcp"
    [dhcp] = mia.list("ports", query)
    mia.drop("port", dhcp["id"])
    assert len(mia.list("ports", query)) == 1


def test_a_port_cannot_lose_its_mac_address(cloud: ApiCloud) -> None:
    net = Net(cloud.new_user("mia", "garden", "manager"))
    port = net.make("port", network_id=net.make("network", name="lan")["id"])
    assert "not a valid MAC address" in net.change("port", port["id"], 400, mac_address=None)["message"]
