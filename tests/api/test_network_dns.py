"""DNS names of floating IPs, ports and networks: kept and shown as Neutron's dns-integration does."""

from __future__ import annotations

from typing import Any

import pytest

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
