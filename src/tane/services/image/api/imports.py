"""Imports, stores and locations (Image API v2: "Import an image", "Stores", "Image locations")."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from tane.services.image.domain import images, imports, locations, stores
from tane.services.image.domain.imports import Import, Method
from tane.web import codec
from tane.web.errors import BadRequest
from tane.web.request import Request

MOST_STORES = 100


def import_image(request: Request) -> None:
    wanted = _wanted(request.core.config.image.import_methods, codec.parse(request.raw))
    wanted.header_store = request.headers.get("x-image-meta-store")
    imports.start(request.core, request.ctx, request.path["image_id"], wanted)


def _wanted(methods: Sequence[str], body: Any) -> Import:
    if not isinstance(body, dict) or not isinstance(body.get("method"), dict):
        raise BadRequest("Import request requires a 'method' field.")
    method = body["method"]
    if "name" not in method:
        raise BadRequest("Import request requires a 'name' field.")
    if method["name"] not in methods:
        raise BadRequest(f"Unknown import method name '{method['name']}'.")
    for name in ("all_stores_must_succeed", "all_stores"):
        if not isinstance(body.get(name, False), bool):
            raise BadRequest(f"'{name}' must be boolean value only")
    wanted = body.get("stores")
    if wanted is not None and not (isinstance(wanted, list) and all(isinstance(name, str) for name in wanted)):
        raise BadRequest("'stores' must be a list of store names")
    if wanted is not None and len(wanted) > MOST_STORES:
        raise BadRequest(f"'stores' names more than {MOST_STORES} stores")
    return Import(
        method=Method(
            name=method["name"],
            uri=_text(method, "uri"),
            region=_text(method, "glance_region"),
            image_id=_text(method, "glance_image_id"),
            interface=_text(method, "glance_service_interface", "public"),
        ),
        stores=wanted,
        all_stores=body.get("all_stores", False),
        all_stores_must_succeed=body.get("all_stores_must_succeed", True),
        sent=codec.bounded("method", body),
    )


def _text(method: dict[str, Any], name: str, default: str = "") -> str:
    value = method.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"'{name}' must be a text")
    return value


def import_info(request: Request) -> dict[str, Any]:
    methods = request.core.config.image.import_methods
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": methods}}


def stores_info(request: Request) -> dict[str, Any]:
    found = []
    for name, store in stores.all_stores(request.core).items():
        view = {"id": name}
        if description := stores.description(request.core, name):
            view["description"] = description
        if name == stores.default(request.core):
            view["default"] = "true"
        if store.read_only:
            view["read-only"] = "true"
        found.append(view)
    return {"stores": found}


def stores_detail(request: Request) -> dict[str, Any]:
    views = stores_info(request)["stores"]
    known = stores.all_stores(request.core)
    for view in views:
        store = known[view["id"]]
        more = {"type": store.kind, "properties": store.properties()}
        view.update(more, weight=stores.weight(request.core, view["id"]))
    return {"stores": views}


def delete_from_store(request: Request) -> None:
    locations.delete_from_store(request.core, request.ctx, request.path["image_id"], request.path["store_id"])


def show_locations(request: Request) -> list[dict[str, Any]]:
    found = images.show(request.core, request.ctx, request.path["image_id"])
    return [{"url": place.url, "metadata": {**place.meta, "store": place.store}} for place in found.locations]


def add_location(request: Request) -> None:
    given = {} if request.body.validation_data is None else msgspec.to_builtins(request.body.validation_data)
    if len(given) == 1:
        raise BadRequest("os_hash_algo and os_hash_value are required together in validation_data")
    if given:
        _check_digest(given["os_hash_algo"], given["os_hash_value"])
    imports.add_location(request.core, request.ctx, request.path["image_id"], request.body.url, given)


def _check_digest(algorithm: str, value: str) -> None:
    try:
        given = bytes.fromhex(value)
    except ValueError:
        raise BadRequest(f"os_hash_value ({value}) is not a valid hexadecimal value") from None
    wanted = hashlib.new(algorithm).digest_size
    if len(given) != wanted:
        raise BadRequest(
            f"os_hash_value: ({value}) is not the correct size for ({algorithm}) (should be ({wanted}) bytes)"
        )
