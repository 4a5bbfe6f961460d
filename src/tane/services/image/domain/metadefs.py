"""Metadata definitions: namespaces of objects, properties and tags, and the resource types they are about.

A public namespace is everyone's to read, a private one its owner's; what a protected one holds cannot be deleted.
Writing is the administrator's (policy ``metadef_admin``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.image.schemas import UNSET, AssociationBody, AssociationFields, NamespaceBody
from tane.services.image.store import metadefs as store
from tane.web.context import Context
from tane.web.errors import Conflict, Forbidden, NotFound

Kind = Literal["object", "property", "tag"]
RESOURCE_TYPES = (
    "OS::Cinder::Volume",
    "OS::Glance::Image",
    "OS::Nova::Aggregate",
    "OS::Nova::Flavor",
    "OS::Nova::Server",
)
"""Known from the start, as upstream."""


class Namespace(msgspec.Struct):
    """A namespace with what was asked of it."""

    row: Any
    associations: list[Any]
    items: dict[str, list[Any]] = {}


def found(tx: Tx, ctx: Context, name: str) -> Row[Any]:
    """:raises NotFound: no such namespace, or another project's private one."""
    row = store.namespace(tx, name)
    if row is None or not (row.visibility == "public" or ctx.sees(row.project_id)):
        raise NotFound(f"Metadata definition namespace={name} was not found.")
    return row


def _complete(tx: Tx, row: Row[Any]) -> Namespace:
    items = {kind: store.items(tx, row.id, kind) for kind in ("object", "property", "tag")}
    return Namespace(row, store.associations(tx, [row.id]).get(row.id, []), items)


def index(
    core: Core,
    ctx: Context,
    filters: Mapping[str, Sequence[str]],
    order: Sequence[tuple[str, bool]],
    marker: str | None,
    limit: int,
) -> list[Namespace]:
    """:raises NotFound: the marker is no namespace."""
    with core.db.read() as tx:
        start = found(tx, ctx, marker) if marker else None
        rows = store.namespaces(tx, None if ctx.is_admin else ctx.project_id, filters, order, start, limit)
        kinds = store.associations(tx, [row.id for row in rows])
        return [Namespace(row, kinds.get(row.id, [])) for row in rows]


def show(core: Core, ctx: Context, name: str) -> Namespace:
    with core.db.read() as tx:
        return _complete(tx, found(tx, ctx, name))


def create(core: Core, ctx: Context, body: NamespaceBody) -> Namespace:
    """:raises Conflict: the namespace is there, or names something twice."""
    with core.db.write() as tx:
        if store.namespace(tx, body.namespace) is not None:
            raise Conflict(f"The metadata definition namespace={body.namespace} already exists.")
        namespace_id = store.add_namespace(tx, namespace=body.namespace, **_columns(ctx, body))
        for association in body.resource_type_associations:
            _associate(tx, namespace_id, body.namespace, association)
        for obj in body.objects:
            _add(tx, namespace_id, body.namespace, "object", obj.name, plain(obj))
        for name, schema in body.properties.items():
            _add(tx, namespace_id, body.namespace, "property", name, plain(schema))
        for tag in body.tags:
            _add(tx, namespace_id, body.namespace, "tag", tag.name, {})
        return _complete(tx, found(tx, ctx, body.namespace))


def _columns(ctx: Context, body: NamespaceBody) -> dict[str, Any]:
    return {
        "project_id": ctx.project_id if body.owner is UNSET else body.owner,
        "display_name": None if body.display_name is UNSET else body.display_name,
        "description": None if body.description is UNSET else body.description,
        "visibility": "private" if body.visibility is UNSET else body.visibility,
        "protected": False if body.protected is UNSET else body.protected,
    }


def plain(body: msgspec.Struct) -> dict[str, Any]:
    """What is kept of an object or property beside its name."""
    kept: dict[str, Any] = msgspec.to_builtins(body)
    return {name: value for name, value in kept.items() if name not in ("name", "created_at", "updated_at")}


def update(core: Core, ctx: Context, name: str, body: NamespaceBody) -> Namespace:
    """Everything that is not sent is back at its default, as upstream."""
    with core.db.write() as tx:
        row = found(tx, ctx, name)
        if body.namespace != name and store.namespace(tx, body.namespace) is not None:
            raise Conflict(f"The metadata definition namespace={body.namespace} already exists.")
        store.change_namespace(tx, row.id, namespace=body.namespace, **_columns(ctx, body))
        changed = store.namespace(tx, body.namespace)
        return Namespace(changed, store.associations(tx, [row.id]).get(row.id, []))


def delete(core: Core, ctx: Context, name: str) -> None:
    with core.db.write() as tx:
        store.remove_namespace(tx, _unprotected(tx, ctx, name, f"namespace {name}").id)


