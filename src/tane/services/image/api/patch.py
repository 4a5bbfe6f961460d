"""JSON patch in Glance's two forms (API reference: "Update image", "HTTP PATCH method")."""

from __future__ import annotations

import re
from typing import Any

from tane.services.image import schemas
from tane.services.image.domain.images import refuse_reserved
from tane.services.image.domain.updates import Change
from tane.web import codec
from tane.web.errors import BadRequest, UnsupportedMedia

MEDIA_TYPES = {
    "application/openstack-images-v2.0-json-patch": 4,
    "application/openstack-images-v2.1-json-patch": 10,
}
MOST_OPERATIONS = 1000
OPERATIONS = ("add", "remove", "replace")


def changes_of(content_type: str, raw: bytes) -> list[Change]:
    """:raises UnsupportedMedia: another media type. :raises BadRequest: no valid patch.
    :raises Forbidden: a read-only or reserved attribute."""
    draft = MEDIA_TYPES.get(content_type.split(";")[0].strip().lower())
    if draft is None:
        raise UnsupportedMedia(f"Image PATCH expects Content-Type one of: {', '.join(sorted(MEDIA_TYPES))}")
    body = codec.parse(raw)
    if not isinstance(body, list):
        raise BadRequest("Request body must be a JSON array of operation objects.")
    if len(body) > MOST_OPERATIONS:
        raise BadRequest(f"Request body has more than {MOST_OPERATIONS} operation objects.")
    return [_change(item, draft) for item in body]


def _change(item: Any, draft: int) -> Change:
    if not isinstance(item, dict):
        raise BadRequest("Operations must be JSON objects.")
    op, pointer = _draft4(item) if draft == 4 else _draft10(item)
    name, place = _target(op, pointer)
    refuse_reserved(name)
    if op == "remove":
        return Change("remove", name, place=place, draft=draft)
    if "value" not in item:
        raise BadRequest(f'Operation "{op}" requires a member named "value".')
    value = item["value"]
    if name in schemas.ImageFields.__struct_fields__:
        value = getattr(codec.convert(schemas.ImageFields, {name: value}), name)
    return Change("add" if op == "add" else "replace", name, value, place, draft)


def _draft4(item: dict[str, Any]) -> tuple[str, Any]:
    named = [op for op in OPERATIONS if op in item]
    if len(named) != 1:
        raise BadRequest('Operation objects must contain exactly one member named "add", "remove", or "replace".')
    return named[0], item[named[0]]


def _draft10(item: dict[str, Any]) -> tuple[str, Any]:
    op = item.get("op")
    available = f"It must be one of the following: {', '.join(OPERATIONS)}."
    if op is None:
        raise BadRequest(f"Unable to find `op` in JSON Schema change. {available}")
    if op not in OPERATIONS:
        raise BadRequest(f"Invalid operation: `{op}`. {available}")
    if "path" not in item:
        raise BadRequest("Unable to find 'path' in JSON Schema change")
    return op, item["path"]


def _target(op: str, pointer: Any) -> tuple[str, str]:
    """The attribute a JSON pointer names, and the place in it: only ``locations`` has places."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise BadRequest(f'Pointer `{pointer}` does not start with "/".')
    if re.search(r"/\s*?/", pointer[1:]):
        raise BadRequest(f'Pointer `{pointer}` contains adjacent "/".')
    if len(pointer) > 1 and pointer.endswith("/"):
        raise BadRequest(f'Pointer `{pointer}` end with "/".')
    if re.search(r"~[^01]|~$", pointer):
        raise BadRequest(f'Pointer `{pointer}` contains "~" not part of a recognized escape sequence.')
    parts = [part.replace("~1", "/").replace("~0", "~").strip() for part in pointer.lstrip("/").split("/")]
    wanted = 2 if parts[0] == "locations" and op != "replace" else 1
    if len(parts) != wanted or not parts[0]:
        raise BadRequest(f"Invalid JSON pointer for this resource: '/{'/'.join(parts)}'")
    return parts[0], parts[1] if wanted == 2 else ""
