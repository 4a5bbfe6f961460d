"""More hosts than one: machines that join by a token, and what users see of it. Each is a namespace of this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tane.cli import dev
from tane.cli.client import CallError
from tane.cli.common import State
from tane.guest.build import GuestImage
from tane.linux import process
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
    left = dev.inside(third, "leave", "--state", str(third.folder))
    assert left.returncode == 0, left.stdout + left.stderr
    third.stop()
    with pytest.raises(CallError, match="404"):
        state_of(cloud, "machine-3")


@pytest.fixture(scope="module")
def servers(cloud: RealCloud, ann: Tenant, image: str) -> dict[str, tuple[str, str]]:
    """Host → (server on it, its floating IP)."""
    made = on_each_host(cloud, ann, image)
    return {host: (server_id, ann.floating_ip(server_id)[1]) for host, server_id in made.items()}


def test_servers_on_different_hosts_talk_and_each_is_reached_from_outside(
    cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    fixed = {
        host: ann.get(f"/network/v2.0/ports?device_id={server_id}")["ports"][0]["fixed_ips"][0]["ip_address"]
        for host, (server_id, _) in servers.items()
    }
    metadata = "timeout 5 wget -q -O - http://169.254.169.254/latest/meta-data/instance-type"
    for host, (server_id, address) in servers.items():
        shown = cloud.admin().call("GET", f"/compute/v2.1/servers/{server_id}")["server"]
        assert shown["OS-EXT-SRV-ATTR:host"] == host
        assert ann.ssh(address, "hostname").split(".")[0] == f"on-{host}"
        assert ann.ssh(address, metadata) == "t.test"
        for other in fixed.values():
            assert ann.ssh(address, f"ping -c2 -W2 {other} >/dev/null && echo yes || echo no") == "yes"


def test_a_volume_is_used_on_another_host_and_moves_with_its_data(
    cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    volume_id = ann.volume()
    disk = "d=/dev/$(cd /sys/block; ls -d vd[b-z] | tail -1)"
    (first, *others) = [host for host in servers if host != where(cloud, volume_id)]
    server_id, address = servers[first]
    ann.attach(server_id, volume_id)
    ann.ssh(address, f"{disk}; echo written far away | dd of=$d bs=512 conv=sync,fsync 2>/dev/null")
    ann.detach(server_id, volume_id)
    for host in (*others, where(cloud, volume_id)):
        server_id, address = servers[host]
        ann.attach(server_id, volume_id)
        assert ann.ssh(address, f"{disk}; dd if=$d bs=512 count=1 2>/dev/null | head -1") == "written far away"
        ann.detach(server_id, volume_id)


def where(cloud: RealCloud, volume_id: str) -> str:
    admin = cloud.admin()
    shown = admin.call("GET", f"/volume/v3/{admin.project_id}/volumes/{volume_id}")["volume"]
    return str(shown["os-vol-host-attr:host"]).split("@")[0]


def test_an_image_of_a_server_on_another_host_comes_to_the_cloud(
    ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    server_id, _ = servers["machine-1"]
    ann.post(f"/compute/v2.1/servers/{server_id}/action", {"createImage": {"name": "kept"}})

    def active() -> bool:
        [found] = ann.get("/image/v2/images?name=kept")["images"]
        assert found["status"] != "killed"
        return bool(found["status"] == "active" and found["size"] > 1 << 20)

    wait_for("the image", active, 60)
    log = ann.post(f"/compute/v2.1/servers/{server_id}/action", {"os-getConsoleOutput": {}})["output"]
    assert log


def host_of(cloud: RealCloud, server_id: str) -> str:
    return str(cloud.admin().call("GET", f"/compute/v2.1/servers/{server_id}")["server"]["OS-EXT-SRV-ATTR:host"])


def test_a_server_moves_with_its_disk_its_address_and_its_volume(
    cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    server_id, address = servers["machine-1"]
    volume_id = ann.volume()
    ann.attach(server_id, volume_id)
    disk = "d=/dev/$(cd /sys/block; ls -d vd[b-z] | tail -1)"
    ann.ssh(
        address,
        f"echo on the root disk >/root/note; {disk}; echo on the volume | dd of=$d conv=fsync 2>/dev/null; sync",
    )
    action = f"/compute/v2.1/servers/{server_id}/action"
    body = {"migrate": {"host": "machine-2"}}
    cloud.admin().call("POST", action, body, microversion="compute 2.56")
    ann.wait_server(server_id, "VERIFY_RESIZE")
    assert host_of(cloud, server_id) == "machine-2"
    read = f"cat /root/note; {disk}; head -1 $d"
    assert ann.ssh(address, read).split("\n") == ["on the root disk", "on the volume"]
    ann.post(action, {"revertResize": None})
    ann.wait_server(server_id)
    assert host_of(cloud, server_id) == "machine-1"
    assert ann.ssh(address, read).split("\n") == ["on the root disk", "on the volume"]
    ann.detach(server_id, volume_id)
    ann.post(action, {"shelve": None})
    ann.wait_server(server_id, "SHELVED_OFFLOADED")
    ann.post(action, {"unshelve": None})
    ann.wait_server(server_id)
    assert ann.ssh(address, "cat /root/note") == "on the root disk"


def test_a_server_goes_to_another_host_while_it_runs(
    cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    server_id, address = servers["machine-1"]
    volume_id = ann.volume()
    ann.attach(server_id, volume_id)
    booted = ann.ssh(address, "cat /proc/sys/kernel/random/boot_id")
    ann.ssh(address, "echo before >/root/live")
    with pinging(cloud, address) as seen:
        live_migrate(cloud, server_id, "machine-2")
    print(f"of {seen['sent']} packets {seen['lost']} were lost, one each 20 ms")
    assert ann.ssh(address, "cat /proc/sys/kernel/random/boot_id; cat /root/live").split() == [booted, "before"]
    disk = "d=/dev/$(cd /sys/block; ls -d vd[b-z] | tail -1)"
    assert ann.ssh(address, f"{disk}; echo kept | dd of=$d conv=fsync 2>/dev/null; head -1 $d") == "kept"
    ann.detach(server_id, volume_id)
    files = {name: folder_of(cloud, name) / "guests" / server_id for name in ("machine-1", "machine-2")}
    assert not files["machine-1"].exists() and files["machine-2"].exists()
    live_migrate(cloud, server_id, "machine-1")
    assert ann.ssh(address, "cat /proc/sys/kernel/random/boot_id; cat /root/live").split() == [booted, "before"]


@contextmanager
def pinging(cloud: RealCloud, address: str) -> Iterator[dict[str, int]]:
    """Ping every 20 ms meanwhile; what became of it afterwards."""
    found: dict[str, int] = {}
    command = ["ip", "netns", "exec", cloud.outside, "ping", "-n", "-i", "0.02", address]
    ping = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield found
    finally:
        ping.send_signal(signal.SIGINT)
        said, _ = ping.communicate(timeout=10)
    told = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert told is not None, said[-500:]
    found["sent"] = int(told[1])
    found["lost"] = int(told[1]) - int(told[2])


def live_migrate(cloud: RealCloud, server_id: str, host: str) -> None:
    admin, server = cloud.admin(), f"/compute/v2.1/servers/{server_id}"
    body = {"os-migrateLive": {"host": host, "block_migration": "auto"}}
    admin.call("POST", f"{server}/action", body, microversion="compute 2.96")

    def there() -> bool:
        shown = admin.call("GET", server)["server"]
        if shown["status"] == "MIGRATING":
            return False
        if shown["OS-EXT-SRV-ATTR:host"] == host and shown["status"] == "ACTIVE":
            return True
        action = admin.call("GET", f"{server}/os-instance-actions")["instanceActions"][0]
        shown = admin.call("GET", f"{server}/os-instance-actions/{action['request_id']}", microversion="compute 2.84")
        raise AssertionError(f"it stayed: {shown}")

    wait_for("the server on the other host", there, 120)


def folder_of(cloud: RealCloud, name: str) -> Path:
    return next(machine.folder for machine in machines(cloud) if machine.name == name) / "host"


def test_servers_go_on_while_the_agent_or_the_cloud_is_killed(
    cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    machine = machines(cloud)[0]
    server_id, address = servers[machine.name]
    booted = ann.ssh(address, "cat /proc/sys/kernel/random/boot_id")
    kill(State.of(machine.folder))
    assert ann.ssh(address, "cat /proc/sys/kernel/random/boot_id") == booted
    assert dev.inside(machine, "up", "--state", str(machine.folder)).returncode == 0
    cloud.kill()
    assert ann.ssh(address, "cat /proc/sys/kernel/random/boot_id") == booted
    cloud.up()
    wait_for("the host connected", lambda: connected(cloud, machine.name), 30)
    ann.connect()
    ann.post(f"/compute/v2.1/servers/{server_id}/action", {"reboot": {"type": "HARD"}})
    ann.wait_server(server_id)
    assert ann.ssh(address, "cat /proc/sys/kernel/random/boot_id") != booted


def kill(files: State) -> None:
    """kill -9 of an agent."""
    pid = process.read_pid(files.pidfile)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for("the agent gone", lambda: not process.alive(files.pidfile), 60)


def connected(cloud: RealCloud, name: str) -> bool:
    return bool(cloud.admin().call("GET", f"/hosts/{name}")["host"]["connected"])


@pytest.mark.nightly
def test_a_machine_that_loses_its_power_comes_back_with_its_servers(
    cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    machine = machines(cloud)[1]
    server_id, address = servers[machine.name]
    booted = ann.ssh(address, "cat /proc/sys/kernel/random/boot_id")
    dev.kill(machine)
    wait_for("the host away", lambda: not connected(cloud, machine.name), 30)
    assert ann.server(server_id)["status"] == "ACTIVE"
    reached = next(found for host, (_, found) in servers.items() if host != machine.name)
    assert ann.ssh(reached, "echo here") == "here"
    machine.start()
    assert dev.inside(machine, "up", "--state", str(machine.folder)).returncode == 0
    wait_for("the host back", lambda: connected(cloud, machine.name), 30)
    wait_for("the server started again", lambda: started_anew(ann, address, booted), 120)


def started_anew(tenant: Tenant, address: str, booted: str) -> bool:
    done = tenant.ssh_once(address, "cat /proc/sys/kernel/random/boot_id")
    return done.returncode == 0 and done.stdout.strip() != booted


def test_a_dead_hosts_servers_run_elsewhere_and_are_gone_from_it_when_it_is_back(
    cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]
) -> None:
    machine = machines(cloud)[1]
    server_id, address = servers[machine.name]
    files = machine.folder / "host" / "guests" / server_id
    assert host_of(cloud, server_id) == machine.name and files.exists()
    assert "is connected" in cloud.tane("host", "confirm-dead", machine.name, check=False)
    dev.kill(machine)
    wait_for("the host away", lambda: not connected(cloud, machine.name), 30)
    said = cloud.tane("host", "confirm-dead", machine.name, "--evacuate")
    assert server_id in said and state_of(cloud, machine.name) == "dead"
    assert host_of(cloud, server_id) != machine.name
    assert ann.ssh(address, "echo here") == "here"
    machine.start()
    assert dev.inside(machine, "up", "--state", str(machine.folder)).returncode == 0
    wait_for("the host back", lambda: connected(cloud, machine.name), 30)
    cloud.tane("host", "enable", machine.name)
    wait_for("what was left of the server to go", lambda: not files.exists(), 90)
    assert ann.ssh(address, "echo here") == "here"


@pytest.mark.nightly
def test_a_host_is_drained_of_its_servers(cloud: RealCloud, ann: Tenant, servers: dict[str, tuple[str, str]]) -> None:
    server_id, address = servers["machine-1"]
    assert host_of(cloud, server_id) == "machine-1"
    said = cloud.tane("host", "drain", "machine-1", "--reason", "new disks")
    assert server_id in said and host_of(cloud, server_id) != "machine-1"
    assert ann.ssh(address, "cat /root/note") == "on the root disk"
    cloud.tane("host", "enable", "machine-1")
