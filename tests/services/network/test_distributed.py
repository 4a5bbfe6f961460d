"""Routers on every host, and floating IPs on the hosts of their ports: what each host is told of them."""

from __future__ import annotations

import ipaddress
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from tane.hosts.tables import host
from tane.services.network.domain.distributed import SEGMENTS, TRANSIT
from tane.wire.documents import NetworkState, Router
from tane.wire.grammar import outside_mac
from tests.api.network_support import Net, add_host, first_host, public, reconcile
from tests.support import ApiCloud


@pytest.fixture
def admin(cloud: ApiCloud) -> Net:
    return Net(cloud.admin)


@pytest.fixture
def hosts(cloud: ApiCloud) -> dict[str, Any]:
    """``host-1`` is the gateway host."""
    first = first_host(cloud)
    with cloud.core.db.write() as tx:
        tx.execute(update(host).where(host.c.name == "host-1").values(local_ip="192.0.2.1"))
    others = {name: add_host(cloud.core, name, ip) for name, ip in (("beta", "192.0.2.2"), ("gamma", "192.0.2.3"))}
    return {"host-1": first, **others}


class Place:
    """A network behind a router with a gateway, and a port of it on each host that is asked for."""

    def __init__(self, cloud: ApiCloud, admin: Net, **router: Any) -> None:
        self.cloud, self.admin, self.outside = cloud, admin, public(cloud)
        self.subnet = admin.subnet("10.0.0.0/24")
        gateway = {"network_id": self.outside}
        self.router = admin.make("router", name="r", external_gateway_info=gateway, **router)
        admin.attach(self.router["id"], self.subnet["id"])

    def port(self, name: str) -> Any:
        return self.admin.make("port", network_id=self.subnet["network_id"], **{"binding:host_id": name})

    def floating_ip(self, port: Any) -> Any:
        return self.admin.make("floatingip", floating_network_id=self.outside, port_id=port["id"])

    def part(self, state: NetworkState | None) -> Router:
        assert state is not None
        [found] = [router for router in state.routers if router.id == self.router["id"]]
        return found


def test_a_router_is_where_ports_of_its_networks_are_and_its_gateway_on_one_host(
    cloud: ApiCloud, admin: Net, hosts: dict[str, Any]
) -> None:
    place = Place(cloud, admin)
    place.port("beta")
    reconcile(cloud)
    central, part = place.part(hosts["host-1"].state), place.part(hosts["beta"].state)
    assert central.interfaces == part.interfaces and hosts["gamma"].state.routers == ()
    assert central.gateway is not None and part.gateway is None
    assert central.transit is not None and part.transit is not None
    # What the part does not know it sends to the one with the gateway, by a network only they are in.
    assert part.transit.next_hop == central.transit.ip_address and central.transit.next_hop is None
    assert ipaddress.ip_address(part.transit.ip_address) in TRANSIT and part.transit.ip_address != part.transit.next_hop
    [way] = [network for network in hosts["beta"].state.networks if network.id == place.router["id"]]
    assert SEGMENTS[0] <= way.segment_id <= SEGMENTS[1] and way.tunnel
    [peer] = [port for port in hosts["beta"].state.remote_ports if port.network_id == way.id]
    assert (peer.mac_address, peer.host_ip) == (central.transit.mac_address, "192.0.2.1")
    # Its answers come by the network itself, though no other port of it is elsewhere.
    assert [n.tunnel for n in hosts["beta"].state.networks if n.id == place.subnet["network_id"]] == [True]
    assert hosts["beta"].state.external == () and place.outside not in {n.id for n in hosts["beta"].state.networks}


