"""Resources that are no more than their row: show, list, create, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, require, require_field
from tane.services.identity.store import rows


@dataclass(frozen=True)
class Kind:
    """``name`` is what errors and the audit trail call it; ``defaults`` are of the fields that may be left out."""

    name: str
    table: Table
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    """Fields in which null means an empty text."""


def show(core: Core, kind: Kind, row_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, kind.table, row_id, kind.name)


def index(core: Core, kind: Kind, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, kind.table, filters)


def create(core: Core, kind: Kind, values: Mapping[str, Any]) -> Row[Any]:
    """:raises BadRequest: a required field is missing."""
    with core.db.write() as tx:
        return add(tx, kind, values)


def update(core: Core, kind: Kind, row_id: str, values: Mapping[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        return change(tx, kind, row_id, values)


def delete(core: Core, kind: Kind, row_id: str) -> None:
    with core.db.write() as tx:
        remove(tx, kind, row_id)


def add(tx: Tx, kind: Kind, values: Mapping[str, Any]) -> Row[Any]:
    for name in kind.required:
        require_field(dict(values), name)
    row_id = values.get("id") or new_id()
    rows.add(tx, kind.table, {**kind.defaults, **_stored(kind, values), "id": row_id, "created_at": tx.now})
    audit.record(tx, "created", kind.name, row_id)
    return require(tx, kind.table, row_id, kind.name)


def change(tx: Tx, kind: Kind, row_id: str, values: Mapping[str, Any]) -> Row[Any]:
    row = require(tx, kind.table, row_id, kind.name)
    wanted = _stored(kind, values)
    if "extra" in wanted:
        wanted["extra"] = {**row.extra, **wanted["extra"]}
    rows.change(tx, kind.table, row_id, wanted)
    audit.record(tx, "updated", kind.name, row_id)
    return require(tx, kind.table, row_id, kind.name)


def remove(tx: Tx, kind: Kind, row_id: str) -> None:
    require(tx, kind.table, row_id, kind.name)
    rows.remove(tx, kind.table, row_id)
    audit.record(tx, "deleted", kind.name, row_id)


def _stored(kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in values.items() if name in kind.table.c and name != "id"}
    return {name: value or "" if name in kind.texts else value for name, value in known.items()}
