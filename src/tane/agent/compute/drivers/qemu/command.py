"""The command line of a guest."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from tane.agent.compute.drivers.qemu import devices, hardware
from tane.agent.compute.drivers.qemu.accelerator import QEMU
from tane.agent.compute.drivers.qemu.record import GuestFolder, Record
from tane.agent.compute.drivers.qemu.settings import QemuSettings
from tane.wire.documents import Guest

INSIDE = GuestFolder(Path())
"""The guest's folder as QEMU sees it, which runs in it."""
SYSTEM = "manufacturer=OpenStack Foundation,product=OpenStack Nova,family=Virtual Machine"
"""By these words cloud-init (ds-identify) knows that a metadata service answers on 169.254.169.254."""
CONSOLE_BYTES = 256 << 10
"""What is kept of the serial console until it is read; a power of two."""

SAVED = ("-incoming", f"unix:{INSIDE.memory_socket}")
"""Wait for saved memory at the memory socket."""
AWAITED = ("-incoming", "defer", "-S")
"""Wait to be told where the memory comes from, and, when it has come, to go on."""

_FIRST_PORT_SLOT = 2
_BALLOON = {"driver": "virtio-balloon-pci", "id": devices.BALLOON, "addr": "0x1a"}
"""It is never inflated: by it a guest tells what it uses of its memory."""
_PORTS_PER_SLOT = 8
_SMALL_GUEST_MB = 512
_SMALL_TRANSLATION_CACHE_MB = 32
_TRANSLATION_CACHE_MB = 256
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


class ImageFiles(msgspec.Struct, frozen=True):
    """The files of this host's image cache that a guest stands on; ``kernel`` for a direct kernel boot."""

    base: Path | None = None
    rescue: Path | None = None
    kernel: Path | None = None
    ramdisk: Path | None = None


class Openings(msgspec.Struct, frozen=True):
    """By what names QEMU opens what it was handed: the image files, and the taps' descriptors by port id."""

    base: str = ""
    rescue: str = ""
    kernel: str = ""
    ramdisk: str = ""
    taps: dict[str, int] = {}


