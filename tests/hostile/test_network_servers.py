"""Servers and other people's networks: what compute hands to the network on a user's behalf."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.network.interface import port_owner
from tests.api.compute_support import Project, V, at, project
from tests.api.network_support import V2, Net, first_host, public, reconcile
from tests.support import ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def plaza(cloud: ApiCloud) -> Any:
    """The subnet of a network that everybody shares."""
    admin = Net(cloud.admin)
    network = admin.make("network", name="plaza", shared=True)
    return admin.make("subnet", network_id=network["id"], ip_version=4, cidr="10.5.0.0/24")


def plug(garden: Project, server: str, expect: int, **wanted: Any) -> str:
    path = f"{V}/servers/{server}/os-interface"
    return garden.user.post(path, {"interfaceAttachment": wanted}, expect).text


def boot(garden: Project, expect: int, **network: Any) -> str:
    return garden.user.post(f"{V}/servers", garden.body(networks=[network]), expect, headers=at("2.96")).text


def port_outside(cloud: ApiCloud, garden: Project, outside: str) -> str:
    """A port of the user's project on the external network, as an administrator may have made it."""
    made = Net(cloud.admin).make("port", network_id=outside, project_id=garden.user.project_id)
    return str(made["id"])


def test_no_server_gets_on_the_external_network(cloud: ApiCloud, garden: Project) -> None:
    outside, server = public(cloud), garden.server()
    port_id = port_outside(cloud, garden, outside)
    for wanted in ({"net_id": outside}, {"port_id": port_id}):
        assert "external network" in plug(garden, server, 403, **wanted)
    for network in ({"uuid": outside}, {"port": port_id}):
        assert "external network" in boot(garden, 403, **network)
    assert Net(cloud.admin).show("port", port_id)["device_id"] == ""
    Net(cloud.admin).change("network", outside, shared=True)
    plug(garden, server, 200, port_id=port_id)


def test_a_shared_network_gives_its_servers_no_choice_of_addresses(
    cloud: ApiCloud, garden: Project, plaza: Any
) -> None:
    server = garden.server()
    for address in ("10.5.0.1", "10.5.0.2", "10.5.0.77", "10.5.0.254"):
        chosen = {"net_id": plaza["network_id"], "fixed_ips": [{"ip_address": address}]}
        plug(garden, server, 403, **chosen)
        boot(garden, 403, uuid=plaza["network_id"], fixed_ip=address)
    plug(garden, server, 200, net_id=plaza["network_id"])


def kept_ports(cloud: ApiCloud, garden: Project) -> list[str]:
    """A router's interface, DHCP's port and a port that became an interface, all of the user's project."""
    mia = Net(garden.user)
    router, subnet = mia.make("router", name="r"), mia.subnet("10.8.0.0/24")
    by_subnet = mia.attach(router["id"], subnet["id"])["port_id"]
    made = mia.make("port", network_id=mia.subnet("10.9.0.0/24")["network_id"])
    mia.who.put(f"{V2}/routers/{router['id']}/add_router_interface", {"port_id": made["id"]}, 200)
    [dhcp] = mia.list("ports", f"?network_id={subnet['network_id']}&device_owner=network:dhcp")
    return [by_subnet, made["id"], dhcp["id"]]


def test_no_port_of_a_service_goes_to_a_server(cloud: ApiCloud, garden: Project) -> None:
    server, mia = garden.server(), Net(garden.user)
    for port_id in kept_ports(cloud, garden):
        before = mia.show("port", port_id)
        for change in ({"device_id": "", "device_owner": ""}, {"device_owner": ""}, {"device_id": ""}):
            mia.change("port", port_id, 409, **change)
        assert "in use" in plug(garden, server, 409, port_id=port_id)
        boot(garden, 409, port=port_id)
        assert mia.show("port", port_id) == before


