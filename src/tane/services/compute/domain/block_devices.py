"""What a new server's disks are made of (Compute API: ``block_device_mapping_v2``)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.compute.domain.common import new_id
from tane.services.compute.schemas import BlockDeviceIn
from tane.services.compute.store import block_devices
from tane.services.volume import interface as volume
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound, OverLimit

INVALID = "Block Device Mapping is Invalid: "


@dataclass(frozen=True)
class VolumeSpec:
    """A volume a server is to have: an existing one (``source`` "volume"), or one made for it. ``size`` in GiB."""

    source: str
    source_id: str | None
    size: int | None
    boot_index: int | None
    delete_on_termination: bool
    device: str | None
    tag: str | None
    volume_type: str | None


@dataclass(frozen=True)
class Disks:
    """``image_id``: the image of the local root disk, None when the server boots from ``volumes``."""

    image_id: str | None
    volumes: tuple[VolumeSpec, ...]

    @property
    def root(self) -> VolumeSpec | None:
        return next((spec for spec in self.volumes if spec.boot_index == 0), None)


def of_image(properties: Mapping[str, str]) -> list[BlockDeviceIn]:
    """The mapping that an image of a server booted from volumes carries. :raises BadRequest: it is none."""
    try:
        entries = msgspec.json.decode(properties.get("block_device_mapping", "[]"), type=list[dict[str, Any]])
        known = BlockDeviceIn.__struct_fields__
        return [
            msgspec.convert({name: entry[name] for name in known if name in entry}, BlockDeviceIn) for entry in entries
        ]
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise BadRequest(f"{INVALID}the image's block_device_mapping: {error}") from None


def with_image(
    image_ref: str, wanted: Sequence[BlockDeviceIn], of_image: Sequence[BlockDeviceIn]
) -> tuple[str, list[BlockDeviceIn]]:
    """What is asked for, and what the image adds: all but the devices whose names are taken. The image itself is no
    disk when its mapping has the root; clients name it as the root disk then too."""
    taken = {device.device_name for device in wanted if device.device_name}
    added = [device for device in of_image if device.device_name not in taken]
    if any(_boot_index(device) == 0 for device in of_image):
        image_ref = ""
        wanted = [device for device in wanted if (device.source_type, _boot_index(device)) != ("image", 0)]
    return image_ref, [*wanted, *added]


def plan(image_ref: str, mapping: Sequence[BlockDeviceIn], flavor: Row[Any]) -> Disks:
    """Read the mapping. :raises BadRequest: with the rule that it breaks."""
    image_id: str | None = image_ref or None
    local_image = None
    specs: list[VolumeSpec] = []
    for device in mapping:
        if device.no_device in (True, "True", "true", "1"):
            continue
        source_id = device.uuid or {
            "volume": device.volume_id,
            "snapshot": device.snapshot_id,
            "image": device.image_id,
        }.get(device.source_type)
        destination = device.destination_type or ("local" if device.source_type in ("image", "blank") else "volume")
        if device.source_type != "blank" and not source_id:
            raise BadRequest("Missing device UUID.")
        if destination == "local":
            if device.source_type == "image":
                if _boot_index(device) != 0:
                    raise BadRequest("Mapping image to local is not supported.")
                local_image = source_id
            elif device.source_type == "blank":
                _refuse_larger_than_flavor(device, flavor)
            else:
                raise BadRequest(f"{INVALID}a {device.source_type} cannot become a local disk.")
            continue
        specs.append(_volume_spec(device, source_id))
    boots = sorted(spec.boot_index for spec in specs if spec.boot_index is not None and spec.boot_index >= 0)
    if local_image is not None and image_id not in (None, local_image):
        raise BadRequest(f"{INVALID}imageRef and the image of the root disk differ.")
    if local_image is None and 0 in boots:
        # Whoever names an image and a volume to boot from boots from the volume (Nova).
        image_id = None
    image_id = image_id or local_image
    if image_id is not None:
        boots = [0, *boots]
    elif not specs:
        raise BadRequest("Invalid imageRef provided.")
    if boots != list(range(len(boots))) or not boots:
        raise BadRequest(
            f"{INVALID}Boot sequence for the instance and image/block device mapping combination is not valid."
        )
    return Disks(image_id, tuple(sorted(specs, key=lambda s: (s.boot_index is None, s.boot_index or 0))))


def _volume_spec(device: BlockDeviceIn, source_id: str | None) -> VolumeSpec:
    size = device.volume_size or None
    if device.source_type == "image" and not size:
        raise BadRequest(f"{INVALID}Images with destination_type 'volume' need to have a non-zero size specified")
    if device.source_type == "blank" and not size:
        raise BadRequest(f"{INVALID}Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size")
    name = device.device_name
    return VolumeSpec(
        source=device.source_type,
        source_id=source_id,
        size=size if isinstance(size, int) else None,
        boot_index=_boot_index(device),
        delete_on_termination=device.delete_on_termination is True,
        device=None if name is None else name if name.startswith("/dev/") else f"/dev/{name}",
        tag=device.tag,
        volume_type=device.volume_type,
    )


def _boot_index(device: BlockDeviceIn) -> int | None:
    value = device.boot_index
    if value in (None, "None", "none", ""):
        return None
    try:
        number = int(str(value))
    except ValueError:
        raise BadRequest(f"Invalid input for field/attribute boot_index. '{value}' is not an integer") from None
    return number if number >= 0 else None


def _refuse_larger_than_flavor(device: BlockDeviceIn, flavor: Row[Any]) -> None:
    size = device.volume_size if isinstance(device.volume_size, int) else 0
    if device.guest_format == "swap":
        if size > flavor.swap:
            raise BadRequest("Swap drive requested is larger than instance type allows.")
    elif size > flavor.ephemeral:
        raise BadRequest("Ephemeral disks requested are larger than the instance type allows.")


def claim(
    tx: Tx, ctx: Context, server_id: str, host_name: str, disks: Disks, flavor: Row[Any], root_device: str
) -> None:
    """Reserve the volumes a server is given and order those made for it, which are kept for it; one row each.

    :raises BadRequest: a source that is missing, not bootable, or not available. :raises Forbidden: over quota.
    """
    taken = local_devices(disks.image_id is not None, flavor.ephemeral, flavor.swap, root_device)
    for position, spec in enumerate(disks.volumes):
        attachment_id = new_id()
        keeper = {"server_id": server_id, "attachment_id": attachment_id, "host_name": host_name}
        if spec.source == "volume":
            volume_id = _reserve(tx, ctx, spec, keeper)
        else:
            volume_id = _order(tx, ctx, spec)
            volume.keep(tx, volume_id, **keeper)
        device = spec.device if spec.device and spec.device not in taken else free_device(taken, root_device)
        if spec.boot_index == 0:
            device = root_device
        taken.add(device)
        block_devices.add(
            tx,
            attachment_id=attachment_id,
            server_id=server_id,
            position=position,
            volume_id=volume_id,
            device=device,
            boot_index=spec.boot_index,
            delete_on_termination=spec.delete_on_termination,
            made_for_server=spec.source != "volume",
            tag=spec.tag,
        )


def image_metadata(tx: Tx, ctx: Context, root: VolumeSpec) -> dict[str, str]:
    """The properties of the image that the volume a server boots from was made of; none where it is not there, which is
    told when it is claimed."""
    with contextlib.suppress(NotFound):
        if root.source == "volume" and root.source_id:
            return volume.volume_info(tx, ctx, root.source_id).image_metadata
        if root.source == "snapshot" and root.source_id:
            return volume.snapshot_info(tx, ctx, root.source_id).image_metadata
    return {}


def _reserve(tx: Tx, ctx: Context, spec: VolumeSpec, keeper: dict[str, str]) -> str:
    assert spec.source_id is not None
    try:
        info = volume.volume_info(tx, ctx, spec.source_id)
    except NotFound:
        raise BadRequest(f"{INVALID}failed to get volume {spec.source_id}.") from None
    if spec.boot_index == 0 and not info.bootable:
        raise BadRequest(f"Block Device {spec.source_id} is not bootable.")
    try:
        volume.reserve(tx, ctx, spec.source_id, **keeper)
    except Conflict as error:
        raise BadRequest(f"Invalid volume: {error.message}") from None
    return spec.source_id


def _order(tx: Tx, ctx: Context, spec: VolumeSpec) -> str:
    size = spec.size
    try:
        if spec.source == "snapshot":
            assert spec.source_id is not None
            size = size or volume.snapshot_info(tx, ctx, spec.source_id).size
        return volume.create_volume(
            tx,
            ctx,
            size=size or 0,
            image_id=spec.source_id if spec.source == "image" else None,
            snapshot_id=spec.source_id if spec.source == "snapshot" else None,
            volume_type=spec.volume_type,
        )
    except NotFound as error:
        if spec.source == "blank" or (spec.volume_type and spec.volume_type in error.message):
            raise BadRequest(error.message) from None
        raise BadRequest(f"{INVALID}failed to get {spec.source} {spec.source_id}.") from None
    except OverLimit as error:
        raise Forbidden(error.message) from None


def local_devices(local_root: bool, ephemeral_gb: int, swap_mb: int, root_device: str) -> set[str]:
    """The device names that the disks of the host itself take, behind that of the root disk."""
    count = int(local_root) + bool(ephemeral_gb) + bool(swap_mb)
    names: set[str] = set() if local_root else {root_device}
    for _ in range(count):
        names.add(free_device(names, root_device))
    return names


def free_device(taken: set[str], root_device: str) -> str:
    """The first name of ``/dev/vda`` (or ``/dev/sda``: as ``root_device`` is called) … that is not taken."""
    prefix = root_device[:-1]
    letters = "abcdefghijklmnopqrstuvwxyz"
    for first in ("", *letters):
        for last in letters:
            if f"{prefix}{first}{last}" not in taken:
                return f"{prefix}{first}{last}"
    raise Forbidden("The maximum number of disk devices allowed to attach to a single instance is exceeded.")
