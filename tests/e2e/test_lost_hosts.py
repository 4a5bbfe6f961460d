"""A host is lost at night: its servers are back on another one, and never run twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tane.cli import dev
from tane.cli.common import State
from tane.guest.build import GuestImage
from tane.linux import process
from tests.e2e.real import MARKS, RealCloud, wait_for
from tests.e2e.test_hosts import connected, host_of, machines

pytestmark = [*MARKS, pytest.mark.nightly]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    cloud = RealCloud(tmp_path_factory.mktemp("lost"))
    State.of(cloud.folder).prepare()
    dev.prepare(State.of(cloud.folder))
    with (cloud.folder / "tane.toml").open("a") as settings:
        settings.write("lease_seconds = 10\n")
    cloud.up()
    cloud.tane("dev", "hosts", "2")
    yield cloud
    cloud.tane("down", "--purge")


def kept_flavor(cloud: RealCloud) -> str:
    admin = cloud.admin()
    body = {"flavor": {"name": "kept", "ram": 96, "vcpus": 1, "disk": 1}}
    flavor_id = str(admin.call("POST", "/compute/v2.1/flavors", body)["flavor"]["id"])
    specs = {"extra_specs": {"ha:policy": "evacuate"}}
    admin.call("POST", f"/compute/v2.1/flavors/{flavor_id}/os-extra_specs", specs)
    return flavor_id


def test_the_servers_of_a_host_that_stands_still_run_elsewhere_once_they_ended_there(
    cloud: RealCloud, guest: GuestImage
) -> None:
    ann = cloud.tenant("ann")
    first, second = machines(cloud)
    admin = cloud.admin()
    names = [host["name"] for host in admin.call("GET", "/hosts")["hosts"]]
    enable(cloud, [name for name in names if name == first.name], names)
    server_id = ann.request_server("kept", ann.upload_image(guest), flavorRef=kept_flavor(cloud))
    ann.wait_server(server_id)
    enable(cloud, [second.name], names)
    _, address = ann.floating_ip(server_id)
    assert ann.ssh(address, "echo here") == "here"

    folder = first.folder / "host" / "guests" / server_id
    agent = process.read_pid(State.of(first.folder).pidfile)
    assert agent is not None and process.alive(folder / "qemu.pid")
    os.kill(agent, signal.SIGSTOP)
    try:
        wait_for("its host to end it", lambda: not process.alive(folder / "qemu.pid"), 60)
        assert host_of(cloud, server_id) == first.name
        wait_for("another host to have it", lambda: host_of(cloud, server_id) == second.name, 120)
        ann.wait_server(server_id)
        assert ann.ssh(address, "echo back") == "back"
    finally:
        os.kill(agent, signal.SIGCONT)
    wait_for("the host back", lambda: connected(cloud, first.name), 60)
    wait_for("what was left of the server to go", lambda: not folder.exists(), 120)
    assert ann.ssh(address, "echo here") == "here" and host_of(cloud, server_id) == second.name


def enable(cloud: RealCloud, wanted: list[str], names: list[str]) -> None:
    for name in names:
        cloud.admin().call("PUT", f"/hosts/{name}", {"host": {"enabled": name in wanted}})


def test_servers_are_started_again_where_they_were_when_the_cloud_was_away_for_long(
    cloud: RealCloud, guest: GuestImage
) -> None:
    ann = cloud.tenant("ben")
    admin = cloud.admin()
    names = [host["name"] for host in admin.call("GET", "/hosts")["hosts"]]
    second = machines(cloud)[1]
    enable(cloud, [second.name], names)
    [flavor] = [found for found in admin.call("GET", "/compute/v2.1/flavors")["flavors"] if found["name"] == "kept"]
    server_id = ann.request_server("kept", ann.upload_image(guest), flavorRef=flavor["id"])
    ann.wait_server(server_id)
    enable(cloud, names, names)
    _, address = ann.floating_ip(server_id)
    assert ann.ssh(address, "echo here") == "here"
    pidfile = second.folder / "host" / "guests" / server_id / "qemu.pid"
    cloud.kill()
    wait_for("its host to end it", lambda: not process.alive(pidfile), 60)
    cloud.up()
    wait_for("its host to start it again", lambda: process.alive(pidfile), 60)
    ann.connect()
    ann.wait_server(server_id)
    assert host_of(cloud, server_id) == second.name and ann.ssh(address, "echo here") == "here"
