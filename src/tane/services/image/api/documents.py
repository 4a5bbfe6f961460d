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
    "direct_url": _text("URL to access the image file kept in external store", read_only=True),
    "stores": _text("Stores in which image data resides, separated by commas.", read_only=True),
    "locations": {
        "type": "array",
        "description": "A set of URLs to access the image file kept in external store",
        "items": {
            "type": "object",
            "properties": {
                "url": {"type": "string", "maxLength": 255},
                "metadata": {"type": "object"},
                "validation_data": {"type": "object", "writeOnly": True},
            },
            "required": ["url", "metadata"],
        },
    },
}
TASK: dict[str, Any] = {
    "id": _text("An identifier for the task", pattern=UUID),
    "type": _text(
        "The type of task represented by this content", enum=["import", "api_image_import", "location_import"]
    ),
    "status": _text("The current status of this task", enum=["pending", "processing", "success", "failure"]),
    "input": {"type": ["null", "object"], "description": "The parameters required by task, JSON blob"},
    "result": {"type": ["null", "object"], "description": "The result of current task, JSON blob"},
    "owner": _text("An identifier for the owner of this task"),
    "message": _text("Human-readable informative message only included when appropriate (usually on failure)"),
    "image_id": _text("Image associated with the task"),
    "request_id": _text("Human-readable informative request-id"),
    "user_id": _text("User associated with the task"),
    "expires_at": _text("Datetime when this resource would be subject to removal", null=True),
    "created_at": _text("Datetime when this resource was created"),
    "updated_at": _text("Datetime when this resource was updated"),
    "self": {"readOnly": True, "type": "string"},
    "schema": {"readOnly": True, "type": "string"},
}
MEMBER: dict[str, Any] = {
    "member_id": _text("An identifier for the image member (tenantId)"),
    "image_id": _text("An identifier for the image", pattern=UUID),
    "created_at": _text("Date and time of image member creation"),
    "updated_at": _text("Date and time of last modification of image member"),
    "status": _text("The status of this image member", enum=["pending", "accepted", "rejected"]),
    "schema": _text("An image member schema url", read_only=True),
}


def collection(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """The schema of a list of ``item``."""
    links = {"first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"}}
    relations = (("first", "{first}"), ("next", "{next}"), ("describedby", "{schema}"))
    return {
        "name": name,
        "properties": {name: {"type": "array", "items": item}, **links},
        "links": [{"rel": relation, "href": href} for relation, href in relations],
    }


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
    "images": collection("images", _IMAGE),
    "member": _MEMBER,
    "members": collection("members", _MEMBER),
    "task": {"name": "task", "properties": TASK},
    "tasks": collection(
        "tasks",
        {"name": "task", "properties": {k: v for k, v in TASK.items() if k not in ("input", "result", "message")}},
    ),
}


def show(request: Request) -> dict[str, Any]:
    name = request.path["name"]
    if name not in DOCUMENTS:
        raise NotFound(f"There is no schema named {name}.")
    return DOCUMENTS[name]


def show_metadef(request: Request) -> dict[str, Any]:
    name = request.path["name"]
    if name not in METADEFS:
        raise NotFound(f"There is no schema named metadefs/{name}.")
    return METADEFS[name]


