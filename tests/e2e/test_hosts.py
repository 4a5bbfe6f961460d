"""More hosts than one: machines that join by a token, and what users see of it. Each is a namespace of this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tane.cli import dev
from tane.cli.client import CallError
from tane.cli.common import State
from tane.guest.build import GuestImage
from tane.linux.machines import Machine
from tests.e2e.real import MARKS, RealCloud, Tenant, wait_for

pytestmark = MARKS


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    cloud = RealCloud(tmp_path_factory.mktemp("many"))
    State.of(cloud.folder).prepare()
    dev.prepare(State.of(cloud.folder))
    cloud.up()
    print(cloud.tane("dev", "hosts", "2"))
    yield cloud
    cloud.tane("down", "--purge")


@pytest.fixture(scope="module")
def ann(cloud: RealCloud) -> Tenant:
    return cloud.tenant("ann")


@pytest.fixture(scope="module")
def image(ann: Tenant, guest: GuestImage) -> str:
    return ann.upload_image(guest)


def machines(cloud: RealCloud) -> list[Machine]:
    return list(dev.every(State.of(cloud.folder)))


def state_of(cloud: RealCloud, name: str) -> str:
    return str(cloud.admin().call("GET", f"/hosts/{name}")["host"]["state"])


def on_each_host(cloud: RealCloud, tenant: Tenant, image: str) -> dict[str, str]:
    """A server on each host: host → server."""
    admin = cloud.admin()
    names = [host["name"] for host in admin.call("GET", "/hosts")["hosts"]]
    made = {}
    for chosen in names:
        for name in names:
            admin.call("PUT", f"/hosts/{name}", {"host": {"enabled": name == chosen}})
        made[chosen] = tenant.request_server(f"on-{chosen}", image)
    for name in names:
        admin.call("PUT", f"/hosts/{name}", {"host": {"enabled": True}})
    for server_id in made.values():
        tenant.wait_server(server_id)
    return made


def test_machines_join_by_token_within_ten_seconds(cloud: RealCloud) -> None:
    begun = time.monotonic()
    said = cloud.tane("dev", "hosts", "3")
    assert "machine-3 joined" in said
    assert time.monotonic() - begun < 10
    listed = cloud.tane("host", "list")
    assert listed.count(" up ") == 4, listed
    third = machines(cloud)[2]
    left = dev.inside(third, "leave", "--state", str(third.state))
    assert left.returncode == 0, left.stdout + left.stderr
    third.stop()
    with pytest.raises(CallError, match="404"):
        state_of(cloud, "machine-3")


def test_servers_on_different_hosts_talk_and_each_is_reached_from_outside(
    cloud: RealCloud, ann: Tenant, image: str
) -> None:
    made = on_each_host(cloud, ann, image)
    for host, server_id in made.items():
        shown = cloud.admin().call("GET", f"/compute/v2.1/servers/{server_id}")["server"]
        assert shown["OS-EXT-SRV-ATTR:host"] == host
    addresses = {host: ann.floating_ip(server_id)[1] for host, server_id in made.items()}
    fixed = {
        host: ann.get(f"/network/v2.0/ports?device_id={server_id}")["ports"][0]["fixed_ips"][0]["ip_address"]
        for host, server_id in made.items()
    }
    for host, address in addresses.items():
        assert ann.ssh(address, "hostname").split(".")[0] == f"on-{host}"
        for other in fixed.values():
            assert ann.ssh(address, f"ping -c2 -W2 {other} >/dev/null && echo yes || echo no") == "yes"
    for server_id in made.values():
        ann.delete_server(server_id)


def test_a_server_goes_on_while_its_agent_is_killed_and_comes_back(cloud: RealCloud, ann: Tenant, image: str) -> None:
    wait_for("the host up", lambda: state_of(cloud, "machine-1") == "up", 30)
