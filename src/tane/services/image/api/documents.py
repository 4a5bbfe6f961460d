"""JSON schemas the service publishes (Image API v2: "Image Schemas"); glanceclient builds its models from them."""

from __future__ import annotations

from typing import Any

from tane.services.image.schemas import CONTAINER_FORMATS, DISK_FORMATS
from tane.web.errors import NotFound
from tane.web.request import Request

UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"


def _text(description: str, *, null: bool = False, read_only: bool = False, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": ["null", "string"] if null else "string", "description": description, **more}
    return {**found, "readOnly": True} if read_only else found


def _number(description: str, *, null: bool = False) -> dict[str, Any]:
    if null:
        return {"type": ["null", "integer"], "description": description, "readOnly": True}
    return {"type": "integer", "description": description}


IMAGE: dict[str, Any] = {
    "id": _text("An identifier for the image", pattern=UUID),
    "name": _text("Descriptive name for the image", null=True, maxLength=255),
    "status": _text(
        "Status of the image",
        read_only=True,
        enum=[
            "queued",
            "saving",
            "active",
            "killed",
            "deleted",
            "uploading",
            "importing",
            "pending_delete",
            "deactivated",
        ],
    ),
    "visibility": _text("Scope of image accessibility", enum=["community", "public", "private", "shared"]),
    "protected": {"type": "boolean", "description": "If true, image will not be deletable."},
    "os_hidden": {
        "type": "boolean",
        "description": "If true, image will not appear in default image list response.",
    },
    "checksum": _text("md5 hash of image contents.", null=True, read_only=True, maxLength=32),
    "os_hash_algo": _text("Algorithm of the os_hash_value", null=True, read_only=True, maxLength=64),
    "os_hash_value": _text("Hexdigest of the image contents", null=True, read_only=True, maxLength=128),
    "owner": _text("Owner of the image", null=True, maxLength=255),
    "size": _number("Size of image file in bytes", null=True),
    "virtual_size": _number("Virtual size of image in bytes", null=True),
    "container_format": _text("Format of the container", null=True, enum=[None, *CONTAINER_FORMATS]),
    "disk_format": _text("Format of the disk", null=True, enum=[None, *DISK_FORMATS]),
    "created_at": _text("Date and time of image registration", read_only=True),
    "updated_at": _text("Date and time of the last image modification", read_only=True),
    "tags": {
        "type": "array",
        "description": "List of strings related to the image",
        "items": {"type": "string", "maxLength": 255},
    },
    "min_ram": _number("Amount of ram (in MB) required to boot image."),
    "min_disk": _number("Amount of disk space (in GB) required to boot image."),
    "self": _text("An image self url", read_only=True),
    "file": _text("An image file url", read_only=True),
    "schema": _text("An image schema url", read_only=True),
}
MEMBER: dict[str, Any] = {
    "member_id": _text("An identifier for the image member (tenantId)"),
    "image_id": _text("An identifier for the image", pattern=UUID),
    "created_at": _text("Date and time of image member creation"),
    "updated_at": _text("Date and time of last modification of image member"),
    "status": _text("The status of this image member", enum=["pending", "accepted", "rejected"]),
    "schema": _text("An image member schema url", read_only=True),
}


def _collection(name: str, item: dict[str, Any]) -> dict[str, Any]:
    links = {"first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"}}
    found = {
        "name": name,
        "properties": {name: {"type": "array", "items": item}, **links},
        "links": [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}],
    }
    return {**found, "links": [*found["links"], {"rel": "describedby", "href": "{schema}"}]}


_IMAGE = {
    "name": "image",
    "properties": IMAGE,
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}
_MEMBER = {"name": "member", "properties": MEMBER, "links": [{"rel": "describedby", "href": "{schema}"}]}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "image": _IMAGE,
    "images": _collection("images", _IMAGE),
    "member": _MEMBER,
    "members": _collection("members", _MEMBER),
}


def show(request: Request) -> dict[str, Any]:
    name = request.path["name"]
    if name not in DOCUMENTS:
        raise NotFound(f"There is no schema named {name}.")
    return DOCUMENTS[name]
