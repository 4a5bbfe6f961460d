"""Metadata definitions (Image API v2: "Metadata Definitions")."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from sqlalchemy.engine import Row

from tane.services.image.api.images import DEFAULT_LIMIT, MOST
from tane.services.image.domain import metadefs
from tane.services.image.domain.metadefs import Namespace
from tane.services.image.store.metadefs import SORT_KEYS
from tane.web.codec import iso
from tane.web.errors import BadRequest, Forbidden, NotFound
from tane.web.request import Request, Response

ROOT = "/v2/metadefs/namespaces"
SCHEMAS = "/v2/schemas/metadefs"
READ_ONLY = ("self", "schema", "created_at", "updated_at")


def _writable(request: Request) -> Any:
    """The body. :raises Forbidden: it has what only the service sets."""
    for name in READ_ONLY:
        if getattr(request.body, name, msgspec.UNSET) is not msgspec.UNSET:
            raise Forbidden(f"Attribute '{name}' is read-only.")
    return request.body


def _times(row: Row[Any]) -> dict[str, Any]:
    return {"created_at": iso(row.created_at), "updated_at": iso(row.updated_at)}


def _association(row: Row[Any]) -> dict[str, Any]:
    optional = {"prefix": row.prefix, "properties_target": row.properties_target}
    return {"name": row.resource_type, **{k: v for k, v in optional.items() if v is not None}, **_times(row)}


def _object(namespace: str, row: Row[Any], prefix: str = "") -> dict[str, Any]:
    view = {"required": [], "properties": {}, **row.body}
    view["required"] = [prefix + name for name in view["required"]]
    view["properties"] = {prefix + name: schema for name, schema in view["properties"].items()}
    where = f"{ROOT}/{namespace}/objects/{row.name}"
    return {**view, "name": row.name, **_times(row), "self": where, "schema": f"{SCHEMAS}/object"}


def _namespace(found: Namespace, resource_type: str | None = None) -> dict[str, Any]:
    """``resource_type``: names are given the prefix they have on such resources."""
    row = found.row
    view = {
        "namespace": row.namespace,
        "visibility": row.visibility,
        "protected": row.protected,
        "owner": row.project_id,
        **_times(row),
        "self": f"{ROOT}/{row.namespace}",
        "schema": f"{SCHEMAS}/namespace",
    }
    for name in ("display_name", "description"):
        if getattr(row, name) is not None:
            view[name] = getattr(row, name)
    if found.associations:
        view["resource_type_associations"] = [_association(one) for one in found.associations]
    prefix = next((one.prefix or "" for one in found.associations if one.resource_type == resource_type), "")
    if objects := found.items.get("object"):
        view["objects"] = [_object(row.namespace, one, prefix) for one in objects]
    if properties := found.items.get("property"):
        view["properties"] = {prefix + one.name: one.body for one in properties}
    if tags := found.items.get("tag"):
        view["tags"] = [{"name": one.name} for one in tags]
    return view


def index(request: Request) -> dict[str, Any]:
    filters = {}
    if visibility := request.param("visibility"):
        if visibility not in ("public", "private"):
            raise BadRequest(f"Invalid visibility value: {visibility}")
        filters["visibility"] = [visibility]
    if kinds := request.param("resource_types"):
        filters["resource_types"] = kinds.split(",")
    key, direction = request.param("sort_key") or "created_at", request.param("sort_dir") or "desc"
    if key not in SORT_KEYS:
        raise BadRequest(f"Invalid sort key: {key}")
    if direction not in ("asc", "desc"):
        raise BadRequest(f"Invalid sort direction: {direction}")
    order = [(name, direction == "desc") for name in dict.fromkeys((key, "id"))]
    limit = min(request.number("limit", DEFAULT_LIMIT) or 0, MOST)
    found = metadefs.index(request.core, request.ctx, filters, order, request.param("marker"), limit)
    kept = [(name, value) for name, value in request.query if name != "marker"]
    answer: dict[str, Any] = {"namespaces": [_namespace(one) for one in found], "schema": f"{SCHEMAS}/namespaces"}
    answer["first"] = ROOT + (f"?{urlencode(kept)}" if kept else "")
    if found and len(found) == limit:
        answer["next"] = f"{ROOT}?{urlencode([*kept, ('marker', found[-1].row.namespace)])}"
    return answer


def show(request: Request) -> dict[str, Any]:
    found = metadefs.show(request.core, request.ctx, request.path["namespace"])
    return _namespace(found, request.param("resource_type"))


def create(request: Request) -> Response:
    made = metadefs.create(request.core, request.ctx, _writable(request))
    return Response(_namespace(made), headers={"Location": quote(f"{ROOT}/{made.row.namespace}")})


def update(request: Request) -> dict[str, Any]:
    return _namespace(metadefs.update(request.core, request.ctx, request.path["namespace"], _writable(request)))


def delete(request: Request) -> None:
    metadefs.delete(request.core, request.ctx, request.path["namespace"])


def objects(request: Request) -> dict[str, Any]:
    namespace = request.path["namespace"]
    found = metadefs.items(request.core, request.ctx, namespace, "object")
    return {"objects": [_object(namespace, row) for row in found], "schema": "v2/schemas/metadefs/objects"}


def show_object(request: Request) -> dict[str, Any]:
    namespace = request.path["namespace"]
    return _object(
        namespace, metadefs.item(request.core, request.ctx, namespace, "object", request.path["object_name"])
    )


def create_object(request: Request) -> dict[str, Any]:
    namespace, body = request.path["namespace"], _writable(request)
    kept = metadefs.plain(body)
    return _object(namespace, metadefs.add_item(request.core, request.ctx, namespace, "object", body.name, kept))


def update_object(request: Request) -> dict[str, Any]:
    namespace, body, old = request.path["namespace"], _writable(request), request.path["object_name"]
    kept = metadefs.plain(body)
    changed = metadefs.change_item(request.core, request.ctx, namespace, "object", old, body.name, kept)
    return _object(namespace, changed)


def delete_object(request: Request) -> None:
    metadefs.remove_item(request.core, request.ctx, request.path["namespace"], "object", request.path["object_name"])


def delete_objects(request: Request) -> None:
    metadefs.remove_items(request.core, request.ctx, request.path["namespace"], "object")


def properties(request: Request) -> dict[str, Any]:
    found = metadefs.items(request.core, request.ctx, request.path["namespace"], "property")
    return {"properties": {row.name: {"name": row.name, **row.body} for row in found}}


def show_property(request: Request) -> dict[str, Any]:
    """With ``resource_type`` the name is asked for, and told, with the prefix it has on such resources."""
    namespace, name, prefix = request.path["namespace"], request.path["property_name"], ""
    if kind := request.param("resource_type"):
        found = metadefs.associations(request.core, request.ctx, namespace)
        prefix = next((one.prefix or "" for one in found if one.resource_type == kind), "")
        if not name.startswith(prefix):
            raise NotFound(
                f"Property {name} does not start with the expected resource type association prefix of '{prefix}'."
            )
    row = metadefs.item(request.core, request.ctx, namespace, "property", name.removeprefix(prefix))
    return {**row.body, "name": prefix + row.name}


def create_property(request: Request) -> dict[str, Any]:
    body = _writable(request)
    kept = metadefs.plain(body)
    metadefs.add_item(request.core, request.ctx, request.path["namespace"], "property", body.name, kept)
    return {**kept, "name": body.name}


def update_property(request: Request) -> dict[str, Any]:
    body, old = _writable(request), request.path["property_name"]
    kept = metadefs.plain(body)
    metadefs.change_item(request.core, request.ctx, request.path["namespace"], "property", old, body.name, kept)
    return {**kept, "name": body.name}


def delete_property(request: Request) -> None:
    metadefs.remove_item(
        request.core, request.ctx, request.path["namespace"], "property", request.path["property_name"]
    )


def delete_properties(request: Request) -> None:
    metadefs.remove_items(request.core, request.ctx, request.path["namespace"], "property")


def tags(request: Request) -> dict[str, Any]:
    found = metadefs.items(request.core, request.ctx, request.path["namespace"], "tag")
    return {"tags": [{"name": row.name} for row in found]}


def create_tags(request: Request) -> dict[str, Any]:
    names = [tag.name for tag in _writable(request).tags]
    append = request.headers.get("x-openstack-append", "").strip().lower() in ("1", "t", "true", "on", "y", "yes")
    metadefs.set_tags(request.core, request.ctx, request.path["namespace"], names, append=append)
    return {"tags": [{"name": name} for name in names]}


def show_tag(request: Request) -> dict[str, Any]:
    row = metadefs.item(request.core, request.ctx, request.path["namespace"], "tag", request.path["tag_name"])
    return {"name": row.name, **_times(row)}


def create_tag(request: Request) -> dict[str, Any]:
    name = request.path["tag_name"]
    if len(name) > 255:
        raise BadRequest("Invalid tag name: at most 255 characters are allowed.")
    row = metadefs.add_item(request.core, request.ctx, request.path["namespace"], "tag", name, {})
    return {"name": row.name, **_times(row)}


def update_tag(request: Request) -> dict[str, Any]:
    old, name = request.path["tag_name"], _writable(request).name
    row = metadefs.change_item(request.core, request.ctx, request.path["namespace"], "tag", old, name, {})
    return {"name": row.name, **_times(row)}


def delete_tag(request: Request) -> None:
    metadefs.remove_item(request.core, request.ctx, request.path["namespace"], "tag", request.path["tag_name"])


def delete_tags(request: Request) -> None:
    metadefs.remove_items(request.core, request.ctx, request.path["namespace"], "tag")


def resource_types(request: Request) -> dict[str, Any]:
    found = metadefs.resource_types(request.core)
    return {"resource_types": [{"name": row.name, **_times(row)} for row in found]}


def associations(request: Request) -> dict[str, Any]:
    found = metadefs.associations(request.core, request.ctx, request.path["namespace"])
    return {"resource_type_associations": [_association(row) for row in found]}


def associate(request: Request) -> dict[str, Any]:
    namespace = request.path["namespace"]
    return _association(metadefs.associate(request.core, request.ctx, namespace, _writable(request)))


def dissociate(request: Request) -> None:
    metadefs.dissociate(request.core, request.ctx, request.path["namespace"], request.path["resource_type"])
