"""QEMU's command line, without QEMU."""

from __future__ import annotations

import itertools
import json
import socket
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tane.agent.compute.drivers.qemu import hardware, hotplug
from tane.agent.compute.drivers.qemu.accelerator import Accelerator, probe_accelerator
from tane.agent.compute.drivers.qemu.command import Openings, assign_slots, command_line
from tane.agent.compute.drivers.qemu.devices import FIRST_NIC_SLOT
from tane.agent.compute.drivers.qemu.record import Record
from tane.agent.compute.drivers.qemu.settings import QemuSettings
from tane.agent.network.user import forwarded_address
from tane.wire.documents import (
    ConfigDrive,
    Guest,
    Hardware,
    ImageRef,
    Kernel,
    Nic,
    RootDisk,
    VolumeConnection,
    VolumeDisk,
)

GUEST_ID = "0b5d1c6e-3f1f-4d0a-8b1c-5d8a2f9c7e01"
VOLUME_ID = "5f0c2a4b-9f3e-4a52-b7e0-21f4b0c6d9aa"
PORT_ID = "c0ffee00-1111-4222-8333-444455556666"
IMAGE = ImageRef(id="image", digest="0" * 64, disk_format="qcow2", size_bytes=1)
SECRET = "feed" * 16


def volume(boot_index: int | None = None) -> VolumeDisk:
    connection = VolumeConnection(host="127.0.0.1", port=20001, export=VOLUME_ID, tls_username="tane", tls_key=SECRET)
    return VolumeDisk(volume_id=VOLUME_ID, connection=connection, boot_index=boot_index)


GUEST = Guest(
    id=GUEST_ID,
    name="web",
    vcpus=2,
    memory_mb=256,
    root=RootDisk(image=IMAGE, size_gb=1),
    volumes=(volume(),),
    nics=(Nic(port_id=PORT_ID, mac_address="fa:16:3e:00:00:01", tap="tapc0ffee00-11", mtu=1450),),
    config_drive=ConfigDrive(files={"a": b"b"}),
    ephemeral_gb=1,
    swap_mb=64,
)


def arguments(guest: Guest = GUEST, openings: Openings | None = None, **changes: Any) -> list[str]:
    settings = QemuSettings(state_dir=Path("/s"), accelerator=Accelerator("tcg", "a test"))
    settings = msgspec.structs.replace(settings, **changes)
    slots, ports = assign_slots(guest, settings, {})
    record = Record(guest=guest, slots=slots, ports=ports, base="/images/base.qcow2")
    return command_line(record, settings, openings or Openings(base="/proc/self/fd/7", taps={PORT_ID: 8}))


def options(line: list[str], flag: str) -> list[Any]:
    values = [value for name, value in itertools.pairwise(line) if name == flag]
    return [json.loads(value) if value.startswith("{") else value for value in values]


def device(line: list[str], device_id: str) -> dict[str, Any]:
    [found] = [entry for entry in options(line, "-device") if entry.get("id") == device_id]
    return dict(found)


def test_disks_come_in_the_order_root_ephemeral_swap_volumes() -> None:
    disks = [entry for entry in options(arguments(), "-device") if entry["driver"] == "virtio-blk-pci"]
    assert [entry["id"] for entry in disks] == ["root", "ephemeral", "swap", f"volume-{VOLUME_ID}"]
    assert [entry["bus"] for entry in disks] == ["rp0", "rp1", "rp2", "rp3"]
    assert disks[3]["serial"] == VOLUME_ID[:20]


def test_every_block_node_names_its_format_and_no_header_is_asked_for_a_backing_file() -> None:
    nodes = options(arguments(), "-blockdev")
    assert all("driver" in node and len(node["node-name"]) < 32 for node in nodes)
    root = next(node for node in nodes if node["node-name"] == "root")
    assert root["backing"]["driver"] == "qcow2"
    assert root["backing"]["file"]["filename"] == "/proc/self/fd/7"
    assert "-drive" not in arguments()


def test_no_secret_stands_on_the_command_line() -> None:
    assert SECRET not in " ".join(arguments())