def test_a_servers_port_on_somebody_elses_network_is_always_filtered(
    cloud: ApiCloud, garden: Project, plaza: Any
) -> None:
    """The way of the attack: port, router, port, server. Each of its steps is refused, and the host sees a filter."""
    mia, server = Net(garden.user), garden.server()
    own, router = mia.make("port", network_id=plaza["network_id"]), mia.make("router", name="r")
    path = f"{V2}/routers/{router['id']}/add_router_interface"
    mia.who.put(path, {"port_id": own["id"]}, 400)
    for change in (
        {"port_security_enabled": False},
        {"security_groups": [], "port_security_enabled": False},
        {"allowed_address_pairs": [{"ip_address": "0.0.0.0/0"}]},
        {"mac_address": "fa:16:3e:00:00:01"},
        {"fixed_ips": [{"ip_address": "10.5.0.1"}]},
        {"device_owner": "network:router_interface", "device_id": router["id"]},
    ):
        mia.change("port", own["id"], 403, **change)
    plug(garden, server, 200, port_id=own["id"])
    garden.cloud.run_jobs()
    reconcile(cloud)
    state = first_host(cloud).state
    assert state is not None
    [told] = [port for port in state.ports if port.id == own["id"]]
    assert told.port_security_enabled and told.security_group_ids and told.allowed_address_pairs == ()


def test_what_a_user_writes_into_a_port_leads_to_no_servers_metadata(cloud: ApiCloud, garden: Project) -> None:
    victim, tom = garden.server(), Net(cloud.new_user("tom", "shed"))
    network_id = tom.subnet()["network_id"]
    for owner in ("compute:nova", "", "compute:other"):
        made = tom.make("port", network_id=network_id, device_id=victim, device_owner=owner)
        with cloud.core.db.read() as tx:
            assert port_owner(tx, made["id"]) is None
    [own] = Net(garden.user).list("ports", f"?device_id={victim}")
    with cloud.core.db.read() as tx:
        assert port_owner(tx, own["id"]) == (victim, "compute:nova", garden.user.project_id)


def test_another_projects_port_goes_to_no_server(cloud: ApiCloud, garden: Project, plaza: Any) -> None:
    """Not even on a network both may use."""
    server, tom = garden.server(), Net(cloud.new_user("tom", "shed"))
    foreign = tom.make("port", network_id=plaza["network_id"])
    plug(garden, server, 404, port_id=foreign["id"])
    boot(garden, 400, port=foreign["id"])


def test_a_servers_ports_are_its_projects_whoever_asks(cloud: ApiCloud, garden: Project, plaza: Any) -> None:
    server, admin, tom = garden.server(), Net(cloud.admin), Net(cloud.new_user("tom", "shed"))
    path = f"{V}/servers/{server}/os-interface"
    answer = admin.who.post(path, {"interfaceAttachment": {"net_id": plaza["network_id"]}}, 200)
    made = admin.show("port", answer.json()["interfaceAttachment"]["port_id"])
    assert made["project_id"] == garden.user.project_id
    assert made["security_groups"] == [group["id"] for group in Net(garden.user).list("security-groups")]
    foreign = tom.make("port", network_id=plaza["network_id"])
    refused = admin.who.post(path, {"interfaceAttachment": {"port_id": foreign["id"]}}, 400)
    assert "not usable for instance" in refused.text


def test_a_servers_port_keeps_its_device_and_mac(cloud: ApiCloud, garden: Project) -> None:
    server, mia = garden.server(), Net(garden.user)
    [own] = mia.list("ports", f"?device_id={server}")
    for change in ({"device_id": ""}, {"device_owner": ""}, {"device_id": "x"}, {"device_owner": "x"}):
        assert mia.change("port", own["id"], 409, **change)["type"] == "PortInUse"
    mac = {"mac_address": "fa:16:3e:00:00:01"}
    mia.change("port", own["id"], 403, **mac)
    assert Net(cloud.admin).change("port", own["id"], 409, **mac)["type"] == "PortBound"


@pytest.mark.parametrize("name", ["web\n", "web..x", "a-.b", "x" * 70 + ".y", "web\nconf-script=/tmp/x"])
def test_a_servers_name_becomes_a_host_name_or_none(cloud: ApiCloud, garden: Project, name: str) -> None:
    """A display name may be anything on one line; what DHCP and the guest are told of it is a host name."""
    body = garden.body(name.strip().replace("\n", " "), hostname=name)
    answer = garden.user.post(f"{V}/servers", body, headers=at("2.96"))
    if answer.status_code == 202:
        garden.cloud.run_jobs()
        state = first_host(cloud).state
        assert state is not None and len(state.ports) == 1
        assert state.ports[0].hostname in ("", "web"), state.ports[0].hostname
    else:
        assert answer.status_code == 400 and "\n" in name, answer.text