def test_a_floating_ip_is_a_leg_on_the_host_of_its_port_and_moves_with_it(
    cloud: ApiCloud, admin: Net, hosts: dict[str, Any]
) -> None:
    place = Place(cloud, admin)
    port, other = place.port("beta"), place.port("gamma")
    address, far = place.floating_ip(port), place.floating_ip(other)
    reconcile(cloud)
    [floating] = place.part(hosts["beta"].state).floating_ips
    assert floating.id == address["id"] and floating.leg is not None and floating.leg.network_id == place.outside
    assert place.part(hosts["host-1"].state).floating_ips == ()
    assert {admin.show("floatingip", found["id"])["status"] for found in (address, far)} == {"ACTIVE"}
    # Each host with a leg in the external network knows the others', and where it leads out of the cloud.
    for name, ip in (("host-1", "192.0.2.2"), ("gamma", "192.0.2.2")):
        known = {found.mac_address: found for found in hosts[name].state.remote_ports}
        assert known[floating.leg.mac_address].host_ip == ip
        assert known[floating.leg.mac_address].ip_addresses == (address["floating_ip_address"],)
    known = {found.mac_address: found.host_ip for found in hosts["beta"].state.remote_ports}
    assert known[outside_mac(place.outside)] == "192.0.2.1"

    admin.change("port", port["id"], **{"binding:host_id": "gamma"})
    reconcile(cloud)
    moved = {found.id: found for found in place.part(hosts["gamma"].state).floating_ips}
    assert moved[address["id"]].leg == floating.leg
    assert hosts["beta"].state.routers == ()
    known = {found.mac_address: found.host_ip for found in hosts["host-1"].state.remote_ports}
    assert known[floating.leg.mac_address] == "192.0.2.3"

    admin.change("port", port["id"], **{"binding:host_id": ""})
    reconcile(cloud)
    assert [found.id for found in place.part(hosts["gamma"].state).floating_ips] == [far["id"]]
    # An address that several ports may take over, or none has yet, is at the gateway.
    [central] = place.part(hosts["host-1"].state).floating_ips
    assert central.id == address["id"] and central.leg is None


def test_a_floating_ip_taken_off_leaves_its_host(cloud: ApiCloud, admin: Net, hosts: dict[str, Any]) -> None:
    place = Place(cloud, admin)
    address = place.floating_ip(place.port("beta"))
    reconcile(cloud)
    admin.change("floatingip", address["id"], port_id=None)
    reconcile(cloud)
    assert place.part(hosts["beta"].state).floating_ips == ()
    assert place.outside not in {network.id for network in hosts["beta"].state.networks}
    assert {found.network_id for found in hosts["host-1"].state.remote_ports} == {place.subnet["network_id"]}


def test_a_router_that_is_not_distributed_is_on_its_gateway_host_alone(
    cloud: ApiCloud, admin: Net, hosts: dict[str, Any]
) -> None:
    place = Place(cloud, admin, distributed=False)
    address = place.floating_ip(place.port("beta"))
    reconcile(cloud)
    assert hosts["beta"].state.routers == ()
    [floating] = place.part(hosts["host-1"].state).floating_ips
    assert floating.id == address["id"] and floating.leg is None
    for values in ({"admin_state_up": False}, {"distributed": True}, {"admin_state_up": True}):
        admin.change("router", place.router["id"], **values)
    reconcile(cloud)
    [floating] = place.part(hosts["beta"].state).floating_ips
    assert floating.id == address["id"] and floating.leg is not None


def test_a_router_of_one_host_needs_no_way_between_parts(cloud: ApiCloud, admin: Net) -> None:
    place, first = Place(cloud, admin), first_host(cloud)
    address = place.floating_ip(place.port("host-1"))
    reconcile(cloud)
    part = place.part(first.state)
    assert part.transit is None and part.gateway is not None
    assert [(found.id, found.leg is not None) for found in part.floating_ips] == [(address["id"], True)]


def test_only_administrators_see_and_say_whether_a_router_is_distributed(cloud: ApiCloud, admin: Net) -> None:
    mia = Net(cloud.new_user("mia", "web"))
    made = mia.make("router", name="hers")
    assert "distributed" not in made and admin.show("router", made["id"])["distributed"] is True
    refused = mia.make("router", expect=403, distributed=False)
    assert "create_router:distributed" in refused["message"]
    mia.change("router", made["id"], expect=403, distributed=False)
    refused = admin.change("router", made["id"], expect=400, distributed=False)
    assert "Please set router admin_state_up to False" in refused["message"]
    admin.change("router", made["id"], admin_state_up=False)
    assert admin.change("router", made["id"], distributed=False)["distributed"] is False
    assert [router["id"] for router in admin.list("routers", "?distributed=False")] == [made["id"]]


