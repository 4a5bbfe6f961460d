"""Requests that are small to send and large to answer: they are refused, or cost what others cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network_support import V2, Net
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


MANY = 1200


@pytest.mark.parametrize(
    "query",
    [
        "&".join(["sort_key=name"] * MANY),
        "tags=" + ",".join(f"t{n}" for n in range(MANY)),
        "not-tags=" + ",".join(f"t{n}" for n in range(MANY)),
        "tags-any=" + ",".join(f"t{n}" for n in range(MANY)),
        "not-tags-any=" + ",".join(f"t{n}" for n in range(MANY)),
        "&".join(f"id={n}" for n in range(MANY)),
        "&".join(f"created_at=2026-01-01T00:00:{n % 60:02}" for n in range(MANY)),
        "&".join(f"fixed_ips=ip_address_substr%3D{n}" for n in range(MANY)),
        "&".join(f"fixed_ips=ip_address%3D10.0.0.{n}" for n in range(MANY)),
        "&".join(f"security_groups={n}" for n in range(MANY)),
        "&".join(
            f"{name}={n}" for name in ("name", "status", "project_id", "id", "mac_address") for n in range(MANY // 4)
        ),
        "&".join(["sort_key=name&sort_dir=asc"] * MANY),
        "&".join(f"fields=f{n}" for n in range(MANY)),
    ],
    ids=lambda query: query[:24],
)
def test_a_list_with_thousands_of_filters_is_answered_or_refused(mia: Net, query: str) -> None:
    mia.make("network", name="lan")
    for collection in ("networks", "ports"):
        answer = mia.who.get(f"{V2}/{collection}?{query}", None)
        assert answer.status_code in (200, 400), answer.text


def test_one_port_does_not_take_the_addresses_of_many(cloud: ApiCloud, mia: Net) -> None:
    """Not on a network that others need addresses of, too."""
    admin = Net(cloud.admin)
    network = admin.make("network", name="plaza", shared=True)
    subnet = admin.make("subnet", network_id=network["id"], ip_version=4, cidr="10.5.0.0/24")
    asked = [{"subnet_id": subnet["id"]}] * 21
    error = mia.make("port", 400, network_id=network["id"], fixed_ips=asked)
    assert "Exceeded maximum amount of fixed ips per port" in error["message"]
    port = mia.make("port", network_id=network["id"])
    assert mia.change("port", port["id"], 403, fixed_ips=asked)["type"] == "PolicyNotAuthorized"
    assert admin.change("port", port["id"], 400, fixed_ips=asked)["type"] == "InvalidInput"
    assert mia.show("port", port["id"])["fixed_ips"] == port["fixed_ips"]


def growing(single: str, **values: Any) -> tuple[str, dict[str, Any]]:
    return single, values


@pytest.mark.parametrize(
    ("single", "values"),
    [
        growing("network", availability_zone_hints=["nova"] * MANY),
        growing("router", availability_zone_hints=["nova"] * MANY),
        growing("subnet", allocation_pools=[{"start": f"10.0.{n // 250}.{n % 250 + 2}"} for n in range(MANY)]),
        growing("subnet", dns_nameservers=["192.0.2.1"] * MANY),
        growing("subnet", host_routes=[{"destination": "10.1.0.0/24", "nexthop": "10.0.0.9"}] * MANY),
        growing("port", fixed_ips=[{}] * MANY),
        growing("port", allowed_address_pairs=[{"ip_address": f"10.0.0.{n % 250}"} for n in range(MANY)]),
    ],
)
def test_a_row_does_not_grow_without_end(mia: Net, single: str, values: dict[str, Any]) -> None:
    """Every pass over the cloud's networks reads it."""
    for pool in values.get("allocation_pools", ()):
        pool["end"] = pool["start"]
    if single == "subnet":
        values = {**values, "network_id": mia.make("network", name="lan")["id"], "cidr": "10.0.0.0/16"}
    if single == "port":
        values = {**values, "network_id": mia.subnet()["network_id"]}
    mia.make(single, 400, **values)


@pytest.mark.parametrize(("number", "status"), [(40_000, 400), (1000, 404)])
def test_a_port_with_thousands_of_groups_is_refused(mia: Net, number: int, status: int) -> None:
    network_id = mia.make("network", name="lan")["id"]
    mia.make("port", status, network_id=network_id, security_groups=[f"g{n}" for n in range(number)])


def test_rules_in_bulk_stop_at_the_quota(mia: Net) -> None:
    group = mia.make("security_group", name="g")
    rules = [
        {"security_group_id": group["id"], "direction": "ingress", "remote_ip_prefix": f"10.{n // 250}.{n % 250}.0/24"}
        for n in range(101)
    ]
    answer = mia.who.post(f"{V2}/security-group-rules", {"security_group_rules": rules}, 409)
    assert answer.json()["NeutronError"]["type"] == "OverQuota"


def test_a_sort_key_said_again_and_again_pages_like_one(mia: Net) -> None:
    made = sorted((mia.make("network", name=name) for name in ("a", "b", "c")), key=lambda row: row["name"])
    again = "&".join(["sort_key=name&sort_dir=asc"] * 200)
    found = mia.list("networks", f"?{again}&limit=2&marker={made[0]['id']}")
    assert [row["name"] for row in found] == ["b", "c"]
    assert mia.who.get(f"{V2}/networks?" + "&".join(["sort_key=name"] * 1200), 400)
