"""What compute is promised of the ports of its servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tane.core import Core
from tane.services.network import interface as network
from tane.services.network.interface import PortSpec
from tane.services.network.reconcilers import converge
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound
from tests.api.network_support import V2, Net, public
from tests.support import HOST_ID, ApiCloud


class World:
    """A project with a subnet, and its callers as compute has them."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.cloud = cloud
        self.core: Core = cloud.core
        self.mia = Net(cloud.new_user("mia", "garden"))
        self.subnet = self.mia.subnet("10.0.0.0/24", dns_nameservers=["9.9.9.9"])
        self.network_id = self.subnet["network_id"]
        self.ctx = Context("req", project_id=self.mia.who.project_id, roles=("member",))

    def claim(self, *specs: PortSpec, server_id: str = "server-1", groups: tuple[str, ...] = ()) -> list[str]:
        with self.core.db.write() as tx:
            return network.claim_ports(
                tx,
                self.ctx,
                server_id=server_id,
                project_id=self.ctx.project_id,
                host_id=HOST_ID,
                hostname="web",
                specs=list(specs),
                security_groups=list(groups),
            )

    def read(self, function: Callable[..., Any], *args: Any) -> Any:
        with self.core.db.read() as tx:
            return function(tx, *args)

    def write(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.core.db.write() as tx:
            return function(tx, *args, **kwargs)


@pytest.fixture
def world(cloud: ApiCloud) -> World:
    return World(cloud)


def test_a_port_is_made_bound_and_settles_when_the_host_reports(world: World) -> None:
    [port_id] = world.claim(PortSpec(network_id=world.network_id, fixed_ip="10.0.0.50"))
    assert world.read(network.ports_settled, "server-1") == {port_id: "BUILD"}
    world.cloud.wait(converge(world.core))
    assert world.read(network.ports_settled, "server-1") == {port_id: "ACTIVE"}
    [nic] = world.read(network.nics, "server-1")
    assert (nic.port_id, nic.tap, nic.mtu) == (port_id, f"tap{port_id[:11]}", 1450)
    [address] = world.read(network.addresses, ["server-1", "server-2"])["server-1"]
    assert (address.network_name, address.address, address.type, address.version) == ("net", "10.0.0.50", "fixed", 4)
    assert world.read(network.port_by_address, world.network_id, "10.0.0.50") == port_id
    assert world.read(network.port_owner, port_id) == ("server-1", "compute:nova", world.ctx.project_id)
    shown = world.mia.show("port", port_id)
    assert shown["device_id"] == "server-1" and shown["dns_name"] == "web"


def test_nics_keep_the_order_in_which_they_were_asked_for(world: World) -> None:
    mine = world.mia.make("port", network_id=world.network_id)["id"]
    first = world.claim(
        PortSpec(network_id=world.network_id), PortSpec(port_id=mine), PortSpec(network_id=world.network_id)
    )
    later = world.claim(PortSpec(network_id=world.network_id))
    assert [nic.port_id for nic in world.read(network.nics, "server-1")] == [*first, *later]
    assert first[1] == mine


def test_released_ports_go_and_those_that_were_there_before_stay(world: World) -> None:
    mine = world.mia.make("port", network_id=world.network_id)["id"]
    made, _ = world.claim(PortSpec(network_id=world.network_id), PortSpec(port_id=mine))
    for _ in range(2):
        world.write(network.release_ports, "server-1")
    world.mia.who.get(f"{V2}/ports/{made}", 404)
    kept = world.mia.show("port", mine)
    assert (kept["device_id"], kept["device_owner"], kept["status"]) == ("", "", "DOWN")
    assert world.read(network.nics, "server-1") == []


def test_one_port_of_several_is_released(world: World) -> None:
    one, two = world.claim(PortSpec(network_id=world.network_id), PortSpec(network_id=world.network_id))
    world.write(network.release_ports, "server-1", [one])
    assert [row.id for row in world.read(network.server_ports, "server-1")] == [two]


def test_ports_follow_their_server_to_another_host(world: World) -> None:
    [port_id] = world.claim(PortSpec(network_id=world.network_id))
    world.cloud.wait(converge(world.core))
    world.write(network.rebind_ports, "server-1", "elsewhere")
    assert world.read(network.ports_settled, "server-1") == {port_id: "BUILD"}


def test_what_cannot_be_claimed_is_refused(world: World) -> None:
    used = world.claim(PortSpec(network_id=world.network_id))[0]
    stranger = Net(world.cloud.new_user("tom", "shed")).subnet()
    bare = world.mia.make("network", name="bare")["id"]
    outside = public(world.cloud)
    for spec, error in (
        (PortSpec(network_id=stranger["network_id"]), NotFound),
        (PortSpec(network_id=bare), BadRequest),
        (PortSpec(network_id=outside), Forbidden),
        (PortSpec(port_id="nothing"), NotFound),
        (PortSpec(port_id=used), Conflict),
        (PortSpec(network_id=world.network_id, fixed_ip="10.0.0.1x"), BadRequest),
    ):
        with pytest.raises(error):
            world.claim(spec, server_id="server-2")
    with pytest.raises(BadRequest):
        world.claim(PortSpec(network_id=world.network_id), groups=("nothing",))
    world.cloud.admin.put(f"{V2}/quotas/{world.ctx.project_id}", {"quota": {"port": 1, "force": True}}, 200)
    with pytest.raises(Forbidden):
        world.claim(PortSpec(network_id=world.network_id))
    assert len(world.read(network.server_ports, "server-2")) == 0


def test_usable_networks_are_the_projects_own_and_shared_ones_with_a_subnet(world: World) -> None:
    public(world.cloud)
    world.mia.make("network", name="bare")
    Net(world.cloud.new_user("tom", "shed")).subnet()
    assert [row.id for row in world.read(network.usable_networks, world.ctx.project_id)] == [world.network_id]


def test_groups_are_given_by_name_and_changed_on_the_server(world: World) -> None:
    web = world.mia.make("security_group", name="web")["id"]
    world.claim(PortSpec(network_id=world.network_id), groups=("web",))
    assert [row.id for row in world.read(network.security_groups, ["server-1"])["server-1"]] == [web]
    world.write(network.set_security_group, world.ctx, "server-1", "default", add=True)
    names = [row.name for row in world.read(network.security_groups, ["server-1"])["server-1"]]
    assert names == ["default", "web"]
    world.write(network.set_security_group, world.ctx, "server-1", web, add=False)
    assert [row.name for row in world.read(network.security_groups, ["server-1"])["server-1"]] == ["default"]
    with pytest.raises(NotFound):
        world.write(network.set_security_group, world.ctx, "server-1", "web", add=False)


def test_addresses_tell_the_floating_ip_too(world: World) -> None:
    outside = public(world.cloud)
    router = world.mia.make("router", name="r", external_gateway_info={"network_id": outside})
    world.mia.attach(router["id"], world.subnet["id"])
    [port_id] = world.claim(PortSpec(network_id=world.network_id))
    floating = world.mia.make("floatingip", floating_network_id=outside, port_id=port_id)
    found = world.read(network.addresses, ["server-1"])["server-1"]
    assert [(a.type, a.address) for a in found] == [
        ("fixed", "10.0.0.3"),
        ("floating", floating["floating_ip_address"]),
    ]


def test_network_data_names_link_network_and_name_server(world: World) -> None:
    [port_id] = world.claim(PortSpec(network_id=world.network_id))
    data = world.read(network.network_details, "server-1")
    assert data["links"][0]["vif_id"] == port_id and data["networks"][0]["type"] == "ipv4_dhcp"
    assert data["services"] == [{"type": "dns", "address": "9.9.9.9"}]
    world.mia.change("subnet", world.subnet["id"], enable_dhcp=False)
    [entry] = world.read(network.network_details, "server-1")["networks"]
    assert (entry["type"], entry["ip_address"], entry["netmask"]) == ("ipv4", "10.0.0.3", "255.255.255.0")
    assert entry["routes"][-1] == {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"}


def test_a_servers_port_changes_hands_through_compute_only(world: World) -> None:
    [port_id] = world.claim(PortSpec(network_id=world.network_id))
    assert world.mia.change("port", port_id, 409, device_id="")["type"] == "PortInUse"
    assert world.mia.change("port", port_id, name="renamed")["name"] == "renamed"


def test_groups_are_not_dropped_silently_on_a_network_that_filters_nothing(world: World) -> None:
    world.mia.make("security_group", name="web")
    network_id = world.mia.make("network", port_security_enabled=False)["id"]
    world.mia.make("subnet", network_id=network_id, ip_version=4, cidr="10.9.0.0/24")
    filtered, open_to_all = PortSpec(network_id=world.network_id), PortSpec(network_id=network_id)
    with pytest.raises(BadRequest, match="port_security_enabled"):
        world.claim(open_to_all, groups=("web",))
    with pytest.raises(BadRequest, match="port_security_enabled"):
        world.claim(filtered, open_to_all, groups=("default", "web"))
    assert world.read(network.server_ports, "server-1") == []
    world.claim(open_to_all, groups=("default",))
    world.claim(open_to_all)
    assert len(world.read(network.server_ports, "server-1")) == 2