def _unprotected(tx: Tx, ctx: Context, name: str, what: str) -> Row[Any]:
    """:raises Forbidden: nothing of a protected namespace is deleted."""
    row = found(tx, ctx, name)
    if row.protected:
        raise Forbidden(f"Metadata definition {what} is protected and cannot be deleted.")
    return row


def items(core: Core, ctx: Context, name: str, kind: Kind) -> list[Row[Any]]:
    with core.db.read() as tx:
        return store.items(tx, found(tx, ctx, name).id, kind)


def item(core: Core, ctx: Context, name: str, kind: Kind, wanted: str) -> Row[Any]:
    with core.db.read() as tx:
        return _item(tx, found(tx, ctx, name), kind, wanted)


def _item(tx: Tx, row: Row[Any], kind: Kind, name: str) -> Row[Any]:
    present = store.item(tx, row.id, kind, name)
    if present is None:
        raise NotFound(f"The metadata definition {kind} with name={name} was not found in namespace={row.namespace}.")
    return present


def _add(tx: Tx, namespace_id: int, namespace: str, kind: Kind, name: str, body: Mapping[str, Any]) -> None:
    if store.item(tx, namespace_id, kind, name) is not None:
        what = "metadata tag" if kind == "tag" else f"metadata definition {kind}"
        raise Conflict(f"A {what} with name={name} already exists in namespace={namespace}.")
    store.add_item(tx, namespace_id, kind, name, body)


def add_item(core: Core, ctx: Context, namespace: str, kind: Kind, name: str, body: Mapping[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        row = found(tx, ctx, namespace)
        _add(tx, row.id, namespace, kind, name, body)
        return _item(tx, row, kind, name)


def change_item(
    core: Core, ctx: Context, namespace: str, kind: Kind, old: str, name: str, body: Mapping[str, Any]
) -> Row[Any]:
    with core.db.write() as tx:
        row = found(tx, ctx, namespace)
        present = _item(tx, row, kind, old)
        if name != old and store.item(tx, row.id, kind, name) is not None:
            raise Conflict(f"A metadata definition {kind} with name={name} already exists in namespace={namespace}.")
        store.change_item(tx, present.id, name, body)
        return _item(tx, row, kind, name)


def remove_item(core: Core, ctx: Context, namespace: str, kind: Kind, name: str) -> None:
    with core.db.write() as tx:
        row = _unprotected(tx, ctx, namespace, f"{kind} {name}")
        store.remove_item(tx, _item(tx, row, kind, name).id)


def remove_items(core: Core, ctx: Context, namespace: str, kind: Kind) -> None:
    with core.db.write() as tx:
        row = _unprotected(tx, ctx, namespace, f"namespace {namespace}")
        store.remove_items(tx, row.id, kind)


def set_tags(core: Core, ctx: Context, namespace: str, names: Sequence[str], *, append: bool) -> None:
    """All tags at once: instead of those there, or beside them. :raises Conflict: one of them twice."""
    with core.db.write() as tx:
        row = found(tx, ctx, namespace)
        if not append:
            store.remove_items(tx, row.id, "tag")
        for name in names:
            _add(tx, row.id, namespace, "tag", name, {})


def resource_types(core: Core) -> list[Row[Any]]:
    with core.db.read() as tx:
        rows = store.resource_types(tx)
    if {row.name for row in rows}.issuperset(RESOURCE_TYPES):
        return rows
    with core.db.write() as tx:
        store.add_resource_types(tx, RESOURCE_TYPES)
        return store.resource_types(tx)


def associations(core: Core, ctx: Context, namespace: str) -> list[Row[Any]]:
    with core.db.read() as tx:
        row = found(tx, ctx, namespace)
        return store.associations(tx, [row.id]).get(row.id, [])


def associate(core: Core, ctx: Context, namespace: str, body: AssociationBody) -> Row[Any]:
    with core.db.write() as tx:
        row = found(tx, ctx, namespace)
        _associate(tx, row.id, namespace, body)
        [made] = [one for one in store.associations(tx, [row.id])[row.id] if one.resource_type == body.name]
        return made


def _associate(tx: Tx, namespace_id: int, namespace: str, body: AssociationFields | AssociationBody) -> None:
    present = store.associations(tx, [namespace_id]).get(namespace_id, [])
    if any(one.resource_type == body.name for one in present):
        raise Conflict(
            f"The metadata definition resource-type association of resource-type={body.name} "
            f"to namespace={namespace} already exists."
        )
    store.add_resource_types(tx, (*RESOURCE_TYPES, body.name))
    prefix = None if body.prefix is UNSET else body.prefix
    target = None if body.properties_target is UNSET else body.properties_target
    store.add_association(tx, namespace_id, body.name, prefix, target)


def dissociate(core: Core, ctx: Context, namespace: str, name: str) -> None:
    with core.db.write() as tx:
        row = _unprotected(tx, ctx, namespace, f"resource-type-association {name}")
        if not store.remove_association(tx, row.id, name):
            raise NotFound(f"Failed to find resource type {name} to delete")
