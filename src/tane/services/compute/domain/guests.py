"""The document a host makes a guest from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import Permanent
from tane.services.compute.domain import hardware, metadata
from tane.services.compute.store import block_devices, servers
from tane.services.image import interface as image
from tane.services.network import interface as network
from tane.web.errors import BadRequest
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

POLICY, EVACUATE = "ha:policy", "evacuate"
"""The extra spec of flavors whose servers are started elsewhere when their host is lost, and its value then."""
CONSOLES = "console=tty0 console=ttyS0"


@dataclass(frozen=True)
class Parts:
    """What the database knows of a guest: all but the connections of its volumes."""

    server: Row[Any]
    devices: list[Row[Any]]
    nics: tuple[Nic, ...]
    root: RootDisk | None
    rescue: RootDisk | None
    kernel: Kernel | None
    config_drive: ConfigDrive | None
    hardware: Hardware


def parts(tx: Tx, server_id: str) -> Parts:
    """:raises Permanent: the server or the image of its root disk is gone."""
    row = servers.get(tx, server_id)
    if row is None:
        raise Permanent(f"Instance {server_id} could not be found.")
    devices = block_devices.of_server(tx, server_id)
    properties = row.image_properties
    names_kernel = root = rescue = None
    if row.image_id is not None:
        names_kernel = made_of = image.image_of_disk(tx, row.image_id)
        image_id = row.shelved_image_id or row.image_id
        if image_id != row.image_id:
            made_of = image.image_of_disk(tx, image_id)
        root = RootDisk(
            image=_content(made_of, image_id),
            size_gb=row.flavor["disk"],
            # The image goes when the server is back.
            standalone=row.shelved_image_id is not None,
        )
    if row.rescue_image_id is not None:
        # Whoever asked for the rescue may use it.
        info = image.image_of_disk(tx, row.rescue_image_id)
        rescue = RootDisk(image=_content(info, row.rescue_image_id), size_gb=row.flavor["disk"])
        properties, names_kernel = {**properties, **_boots(info)}, info
    return Parts(
        server=row,
        devices=devices,
        nics=tuple(network.nics(tx, server_id)),
        root=root,
        rescue=rescue,
        kernel=_kernel(tx, row, properties, names_kernel),
        config_drive=ConfigDrive(files=metadata.config_drive(tx, row)) if row.config_drive else None,
        hardware=_hardware(row, properties),
    )


def document(parts: Parts, connections: dict[str, VolumeConnection]) -> Guest:
    """The guest with its volumes reachable by ``connections`` (attachment id → connection)."""
    row = parts.server
    return Guest(
        id=row.id,
        name=f"instance-{row.number:08x}",
        vcpus=row.vcpus,
        memory_mb=row.ram_mb,
        root=parts.root,
        rescue=parts.rescue,
        volumes=tuple(disk(device, connections[device.attachment_id]) for device in parts.devices),
        nics=parts.nics,
        kernel=parts.kernel,
        config_drive=parts.config_drive,
        ephemeral_gb=row.flavor["ephemeral"],
        swap_mb=row.flavor["swap"],
        hardware=parts.hardware,
        leased=replaced(row),
    )


def replaced(row: Row[Any]) -> bool:
    """Whether a server is to be made again elsewhere when its host is lost."""
    return bool(row.flavor["extra_specs"].get(POLICY) == EVACUATE)


def disk(device: Row[Any], connection: VolumeConnection) -> VolumeDisk:
    return VolumeDisk(
        volume_id=device.volume_id, connection=connection, device=device.device, boot_index=device.boot_index
    )


def _hardware(row: Row[Any], properties: dict[str, str]) -> Hardware:
    try:
        return hardware.of(properties, row.flavor["extra_specs"], row.vcpus)
    except BadRequest as error:
        # A release may know other properties than the one that made the server.
        raise Permanent(error.message) from None


def _boots(info: image.ImageInfo | None) -> dict[str, str]:
    """How an image boots that is not the server's own: nothing of that counts for it."""
    found = info.properties if info is not None else {}
    return {name: found.get(name, "") for name in ("kernel_id", "ramdisk_id", "os_command_line")}


def _content(info: image.ImageInfo | None, image_id: str) -> ImageRef:
    if info is None or info.ref is None:
        raise Permanent(f"Image {image_id} could not be found or has no data.")
    return info.ref


def _kernel(tx: Tx, row: Row[Any], properties: dict[str, str], named_by: image.ImageInfo | None) -> Kernel | None:
    """Direct kernel boot, when an image asks for it: of images that the server's project may use, or the owner of the
    one that names them (``named_by``)."""
    kernel_id = properties.get("kernel_id")
    if not kernel_id:
        return None
    ramdisk_id = properties.get("ramdisk_id")
    projects = (row.project_id, named_by.owner if named_by is not None else None)
    return Kernel(
        kernel=_content(image.kernel_of_disk(tx, kernel_id, projects), kernel_id),
        ramdisk=_content(image.kernel_of_disk(tx, ramdisk_id, projects), ramdisk_id) if ramdisk_id else None,
        command_line=properties.get("os_command_line") or f"root={row.root_device_name} {CONSOLES}",
    )
