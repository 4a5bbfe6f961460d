"""Image properties and extra specs: each that Nova knows is honoured or refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.compute.domain import extra_specs, hardware
from tane.web.errors import BadRequest
from tane.wire.documents import DiskLimits, Hardware
from tane.wire.grammar import checked


@pytest.mark.parametrize(
    ("properties", "specs", "expected"),
    [
        ({}, {}, {}),
        ({"hw_firmware_type": "uefi", "os_secure_boot": "required"}, {}, {"firmware": "uefi", "secure_boot": True}),
        ({"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}, {}, {"disk_bus": "scsi"}),
        (
            {"hw_machine_type": "pc-q35-7.2", "hw_vif_model": "e1000e"},
            {},
            {"machine": "pc-q35-7.2", "vif_model": "e1000e"},
        ),
        ({"hw_qemu_guest_agent": "yes", "os_type": "windows"}, {}, {"guest_agent": True, "local_time": True}),
        ({"hw_qemu_guest_agent": "no", "hw_boot_menu": "True"}, {"hw:boot_menu": "false"}, {"boot_menu": False}),
        ({"hw_watchdog_action": "pause"}, {"hw:watchdog_action": "reset"}, {"watchdog": "pause"}),
        ({"hw_watchdog_action": "disabled"}, {"hw:watchdog_action": "reset"}, {"watchdog": ""}),
        ({}, {"hw:watchdog_action": "reset", "hw:serial_port_count": "2"}, {"watchdog": "reset", "serial_ports": 2}),
        ({}, {"hw:cpu_threads": "2"}, {"sockets": 2, "cores": 1, "threads": 2}),
        ({"hw_cpu_max_sockets": "1"}, {}, {"sockets": 1, "cores": 4, "threads": 1}),
        ({"hw_cpu_sockets": "4"}, {"hw:cpu_sockets": "2"}, {"sockets": 2, "cores": 2, "threads": 1}),
        ({"hw_tpm_version": "", "hw_vif_multiqueue_enabled": "false", "os_secure_boot": "optional"}, {}, {}),
        ({"os_distro": "debian", "hw_no_such_thing": "1", "mine": "x"}, {"mine:k": "v", "note": "x"}, {}),
    ],
)
def test_what_is_asked_for_is_what_the_host_is_told(
    properties: dict[str, str], specs: dict[str, str], expected: dict[str, Any]
) -> None:
    found = hardware.of(properties, specs, 4)
    assert found == Hardware(**expected)
    assert checked(found) == found


@pytest.mark.parametrize("name", hardware.NOT_DONE)
def test_what_is_not_done_is_refused_by_its_name(name: str) -> None:
    full = name if name[-1].isalnum() else f"{name}0"
    with pytest.raises(BadRequest, match=f"Image property {full} is not supported"):
        hardware.of({full: "required"}, {}, 1)


def test_a_trait_of_an_image_is_kept_and_has_a_name_and_a_meaning() -> None:
    wanted = {"trait:CUSTOM_FAST": "required"}
    assert hardware.of(wanted, {"resources:VCPU": "2"}, 1) == hardware.of({}, {}, 1)
    assert hardware.recorded({**wanted, "mine": "x"}) == wanted
    for name, value in (("trait:fast", "required"), ("trait:CUSTOM_FAST", "perhaps")):
        with pytest.raises(BadRequest, match=f"Image property {name}"):
            hardware.of({name: value}, {}, 1)


ACTED_ON = sorted(extra_specs.NAMESPACES.keys() - set(extra_specs.OTHERS))


@pytest.mark.parametrize(
    "name",
    [
        *(f"{namespace}:something" for namespace in ACTED_ON),
        *(
            "resources2:VCPU",
            "resources_NIC:CUSTOM_NIC",
            "trait1:HW_CPU_X86_AVX2",
        ),
        *("group_policy", "hide_hypervisor_id"),
    ],
)
def test_extra_specs_that_mean_something_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(BadRequest, match=f"Flavor extra spec {name} is not supported"):
        hardware.of({}, {name: "1"}, 1)


@pytest.mark.parametrize("name", ["mine:something", "note", "vmware:hw_version", "powervm:uncapped", "resource:VCPU"])
def test_extra_specs_that_mean_nothing_here_are_notes(name: str) -> None:
    assert hardware.of({}, {name: "1"}, 1) == hardware.of({}, {}, 1)


WORDS = {
    "ha:policy": ["evacuate", "none"],
    "hw:boot_menu": ["true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"],
    "hw:watchdog_action": ["disabled", "reset", "poweroff", "pause", "none"],
    "hw:cpu_policy": ["shared"],
    "hw:mem_page_size": ["small", "any", "4", "4kb"],
    "hw_rng:allowed": ["true", "yes", "on", "1", "y", "t", "True"],
}
"""All others are numbers."""


@pytest.mark.parametrize("name", sorted(hardware.EXTRA_SPECS))
def test_an_extra_spec_that_is_honoured_may_be_set_since_2_86(name: str) -> None:
    for value in WORDS.get(name, ["1", "4"]):
        hardware.of({}, {name: value}, 4)
        extra_specs.check({name: value})
    for value in ("bogus", "-1", "1\n"):
        with pytest.raises(BadRequest, match=name):
            hardware.of({}, {name: value}, 4)
        with pytest.raises(BadRequest, match=name):
            extra_specs.check({name: value})


def test_local_disks_have_the_limits_of_the_flavor() -> None:
    specs = {
        "quota:disk_total_iops_sec": "100",
        "quota:disk_read_bytes_sec": "1048576",
        "quota:disk_write_bytes_sec": "0",
    }
    assert hardware.of({}, specs, 1).disk_limits == DiskLimits(iops_total=100, bytes_read=1048576)
    assert (
        hardware.of({}, {"quota:disk_total_iops_sec": "0", "quota:disk_read_iops_sec": "5"}, 1).disk_limits.iops_read
        == 5
    )


@pytest.mark.parametrize("name", sorted(hardware.PROPERTIES.keys() - {"os_type"}))
@pytest.mark.parametrize("value", ["bogus", "q35\n", "virtio,file=/etc/shadow", "1\n", "٣", "-1", "99999"])
def test_a_value_that_is_none_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=f"Image property {name} "):
        hardware.of({name: value}, {}, 1)


@pytest.mark.parametrize(
    ("properties", "specs", "reason"),
    [
        ({"os_secure_boot": "required"}, {}, "needs hw_firmware_type=uefi"),
        ({"hw_serial_port_count": "3"}, {"hw:serial_port_count": "2"}, "larger than"),
        ({"hw_cpu_sockets": "3"}, {}, "4 VCPUs cannot be arranged .*sockets=3"),
        ({"hw_cpu_max_sockets": "1", "hw_cpu_max_cores": "1", "hw_cpu_max_threads": "1"}, {}, "cannot be arranged"),
        (
            {},
            {"quota:disk_total_iops_sec": "1", "quota:disk_read_iops_sec": "1"},
            "quota:disk_total_iops_sec goes with",
        ),
        ({}, {"quota:disk_write_bytes_sec": "1", "quota:disk_total_bytes_sec": "1"}, "disk_total_bytes_sec goes with"),
        ({"kernel_id": "x", "os_command_line": "a\nb"}, {}, "os_command_line"),
    ],
)
def test_contradictions_are_refused(properties: dict[str, str], specs: dict[str, str], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        hardware.of(properties, specs, 4)