def test_a_guest_is_confined_to_the_sandbox() -> None:
    [sandbox] = options(arguments(), "-sandbox")
    assert "spawn=deny" in sandbox
    assert "elevateprivileges=deny" in sandbox


def test_no_path_of_the_host_stands_on_the_command_line() -> None:
    words = [word for word in arguments() if "/" in word]
    assert not [word for word in words if "/s/" in word or "/images" in word]


def test_a_guest_is_told_by_its_firmware_what_cloud_it_is_in() -> None:
    [system] = options(arguments(), "-smbios")
    assert "product=OpenStack Nova" in system.split(",")
    assert f"uuid={GUEST_ID}" in system.split(",")


def test_the_serial_console_fills_no_disk() -> None:
    [console] = [entry for entry in options(arguments(), "-chardev") if "id=console" in entry]
    assert console == "ringbuf,id=console,size=262144"


def test_there_are_free_slots_for_hot_plugging() -> None:
    line = arguments(min_slots=0, spare_slots=3)
    assert len([entry for entry in options(line, "-device") if entry["driver"] == "pcie-root-port"]) == 6 + 3


def nic(number: int) -> Nic:
    return Nic(port_id=str(uuid.UUID(int=number)), mac_address=f"fa:16:3e:00:00:{number:02x}", tap=f"tap{number}")


def slots_of_nics(guest: Guest, before: dict[str, int], **changes: int) -> tuple[list[int], dict[str, int]]:
    settings = QemuSettings(state_dir=Path("/s"), accelerator=Accelerator("tcg", "a test"), **changes)
    slots, ports = assign_slots(guest, settings, before)
    assert len(set(slots.values())) == len(slots) <= ports - settings.spare_slots
    assert max(slots.values()) < ports
    return [slots[f"nic-{card.port_id}"] for card in guest.nics], slots


@pytest.mark.parametrize("more", [0, 1, 4, 8, 12])
def test_nics_stay_in_their_slots_whatever_disks_come_and_go(more: int) -> None:
    cards = (nic(1), nic(2))
    bare = msgspec.structs.replace(GUEST, nics=cards, volumes=(), config_drive=None, ephemeral_gb=0, swap_mb=0)
    places, before = slots_of_nics(bare, {})
    disks = tuple(msgspec.structs.replace(volume(), volume_id=str(uuid.UUID(int=i))) for i in range(more))
    full = msgspec.structs.replace(GUEST, nics=cards, volumes=disks)
    found, slots = slots_of_nics(full, before)
    assert found == places
    in_order = [slots[name] for name in ("root", "ephemeral", "swap", *(f"volume-{disk.volume_id}" for disk in disks))]
    assert in_order == sorted(in_order)
    assert slots_of_nics(bare, slots)[0] == places


@pytest.mark.parametrize("more", range(5))
def test_nics_are_where_they_would_be_on_another_host_too(more: int) -> None:
    bare = msgspec.structs.replace(GUEST, nics=(nic(1), nic(2)), volumes=())
    disks = tuple(msgspec.structs.replace(volume(), volume_id=str(uuid.UUID(int=i))) for i in range(more))
    assert slots_of_nics(msgspec.structs.replace(bare, volumes=disks), {})[0] == slots_of_nics(bare, {})[0]


def test_a_nic_stays_when_another_one_goes() -> None:
    [_, second], before = slots_of_nics(msgspec.structs.replace(GUEST, nics=(nic(1), nic(2))), {})
    [stays, new], _ = slots_of_nics(msgspec.structs.replace(GUEST, nics=(nic(2), nic(3))), before)
    assert stays == second != new


def test_a_nic_stays_where_an_earlier_release_put_it() -> None:
    before = {"root": 0, f"nic-{nic(1).port_id}": 1}
    guest = msgspec.structs.replace(GUEST, nics=(nic(1),), ephemeral_gb=0, swap_mb=0)
    places, slots = slots_of_nics(guest, before)
    assert places == [1]
    assert (slots["root"], slots[f"volume-{VOLUME_ID}"]) == (0, 2)


