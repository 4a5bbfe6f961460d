"""kill -9 of the cloud at any moment: every operation finishes or unwinds, running servers never notice."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.real import MARKS, RealCloud, Tenant, wait_for
from tests.running import running_below

pytestmark = MARKS

Pair = tuple[tuple[str, str], tuple[str, str]]
SETTLED = {"ACTIVE", "ERROR", "SHUTOFF"}
SEED = 20


def settle(tenant: Tenant, seconds: float = 150) -> None:
    """Wait until nothing of the tenant is under way any more."""

    def quiet() -> bool:
        servers = tenant.get("/compute/v2.1/servers/detail")["servers"]
        volumes = tenant.get(f"{tenant.volumes}/volumes/detail")["volumes"]
        return all(s["status"] in SETTLED and s["OS-EXT-STS:task_state"] is None for s in servers) and all(
            v["status"] in ("available", "in-use", "error") for v in volumes
        )

    wait_for("everything settled", quiet, seconds)


def orphans(cloud: RealCloud) -> list[str]:
    """What lies on the host without a row in the cloud, and the other way round."""
    admin = cloud.admin()
    servers = admin.call("GET", "/compute/v2.1/servers/detail?all_tenants=1")["servers"]
    ports = admin.call("GET", "/network/v2.0/ports?device_owner=compute:nova")["ports"]
    volumes = admin.call("GET", f"/volume/v3/{admin.project_id}/volumes/detail?all_tenants=1")["volumes"]
    host = cloud.folder / "host"
    found: list[str] = []
    guests = {path.name for path in (host / "guests").iterdir()}
    running = {server["id"] for server in servers if server["status"] == "ACTIVE"}
    found += [f"guest {guest} has no server" for guest in guests - {server["id"] for server in servers}]
    found += [f"server {server} has no guest" for server in running - guests]
    found += [
        f"port {port['id']} belongs to no server"
        for port in ports
        if port["device_id"] not in {server["id"] for server in servers}
    ]
    attached = {volume["id"] for volume in volumes if volume["status"] == "in-use"}
    claimed = {a["id"] for s in servers for a in s["os-extended-volumes:volumes_attached"]}
    found += [f"volume {volume} is in use by no server" for volume in attached - claimed]
    found += [f"volume {volume} is attached but not in use" for volume in claimed - attached]
    return found


def taps(cloud: RealCloud) -> set[str]:
    namespace = cloud.outside.removesuffix("-ext")
    listing = subprocess.run(
        ["ip", "-n", namespace, "-o", "link"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    names = {line.split(":")[1].strip().split("@")[0] for line in listing}
    return {name for name in names if name.startswith("tap")}


def exporters(cloud: RealCloud) -> set[str]:
    """Ids of the volumes whose exporter processes run for this cloud, whoever started them."""
    pool = cloud.folder / "host/volumes"
    return {Path(folder).name for _, name, folder in running_below(pool) if name == "qemu-storage-daemon"}


def crash(cloud: RealCloud, tenant: Tenant) -> None:
    cloud.kill()
    cloud.up()
    tenant.connect()


def test_a_crash_during_server_create(real: RealCloud, mia: Tenant, image: str, two_servers: Pair) -> None:
    (_, address), _ = two_servers
    mia.ssh(address, "echo unnoticed >/run/crash")
    server_id = mia.request_server("crashed", image)
    crash(real, mia)
    mia.wait_server(server_id)
    _, other = mia.floating_ip(server_id)
    assert mia.ssh(other, "hostname").split(".")[0] == "crashed"
    assert mia.ssh(address, "cat /run/crash") == "unnoticed"
    mia.delete_server(server_id)
    assert orphans(real) == []


def test_a_crash_during_volume_attach(real: RealCloud, mia: Tenant, two_servers: Pair) -> None:
    (one, address), _ = two_servers
    volume = mia.volume()
    path = f"/compute/v2.1/servers/{one}/os-volume_attachments"
    mia.post(path, {"volumeAttachment": {"volumeId": volume}})
    crash(real, mia)
    mia.wait_volume(volume, "in-use")
    disk = "ls /sys/block | grep vdb; true"
    wait_for("the disk in the guest", lambda: mia.ssh(address, disk), 60)
    mia.detach(one, volume)
    wait_for("the disk gone", lambda: not mia.ssh(address, disk), 60)
    assert orphans(real) == []


def test_a_crash_during_floating_ip_associate(real: RealCloud, mia: Tenant, two_servers: Pair) -> None:
    (one, _), _ = two_servers
    [known] = mia.get(f"/network/v2.0/floatingips?port_id={mia.port_of(one)}")["floatingips"]
    mia.associate(known["id"], None)
    mia.associate(known["id"], one)
    crash(real, mia)
    wait_for(
        "the floating IP active",
        lambda: mia.get(f"/network/v2.0/floatingips/{known['id']}")["floatingip"]["status"] == "ACTIVE",
        20,
    )
    assert mia.ssh(known["floating_ip_address"], "hostname").split(".")[0] == "one"


@pytest.mark.nightly
def test_five_crashes_at_random_moments_leave_nothing_stuck_or_orphaned(
    real: RealCloud, mia: Tenant, image: str, two_servers: Pair
) -> None:
    dice = random.Random(SEED)
    (one, address), _ = two_servers
    made: list[str] = []
    volumes: list[str] = []
    for number in range(5):
        match number:
            case 0 | 3:
                made.append(mia.request_server(f"random-{number}", image))
            case 1:
                volumes.append(mia.post(f"{mia.volumes}/volumes", {"volume": {"size": 1}})["volume"]["id"])
            case 2 if made:
                mia.client.call("DELETE", f"/compute/v2.1/servers/{made.pop()}")
            case _:
                mia.wait_volume(volumes[-1], "available")
                path = f"/compute/v2.1/servers/{one}/os-volume_attachments"
                mia.post(path, {"volumeAttachment": {"volumeId": volumes[-1]}})
        time.sleep(dice.uniform(0.0, 0.8))  # the moment of the crash is what is varied here
        crash(real, mia)
    settle(mia)
    assert mia.ssh(address, "hostname").split(".")[0] == "one"
    for server in mia.get("/compute/v2.1/servers/detail")["servers"]:
        assert server["status"] == "ACTIVE", server.get("fault")
    for volume in volumes:
        if mia.get(f"{mia.volumes}/volumes/{volume}")["volume"]["status"] == "in-use":
            mia.detach(one, volume)
    for server_id in made:
        mia.delete_server(server_id)
    for volume in volumes:
        mia.client.call("DELETE", f"{mia.volumes}/volumes/{volume}")
    assert orphans(real) == []

    def only_known_taps() -> bool:
        ports = real.admin().call("GET", "/network/v2.0/ports")["ports"]
        return taps(real) <= {f"tap{port['id'][:11]}" for port in ports}

    wait_for("taps of deleted servers gone", only_known_taps, 30)
    pools = Path(real.folder) / "host" / "volumes"
    assert exporters(real) == set(), "exporters of volumes that are not attached"
    wait_for("files of deleted volumes gone", lambda: not [v for v in volumes if list(pools.rglob(f"{v}*"))], 30)
