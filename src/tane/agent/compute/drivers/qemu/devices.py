"""QEMU's own description of a guest's devices: the same for the command line and for hot-plugging.

Sources: QEMU's QAPI schema (``BlockdevOptions``, ``NetdevOptions``) and ``-device help``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tane.agent.network.user import free_forwards
from tane.wire.documents import Nic, VolumeDisk

Options = dict[str, Any]

RECONNECT_SECONDS = 3600
"""How long a guest's requests wait for a volume's exporter to come back before they fail."""

FIRST_NIC_SLOT = 8
"""Below it lie the disks: those that come and go move no NIC, and NICs put no disk before the root disk."""

BALLOON = "balloon"
BALLOON_PATH = f"/machine/peripheral/{BALLOON}"
_SERIAL_LENGTH = 20


def device_argument(options: Options) -> tuple[str, str]:
    """A device on QEMU's command line."""
    return "-device", json.dumps(options)


def blockdev_argument(options: Options) -> tuple[str, str]:
    """A block node on QEMU's command line."""
    return "-blockdev", json.dumps(options)


def root_port(index: int) -> str:
    """The id of a slot's bus."""
    return f"rp{index}"


def volume_device(volume_id: str) -> str:
    return f"volume-{volume_id}"


def nic_device(port_id: str) -> str:
    return f"nic-{port_id}"


def netdev(port_id: str) -> str:
    return f"net-{port_id}"


def volume_node(volume_id: str) -> str:
    """The block node the guest's device stands on. Node names have at most 31 characters."""
    return "v" + volume_id.replace("-", "")[:28]


def nbd_node(volume_id: str, generation: int) -> str:
    """The connection below :func:`volume_node`; a resize replaces it by the next generation."""
    return f"n{volume_id.replace('-', '')[:28]}{generation % 2}"


def tls_object(volume_id: str) -> str:
    return f"tls-{volume_id}"


def raw_node(name: str, path: Path) -> Options:
    """A raw file of this host."""
    file = {"driver": "file", "filename": str(path), "discard": "unmap"}
    return {"node-name": name, "driver": "raw", "discard": "unmap", "file": file}


def disk_node(name: str, path: Path, base: str = "") -> Options:
    """A qcow2 file of this host. Its backing file is named here, whatever its header says."""
    node: Options = {
        "node-name": name,
        "driver": "qcow2",
        "discard": "unmap",
        "file": {"driver": "file", "filename": str(path), "discard": "unmap"},
    }
    if base:
        file = {"driver": "file", "filename": base, "read-only": True}
        node["backing"] = {"driver": "qcow2", "read-only": True, "file": file}
    return node


def tls_credentials(disk: VolumeDisk, keys: Path) -> Options:
    return {
        "qom-type": "tls-creds-psk",
        "id": tls_object(disk.volume_id),
        "endpoint": "client",
        "dir": str(keys),
        "username": disk.connection.tls_username,
    }


def nbd_connection(disk: VolumeDisk, generation: int = 0) -> Options:
    return {
        "node-name": nbd_node(disk.volume_id, generation),
        "driver": "nbd",
        "server": {"type": "inet", "host": disk.connection.host, "port": str(disk.connection.port)},
        "export": disk.connection.export,
        "tls-creds": tls_object(disk.volume_id),
        "reconnect-delay": RECONNECT_SECONDS,
        "discard": "unmap",
        "read-only": disk.read_only,
    }


def volume_layer(disk: VolumeDisk, generation: int = 0) -> Options:
    """The node between device and connection that lets a resize swap the connection."""
    return {
        "node-name": volume_node(disk.volume_id),
        "driver": "raw",
        "file": nbd_node(disk.volume_id, generation),
        "discard": "unmap",
        "read-only": disk.read_only,
    }


class Place(NamedTuple):
    """Where a disk sits: its bus and the slot of its controller, on "sata" the channel of the machine's own."""

    bus: str
    slot: int
    channel: int = 0


def block_devices(
    device_id: str, node: str, place: Place, *, kind: str = "hd", serial: str = "", boot_index: int | None = None
) -> list[Options]:
    """The devices of a disk (``kind`` "hd") or CD-ROM ("cd") in the order they are added; taking the first one away
    takes all."""
    port = root_port(place.slot)
    extra: Options = {"serial": serial[:_SERIAL_LENGTH]} if serial else {}
    extra |= {"bootindex": boot_index} if boot_index is not None else {}
    if place.bus == "virtio":
        return [{"driver": "virtio-blk-pci", "id": device_id, "drive": node, "bus": port, **extra}]
    if place.bus == "sata":
        return [{"driver": f"ide-{kind}", "id": device_id, "drive": node, "bus": f"ide.{place.channel}", **extra}]
    disk = {"driver": f"scsi-{kind}", "id": f"{device_id}-disk", "drive": node, "bus": f"{device_id}.0", **extra}
    return [{"driver": "virtio-scsi-pci", "id": device_id, "bus": port}, disk]


def volume_block_devices(disk: VolumeDisk, bus: str, slot: int, boot_index: int | None = None) -> list[Options]:
    """``bus``: that of the guest's disks. One without hot plugging is not for volumes, which come and go."""
    place = Place("scsi" if bus == "scsi" else "virtio", slot)
    name, node = volume_device(disk.volume_id), volume_node(disk.volume_id)
    return block_devices(name, node, place, serial=disk.volume_id, boot_index=boot_index)


def nic_backend(nic: Nic, tap: str) -> Options:
    """``tap``: number or name of the open tap's descriptor; "" in user network mode."""
    if tap:
        return {"type": "tap", "id": netdev(nic.port_id), "fd": tap}
    rules = [{"str": f"tcp:{address}:{host}-:{guest}"} for address, host, guest in free_forwards(nic.port_id)]
    return {"type": "user", "id": netdev(nic.port_id), "restrict": False, "hostfwd": rules}


def nic_frontend(nic: Nic, slot: int, model: str) -> Options:
    device: Options = {
        "driver": "virtio-net-pci" if model == "virtio" else model,
        "id": nic_device(nic.port_id),
        "netdev": netdev(nic.port_id),
        "mac": nic.mac_address,
        "bus": root_port(slot),
        "romfile": "",
    }
    if model == "virtio":
        device["host_mtu"] = nic.mtu
    return device
