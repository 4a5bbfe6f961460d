"""QEMU's words for what a guest's machine is made of (:class:`tane.wire.documents.Hardware`).

Sources: QEMU's manual ("Invocation", "i440fx PC"/"q35"), edk2's OvmfPkg/README for the firmware.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tane.agent.compute.drivers.qemu import devices
from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.linux import confine
from tane.wire.documents import Guest, Hardware
from tane.wire.errors import NotSupported

OVMF = Path("/usr/share/OVMF")
"""Debian's package ovmf."""
_CODE = {False: "OVMF_CODE_4M.fd", True: "OVMF_CODE_4M.ms.fd"}
_VARIABLES = {False: "OVMF_VARS_4M.fd", True: "OVMF_VARS_4M.ms.fd"}
"""By whether boot is secure; the variables then hold the keys of Microsoft, by which distributions sign."""

_VIDEO = {"vga": "VGA", "virtio": "virtio-vga", "cirrus": "cirrus-vga", "qxl": "qxl-vga", "bochs": "bochs-display"}
_AGENT = "org.qemu.guest_agent.0"


def make_firmware(guest: Guest, folder: GuestFolder) -> None:
    """The variables of a guest with UEFI, made once: what the guest keeps in them is its own.

    Raises NotSupported where the firmware is not installed, OSError.
    """
    hardware = guest.hardware
    if hardware.firmware == "bios":
        return
    source = OVMF / _VARIABLES[hardware.secure_boot]
    if not source.exists() or not (OVMF / _CODE[hardware.secure_boot]).exists():
        raise NotSupported("this host has no UEFI firmware: install the package ovmf")
    if not folder.variables.exists():
        part = folder.variables.with_suffix(".part")
        confine.make_file(part, folder.owner)
        shutil.copyfile(source, part)
        part.replace(folder.variables)


def machine(hardware: Hardware, recorded: str) -> str:
    """The value of ``-machine``; ``recorded`` takes the place of a type without a version, once one is."""
    kind = recorded if recorded.startswith(f"pc-{hardware.machine}-") else hardware.machine
    options = [kind, "usb=off"]
    if hardware.firmware == "uefi":
        options += ["pflash0=firmware", "pflash1=variables"]
    if hardware.secure_boot:
        options.append("smm=on")
    return ",".join(options)


def processors(guest: Guest) -> str:
    """The value of ``-smp``."""
    hardware = guest.hardware
    if not hardware.sockets:
        return str(guest.vcpus)
    topology = f"sockets={hardware.sockets},cores={hardware.cores},threads={hardware.threads}"
    return f"{guest.vcpus},{topology}"


def arguments(hardware: Hardware, folder: GuestFolder) -> Iterator[str]:
    """What the machine has on its main bus, in slots of its own: 0x1 video, 0x1a to 0x1e the rest."""
    if hardware.firmware == "uefi":
        yield from _firmware(hardware, folder)
    if hardware.video_model != "none":
        yield from devices.device_argument({"driver": _VIDEO[hardware.video_model], "addr": "0x1"})
    if hardware.watchdog:
        yield from ("-action", f"watchdog={hardware.watchdog}")
        yield from devices.device_argument({"driver": "i6300esb", "addr": "0x1b"})
    if hardware.tablet:
        yield from devices.device_argument({"driver": "qemu-xhci", "id": "usb", "addr": "0x1d"})
        yield from devices.device_argument({"driver": "usb-tablet", "bus": "usb.0"})
    if hardware.guest_agent:
        yield from ("-chardev", f"socket,id=agent,path={folder.agent},server=on,wait=off")
        yield from devices.device_argument({"driver": "virtio-serial-pci", "id": "serial", "addr": "0x1e"})
        yield from devices.device_argument(
            {"driver": "virtserialport", "bus": "serial.0", "chardev": "agent", "name": _AGENT}
        )
    for _ in range(hardware.serial_ports - 1):
        yield from ("-serial", "null")
    if hardware.boot_menu:
        yield from ("-boot", "menu=on")
    if hardware.local_time:
        yield from ("-rtc", "base=localtime")


def _firmware(hardware: Hardware, folder: GuestFolder) -> Iterator[str]:
    code = {"driver": "file", "filename": str(OVMF / _CODE[hardware.secure_boot]), "read-only": True}
    yield from devices.blockdev_argument({"node-name": "firmware", "driver": "raw", "read-only": True, "file": code})
    kept = {"driver": "file", "filename": str(folder.variables)}
    yield from devices.blockdev_argument({"node-name": "variables", "driver": "raw", "file": kept})
    if hardware.secure_boot:
        # Only the firmware itself may then write to the variables (OvmfPkg/README, "SMM support").
        yield from ("-global", "driver=cfi.pflash01,property=secure,value=on")
