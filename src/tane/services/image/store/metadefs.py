"""SQL of metadata definitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.image.tables import (
    metadef_association,
    metadef_item,
    metadef_namespace,
    metadef_resource_type,
)

SORT_KEYS = ("created_at", "updated_at", "namespace", "display_name", "visibility", "id")


def namespace(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(metadef_namespace, namespace=name)


def namespaces(
    tx: Tx,
    project_id: str | None,
    filters: Mapping[str, Sequence[str]],
    order: Sequence[tuple[str, bool]],
    marker: Row[Any] | None,
    limit: int,
) -> list[Row[Any]]:
    """Those ``project_id`` sees (None: all). ``filters``: "visibility" and "resource_types"."""
    table = metadef_namespace
    statement = select(table)
    if project_id is not None:
        statement = statement.where(or_(table.c.visibility == "public", table.c.project_id == project_id))
    if "visibility" in filters:
        statement = statement.where(table.c.visibility.in_(filters["visibility"]))
    if "resource_types" in filters:
        kinds = select(metadef_association.c.namespace_id).where(
            metadef_association.c.namespace_id == table.c.id,
            metadef_association.c.resource_type.in_(filters["resource_types"]),
        )
        statement = statement.where(exists(kinds))
    values = None if marker is None else [getattr(marker, name) for name, _ in order]
    return tx.all(page(statement, [(table.c[name], down) for name, down in order], values, limit))


def add_namespace(tx: Tx, **values: Any) -> int:
    result = tx.insert(metadef_namespace, created_at=tx.now, updated_at=tx.now, **values)
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def change_namespace(tx: Tx, namespace_id: int, **values: Any) -> None:
    table = metadef_namespace
    tx.update(table, {"id": namespace_id}, updated_at=tx.now, **values)


def remove_namespace(tx: Tx, namespace_id: int) -> None:
    tx.execute(delete(metadef_namespace).where(metadef_namespace.c.id == namespace_id))


def items(tx: Tx, namespace_id: int, kind: str) -> list[Row[Any]]:
    table = metadef_item
    mine = (table.c.namespace_id == namespace_id, table.c.kind == kind)
    return tx.all(select(table).where(*mine).order_by(table.c.id))


def item(tx: Tx, namespace_id: int, kind: str, name: str) -> Row[Any] | None:
    table = metadef_item
    mine = (table.c.namespace_id == namespace_id, table.c.kind == kind, table.c.name == name)
    return tx.first(select(table).where(*mine))


def add_item(tx: Tx, namespace_id: int, kind: str, name: str, body: Mapping[str, Any]) -> None:
    values = {"namespace_id": namespace_id, "kind": kind, "name": name, "body": dict(body)}
    tx.insert(metadef_item, created_at=tx.now, updated_at=tx.now, **values)


def change_item(tx: Tx, item_id: int, name: str, body: Mapping[str, Any]) -> None:
    values = {"name": name, "body": dict(body), "updated_at": tx.now}
    tx.update(metadef_item, {"id": item_id}, **values)


def remove_item(tx: Tx, item_id: int) -> None:
    tx.execute(delete(metadef_item).where(metadef_item.c.id == item_id))


def remove_items(tx: Tx, namespace_id: int, kind: str) -> None:
    tx.execute(delete(metadef_item).where(metadef_item.c.namespace_id == namespace_id, metadef_item.c.kind == kind))


def resource_types(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(metadef_resource_type).order_by(metadef_resource_type.c.name))


def add_resource_types(tx: Tx, names: Iterable[str]) -> None:
    """Those that are not there yet."""
    known = {row.name for row in resource_types(tx)}
    for name in dict.fromkeys(names):
        if name not in known:
            tx.insert(metadef_resource_type, name=name, created_at=tx.now, updated_at=tx.now)


def associations(tx: Tx, namespace_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """The resource types of several namespaces: one query."""
    table = metadef_association
    found: dict[int, list[Row[Any]]] = {}
    statement = select(table).where(table.c.namespace_id.in_(namespace_ids)).order_by(table.c.resource_type)
    for row in tx.all(statement):
        found.setdefault(row.namespace_id, []).append(row)
    return found


def add_association(tx: Tx, namespace_id: int, name: str, prefix: str | None, target: str | None) -> None:
    values = {"namespace_id": namespace_id, "resource_type": name, "prefix": prefix, "properties_target": target}
    tx.insert(metadef_association, created_at=tx.now, updated_at=tx.now, **values)


def remove_association(tx: Tx, namespace_id: int, name: str) -> int:
    table = metadef_association
    return tx.count(delete(table).where(table.c.namespace_id == namespace_id, table.c.resource_type == name))