def test_what_is_plugged_in_keeps_to_the_slots_of_its_kind() -> None:
    taken = {"root": 0, "nic-a": FIRST_NIC_SLOT}
    slots = hotplug.Slots(taken, FIRST_NIC_SLOT + 2, lambda _: None)
    assert slots.take("nic-b", FIRST_NIC_SLOT) == FIRST_NIC_SLOT + 1
    assert slots.take("nic-c", FIRST_NIC_SLOT) == 1, "rather there than nowhere"
    assert slots.take("volume-a") == 2
    slots.release("nic-c")
    assert slots.take("volume-b") == 1


@pytest.mark.parametrize(
    ("asked", "recorded", "made"),
    [
        ("q35", "", "q35"),
        ("q35", "pc-q35-7.2", "pc-q35-7.2"),
        ("pc-q35-6.0", "pc-q35-7.2", "pc-q35-6.0"),
    ],
)
def test_a_server_keeps_the_machine_of_its_first_start(asked: str, recorded: str, made: str) -> None:
    assert hardware.machine(Hardware(machine=asked), recorded).split(",")[0] == made


def test_a_nic_is_the_open_tap_it_is_handed() -> None:
    [backend] = options(arguments(), "-netdev")
    assert backend == {"type": "tap", "id": f"net-{PORT_ID}", "fd": "8"}
    nic = device(arguments(), f"nic-{PORT_ID}")
    assert (nic["mac"], nic["host_mtu"]) == ("fa:16:3e:00:00:01", 1450)


def test_without_namespaces_a_loopback_address_of_its_own_reaches_the_guest() -> None:
    [backend] = options(arguments(user_network=True), "-netdev")
    assert backend["type"] == "user"
    assert [rule["str"] for rule in backend["hostfwd"]] == [
        f"tcp:{forwarded_address(PORT_ID)}:{host}-:{guest}"
        for guest, host in ((22, 10022), (80, 10080), (443, 10443), (8080, 18080))
    ]


def test_a_guest_without_namespaces_starts_though_somebody_has_a_port_of_it() -> None:
    with socket.create_server((forwarded_address(PORT_ID), 18080)):
        [backend] = options(arguments(user_network=True), "-netdev")
    assert [rule["str"].rpartition("-:")[2] for rule in backend["hostfwd"]] == ["22", "80", "443"]


def test_a_server_without_a_root_disk_boots_from_its_volume() -> None:
    line = arguments(msgspec.structs.replace(GUEST, root=None, volumes=(volume(boot_index=0),)))
    assert device(line, f"volume-{VOLUME_ID}")["bootindex"] == 0


def test_a_direct_kernel_boot_gives_no_disk_a_boot_index() -> None:
    guest = msgspec.structs.replace(GUEST, kernel=Kernel(kernel=IMAGE, command_line="console=ttyS0"))
    line = arguments(guest, Openings(base="b", kernel="/proc/self/fd/5", ramdisk="/proc/self/fd/6", taps={PORT_ID: 8}))
    assert options(line, "-kernel") == ["/proc/self/fd/5"]
    assert options(line, "-append") == ["console=ttyS0"]
    assert not any("bootindex" in entry for entry in options(line, "-device"))


@pytest.mark.parametrize(("memory_mb", "cache"), [(96, "tb-size=32"), (2048, "tb-size=256")])
def test_small_emulated_guests_get_a_small_translation_cache(memory_mb: int, cache: str) -> None:
    assert cache in options(arguments(msgspec.structs.replace(GUEST, memory_mb=memory_mb)), "-accel")[0]


def test_kvm_guests_see_the_hosts_processor() -> None:
    line = arguments(accelerator=Accelerator("kvm", "a test"))
    assert options(line, "-accel") == ["kvm"]
    assert options(line, "-cpu") == ["host"]


def test_without_kvm_the_reason_is_told(tmp_path: Path) -> None:
    found = probe_accelerator(tmp_path / "kvm")
    assert found.kind == "tcg"
    assert "does not exist" in found.reason