def test_what_hosts_reach_by_their_own_bridges_needs_no_tunnel_and_no_leg(
    cloud: ApiCloud, admin: Net, hosts: dict[str, Any]
) -> None:
    cloud.core.config = msgspec.structs.replace(cloud.core.config, bridge_mappings=("lan:br-ex",))
    provider = {"provider:network_type": "flat", "provider:physical_network": "lan"}
    lan = admin.make("network", name="lan", **{"router:external": True, **provider})
    admin.make("subnet", network_id=lan["id"], ip_version=4, cidr="198.51.100.0/24", enable_dhcp=False)
    inside = admin.subnet("10.0.0.0/24")
    router = admin.make("router", name="r", external_gateway_info={"network_id": lan["id"]})
    admin.attach(router["id"], inside["id"])
    port = admin.make("port", network_id=inside["network_id"], **{"binding:host_id": "beta"})
    admin.make("floatingip", floating_network_id=lan["id"], port_id=port["id"])
    admin.make("port", network_id=lan["id"], **{"binding:host_id": "gamma"})
    reconcile(cloud)
    for duty in hosts.values():
        assert [n.physical_network for n in duty.state.networks if n.id == lan["id"]] == ["lan"]
        assert lan["id"] not in {found.network_id for found in duty.state.remote_ports}
        assert lan["id"] not in {found.network_id for found in duty.state.external}
    admin.change("network", lan["id"], expect=409, **{"router:external": False})
    cloud.core.config = msgspec.structs.replace(cloud.core.config, bridge_mappings=("lan:br-ex", "lab:br-lab"))
    provider["provider:physical_network"] = "lab"
    lab = admin.make("network", name="lab", **provider)
    subnet = admin.make("subnet", network_id=lab["id"], ip_version=4, cidr="192.168.7.0/24")
    path = f"/network/v2.0/routers/{router['id']}/add_router_interface"
    refused = admin.who.put(path, {"subnet_id": subnet["id"]}, expect=400)
    assert "not offered yet" in refused.json()["NeutronError"]["message"]


def test_what_is_at_the_gateway_is_known_where_others_have_legs(
    cloud: ApiCloud, admin: Net, hosts: dict[str, Any]
) -> None:
    place = Place(cloud, admin)
    place.floating_ip(place.port("beta"))
    shared = admin.make("port", network_id=place.subnet["network_id"])  # Of several servers, by address pairs.
    central = place.floating_ip(shared)
    reconcile(cloud)
    gateway = place.part(hosts["host-1"].state).gateway
    assert gateway is not None
    known = {ip: found for found in hosts["beta"].state.remote_ports for ip in found.ip_addresses}
    found = known[central["floating_ip_address"]]
    assert (found.mac_address, found.host_ip) == (gateway.mac_address, "192.0.2.1")


def test_a_part_has_those_routes_alone_whose_next_hop_it_reaches(
    cloud: ApiCloud, admin: Net, hosts: dict[str, Any]
) -> None:
    place = Place(cloud, admin)
    place.port("beta")
    [gateway] = place.router["external_gateway_info"]["external_fixed_ips"]
    outside = gateway["ip_address"].rsplit(".", 1)[0] + ".250"
    inside = {"destination": "10.8.0.0/16", "nexthop": "10.0.0.77"}
    routes = [inside, {"destination": "10.9.0.0/16", "nexthop": outside}]
    admin.change("router", place.router["id"], routes=routes)
    reconcile(cloud)
    assert len(place.part(hosts["host-1"].state).routes) == 2
    assert [route.nexthop for route in place.part(hosts["beta"].state).routes] == ["10.0.0.77"]


def test_a_host_without_local_ip_says_that_no_way_leads_out(cloud: ApiCloud, admin: Net, hosts: dict[str, Any]) -> None:
    add_host(cloud.core, "delta")
    place = Place(cloud, admin)
    port = place.port("delta")
    address = place.floating_ip(port)
    reconcile(cloud)
    assert admin.show("port", port["id"])["status"] == "ERROR"
    assert admin.show("floatingip", address["id"])["status"] == "ERROR"


def test_servers_in_a_network_outside_follow_its_gateway_host(
    cloud: ApiCloud, admin: Net, hosts: dict[str, Any]
) -> None:
    outside = public(cloud)
    admin.make("port", network_id=outside, **{"binding:host_id": "gamma"})
    reconcile(cloud)
    mac = outside_mac(outside)
    assert {f.mac_address: f.host_ip for f in hosts["gamma"].state.remote_ports}[mac] == "192.0.2.1"
    with cloud.core.db.write() as tx:
        tx.execute(update(host).where(host.c.name == "host-1").values(forced_down=True))
    reconcile(cloud)
    assert {f.mac_address: f.host_ip for f in hosts["gamma"].state.remote_ports}[mac] == "192.0.2.2"
