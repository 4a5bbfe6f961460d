"""What a server uses, and since when a host is up: hosts are asked while the caller waits."""

from __future__ import annotations

import re

import pytest

from tane.hosts.registry import HostUnreachable
from tane.wire.errors import HostError
from tests.api.compute_support import Project, V, at, project
from tests.support import ApiCloud

UPTIME = re.compile(r"\s*(.+)\sup\s+(.+),\s+(.+)\susers?,\s+load average:\s(.+)")
"""How the standard client takes an uptime apart."""
HOST_ERRORS = [(HostError("no", transient=True), 503), (HostUnreachable("h"), 503), (HostError("no"), 409)]


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def test_diagnostics_of_one_form_for_all_drivers(garden: Project) -> None:
    server_id = garden.server()
    found = garden.admin.get(f"{V}/servers/{server_id}/diagnostics", headers=at("2.48")).json()
    assert (found["state"], found["driver"], found["config_drive"]) == ("running", "libvirt", False)
    assert (found["num_cpus"], found["num_nics"], found["num_disks"]) == (1, 1, 1)
    assert found["cpu_details"] == [{"id": 0, "time": 1_000_000_000, "utilisation": None}]
    [address] = garden.show(server_id)["addresses"].values()
    [nic] = found["nic_details"]
    assert nic["mac_address"] == address[0]["OS-EXT-IPS-MAC:mac_addr"]
    assert (nic["rx_octets"], nic["tx_octets"], nic["rx_rate"]) == (1, 2, None)
    assert found["disk_details"] == [
        {"read_bytes": 512, "read_requests": 1, "write_bytes": 0, "write_requests": 0, "errors_count": 0}
    ]
    assert found["memory_details"]["maximum"] > 0


def test_diagnostics_in_the_form_of_before(garden: Project) -> None:
    server_id = garden.server()
    found = garden.admin.get(f"{V}/servers/{server_id}/diagnostics", headers=at("2.47")).json()
    assert found["cpu0_time"] == 1_000_000_000
    assert (found["vda_read"], found["vda_read_req"], found["vda_errors"]) == (512, 1, 0)
    [port] = garden.user.get(f"{V}/servers/{server_id}/os-interface").json()["interfaceAttachments"]
    tap = f"tap{port['port_id'][:11]}"
    assert (found[f"{tap}_rx"], found[f"{tap}_tx"], found[f"{tap}_rx_drop"]) == (1, 2, -1)
    assert found["memory"] % 1024 == 0


def test_diagnostics_are_for_administrators_and_of_running_servers(garden: Project) -> None:
    server_id = garden.server()
    garden.user.get(f"{V}/servers/{server_id}/diagnostics", 403)
    garden.admin.get(f"{V}/servers/{garden.image_id}/diagnostics", 404)
    garden.done(server_id, "os-stop")
    garden.admin.get(f"{V}/servers/{server_id}/diagnostics", 409)


@pytest.mark.parametrize(("error", "expect"), HOST_ERRORS)
def test_a_host_that_does_not_tell_is_told_as_such(garden: Project, error: HostError, expect: int) -> None:
    server_id = garden.server()
    garden.host.fail("diagnostics", None, error)
    assert server_id in garden.admin.get(f"{V}/servers/{server_id}/diagnostics", expect).text


def test_the_uptime_of_a_hypervisor_is_what_clients_take_apart(garden: Project) -> None:
    [host] = garden.admin.get(f"{V}/os-hypervisors", headers=at("2.87")).json()["hypervisors"]
    path = f"{V}/os-hypervisors/{host['id']}"
    found = garden.admin.get(f"{path}/uptime", headers=at("2.87")).json()["hypervisor"]
    assert set(found) == {"id", "hypervisor_hostname", "state", "status", "uptime"}
    parts = UPTIME.match(found["uptime"])
    assert parts
    assert parts.groups() == ("12:00:00", "1 day,  1:01", "0", "0.50, 0.25, 0.00")
    garden.admin.get(f"{V}/os-hypervisors/7/uptime", 404)
    garden.user.get(f"{path}/uptime", 403, headers=at("2.87"))
    garden.admin.get(f"{path}/uptime", 404, headers=at("2.88"))


def test_since_2_88_hypervisors_are_shown_with_their_uptime(garden: Project) -> None:
    [listed] = garden.admin.get(f"{V}/os-hypervisors/detail", headers=at("2.88")).json()["hypervisors"]
    shown = garden.admin.get(f"{V}/os-hypervisors/{listed['id']}", headers=at("2.88")).json()["hypervisor"]
    assert UPTIME.match(listed["uptime"])
    assert shown["uptime"] == listed["uptime"]
    garden.host.fail("uptime", None, HostError("no"))
    [silent] = garden.admin.get(f"{V}/os-hypervisors/detail", headers=at("2.88")).json()["hypervisors"]
    assert silent["uptime"] is None


@pytest.mark.parametrize(("error", "expect"), HOST_ERRORS)
def test_a_host_that_does_not_tell_its_uptime_is_told_as_such(garden: Project, error: HostError, expect: int) -> None:
    [host] = garden.admin.get(f"{V}/os-hypervisors", headers=at("2.87")).json()["hypervisors"]
    garden.host.fail("uptime", None, error)
    garden.admin.get(f"{V}/os-hypervisors/{host['id']}/uptime", expect, headers=at("2.87"))
