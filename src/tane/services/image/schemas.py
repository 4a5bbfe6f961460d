"""Request bodies of image (API reference: Image Service API v2). What a body does not name is a custom property."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from tane.web.codec import Body, LongText, LooseBody, Text255

UNSET = msgspec.UNSET
Unset = msgspec.UnsetType
DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
DiskFormat = Literal["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso"]
ContainerFormat = Literal["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]
Visibility = Literal["public", "community", "shared", "private"]
MOST = 1000
"""Entries of a list, or of the definitions in a namespace."""
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
    tags: Annotated[list[Text255], msgspec.Meta(max_length=MOST)] | Unset = UNSET


class ImageCreate(ImageFields):
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")] | Unset = UNSET


class MemberCreate(LooseBody):
    member: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class MemberUpdate(LooseBody):
    status: Text255


class ValidationData(Body):
    """Both or none."""

    os_hash_algo: Literal["sha1", "sha256", "sha512", "md5"] | Unset = UNSET
    os_hash_value: Annotated[str, msgspec.Meta(max_length=128)] | Unset = UNSET


class LocationHashes(Body):
    """What a location of a JSON patch may announce of its data."""

    os_hash_algo: Annotated[str, msgspec.Meta(max_length=64)]
    os_hash_value: Annotated[str, msgspec.Meta(max_length=128)]
    checksum: Annotated[str, msgspec.Meta(min_length=32, max_length=32)] | Unset = UNSET


class LocationCreate(LooseBody):
    url: Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^[a-zA-Z0-9+.-]+:[^\x00-\x20\x7f]+\Z")]
    validation_data: ValidationData | None = None


class TaskCreate(LooseBody):
    type: Text255
    input: Annotated[dict[Text255, Any], msgspec.Meta(max_length=MOST)]


Names = Annotated[list[Text255], msgspec.Meta(max_length=MOST)]
Values = Annotated[list[Any], msgspec.Meta(max_length=MOST)]
PropertyKind = Literal["array", "boolean", "integer", "number", "object", "string"]
Name80 = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Positive = Annotated[int, msgspec.Meta(ge=0)]


class ReadOnly(Body):
    """What a client must not send: 403, not 400 (see ``api/metadefs.py``)."""

    created_at: Any = UNSET
    updated_at: Any = UNSET


class PropertyItems(LooseBody):
    type: PropertyKind | None = None
    enum: Values | Unset = UNSET


class PropertyFields(LooseBody):
    """A property's JSON schema as metadata definitions have it."""

    title: Text255
    type: PropertyKind | None
    description: LongText | Unset = UNSET
    operators: Names | Unset = UNSET
    required: Names | Unset = UNSET
    default: Any = UNSET
    readonly: bool | Unset = UNSET
    minimum: float | Unset = UNSET
    maximum: float | Unset = UNSET
    enum: Values | Unset = UNSET
    pattern: LongText | Unset = UNSET
    minLength: Positive | Unset = UNSET
    maxLength: Positive | Unset = UNSET
    confidential: bool | Unset = UNSET
    items: PropertyItems | Unset = UNSET
    uniqueItems: bool | Unset = UNSET
    minItems: Positive | Unset = UNSET
    maxItems: Positive | Unset = UNSET
    additionalItems: bool | Unset = UNSET


class PropertyBody(PropertyFields, kw_only=True):
    name: Name80
    created_at: Any = UNSET
    updated_at: Any = UNSET


Properties = Annotated[dict[Name80, PropertyFields], msgspec.Meta(max_length=MOST)]


class ObjectFields(LooseBody):
    name: Name80
    description: LongText | Unset = UNSET
    required: Names | Unset = UNSET
    properties: Properties | Unset = UNSET


class ObjectBody(ReadOnly, kw_only=True, forbid_unknown_fields=True):
    name: Name80
    description: LongText | Unset = UNSET
    required: Names | Unset = UNSET
    properties: Properties | Unset = UNSET
    self: Any = UNSET
    schema: Any = UNSET


class TagFields(LooseBody):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


TagList = Annotated[list[TagFields], msgspec.Meta(max_length=MOST)]


class TagBody(ReadOnly, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class TagsBody(ReadOnly, kw_only=True, forbid_unknown_fields=True):
    tags: TagList = []


class AssociationFields(LooseBody):
    name: Name80
    prefix: Annotated[str, msgspec.Meta(max_length=80)] | Unset = UNSET
    properties_target: Annotated[str, msgspec.Meta(max_length=80)] | Unset = UNSET


class AssociationBody(ReadOnly, kw_only=True, forbid_unknown_fields=True):
    name: Name80
    prefix: Annotated[str, msgspec.Meta(max_length=80)] | Unset = UNSET
    properties_target: Annotated[str, msgspec.Meta(max_length=80)] | Unset = UNSET


class NamespaceBody(ReadOnly, kw_only=True, forbid_unknown_fields=True):
    namespace: Name80
    display_name: Annotated[str, msgspec.Meta(max_length=80)] | Unset = UNSET
    description: Annotated[str, msgspec.Meta(max_length=500)] | Unset = UNSET
    visibility: Literal["public", "private"] | Unset = UNSET
    protected: bool | Unset = UNSET
    owner: Text255 | Unset = UNSET
    resource_type_associations: Annotated[list[AssociationFields], msgspec.Meta(max_length=MOST)] = []
    properties: Properties = {}
    objects: Annotated[list[ObjectFields], msgspec.Meta(max_length=MOST)] = []
    tags: TagList = []
    self: Any = UNSET
    schema: Any = UNSET
