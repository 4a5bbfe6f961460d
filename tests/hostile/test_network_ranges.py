"""An external network must not take what the machine has already: the host would hold the site's own gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tane.config import Config
from tane.hosts import store as hosts
from tane.server import external_cidr
from tane.services.network.domain.bootstrap import ensure_external_network
from tane.web.errors import Conflict
from tests.api.network_support import Net, public
from tests.support import HOST_ID, ApiCloud

LAN = {"cidr": "192.168.1.0/24", "interface": "eth0"}
OFFICE = {"cidr": "10.20.0.0/16", "interface": "wg0"}
SIX = {"cidr": "fd12::/64", "interface": "eth0"}


@pytest.fixture
def admin(cloud: ApiCloud) -> Net:
    with cloud.core.db.write() as tx:
        row = hosts.get(tx, HOST_ID)
        assert row is not None
        hosts.change(tx, HOST_ID, capabilities={**row.capabilities, "ranges": [LAN, OFFICE, SIX]})
    return Net(cloud.admin)


def external(admin: Net, **more: Any) -> str:
    values = {"router:external": True, "provider:network_type": "flat", "provider:physical_network": "external"}
    return str(admin.make("network", name="out", **{**values, **more})["id"])


@pytest.mark.parametrize(
    "cidr", ["192.168.1.0/24", "192.168.1.128/25", "192.168.0.0/16", "10.20.30.0/24", "10.0.0.0/8", "fd12::/96"]
)
def test_a_range_of_the_machine_is_refused_with_the_reason(admin: Net, cidr: str) -> None:
    network_id = external(admin)
    version = 6 if ":" in cidr else 4
    error = admin.make("subnet", 409, network_id=network_id, ip_version=version, cidr=cidr, enable_dhcp=False)
    assert error["type"] == "ExternalNetworkRangeInUse"
    assert "host-1" in error["message"] and "of interface" in error["message"]
    assert admin.list("subnets", f"?network_id={network_id}") == []


def test_networks_that_never_meet_the_machine_may_have_any_range(cloud: ApiCloud, admin: Net) -> None:
    mia = Net(cloud.new_user("mia", "garden"))
    mia.subnet("192.168.1.0/24")
    inside = admin.make("network", name="inside", **{"router:external": True})
    admin.make("subnet", network_id=inside["id"], ip_version=4, cidr="192.168.1.0/24")
    admin.make("subnet", network_id=external(admin), ip_version=4, cidr="198.51.100.0/24")


def test_a_flat_network_becomes_external_on_a_free_range_only(admin: Net) -> None:
    network_id = external(admin, **{"router:external": False})
    admin.make("subnet", network_id=network_id, ip_version=4, cidr="192.168.1.0/24", enable_dhcp=False)
    assert admin.change("network", network_id, 409, **{"router:external": True})["type"] == "ExternalNetworkRangeInUse"


@pytest.mark.parametrize("gateway", ["192.168.1.1", "10.9.9.9"])
def test_the_host_takes_no_gateway_outside_the_subnet(admin: Net, gateway: str) -> None:
    network_id = external(admin)
    base = {"network_id": network_id, "ip_version": 4, "cidr": "198.51.100.0/24", "enable_dhcp": False}
    assert "Gateway is not valid on subnet" in admin.make("subnet", 400, **base, gateway_ip=gateway)["message"]
    subnet = admin.make("subnet", **base)
    admin.change("subnet", subnet["id"], 400, gateway_ip=gateway)


def test_two_external_networks_do_not_meet(cloud: ApiCloud, admin: Net) -> None:
    first = public(cloud)
    [held] = admin.list("subnets", f"?network_id={first}")
    cloud.core.config = msgspec.structs.replace(cloud.core.config, physical_networks=("external", "second"))
    second = external(admin, **{"provider:physical_network": "second"})
    error = admin.make("subnet", 409, network_id=second, ip_version=4, cidr=held["cidr"], enable_dhcp=False)
    assert error["type"] == "ExternalNetworkRangeInUse" and first in error["message"]
    admin.make("subnet", network_id=second, ip_version=4, cidr="192.0.2.0/24", enable_dhcp=False)


@pytest.mark.parametrize("name", ["lan", "external2", "External", "*", "../external", "external\n", " external"])
@pytest.mark.parametrize("kind", ["flat", "vlan"])
def test_a_physical_network_is_one_that_is_known(admin: Net, name: str, kind: str) -> None:
    values = {"provider:network_type": kind, "provider:physical_network": name}
    shown = "flat" if kind == "flat" else "VLAN"
    assert (
        f"physical_network '{name}' unknown for {shown} provider network"
        in admin.make("network", 400, **values)["message"]
    )


def test_the_first_external_network_asks_the_machine_too(cloud: ApiCloud, admin: Net) -> None:
    with pytest.raises(Conflict, match=r"192\.168\.1\.0/24 of interface eth0"):
        ensure_external_network(cloud.core, "192.168.0.0/16")
    assert admin.list("networks", "?router:external=true") == []
    ensure_external_network(cloud.core, "198.18.7.0/24")


def test_the_first_external_network_looks_for_a_free_range(tmp_path: Path) -> None:
    config = Config(state_dir=tmp_path)
    first = external_cidr(config, "000005")
    assert first == "198.18.5.0/24"
    assert external_cidr(config, "000005", [{"cidr": "198.18.4.0/23", "interface": "tx-other"}]) == "198.18.6.0/24"
    assert external_cidr(config, "000005", [{"cidr": "198.18.0.0/16", "interface": "lab0"}]) == "198.19.0.0/24"
    assert external_cidr(config, "000005", [{"cidr": "198.18.0.0/15", "interface": "lab0"}]) == first
