"""The ways to spread a cloud over machines (docs/guides/topologies.md), each machine a namespace of this one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tane import ids
from tane.cli import dev
from tane.cli.common import State
from tane.guest.build import GuestImage
from tests.e2e.real import MARKS, RealCloud, Tenant

pytestmark = [*MARKS, pytest.mark.nightly]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    """The API and the database on one machine, the way out, two machines of servers, one of volumes on others."""
    cloud = RealCloud(tmp_path_factory.mktemp("apart"))
    State.of(cloud.folder).prepare()
    dev.prepare(State.of(cloud.folder))
    settings = cloud.folder / "tane.toml"
    settings.write_text((settings.read_text() if settings.exists() else "") + "roles = []\n")
    cloud.up()
    for number, roles in enumerate(("network", "compute", "compute", "volume"), 1):
        print(cloud.tane("dev", "hosts", str(number), "--roles", roles))
    yield cloud
    cloud.tane("down", "--purge")


@pytest.fixture(scope="module")
def ann(cloud: RealCloud) -> Tenant:
    tenant = cloud.tenant("ann")
    gateway = next(dev.every(State.of(cloud.folder)))
    tenant.outside = gateway.command("ip", "netns", "exec", f"tane-{ids.of(gateway.folder).cloud_id}-ext")
    return tenant


def test_controller_gateway_servers_and_volumes_are_on_machines_of_their_own(
    cloud: RealCloud, ann: Tenant, guest: GuestImage
) -> None:
    hosts = {host["name"]: host for host in cloud.admin().call("GET", "/hosts")["hosts"]}
    [own] = [host for name, host in hosts.items() if not name.startswith("machine-")]
    assert own["roles"] == [] and hosts["machine-2"]["roles"] == ["compute"]

    image = ann.upload_image(guest)
    made = [ann.request_server(f"web-{number}", image) for number in range(2)]
    addresses = []
    for server_id in made:
        ann.wait_server(server_id)
        addresses.append(ann.floating_ip(server_id)[1])
    servers = [cloud.admin().call("GET", f"/compute/v2.1/servers/{server_id}")["server"] for server_id in made]
    where = {server["OS-EXT-SRV-ATTR:host"] for server in servers}
    assert where <= {"machine-2", "machine-3"}, "servers are where the role compute is"

    assert all(ann.ssh(address, "hostname").startswith("web-") for address in addresses)

    volume = ann.volume()
    shown = cloud.admin().call("GET", f"{ann.volumes}/volumes/{volume}")["volume"]
    assert shown["os-vol-host-attr:host"].split("@")[0] == "machine-4", "volumes are where the role volume is"
    ann.attach(made[0], volume)
    disk = "d=/dev/$(cd /sys/block; ls -d vd[b-z] | tail -1)"
    ann.ssh(addresses[0], f"{disk}; echo written far away | dd of=$d bs=512 conv=sync,fsync 2>/dev/null")
    ann.detach(made[0], volume)
    ann.attach(made[1], volume)
    assert ann.ssh(addresses[1], f"{disk}; dd if=$d bs=512 count=1 2>/dev/null | head -1") == "written far away"