_TYPES = ["array", "boolean", "integer", "number", "object", "string", None]
_POSITIVE = {"$ref": "#/definitions/positiveInteger"}
_POSITIVE_0 = {"$ref": "#/definitions/positiveIntegerDefault0"}
_PROPERTY: dict[str, Any] = {
    "name": {"type": "string", "maxLength": 80},
    "title": {"type": "string"},
    "description": {"type": "string"},
    "operators": {"type": "array", "items": {"type": "string"}},
    "type": {"type": "string", "enum": _TYPES},
    "required": {"$ref": "#/definitions/stringArray"},
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "maxLength": _POSITIVE,
    "minLength": _POSITIVE_0,
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "readonly": {"type": "boolean"},
    "default": {},
    "items": {"type": "object", "properties": {"type": {"type": "string", "enum": _TYPES}, "enum": {"type": "array"}}},
    "maxItems": _POSITIVE,
    "minItems": _POSITIVE_0,
    "uniqueItems": {"type": "boolean", "default": False},
    "additionalItems": {"type": "boolean"},
}
_DEFINITIONS: dict[str, Any] = {
    "positiveInteger": {"type": "integer", "minimum": 0},
    "positiveIntegerDefault0": {"allOf": [{"$ref": "#/definitions/positiveInteger"}, {"default": 0}]},
    "stringArray": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "property": {
        "type": "object",
        "additionalProperties": {"type": "object", "required": ["title", "type"], "properties": _PROPERTY},
    },
}
_LINKS = {"self": {"readOnly": True, "type": "string"}, "schema": {"readOnly": True, "type": "string"}}
_DATES: dict[str, Any] = {
    "created_at": _text("Date and time of creation", read_only=True, format="date-time"),
    "updated_at": _text("Date and time of the last modification", read_only=True, format="date-time"),
}
_NESTED: dict[str, Any] = {
    "name": {"type": "string"},
    "description": {"type": "string"},
    "required": {"$ref": "#/definitions/stringArray"},
    "properties": {"$ref": "#/definitions/property"},
}
_KIND: dict[str, Any] = {
    "name": _text("The name of the resource type.", maxLength=80),
    "prefix": _text("What property names begin with on such a resource, with its separator.", maxLength=80),
    "properties_target": _text("Which of a resource's several sets of key / value pairs is meant.", maxLength=80),
}


def _metadef(name: str, properties: dict[str, Any], required: list[str], *, definitions: bool) -> dict[str, Any]:
    found = {"name": name, "properties": properties, "additionalProperties": False, "required": required}
    return {**found, "definitions": _DEFINITIONS} if definitions else found


_NAMESPACE = _metadef(
    "namespace",
    {
        "namespace": _text("The unique namespace text.", maxLength=80),
        "display_name": _text("The user friendly name for the namespace. Used by UI if available.", maxLength=80),
        "description": _text("Provides a user friendly description of the namespace.", maxLength=500),
        "visibility": _text("Scope of namespace accessibility.", enum=["public", "private"]),
        "protected": {"type": "boolean", "description": "If true, namespace will not be deletable."},
        "owner": _text("Owner of the namespace.", maxLength=255),
        **_DATES,
        **_LINKS,
        "resource_type_associations": {
            "type": "array",
            "items": {"type": "object", "properties": {name: {"type": "string"} for name in _KIND}},
        },
        "properties": {"$ref": "#/definitions/property"},
        "objects": {"type": "array", "items": {"type": "object", "properties": _NESTED}},
        "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
    ["namespace"],
    definitions=True,
)
_OBJECT = _metadef("object", {**_NESTED, **_DATES, **_LINKS}, ["name"], definitions=True)
_ONE_PROPERTY = _metadef("property", _PROPERTY, ["type", "title", "name"], definitions=True)
_TAG = _metadef("tag", {"name": {"type": "string", "maxLength": 255}, **_DATES}, ["name"], definitions=False)
_ASSOCIATION = _metadef("resource_type_association", {**_KIND, **_DATES}, ["name"], definitions=False)


def _many(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """A list's schema holds the definitions its items refer to."""
    inner = {key: value for key, value in item.items() if key != "definitions"}
    found = collection(name, inner)
    return {**found, "definitions": item["definitions"]} if "definitions" in item else found


_PROPERTIES = _many("properties", {**_ONE_PROPERTY, "required": ["type", "title"]})
_PROPERTIES["properties"]["properties"] = {
    "type": "object",
    "additionalProperties": _PROPERTIES["properties"]["properties"]["items"],
}
METADEFS: dict[str, dict[str, Any]] = {
    "namespace": _NAMESPACE,
    "namespaces": _many("namespaces", _NAMESPACE),
    "object": _OBJECT,
    "objects": _many("objects", _OBJECT),
    "property": _ONE_PROPERTY,
    "properties": _PROPERTIES,
    "tag": _TAG,
    "tags": _many("tags", _TAG),
    "resource_type": _ASSOCIATION,
    "resource_types": _many("resource_type_associations", _ASSOCIATION),
}
