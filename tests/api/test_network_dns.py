"""DNS names of floating IPs, ports and networks: kept and shown as Neutron's dns-integration does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.compute_support import make_flavor, make_image
from tests.api.network_support import V2, Net, public
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def test_a_floating_ip_takes_and_shows_its_names(cloud: ApiCloud, mia: Net) -> None:
    made = mia.make("floatingip", floating_network_id=public(cloud), dns_name="Web", dns_domain="Example.ORG.")
    assert (made["dns_name"], made["dns_domain"]) == ("web", "example.org.")
    assert mia.show("floatingip", made["id"]) == made
    assert [row["id"] for row in mia.list("floatingips", "?dns_name=web")] == [made["id"]]
    assert mia.list("floatingips", "?dns_name=other") == []
    plain = mia.make("floatingip", floating_network_id=public(cloud))
    assert (plain["dns_name"], plain["dns_domain"]) == ("", "")


@pytest.mark.parametrize(
    "values",
    [
        {"dns_name": "web"},
        {"dns_domain": "example.org."},
        {"dns_name": "web.", "dns_domain": "example.org."},
        {"dns_name": "web", "dns_domain": "example.org"},
        {"dns_name": "-web", "dns_domain": "example.org."},
        {"dns_name": "w" * 64, "dns_domain": "example.org."},
        {"dns_name": "web", "dns_domain": ("a" * 63 + ".") * 4},
        {"dns_name": "web\n", "dns_domain": "example.org."},
    ],
)
def test_a_floating_ips_names_are_two_valid_ones_or_none(cloud: ApiCloud, mia: Net, values: dict[str, Any]) -> None:
    mia.make("floatingip", 400, floating_network_id=public(cloud), **values)
    assert mia.list("floatingips") == []


def test_a_floating_ips_names_stay_as_they_were_made(cloud: ApiCloud, mia: Net) -> None:
    made = mia.make("floatingip", floating_network_id=public(cloud), dns_name="web", dns_domain="example.org.")
    mia.change("floatingip", made["id"], 400, dns_name="other")


@pytest.mark.parametrize("single", ["network", "port"])
def test_networks_and_ports_take_a_domain_that_ends_with_a_period(mia: Net, single: str) -> None:
    base = {} if single == "network" else {"network_id": mia.subnet()["network_id"]}
    for wrong in ("example.org", "a_b.", "1.2.", "-a."):
        mia.make(single, 400, **base, dns_domain=wrong)
    made = mia.make(single, **base, dns_domain="Example.org.")
    assert made["dns_domain"] == "example.org."
    mia.change(single, made["id"], 400, dns_domain="example.org")
    assert mia.change(single, made["id"], dns_domain="")["dns_domain"] == ""


def test_a_port_is_named_in_its_own_domain_or_its_networks(mia: Net) -> None:
    subnet = mia.subnet()
    mia.change("network", subnet["network_id"], dns_domain="net.example.")

    def full(**values: Any) -> str:
        port = mia.make("port", network_id=subnet["network_id"], **values)
        assert mia.who.get(f"{V2}/ports/{port['id']}").json()["port"]["dns_assignment"] == port["dns_assignment"]
        return str(port["dns_assignment"][0]["fqdn"])

    assert full(dns_name="Web") == "web.net.example."
    assert full(dns_name="web", dns_domain="own.example.") == "web.own.example."
    assert full(dns_name="web.else.example.") == "web.else.example."
    assert full().startswith("host-10-0-0-") and full().endswith(".net.example.")


def test_a_name_of_another_projects_port_is_not_taken_on_a_shared_network(cloud: ApiCloud, mia: Net) -> None:
    admin, bob = Net(cloud.admin), Net(cloud.new_user("bob", "shed"))
    network = admin.make("network", name="plaza", shared=True)["id"]
    admin.make("subnet", network_id=network, ip_version=4, cidr="10.9.0.0/24")
    mias = mia.make("port", network_id=network, dns_name="shop")
    for taken in ("shop", "SHOP", "shop.example.org", "host-10-9-0-3", "wpad", "localhost"):
        bob.make("port", 409, network_id=network, dns_name=taken)
    bobs = bob.make("port", network_id=network, dns_name="shop2")
    bob.change("port", bobs["id"], 409, dns_name="shop")
    assert mia.make("port", network_id=network, dns_name="shop")["dns_name"] == "shop", "one's own may be alike"
    mia.change("port", mias["id"], dns_name="shop")


def test_a_server_whose_name_another_projects_port_has_boots_without_it(cloud: ApiCloud, mia: Net) -> None:
    admin, bob = Net(cloud.admin), cloud.new_user("bob", "shed")
    network = admin.make("network", name="plaza", shared=True)["id"]
    admin.make("subnet", network_id=network, ip_version=4, cidr="10.9.0.0/24")
    mia.make("port", network_id=network, dns_name="shop")
    flavor, image = make_flavor(cloud.admin), make_image(bob, "disk")
    wanted = {"name": "shop", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    server = bob.post("/compute/v2.1/servers", {"server": wanted}, 202).json()["server"]["id"]
    cloud.run_jobs()
    assert bob.get(f"/compute/v2.1/servers/{server}").json()["server"]["status"] == "ACTIVE"
    [port] = Net(bob).list("ports", f"?device_id={server}")
    assert port["dns_name"] == ""
