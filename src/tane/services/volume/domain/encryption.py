"""What is written down of a type's encryption. Volumes here are not encrypted: none is made of such a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain.common import new_id
from tane.services.volume.store import types, volumes
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, NotFound


def show(core: Core, type_id: str) -> dict[str, Any]:
    """Empty when there is none. :raises NotFound: no such type."""
    with core.db.read() as tx:
        return dict(_type(tx, type_id).encryption or {})


def create(core: Core, type_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """:raises BadRequest: there is one, or volumes of the type are there."""
    with core.db.write() as tx:
        row = _type(tx, type_id)
        if row.encryption:
            raise BadRequest(f"Volume type encryption for type {type_id} already exists.")
        _refuse_used(tx, type_id, "create")
        ids = {"encryption_id": new_id(), "volume_type_id": type_id}
        times = {"created_at": iso_micro(tx.now), "updated_at": None, "deleted_at": None, "deleted": False}
        types.change(tx, type_id, encryption={**values, **ids, **times})
        return {**values, **ids}


def update(core: Core, type_id: str, encryption_id: str, values: Mapping[str, Any]) -> None:
    """:raises NotFound: there is none of this id. :raises BadRequest: volumes of the type are there."""
    with core.db.write() as tx:
        found = _require(_type(tx, type_id), encryption_id)
        _refuse_used(tx, type_id, "update")
        types.change(tx, type_id, encryption={**found, **values, "updated_at": iso_micro(tx.now)})


def delete(core: Core, type_id: str, encryption_id: str) -> None:
    """:raises NotFound: there is none of this id. :raises BadRequest: volumes of the type are there."""
    with core.db.write() as tx:
        _require(_type(tx, type_id), encryption_id)
        _refuse_used(tx, type_id, "delete")
        types.change(tx, type_id, encryption=None)


def _type(tx: Tx, type_id: str) -> Row[Any]:
    row = types.get(tx, type_id)
    if row is None:
        raise NotFound(f"Volume type {type_id} could not be found.")
    return row


def _require(row: Row[Any], encryption_id: str) -> dict[str, Any]:
    found: dict[str, Any] = row.encryption or {}
    if found.get("encryption_id") != encryption_id:
        raise NotFound(f"Volume type encryption for type {row.id} does not exist.")
    return found


def _refuse_used(tx: Tx, type_id: str, verb: str) -> None:
    if volumes.of_type(tx, type_id):
        raise BadRequest(f"Cannot {verb} encryption specs. Volume type in use.")
