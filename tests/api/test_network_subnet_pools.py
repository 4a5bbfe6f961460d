"""Subnet pools: ranges for subnets that never overlap."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from tests.api.network_support import V2, Net
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Net:
    return Net(cloud.new_user("mia", "garden"))


def pool(net: Net, *prefixes: str, expect: int = 201, **values: Any) -> Any:
    return net.make("subnetpool", expect, name="pool", prefixes=list(prefixes or ("10.0.0.0/16",)), **values)


def take(net: Net, expect: int = 201, **values: Any) -> Any:
    """A subnet on a network of its own."""
    return net.make("subnet", expect, network_id=net.make("network")["id"], **values)


def test_a_pool_has_every_field_clients_expect(mia: Net) -> None:
    made = pool(mia, "10.0.1.0/24", "10.0.0.0/24", "10.8.0.9/16", description="d")
    assert made["prefixes"] == ["10.0.0.0/23", "10.8.0.0/16"] and made["ip_version"] == 4
    lengths = (made["min_prefixlen"], made["max_prefixlen"], made["default_prefixlen"])
    assert lengths == ("8", "32", "8") and made["default_quota"] is None and made["address_scope_id"] is None
    assert (made["shared"], made["is_default"], made["revision_number"]) == (False, False, 1)
    assert mia.list("subnetpools", "?ip_version=4&name=pool") == [made] and mia.list("subnetpools", "?name=x") == []
    assert mia.show("subnetpool", made["id"]) == made
    six = pool(mia, "fd00::/48")
    assert (six["ip_version"], six["min_prefixlen"], six["max_prefixlen"]) == (6, "64", "128")
    changed = mia.change("subnetpool", made["id"], name="b", default_prefixlen=26, default_quota=64)
    assert (changed["name"], changed["default_prefixlen"], changed["default_quota"]) == ("b", "26", 64)
    mia.drop("subnetpool", made["id"])
    mia.who.get(f"{V2}/subnetpools/{made['id']}", 404)
    assert {"subnet_allocation", "default-subnetpools"} <= {row["alias"] for row in mia.list("extensions")}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"prefixes": []}, "EmptySubnetPoolPrefixList"),
        ({"prefixes": ["10.0.0.0/8", "fd00::/48"]}, "PrefixVersionMismatch"),
        ({"prefixes": ["ten"]}, "HTTPBadRequest"),
        ({"prefixes": ["0.0.0.0/0"]}, "InvalidInput"),
        ({"prefixes": ["224.0.0.0/8"]}, "InvalidInput"),
        ({"prefixes": [f"10.{number}.0.0/24" for number in range(101)]}, "InvalidInput"),
        ({"min_prefixlen": 25, "max_prefixlen": 24}, "IllegalSubnetPoolPrefixBounds"),
        ({"max_prefixlen": 33}, "IllegalSubnetPoolPrefixBounds"),
        ({"min_prefixlen": 20, "default_prefixlen": 19}, "IllegalSubnetPoolPrefixBounds"),
        ({"max_prefixlen": 20, "default_prefixlen": 21}, "IllegalSubnetPoolPrefixBounds"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(mia: Net, values: dict[str, Any], kind: str) -> None:
    body = {"name": "p", "prefixes": ["10.0.0.0/16"], **values}
    assert mia.make("subnetpool", 400, **body)["type"] == kind
    made = pool(mia)
    error = mia.change("subnetpool", made["id"], 400, **values)
    assert error["type"] in (kind, "IllegalSubnetPoolPrefixUpdate")
    assert mia.show("subnetpool", made["id"]) == made


def test_what_has_no_pool_yet_is_said(mia: Net) -> None:
    assert "Address scopes" in pool(mia, expect=501, address_scope_id="x")["message"]
    mia.make("subnetpool", 400, name="", prefixes=["10.0.0.0/8"])
    mia.make("subnetpool", 400, prefixes=["10.0.0.0/8"])


def test_subnets_of_a_pool_never_overlap(mia: Net) -> None:
    made = pool(mia, "10.0.0.0/22", "192.168.0.0/24", default_prefixlen=24)["id"]
    got = [take(mia, subnetpool_id=made, ip_version=4), take(mia, subnetpool_id=made, prefixlen=26)]
    got += [take(mia, subnetpool_id=made) for _ in range(3)]
    networks = [ipaddress.ip_network(subnet["cidr"]) for subnet in got]
    assert [network.prefixlen for network in networks] == [24, 26, 24, 24, 24]
    assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[:i])
    assert {subnet["subnetpool_id"] for subnet in got} == {made}
    assert got[0]["cidr"] == "192.168.0.0/24" and got[0]["gateway_ip"] == "192.168.0.1"
    error = take(mia, 409, subnetpool_id=made)
    assert error["type"] == "SubnetAllocationError" and "subnet size /24" in error["message"]
    assert take(mia, subnetpool_id=made, prefixlen=25)["cidr"].endswith("/25")
    assert mia.drop("subnetpool", made, 400)["type"] == "SubnetPoolDeleteError"
    mia.drop("subnet", got[0]["id"])
    assert take(mia, subnetpool_id=made)["cidr"] == "192.168.0.0/24"


def test_a_range_may_be_named_where_it_is_free(mia: Net) -> None:
    made = pool(mia, "10.0.0.0/16", min_prefixlen=20, max_prefixlen=28)["id"]
    pools = [{"start": "10.0.5.10", "end": "10.0.5.20"}]
    subnet = take(mia, subnetpool_id=made, cidr="10.0.5.0/24", allocation_pools=pools)
    assert (subnet["cidr"], subnet["allocation_pools"]) == ("10.0.5.0/24", pools)
    for cidr in ("10.0.5.128/25", "10.0.4.0/23", "10.1.0.0/24"):
        assert take(mia, 409, subnetpool_id=made, cidr=cidr)["type"] == "SubnetAllocationError"
    assert take(mia, 400, subnetpool_id=made, prefixlen=29)["type"] == "MaxPrefixSubnetAllocationError"
    assert take(mia, 400, subnetpool_id=made, cidr="10.0.0.0/19")["type"] == "MinPrefixSubnetAllocationError"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"cidr": "10.0.0.0/24", "prefixlen": 24, "subnetpool_id": "POOL"}, "must not be supplied together"),
        ({"subnetpool_id": "POOL", "use_default_subnetpool": True}, "cannot both be specified"),
        ({"use_default_subnetpool": True, "ip_version": 4}, "No default subnetpool found for IPv4"),
        ({"use_default_subnetpool": True}, "ip_version must be specified"),
        ({"subnetpool_id": "POOL", "ip_version": 6}, "Cannot allocate IPv6 subnet from IPv4 subnet pool"),
        ({"subnetpool_id": "POOL", "allocation_pools": []}, "allowed only for specific subnet requests"),
        ({"prefixlen": 24, "ip_version": 4}, "subnetpool must be specified"),
    ],
)
def test_what_a_subnet_asks_of_pools_must_make_sense(mia: Net, values: dict[str, Any], words: str) -> None:
    made = pool(mia)["id"]
    body = {name: made if value == "POOL" else value for name, value in values.items()}
    assert words in take(mia, 400, **body)["message"]


def test_the_subnets_of_a_network_are_of_one_pool_for_each_version_of_ip(mia: Net) -> None:
    one, other, six = pool(mia, default_prefixlen=24)["id"], pool(mia)["id"], pool(mia, "fd00::/48")["id"]
    network_id = mia.make("network")["id"]
    mia.make("subnet", network_id=network_id, subnetpool_id=one)
    mia.make("subnet", network_id=network_id, subnetpool_id=one)
    assert mia.make("subnet", network_id=network_id, subnetpool_id=six)["cidr"] == "fd00::/64"
    for values in ({"subnetpool_id": other, "prefixlen": 24}, {"cidr": "172.16.0.0/24", "ip_version": 4}):
        error = mia.make("subnet", 400, network_id=network_id, **values)
        assert error["type"] == "NetworkSubnetPoolAffinityError"


def test_a_pools_share_of_each_project_is_kept(cloud: ApiCloud, mia: Net) -> None:
    admin, tom = Net(cloud.admin), Net(cloud.new_user("tom", "shed"))
    made = pool(admin, shared=True, default_quota=512, default_prefixlen=24)["id"]
    for net in (mia, tom):
        take(net, subnetpool_id=made)
        take(net, subnetpool_id=made)
        assert take(net, 409, subnetpool_id=made, prefixlen=32)["type"] == "SubnetPoolQuotaExceeded"


def test_a_pool_only_grows(mia: Net) -> None:
    made = pool(mia, "10.0.0.0/24", "10.0.1.0/24")["id"]
    for prefixes in (["10.0.0.0/24"], ["fd00::/48"], ["10.0.1.0/24", "10.2.0.0/16"]):
        assert mia.change("subnetpool", made, 400, prefixes=prefixes)["type"] == "IllegalSubnetPoolPrefixUpdate"
    assert mia.change("subnetpool", made, prefixes=["10.0.0.0/22"])["prefixes"] == ["10.0.0.0/22"]


def test_pools_are_ones_own_unless_an_administrator_shares_them(cloud: ApiCloud, mia: Net) -> None:
    admin, tom = Net(cloud.admin), Net(cloud.new_user("tom", "shed"))
    own = pool(tom)["id"]
    for values in ({"shared": True}, {"is_default": True}):
        pool(mia, expect=403, **values)
    tom.change("subnetpool", own, 403, is_default=True)
    mia.who.get(f"{V2}/subnetpools/{own}", 404)
    mia.change("subnetpool", own, 404, name="x")
    mia.drop("subnetpool", own, 404)
    assert take(mia, 404, subnetpool_id=own, ip_version=4)["type"] == "SubnetPoolNotFound"
    hidden = pool(admin, is_default=True)["id"]
    assert "No default" in take(mia, 400, use_default_subnetpool=True, ip_version=4)["message"]
    admin.drop("subnetpool", hidden)
    shared = pool(admin, shared=True, is_default=True, default_prefixlen=24)
    assert "already been set" in pool(admin, expect=400, is_default=True)["message"]
    assert mia.show("subnetpool", shared["id"]) == shared
    mia.change("subnetpool", shared["id"], 403, name="x")
    mia.drop("subnetpool", shared["id"], 403)
    assert take(mia, use_default_subnetpool=True, ip_version=4)["subnetpool_id"] == shared["id"]
    admin.change("subnetpool", shared["id"], 400, shared=False)


def test_pools_are_tagged_counted_and_made_in_bulk(cloud: ApiCloud, mia: Net) -> None:
    bodies = [{"name": name, "prefixes": ["10.0.0.0/8"]} for name in ("a", "b")]
    made = mia.who.post(f"{V2}/subnetpools", {"subnetpools": bodies}, 201).json()["subnetpools"]
    path = f"{V2}/subnetpools/{made[0]['id']}"
    mia.who.put(f"{path}/tags", {"tags": ["red"]}, 200)
    assert [row["name"] for row in mia.list("subnetpools", "?tags=red")] == ["a"]
    mia.who.put(path, {"subnetpool": {"name": "c"}}, 412, headers={"If-Match": "revision_number=1"})
    cloud.admin.put(f"{V2}/quotas/{mia.who.project_id}", {"quota": {"subnetpool": 2}}, 200)
    assert pool(mia, expect=409)["type"] == "OverQuota"