def assign_slots(guest: Guest, settings: QemuSettings, before: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Give each device its slot, in the order the guest is to see it; returns the slots and the number of slots.

    Disks come as Nova orders them: what it is rescued by, root, ephemeral, swap, volumes; the config drive is a CD-ROM
    and takes no disk name.
    By its slot a guest names a NIC, so NICs have slots of their own and stay where they were (``before``).
    """
    disks = [
        *(["rescue"] if guest.rescue else []),
        *(["root"] if guest.root else []),
        *(["ephemeral"] if guest.ephemeral_gb else []),
        *(["swap"] if guest.swap_mb else []),
        *(devices.volume_device(disk.volume_id) for disk in guest.volumes),
        *(["config"] if guest.config_drive else []),
    ]
    nics = [devices.nic_device(nic.port_id) for nic in guest.nics]
    slots = {name: before[name] for name in nics if name in before}
    for first, names in ((devices.FIRST_NIC_SLOT, nics), (0, disks)):
        free = (slot for slot in itertools.count(first) if slot not in slots.values())
        slots |= {name: next(free) for name in names if name not in slots}
    return slots, max(settings.min_slots, len(slots) + settings.spare_slots, max(slots.values(), default=-1) + 1)


def command_line(
    record: Record, settings: QemuSettings, openings: Openings, incoming: tuple[str, ...] = ()
) -> list[str]:
    """QEMU's arguments for the guest of ``record``, to be run in its folder; ``incoming``: when its memory is to come
    from somewhere, :data:`SAVED` or :data:`AWAITED`."""
    guest, folder = record.guest, INSIDE
    return [
        QEMU,
        *("-name", f"{guest.id},process=tane-{guest.id[:8]}"),
        *("-uuid", guest.id),
        *("-smbios", f"type=1,{SYSTEM},serial={guest.id},uuid={guest.id}"),
        "-nodefaults",
        "-no-user-config",
        # A guest that powers itself off stays visible until the agent has seen it, also when that was away.
        "-no-shutdown",
        *("-sandbox", _SANDBOX),
        *_machine(record, settings),
        *("-chardev", f"socket,id=qmp,path={folder.qmp},server=on,wait=off"),
        *("-mon", "chardev=qmp,mode=control"),
        # In QEMU's memory and of one size: a guest that writes without end fills no disk.
        *("-chardev", f"ringbuf,id=console,size={CONSOLE_BYTES}"),
        *("-serial", "chardev:console"),
        *("-vnc", f"unix:{folder.vnc}"),
        *("-object", "rng-random,id=rng,filename=/dev/urandom"),
        *devices.device_argument({"driver": "virtio-rng-pci", "rng": "rng", "addr": "0x1c"}),
        *(devices.device_argument(_BALLOON) if record.balloon else ()),
        *hardware.arguments(guest.hardware, folder),
        *_root_ports(record.ports),
        *_kernel(guest, openings),
        *_disks(record, openings),
        *_nics(record, settings, openings),
        *incoming,
    ]


def _machine(record: Record, settings: QemuSettings) -> Iterator[str]:
    guest = record.guest
    yield from (
        "-machine",
        hardware.machine(guest.hardware, record.machine),
        "-m",
        str(guest.memory_mb),
        "-smp",
        hardware.processors(guest),
    )
    if settings.accelerator.kind == "kvm":
        yield from ("-accel", "kvm", "-cpu", "host")
        return
    # Under emulation most of a small guest's memory would be the translation cache.
    cache = _SMALL_TRANSLATION_CACHE_MB if guest.memory_mb <= _SMALL_GUEST_MB else _TRANSLATION_CACHE_MB
    # Emulated page walks are most of the price of emulation: five levels would make a boot a tenth longer than four.
    yield from ("-accel", f"tcg,tb-size={cache}", "-cpu", "max,la57=off")


def _root_ports(count: int) -> Iterator[str]:
    for index in range(count):
        slot, function = divmod(index, _PORTS_PER_SLOT)
        port = {
            "driver": "pcie-root-port",
            "id": devices.root_port(index),
            "bus": "pcie.0",
            "addr": f"{_FIRST_PORT_SLOT + slot:#x}.{function:#x}",
            "chassis": index + 1,
            "port": index,
            "io-reserve": 0,
        }
        if function == 0:
            port["multifunction"] = True
        yield from devices.device_argument(port)


def _kernel(guest: Guest, openings: Openings) -> Iterator[str]:
    if not openings.kernel:
        return
    yield from ("-kernel", openings.kernel)
    if openings.ramdisk:
        yield from ("-initrd", openings.ramdisk)
    if guest.kernel and guest.kernel.command_line:
        yield from ("-append", guest.kernel.command_line)


def _boot_order(guest: Guest, *, bootable: bool) -> dict[str, int]:
    """Device id → ``bootindex``; QEMU gives a kernel index 0, and no disk is booted then."""
    chosen = sorted(
        (disk for disk in guest.volumes if disk.boot_index is not None and disk.boot_index >= 0),
        key=lambda disk: disk.boot_index or 0,
    )
    first = ["rescue"] if guest.rescue else []
    names = [*first, *(["root"] if guest.root else []), *(devices.volume_device(disk.volume_id) for disk in chosen)]
    return {name: index for index, name in enumerate(names)} if bootable else {}


def _disks(record: Record, openings: Openings) -> Iterator[str]:
    order = _boot_order(record.guest, bootable=not openings.kernel)
    guest, slots, folder = record.guest, record.slots, INSIDE
    channel = itertools.count()
    bus = guest.hardware.disk_bus

    def local(name: str) -> Iterator[str]:
        place = devices.Place(bus, slots[name], next(channel) if bus == "sata" else 0)
        for options in devices.block_devices(name, name, place, boot_index=order.get(name)):
            yield from devices.device_argument(options)

    if guest.rescue:
        yield from devices.blockdev_argument(devices.disk_node("rescue", folder.rescue, openings.rescue))
        yield from local("rescue")
    if guest.root:
        yield from devices.blockdev_argument(devices.disk_node("root", folder.root, openings.base))
        yield from local("root")
    for name, path, wanted in (
        ("ephemeral", folder.ephemeral, guest.ephemeral_gb),
        ("swap", folder.swap, guest.swap_mb),
    ):
        if wanted:
            yield from devices.blockdev_argument(devices.raw_node(name, path))
            yield from local(name)
    for disk in guest.volumes:
        keys = folder.key_folder(disk.volume_id)
        yield from ("-object", json.dumps(devices.tls_credentials(disk, keys)))
        yield from devices.blockdev_argument(devices.nbd_connection(disk))
        yield from devices.blockdev_argument(devices.volume_layer(disk))
        name = devices.volume_device(disk.volume_id)
        for options in devices.volume_block_devices(disk, bus, slots[name], order.get(name)):
            yield from devices.device_argument(options)
    if guest.config_drive:
        file = {"driver": "file", "filename": str(folder.config_drive), "read-only": True}
        yield from devices.blockdev_argument({"node-name": "config", "driver": "raw", "read-only": True, "file": file})
        place = devices.Place(guest.hardware.cdrom_bus, slots["config"], next(channel))
        for options in devices.block_devices("config", "config", place, kind="cd"):
            yield from devices.device_argument(options)


def _nics(record: Record, settings: QemuSettings, openings: Openings) -> Iterator[str]:
    guest_model = record.guest.hardware.vif_model
    for nic in record.guest.nics:
        tap = "" if settings.user_network else str(openings.taps[nic.port_id])
        backend = devices.nic_backend(nic, tap)
        yield from ("-netdev", json.dumps(backend))
        yield from devices.device_argument(
            devices.nic_frontend(nic, record.slots[devices.nic_device(nic.port_id)], guest_model)
        )
