"""Request bodies of image (API reference: Image Service API v2). What a body does not name is a custom property."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from tane.web.codec import Body, LooseBody, Text255

UNSET = msgspec.UNSET
Unset = msgspec.UnsetType
DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
DiskFormat = Literal["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso"]
ContainerFormat = Literal["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]
Visibility = Literal["public", "community", "shared", "private"]
Count = Annotated[int, msgspec.Meta(ge=0, le=2147483647)]


class ImageFields(LooseBody):
    """What a client may set of an image."""

    name: Text255 | Unset | None = UNSET
    owner: Text255 | Unset = UNSET
    visibility: Visibility | Unset = UNSET
    disk_format: DiskFormat | Unset | None = UNSET
    container_format: ContainerFormat | Unset | None = UNSET
    min_disk: Count | Unset = UNSET
    min_ram: Count | Unset = UNSET
    protected: bool | Unset = UNSET
    os_hidden: bool | Unset = UNSET
    tags: list[Text255] | Unset = UNSET


class ImageCreate(ImageFields):
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")] | Unset = UNSET


class MemberCreate(LooseBody):
    member: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class MemberUpdate(LooseBody):
    status: str


class ValidationData(Body):
    os_hash_algo: Literal["sha1", "sha256", "sha512", "md5"]
    os_hash_value: Annotated[str, msgspec.Meta(max_length=128)]


class LocationCreate(LooseBody):
    url: str
    validation_data: ValidationData | None = None


class TaskCreate(LooseBody):
    type: str
    input: dict[str, Any]
